"""TLS handshakes over sockets of the event loop, that can be given up at any time."""

import asyncio
import socket
import ssl
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_AT_ONCE: Final = 16_384


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server showed. `chain`: its certificate and, when they were verified, those of its issuers, in DER."""

    chain: Sequence[bytes]
    version: str
    cipher: str


async def shake_hands(connection: socket.socket, context: ssl.SSLContext, server_name: str) -> Shown:
    """A handshake with whoever is at the other end of a socket that does not block. It is the caller's to close.

    Raises:
        ssl.SSLError: it failed, or the peer's certificate was not good.
        OSError: the connection broke.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    try:
        await _drive(connection, tls, incoming, outgoing)
        shown = Shown(_chain(tls, context), tls.version() or "", (tls.cipher() or ("",))[0])
        with suppress(ssl.SSLError):
            tls.unwrap()
        return shown
    finally:
        with suppress(OSError):  # that we go, or what we did not like: a courtesy
            connection.send(outgoing.read())


async def _drive(
    connection: socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
) -> None:
    """Carries bytes to and fro. OpenSSL says how long each message of a handshake may be, and ends it."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            wanting = True
        else:
            wanting = False
        if answer := outgoing.read():
            await loop.sock_sendall(connection, answer)
        if not wanting:
            return
        data = await loop.sock_recv(connection, _AT_ONCE)
        if data:
            incoming.write(data)
        else:
            incoming.write_eof()


def _chain(tls: ssl.SSLObject, context: ssl.SSLContext) -> Sequence[bytes]:
    if context.verify_mode is ssl.CERT_NONE:
        return [tls.getpeercert(binary_form=True) or b""]
    if sys.version_info >= (3, 13):
        return tls.get_verified_chain()
    # Before, it had no public name. These versions change no more.
    verified = tls._sslobj.get_verified_chain()  # type: ignore[attr-defined]  # see above
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in verified]
