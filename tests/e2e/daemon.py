"""A real watchkeeper as a process of its own, its log, and its command line."""

import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0  # how long the daemon may take to do what is waited for


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Setup:
    """A folder with a configuration, and the commands that work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.port = free_port()

    @classmethod
    def example(cls, folder: Path, *, faster: bool = True) -> Self:
        """The shipped example, on a port of its own. `faster`: with seconds instead of quarter minutes."""
        setup = cls(folder)
        for name in ("probes", "rules"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "config.example.yaml", setup.config)
        for path in [setup.config, *folder.glob("probes/*.yaml"), *folder.glob("rules/*.yaml")]:
            text = path.read_text().replace("9321", str(setup.port))
            if faster:
                text = text.replace("every: 15s", "every: 1s").replace("timeout: 5s", "timeout: 1s")
                text = re.sub(r"(for|keep_firing_for): 1m\b", r"\1: 2s", text)
            path.write_text(text)
        return setup

    @classmethod
    def of(cls, folder: Path, *, probes: str, rules: str, more: str = "") -> Self:
        """A configuration with one service `web`. `PORT` in the texts is the daemon's own port."""
        setup = cls(folder)
        setup.write("probes.yaml", probes)
        setup.write("rules.yaml", rules)
        setup.write(
            "config.yaml",
            f"probe_files: [probes.yaml]\nrule_files: [rules.yaml]\nservices:\n  web: {{title: Web}}\n"
            f"web: {{listen: 127.0.0.1:{setup.port}}}\n{more}",
        )
        return setup

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text.replace("PORT", str(self.port)))
        return path

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs a watchkeeper command on this configuration, to its end."""
        return run_command(*arguments, "-c", str(self.config), folder=self.folder)

    def listed(self, what: str) -> list[dict[str, Any]]:
        """What `watchkeeper incidents` or `tickets` lists, the newest first."""
        done = self.command(what, "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def get(self, path: str, *, post: bool = False) -> tuple[int, str]:
        """Status and text of one of the daemon's pages."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method="POST" if post else "GET")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Asks again and again; each time costs a request or a process, which is pause enough."""
        give_up = monotonic() + PATIENCE_S
        while not holds():
            assert monotonic() < give_up, "it did not become so in time"

    @contextmanager
    def daemon(self, environment: Mapping[str, str] | None = None, *options: str) -> "Iterator[Daemon]":
        """A running daemon, killed at the end of the block if it still runs."""
        daemon = Daemon(self, environment or {}, options)
        try:
            daemon.wait_for("started")
            yield daemon
        finally:
            daemon.kill()


def run_command(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "watchkeeper", *arguments],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHKEEPER_", "NOTIFY_"))}
    return {**kept, "PYTHONPATH": str(ROOT)}


class Daemon:
    """A running `watchkeeper run`, read by its log."""

    def __init__(self, setup: Setup, environment: Mapping[str, str], options: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "watchkeeper", "run", "-c", str(setup.config), *options],
            cwd=setup.folder,
            env={**_environment(), **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.events: list[dict[str, Any]] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, event: str, **fields: object) -> dict[str, Any]:
        """The next log event of this name with these fields. Fails when it does not come, or the daemon ends."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AssertionError(f"no {event} {fields} in time; the log:\n{self._told()}") from None
            assert line is not None, f"the daemon ended before {event} {fields}; the log:\n{self._told()}"
            found = self._parsed(line)
            if found.get("event") == event and all(found.get(name) == value for name, value in fields.items()):
                return found

    def read(self, lines: int, within_s: float = 2.0) -> None:
        """Reads so many lines of the log, or what comes in the time."""
        for _ in range(lines):
            try:
                line = self._lines.get(timeout=within_s)
            except queue.Empty:
                return
            if line is None:
                self._lines.put(None)
                return
            self._parsed(line)

    def seen(self, event: str) -> list[dict[str, Any]]:
        """The events of this name so far."""
        while not self._lines.empty():
            line = self._lines.get()
            if line is None:
                self._lines.put(None)
                break
            self._parsed(line)
        return [found for found in self.events if found.get("event") == event]

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self) -> int:
        """Ends it by SIGTERM. Its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Its exit status, when it has ended by itself."""
        status = self._process.wait(PATIENCE_S)
        self._close()
        return status

    def kill(self) -> None:
        """Ends it by SIGKILL, as a power cut would."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_S)
        self._close()

    def _close(self) -> None:
        self._reader.join(PATIENCE_S)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def _parsed(self, line: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(line)
        except ValueError:
            found = {"event": "text", "text": line.rstrip()}
        self.events.append(found)
        return found

    def _told(self) -> str:
        return "\n".join(json.dumps(event) for event in self.events[-30:])
