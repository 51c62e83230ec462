"""A throw-away Prometheus that knows the past of some series, to compare answers with."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from watchkeeper.domain.statistics import Points

_PATIENCE_S: Final = 20.0


class Prometheus:
    """A running server that listens on loopback.

    Times are those of the series plus `shift_ms`: a server forgets what is too old for its block's age, and takes no
    samples of the future.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._url = f"{self.url}/api/v1"

    def query(self, expression: str, at_ms: int) -> dict[str, float]:
        """The instant query's answer, by the label `n`. Values are as exact as floats."""
        asked = urlencode({"query": expression, "time": f"{at_ms / 1000:.3f}"})
        with urlopen(f"{self._url}/query?{asked}", timeout=30) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return {one["metric"].get("n", ""): float(one["value"][1]) for one in found["data"]["result"]}

    def is_ready(self) -> bool:
        try:
            return self.query("vector(1)", 0) == {"": 1.0}
        except (URLError, ConnectionError, TimeoutError):
            return False


@contextmanager
def prometheus(folder: Path, series: Mapping[str, Points]) -> Iterator[Prometheus]:
    """Prometheus with the metric `m`, with a label `n` for each series. Skips where there is none installed."""
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server is None or tool is None:
        pytest.skip("Prometheus is not installed (tests/install-peers.sh installs it)")
    text, data, config = folder / "past.txt", folder / "data", folder / "prometheus.yml"
    with text.open("w") as file:
        file.writelines(_open_metrics(series))
    config.write_text("scrape_configs: []\n")
    _run([tool, "tsdb", "create-blocks-from", "openmetrics", "-q", str(text), str(data)])
    port = free_port()
    arguments = [
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([server, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        made = Prometheus(port)
        latest = time.monotonic() + _PATIENCE_S
        while not made.is_ready():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < latest, "Prometheus does not answer"
            time.sleep(0.02)
        yield made
    finally:
        process.terminate()
        process.wait(10)


def _open_metrics(series: Mapping[str, Points]) -> Iterable[str]:
    """Points as text; `repr` gives floats back as they were."""
    yield "# TYPE m gauge\n"
    for name, (times, values) in series.items():
        for at_ms, value in zip(times, values, strict=True):
            yield f'm{{n="{name}"}} {value!r} {at_ms / 1000:.3f}\n'
    yield "# EOF\n"


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
