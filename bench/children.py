"""Processes that the benchmark starts, and ends by their pid whatever happens."""

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

TARGET_CORE = 0
SIDE_CORE = 1
_CORES = ",".join(map(str, sorted(os.sched_getaffinity(0))))
_PATIENCE_S = 10.0

_running: list["subprocess.Popen[bytes]"] = []


def spawn(command: Sequence[str], log: Path, *, core: int | None = None) -> "subprocess.Popen[bytes]":
    """Starts a process whose output goes to a file. It dies with the benchmark, even if that is killed."""
    cores = _CORES if core is None else str(core)
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", cores, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
        )
    _running.append(process)
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process: with patience at first, then without."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
    if process.poll() is None:
        process.kill()
        process.wait(_PATIENCE_S)
    if process in _running:
        _running.remove(process)


def end_all() -> None:
    """Ends whatever still runs, the youngest first."""
    for process in reversed(_running.copy()):
        end(process)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Waits until a process listens on a port of 127.0.0.1."""
    give_up = monotonic() + _PATIENCE_S
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or monotonic() > give_up:
            raise RuntimeError(f"{process.args!r} did not start:\n{tail(log)}")
        sleep(0.02)


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
