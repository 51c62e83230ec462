"""What the service manager is told: systemd's notification protocol, sd_notify(3)."""

import os
import socket
from collections.abc import Mapping
from time import monotonic_ns

import structlog

_log = structlog.get_logger("systemd")


class Supervision:
    """Talks to the service manager that started the process; to nobody where none did.

    Args:
        environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are read.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self.watchdog_s = _watchdog_s(environment)

    def ready(self, status: str) -> None:
        self._tell(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns() // 1000}\nSTATUS=reading the configuration")

    def stopping(self) -> None:
        self._tell("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        """Feeds the watchdog."""
        self._tell("WATCHDOG=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the null byte of the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(message.encode(), address)
        except OSError as error:
            _log.warning("notify_failed", address=self._address, error=error.strerror or str(error))


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """How often the watchdog wants to be fed: twice in its time. `None` where there is none, or it is another's."""
    pid = environment.get("WATCHDOG_PID")
    try:
        if pid is not None and int(pid) != os.getpid():
            return None
        limit_us = int(environment.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return limit_us / 2_000_000 if limit_us > 0 else None
