"""A throw-away node_exporter of this machine."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.peers.prometheus import free_port

_PATIENCE_S: Final = 20.0


@contextmanager
def node_exporter(folder: Path) -> Iterator[str]:
    """The URL of its page. Skips where it is not installed."""
    program = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if program is None:
        pytest.skip("node_exporter is not installed (tests/install-peers.sh installs it)")
    url = f"http://127.0.0.1:{(port := free_port())}/metrics"
    with (folder / "log").open("wb") as log:
        command = [program, f"--web.listen-address=127.0.0.1:{port}"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        latest = time.monotonic() + _PATIENCE_S
        while not _is_ready(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < latest, "node_exporter does not answer"
            time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _is_ready(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return b"node_load1" in answer.read()
    except (URLError, ConnectionError, TimeoutError):
        return False
