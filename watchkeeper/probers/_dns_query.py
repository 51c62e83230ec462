"""Asks servers of the DNS, by UDP and, when the answer is too long for that, by TCP."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode

from watchkeeper.probers._resolver import Endpoint
from watchkeeper.probers.base import OWN_ERRORS
from watchkeeper.schema.fields import Address

_PATIENCE_S: Final = 1.0  # before a question is sent again, for datagrams get lost; doubled each time
_PAYLOAD: Final = 1232  # bytes that go over any path in one piece: dnsflagday.net/2020
_MAX_DATAGRAM: Final = 65535
_GOOD: Final = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


class Reply(NamedTuple):
    """What a server answered, and which it was."""

    server: str
    message: dns.message.QueryMessage


class NoReply(Exception):
    """A server that cannot be asked.

    Args:
        server: which.
        error: errno of the socket; 0 for an answer that is none.
    """

    def __init__(self, server: str, error: int) -> None:
        super().__init__(server, error)
        self.server = server
        self.error = error


def query(name: dns.name.Name, rdtype: str) -> dns.message.QueryMessage:
    """A question, with an id that nobody can guess."""
    return dns.message.make_query(name, rdtype, use_edns=0, payload=_PAYLOAD)


async def ask_any(
    question: dns.message.Message, servers: Sequence[Endpoint], timeout_s: float, heard: list[Reply]
) -> None:
    """Asks one server after the other until one knows an answer. Each gets its share of the time.

    Args:
        heard: takes in what the servers answered, the last of them last.

    Raises:
        NoReply: none can be asked.
        TimeoutError: none answered.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + timeout_s
    failures: list[NoReply | TimeoutError] = []
    for number, server in enumerate(servers):
        try:
            async with asyncio.timeout((ends - loop.time()) / (len(servers) - number)):
                heard.append(Reply(_label(server), await _ask(question, server)))
        except (NoReply, TimeoutError) as failure:
            failures.append(failure)
        else:
            if heard[-1].message.rcode() in _GOOD:
                return
    if not heard:
        raise next((failure for failure in failures if not _is_own(failure)), failures[0])


def _is_own(failure: NoReply | TimeoutError) -> bool:
    return isinstance(failure, NoReply) and failure.error in OWN_ERRORS


async def _ask(question: dns.message.Message, server: Endpoint) -> dns.message.QueryMessage:
    answer = await _by_udp(question, server)
    if answer.flags & dns.flags.TC:
        return await _by_tcp(question, server)
    return answer


async def _by_udp(question: dns.message.Message, server: Endpoint) -> dns.message.QueryMessage:
    """The first datagram that is an answer to this question. Whatever else comes is not from whom we asked."""
    loop, wire, patience = asyncio.get_running_loop(), question.to_wire(), _PATIENCE_S
    with _socket(server, socket.SOCK_DGRAM) as udp:
        # Only a connected socket is told of a refusal, and it hears nobody else.
        await loop.sock_connect(udp, server.address)
        while True:
            await loop.sock_sendall(udp, wire)
            try:
                async with asyncio.timeout(patience):
                    while True:
                        answer = parse(question, await loop.sock_recv(udp, _MAX_DATAGRAM))
                        if answer is not None:
                            return answer
            except TimeoutError:
                patience *= 2


async def _by_tcp(question: dns.message.Message, server: Endpoint) -> dns.message.QueryMessage:
    loop, wire = asyncio.get_running_loop(), question.to_wire()
    with _socket(server, socket.SOCK_STREAM) as tcp:
        await loop.sock_connect(tcp, server.address)
        await loop.sock_sendall(tcp, len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await _read(tcp, 2, server), "big")
        answer = parse(question, await _read(tcp, length, server))
    if answer is None:
        raise NoReply(_label(server, socket.SOCK_STREAM), 0)
    return answer


async def _read(tcp: socket.socket, length: int, server: Endpoint) -> bytes:
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < length:
        chunk = await loop.sock_recv(tcp, length - len(data))
        if not chunk:
            raise NoReply(_label(server, socket.SOCK_STREAM), 0)
        data += chunk
    return data


def parse(question: dns.message.Message, wire: bytes) -> dns.message.QueryMessage | None:
    """The answer to the question, if that is what it is."""
    try:
        answer = dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    return answer if isinstance(answer, dns.message.QueryMessage) and question.is_response(answer) else None


@contextmanager
def _socket(server: Endpoint, kind: socket.SocketKind) -> Iterator[socket.socket]:
    """A socket that is closed in the end, and whose errors tell of the server."""
    try:
        with socket.socket(server.family, kind) as sock:
            sock.setblocking(False)
            yield sock
    except TimeoutError as error:
        if error.errno is None:  # the time is over, not the kernel's patience
            raise
        raise NoReply(_label(server, kind), error.errno) from None
    except OSError as error:
        raise NoReply(_label(server, kind), error.errno or 0) from None


def _label(server: Endpoint, kind: socket.SocketKind = socket.SOCK_DGRAM) -> str:
    where = str(Address(*server.address[:2]))
    return f"{where} (TCP)" if kind is socket.SOCK_STREAM else where
