"""The system's own resolver, in threads: it can neither be hurried nor stopped."""

import asyncio
import os
import socket
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from watchkeeper.probers._threads import Threads
from watchkeeper.probers.base import Failure

_THREADS: Final = 32


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
    """Looks up names as every other program on this machine does, /etc/hosts included."""

    def __init__(self) -> None:
        self._threads = Threads("resolver", _THREADS)

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
        try:
            call = self._threads.submit(partial(_look_up, host, port, family, kind, 0))
        except OSError as error:
            raise NotResolved(Failure.LOCAL, str(error.strerror)) from None
        return await asyncio.wrap_future(call)


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
