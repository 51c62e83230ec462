"""The system's own resolver, in threads: it can neither be hurried nor stopped."""

import asyncio
import os
import socket
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from itertools import product
from time import monotonic
from typing import Any, Final, NamedTuple

from watchkeeper.probers._threads import Threads
from watchkeeper.probers.base import Failure

_THREADS: Final = 32
_FAMILIES: Final = (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6)
_KINDS: Final = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
_MOST_KNOWN: Final = 20_000

KEEP_S: Final = 30
"""For how long probers that only want to connect use an address again. A failed connection ends that at once."""


class Endpoint(NamedTuple):
    """What a socket connects to."""

    family: socket.AddressFamily
    address: Any  # as the socket module has it for the family

    @property
    def ip(self) -> str:
        return str(self.address[0])


class NotResolved(Exception):
    """A name that was not resolved: the reason, and whose fault it is."""

    def __init__(self, failure: Failure, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure


class Resolver:
    """Looks up names as every other program on this machine does, /etc/hosts included.

    Args:
        keep_s: for how long an answer is used again. The system tells no time to live.
        clock: seconds that only grow.
    """

    def __init__(self, keep_s: float = 0.0, clock: Callable[[], float] = monotonic) -> None:
        self._threads = Threads("resolver", _THREADS)
        self._keep_s = keep_s
        self._clock = clock
        self._known: dict[tuple[str, int, int, int], tuple[float, list[Endpoint]]] = {}

    @property
    def exhausted(self) -> bool:
        """Whether there is no thread left: so many names are being looked up without an answer."""
        return self._threads.exhausted

    def close(self) -> None:
        self._threads.close()

    async def endpoints(
        self,
        host: str,
        port: int,
        *,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        kind: socket.SocketKind = socket.SOCK_STREAM,
    ) -> list[Endpoint]:
        """All addresses of a host, in the order in which they are to be tried. At least one.

        Raises:
            NotResolved: there is none, or it could not be looked up.
        """
        if is_ip(host):
            return _look_up(host, port, family, kind, socket.AI_NUMERICHOST)
        question = (host, port, family, kind)
        until, known = self._known.get(question, (0.0, []))
        if self._clock() < until:
            return known
        try:
            call = self._threads.submit(partial(_look_up, host, port, family, kind, 0))
        except OSError as error:
            raise NotResolved(Failure.LOCAL, str(error.strerror)) from None
        found = await asyncio.wrap_future(call)
        if self._keep_s:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[question] = self._clock() + self._keep_s, found
        return found

    def forget(self, host: str, port: int) -> None:
        """The next question about a host is asked anew: it may have moved."""
        for family, kind in product(_FAMILIES, _KINDS):
            self._known.pop((host, port, family, kind), None)


def is_ip(host: str) -> bool:
    """Whether a host is an address, and no name that must be resolved."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def descriptors_left() -> bool:
    """Whether a name could be looked up at all. The resolver does not say that it had no file descriptor."""
    opened: list[int] = []
    try:
        opened += [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(4)]
    except OSError:
        return False
    finally:
        for fd in opened:
            os.close(fd)
    return True


def _look_up(
    host: str, port: int, family: socket.AddressFamily, kind: socket.SocketKind, flags: int
) -> list[Endpoint]:
    try:
        found = socket.getaddrinfo(host, port, family=family, type=kind, flags=flags)
    except UnicodeError:
        raise NotResolved(Failure.RESOLVE, "it is not a name that can be looked up") from None
    except socket.gaierror as error:
        if error.errno == socket.EAI_MEMORY:
            raise NotResolved(Failure.LOCAL, "out of memory") from None
        if not descriptors_left():
            raise NotResolved(Failure.LOCAL, "no file descriptor is left") from None
        raise NotResolved(Failure.RESOLVE, _lower(error.strerror)) from None
    except OSError as error:
        raise NotResolved(Failure.LOCAL, _lower(error.strerror)) from None
    return list(dict.fromkeys(Endpoint(family, address) for family, _, _, _, address in found))


def _lower(reason: str | None) -> str:
    return (reason or "no reason given").lower()
