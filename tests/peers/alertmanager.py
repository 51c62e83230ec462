"""A throw-away Prometheus whose rule fires when a test says so, and an Alertmanager that tells watchkeeper."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import pytest

_PATIENCE_S: Final = 20.0


class Target:
    """Something to scrape: the metric `broken` of it is what a test sets."""

    def __init__(self) -> None:
        self.broken = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # as http.server has it
                body = f"broken {int(outer.broken)}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def alerting(folder: Path, receiver: str) -> Iterator[Target]:
    """The target of a Prometheus that has its alerts sent to a webhook. Skips where they are not installed.

    Args:
        receiver: the YAML of an Alertmanager's `webhook_configs` entry.
    """
    prometheus, alertmanager = shutil.which("prometheus"), shutil.which("prometheus-alertmanager")
    if prometheus is None or alertmanager is None:
        pytest.skip("Prometheus and Alertmanager are not installed (tests/install-peers.sh installs them)")
    target = Target()
    ports = _free_port(), _free_port()
    (folder / "alertmanager.yml").write_text(_ALERTMANAGER.replace("RECEIVER", receiver))
    (folder / "rules.yml").write_text(_RULES)
    (folder / "prometheus.yml").write_text(
        _PROMETHEUS.replace("ALERTMANAGER", str(ports[0])).replace("TARGET", str(target.port))
    )
    commands = (
        [
            alertmanager,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{ports[0]}",
            "--cluster.listen-address=",
            "--log.level=debug",
        ],
        [
            prometheus,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{ports[1]}",
            "--rules.alert.resend-delay=1s",
        ],
    )
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command, port in zip(commands, ports, strict=True):
            with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
            _wait_until(lambda port=port: _is_ready(port), f"{command[0]} does not answer")  # type: ignore[misc]  # of a loop
        yield target
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(10)
        target.close()


_ALERTMANAGER: Final = """
route:
  receiver: watchkeeper
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 2s
receivers:
  - name: watchkeeper
    webhook_configs:
      - RECEIVER
"""

_RULES: Final = """
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopBroken
        expr: broken == 1
        labels: {severity: critical, service: web}
        annotations:
          summary: The shop on {{ $labels.instance }} is broken
          description: Nobody can buy anything.
          runbook_url: https://wiki.example.com/shop
"""

_PROMETHEUS: Final = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: shop
    static_configs:
      - targets: ["127.0.0.1:TARGET"]
alerting:
  alertmanagers:
    - static_configs:
        - targets: ["127.0.0.1:ALERTMANAGER"]
"""


def _wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    latest = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < latest, otherwise
        time.sleep(0.02)


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
            return int(answer.status) == 200
    except (URLError, ConnectionError, TimeoutError):
        return False


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
