"""A real Redis, started for a test and gone after it."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

_PATIENCE_S: Final = 10.0


@dataclass(frozen=True)
class Redis:
    """A running server."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def say(self, *commands: str) -> str:
        """What it answers to lines as people type them. Ends when it has answered all."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_S) as connection:
            connection.sendall("".join(f"{command}\r\n" for command in (*commands, "QUIT")).encode())
            parts = []
            while chunk := connection.recv(65_536):
                parts.append(chunk)
        return b"".join(parts).decode()


@contextmanager
def redis_server(folder: Path, *settings: str, tls: Path | None = None) -> Iterator[Redis]:
    """A server with these arguments, whose data are in a folder. Skips where there is none installed.

    Args:
        tls: the file of its key and certificate, if it speaks TLS only.
    """
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed (tests/install-peers.sh installs it)")
    port = _free_port()
    ports = ["--port", str(port)] if tls is None else ["--port", "0", "--tls-port", str(port)]
    if tls is not None:
        ports += ["--tls-cert-file", str(tls), "--tls-key-file", str(tls), "--tls-auth-clients", "no"]
        ports += ["--tls-ca-cert-file", str(tls)]
    own = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--repl-diskless-sync-delay", "0"]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *ports, *own, *settings], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        latest = time.monotonic() + _PATIENCE_S
        while not _listens(port):
            assert process.poll() is None, (folder / "redis.log").read_text()
            assert time.monotonic() < latest, "Redis does not listen"
            time.sleep(0.01)
        yield Redis(port, process)
    finally:
        process.kill()
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
