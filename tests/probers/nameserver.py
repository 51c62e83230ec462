"""A server of the DNS on loopback, by UDP and TCP on one port, that answers as it is told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Zone = Callable[[dns.message.Message], list[bytes]]
"""The datagrams, or messages by TCP, with which a question is answered."""


@dataclass
class Nameserver:
    """A server that runs, and what it was asked."""

    port: int
    by_udp: list[dns.message.Message] = field(default_factory=list)
    by_tcp: list[dns.message.Message] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[dns.message.Message] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked.append(dns.message.from_wire(data))
        for datagram in self.zone(self.asked[-1]):
            self.transport.sendto(datagram, addr)


@asynccontextmanager
async def nameserver(udp: Zone, tcp: Zone | None = None) -> AsyncIterator[Nameserver]:
    """A server that answers so. Without `tcp` it refuses connections."""
    loop = asyncio.get_running_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert tcp is not None
        length = int.from_bytes(await reader.readexactly(2), "big")
        served.by_tcp.append(dns.message.from_wire(await reader.readexactly(length)))
        for message in tcp(served.by_tcp[-1]):
            writer.write(len(message).to_bytes(2, "big") + message)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = Nameserver(listening.getsockname()[1])
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: _Udp(udp), local_addr=("127.0.0.1", served.port)
        )
        served.by_udp = protocol.asked
        if tcp is None:
            listening.close()
            with closing(transport):
                yield served
            return
        server = await asyncio.start_server(serve, sock=listening)
        with closing(transport), closing(server):
            yield served


def answers(*records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> Zone:
    """The whole answer with these records, as a zone file has them."""
    return lambda question: [reply(question, *records, rcode=rcode).to_wire(max_size=65535)]


def reply(
    question: dns.message.Message, *records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR
) -> dns.message.Message:
    """The answer to a question."""
    message = dns.message.make_response(question)
    message.set_rcode(rcode)
    for record in records:
        name, type_, text = record.split(" ", 2)
        found = dns.rrset.from_text(name, 60, "IN", type_, text)
        known = message.find_rrset(message.answer, found.name, found.rdclass, found.rdtype, create=True)
        known.add(found[0], 60)
    return message


def truncated(question: dns.message.Message) -> list[bytes]:
    """An answer that says that it is too long for a datagram."""
    message = reply(question)
    message.flags |= dns.flags.TC
    return [message.to_wire()]


def nothing(_question: dns.message.Message) -> list[bytes]:
    """No answer at all."""
    return []
