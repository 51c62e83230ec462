"""The service manager hears what systemd's notification protocol says, on a real socket."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from watchkeeper.engine.supervision import Supervision


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """A service manager that listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.settimeout(5)
        server.bind(address)
        yield server


def heard(server: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in server.recv(4096).decode().split("\n"))


def test_a_manager_hears_what_becomes_of_the_daemon(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager(address) as server:
        told = Supervision({"NOTIFY_SOCKET": address})

        told.ready("watching 3 probes")
        assert heard(server) == {"READY": "1", "STATUS": "watching 3 probes"}
        told.alive()
        assert heard(server) == {"WATCHDOG": "1"}
        told.stopping()
        assert heard(server) == {"STOPPING": "1", "STATUS": "stopping"}


def test_a_reload_says_when_it_began(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager(address) as server:
        Supervision({"NOTIFY_SOCKET": address}).reloading()

        message = heard(server)
    assert message["RELOADING"] == "1"
    assert message["MONOTONIC_USEC"].isdigit()


def test_a_socket_in_the_abstract_namespace_is_found() -> None:
    name = f"watchkeeper-{uuid4()}"
    with manager(f"\0{name}") as server:
        Supervision({"NOTIFY_SOCKET": f"@{name}"}).alive()

        assert heard(server) == {"WATCHDOG": "1"}


def test_without_a_manager_nothing_is_told() -> None:
    with capture_logs() as logs:
        told = Supervision({})
        told.ready("watching")
        told.alive()

    assert logs == []
    assert told.watchdog_s is None


@pytest.mark.parametrize("address", ["/does/not/exist", "/" + "x" * 200])
def test_a_manager_that_is_gone_stops_nothing(address: str) -> None:
    with capture_logs() as logs:
        Supervision({"NOTIFY_SOCKET": address}).alive()

    [entry] = logs
    assert (entry["event"], entry["address"]) == ("notify_failed", address)
    assert entry["error"]


def test_a_manager_that_does_not_listen_to_us_stops_nothing(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager(address), capture_logs() as logs:
        told = Supervision({"NOTIFY_SOCKET": address})
        while not logs:  # until what nobody reads fills its queue
            told.alive()

    assert logs[0]["event"] == "notify_failed"


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "me"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(environment: dict[str, str], every_s: float | None) -> None:
    assert Supervision(environment).watchdog_s == every_s
