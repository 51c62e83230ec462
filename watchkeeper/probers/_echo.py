"""Echo requests of ICMP (RFC 792) and ICMPv6 (RFC 4443), over the sockets that Linux lets one have."""

import errno
import socket
import struct
from contextlib import suppress
from typing import Final, NamedTuple

from watchkeeper.probers._resolver import Endpoint

TOKEN: Final = 8
"""Bytes of a request's data that tell its run from all others."""

MOST: Final = 65_535
"""Bytes of a packet, at most."""

_HEADER: Final = struct.Struct("!BBHHH")  # type, code, checksum, id, sequence number
_REQUEST: Final = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY: Final = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL: Final = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_RECEIVE_ERRORS: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),  # IP_RECVERR of linux/in.h
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),  # IPV6_RECVERR of linux/in6.h
}
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT)


class NotAllowed(Exception):
    """The kernel lets this process have no socket for echo requests."""


class Pinger(NamedTuple):
    """A connected socket that does not block. `raw`: it shows whole packets, and those of others, too."""

    socket: socket.socket
    family: socket.AddressFamily
    raw: bool


def open_pinger(endpoint: Endpoint) -> Pinger:
    """A socket that hears what `endpoint` answers, and what routers say about it. It is the caller's to close.

    Raises:
        NotAllowed: there is none to be had: neither one for everybody (net.ipv4.ping_group_range), nor a raw one.
        OSError: there is no way to the endpoint.
    """
    opened, raw = _open(endpoint.family)
    try:
        opened.setblocking(False)
        opened.setsockopt(*_RECEIVE_ERRORS[endpoint.family], 1)
        opened.connect(endpoint.address)
    except BaseException:
        opened.close()
        raise
    return Pinger(opened, endpoint.family, raw)


def _open(family: socket.AddressFamily) -> tuple[socket.socket, bool]:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, _PROTOCOL[family]), kind is socket.SOCK_RAW
        except OSError as error:
            if error.errno not in _FORBIDDEN:
                raise
    raise NotAllowed


def echo_request(pinger: Pinger, number: int, token: bytes, size: int) -> bytes:
    """The request with this sequence number. Its id is a part of the token; a socket for everybody has its own.

    Args:
        token: `TOKEN` bytes, the first of its data.
        size: bytes of its data.
    """
    data = token.ljust(size, b"\0")
    id_ = int.from_bytes(token[:2], "big")
    packet = _HEADER.pack(_REQUEST[pinger.family], 0, 0, id_, number) + data
    if pinger.family == socket.AF_INET6:
        return packet  # the kernel knows both addresses, of which the checksum is made
    return packet[:2] + _checksum(packet).to_bytes(2, "big") + packet[4:]


def echo_reply(pinger: Pinger, packet: bytes, token: bytes) -> int | None:
    """The sequence number of the request that a packet answers; `None` if it answers none with this token."""
    if pinger.raw and pinger.family == socket.AF_INET:
        packet = packet[4 * (packet[0] & 15) :] if packet else b""
    if len(packet) < _HEADER.size + TOKEN:
        return None
    kind, code, _, _, number = _HEADER.unpack_from(packet)
    if (kind, code) != (_REPLY[pinger.family], 0) or packet[_HEADER.size :][:TOKEN] != token:
        return None
    return int(number)


def drain_errors(pinger: Pinger) -> None:
    """Takes what routers said off the socket, or it would be ready for ever."""
    with suppress(OSError):
        for _ in range(100):
            pinger.socket.recvmsg(1, 512, socket.MSG_ERRQUEUE)


def _checksum(packet: bytes) -> int:
    """The ones' complement of the sum of its 16-bit words: RFC 1071."""
    words = struct.unpack(f"!{(len(packet) + 1) // 2}H", packet + b"\0" * (len(packet) % 2))
    total: int = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
