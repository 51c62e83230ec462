"""watchkeeper itself, as the process that people run."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from threading import Event, Thread
from time import monotonic, sleep
from types import MappingProxyType

import yaml

from bench import children
from bench.pages import Metrics, fetch
from bench.sides import Load, Side

PROGRAM = (sys.executable, "-m", "watchkeeper")
SCRAPE_S = 15.0
SERVICES = 20
_START_S = 90.0


class Watchkeeper(Side):
    """`watchkeeper run` with as many http probes, two rules each, SQLite, tickets on the local desk."""

    name = "watchkeeper"

    def __init__(self, folder: Path, *, core: int | None = None, scraped: bool = True) -> None:
        super().__init__(folder)
        self._core = core
        self._scraped = scraped
        self._scraper = Scraper()
        self.port = children.free_port()
        self.database = folder / "watchkeeper.db"
        self.ready_s = 0.0  # from the start of the process to /-/ready

    def start(self, load: Load) -> None:
        self.configure(load)
        began = monotonic()
        process, log = self._spawn("daemon", *PROGRAM, "run", "-c", str(self.folder / "config.yaml"), core=self._core)
        self.ready_s = wait_until_ready(self.port, process, log, began)
        if self._scraped:
            self._scraper.begin(self.port, SCRAPE_S)

    def configure(self, load: Load) -> None:
        """Writes its files."""
        write_config(self.folder, load, self.port)

    def stop(self) -> None:
        self._scraper.end()
        super().stop()

    def up(self) -> int:
        _, body = fetch(self.port, "/metrics")
        return len(re.findall(rb"^watchkeeper_probe_up\{.*\} 1(?:\.0)?$", body, re.MULTILINE))

    def metrics(self) -> Metrics:
        return Metrics.scraped(self.port)

    @contextmanager
    def scraping(self, every_s: float) -> Iterator["Scraper"]:
        """Scrapes it for as long as the block lasts."""
        scraper = Scraper()
        scraper.begin(self.port, every_s)
        try:
            yield scraper
        finally:
            scraper.end()


class Scraper:
    """Reads /metrics again and again, as a Prometheus would."""

    def __init__(self) -> None:
        self._ending = Event()
        self._thread: Thread | None = None
        self.seconds: list[float] = []  # that each scrape took
        self.bytes = 0  # of the last one

    def begin(self, port: int, every_s: float) -> None:
        self._thread = Thread(target=self._work, args=(port, every_s), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(30)

    def _work(self, port: int, every_s: float) -> None:
        while not self._ending.wait(every_s):
            began = monotonic()
            with suppress(OSError):
                self.bytes = len(fetch(port, "/metrics")[1])
                self.seconds.append(monotonic() - began)


def wait_until_ready(port: int, process: "Popen[bytes]", log: Path, began: float) -> float:
    """Seconds from `began` until the daemon says that it is ready."""
    while True:
        with suppress(OSError):
            if fetch(port, "/-/ready")[0] == 200:
                return monotonic() - began
        if process.poll() is not None or monotonic() - began > _START_S:
            raise RuntimeError(f"watchkeeper was not ready in time:\n{children.tail(log)}")
        sleep(0.01)


def probe_id(number: int) -> str:
    return f"shop-{number:05}"


def write_config(
    folder: Path,
    load: Load,
    port: int,
    *,
    first: Sequence[Mapping[str, object]] = (),
    each: Mapping[str, object] = MappingProxyType({}),
    more: Mapping[str, object] = MappingProxyType({}),
) -> Path:
    """A configuration as an inventory would write it: every probe is listed, none is made by `each`.

    Args:
        first: probes that come before the others.
        each: what else is said of each of the others.
        more: further keys of the daemon's file.
    """
    services = {f"service-{n:02}": {"title": f"Service {n}"} for n in range(SERVICES)}
    config = {
        "state": "sqlite:///watchkeeper.db",
        "probe_files": ["probes.yaml"],
        "rule_files": ["rules.yaml"],
        "web": {"listen": f"127.0.0.1:{port}"},
        "services": services,
        **more,
    }
    defaults = {"every": f"{load.every_s}s", "timeout": f"{load.timeout_s}s"}
    tls = {"verify": str(load.certificate)} if load.urls and load.urls[0].startswith("https:") else {}
    probes = [
        {
            "id": probe_id(number),
            "prober": "http",
            "service": f"service-{number % SERVICES:02}",
            "url": url,
            **tls,
            **each,
        }
        for number, url in enumerate(load.urls)
    ]
    for name, content in (
        ("config.yaml", config),
        ("probes.yaml", {"defaults": defaults, "probes": [*map(dict, first), *probes]}),
        ("rules.yaml", {"groups": [{"name": "bench", "rules": _rules(load)}]}),
    ):
        (folder / name).write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False))
    return folder / "config.yaml"


def _rules(load: Load) -> Sequence[dict[str, object]]:
    hold = f"{load.hold_s}s"
    return [
        {"id": "down", "when": 'status == "down"', "for": hold, "severity": "critical"},
        {"id": "slow", "when": "values.first_byte_seconds > 0.9", "for": hold, "severity": "minor"},
    ]
