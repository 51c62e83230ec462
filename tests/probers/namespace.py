"""A network of a thread's own: its loopback, its settings, and nobody else's packets."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

import pytest

T = TypeVar("T")
_CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_SIOCSIFFLAGS: Final = 0x8914  # linux/sockios.h
_UP: Final = 1
_NET_RAW: Final = 13  # linux/capability.h
_VERSION_3: Final = 0x20080522
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def in_a_network(do: Callable[[], T], *, settings: Sequence[tuple[str, str]] = (), raw: bool = True) -> T:
    """What a call gives in a network where only loopback is. Skips where such a network can not be made.

    Args:
        settings: paths below /proc/sys/net, and what is written there.
        raw: whether it may have raw sockets.
    """
    outcome: list[Any] = []

    def work() -> None:
        try:
            if _LIBC.unshare(_CLONE_NEWNET) != 0:
                outcome[:] = [None, PermissionError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))]
                return
            loopback(up=True)
            for path, text in settings:
                Path("/proc/sys/net", path).write_text(text)
            if not raw:
                _give_up_raw_sockets()
            outcome[:] = [do(), None]
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            outcome[:] = [None, error]

    thread = Thread(target=work)
    thread.start()
    thread.join()
    found, error = outcome
    if isinstance(error, PermissionError):
        pytest.skip(f"needs root, to make a network of its own: {error}")
    if error is not None:
        raise error
    result: T = found
    return result


def loopback(*, up: bool) -> None:
    """Takes the thread's loopback up or down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _UP if up else 0))


def _give_up_raw_sockets() -> None:
    """Takes CAP_NET_RAW from this thread."""
    header, data = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    assert _LIBC.capget(header, data) == 0
    for part in range(3):  # effective, permitted, inheritable
        data[part] &= ~(1 << _NET_RAW)
    assert _LIBC.capset(header, data) == 0
