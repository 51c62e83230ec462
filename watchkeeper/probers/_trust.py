"""Whom TLS trusts: the certificates of CAs, and contexts that have read them."""

import asyncio
import os
import ssl
from functools import partial
from typing import Final

import certifi

from watchkeeper.probers._threads import Threads

_SYSTEM_CAS: Final = "/etc/ssl/certs/ca-certificates.crt"
_THREADS: Final = 4
_MOST_KEPT: Final = 64  # contexts: the system's CAs take a megabyte


def ca_file(verify: bool | str) -> str | bytes:
    """The file whose CAs are trusted: the system's, or one's own."""
    if isinstance(verify, str):
        return os.fsencode(verify)
    return _SYSTEM_CAS if os.path.exists(_SYSTEM_CAS) else certifi.where()


class NotTrusting(Exception):
    """The CAs can not be read. The text says why."""


class Contexts:
    """What clients do TLS with, kept as long as the file of the CAs stays as it is.

    Files are read in threads: to read the system's CAs takes longer than a handshake, and one's own may lie on a
    file server that is dead.
    """

    def __init__(self) -> None:
        self._threads = Threads("tls-contexts", _THREADS)
        self._kept: dict[tuple[bool | str, ssl.TLSVersion], tuple[object, ssl.SSLContext]] = {}

    def close(self) -> None:
        self._threads.close()

    async def get(self, verify: bool | str, min_version: ssl.TLSVersion) -> ssl.SSLContext:
        """A context for clients.

        Raises:
            NotTrusting: there are no CAs to verify by.
        """
        kept = self._kept.get((verify, min_version))
        try:
            fresh = await asyncio.wrap_future(self._threads.submit(partial(_fresh, verify, min_version, kept)))
        except OSError as error:  # ssl.SSLError is one
            reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else str(error.strerror).lower()
            raise NotTrusting(f"cannot read the CA file {os.fsdecode(ca_file(verify))}: {reason}") from None
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[verify, min_version] = fresh
        return fresh[1]


def _fresh(
    verify: bool | str, min_version: ssl.TLSVersion, kept: tuple[object, ssl.SSLContext] | None
) -> tuple[object, ssl.SSLContext]:
    """What is kept, if the file is still the same, or else a context that has read it. With the file's stamp."""
    file = ca_file(verify) if verify else None
    stamp: object = None
    if file is not None:
        found = os.stat(file)
        stamp = (file, found.st_ino, found.st_size, found.st_mtime_ns)
    if kept is not None and kept[0] == stamp:
        return kept
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = min_version
    if file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as libcurl: what the file holds need not be a root
        context.load_verify_locations(file)
    return stamp, context
