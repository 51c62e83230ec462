"""What a TLS handshake says about a server, in a sentence. Decides, and asks nobody."""

import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from watchkeeper.domain.units import format_elapsed_ms
from watchkeeper.probers._certificate import Certificate

_NOT_YET_VALID: Final = 9  # these are of openssl/x509_vfy.h
_EXPIRED: Final = 10
_OTHER_NAME: Final = (62, 64)
_TOO_OLD: Final = frozenset(("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"))
_NO_TLS: Final = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"))


def first_to_expire(chain: Sequence[Certificate]) -> Certificate:
    """The certificate without which the chain is worth nothing first; of several the server's own."""
    return min(chain, key=lambda certificate: certificate.not_after)


def expiry(whom: str, chain: Sequence[Certificate], now: datetime) -> str:
    """When a server's chain of certificates expires. Its own stands first."""
    first = first_to_expire(chain)
    when = f"{_when(first.not_after - now)} ({first.not_after:%Y-%m-%d})"
    tense = "expires" if first.not_after > now else "expired"
    if first is chain[0]:
        return f"the certificate of {whom} {tense} {when}"
    return f"in the chain of {whom} the certificate of {first.subject} {tense} {when}"


def distrust(whom: str, error: ssl.SSLCertVerificationError, certificate: Certificate | None, now: datetime) -> str:
    """Why a certificate was not good. `certificate`: the server's, if it could be read."""
    code, its = error.verify_code, f"the certificate of {whom}"
    if code == _EXPIRED:
        if certificate is None:
            return f"{its}, or one of its issuers', has expired"
        if certificate.not_after <= now:
            return expiry(whom, [certificate], now)
        return f"an issuer's certificate in the chain of {whom} has expired"
    if code == _NOT_YET_VALID:
        if certificate is None or certificate.not_before <= now:
            return f"{its}, or one of its issuers', is not valid yet"
        return f"{its} is not valid before {certificate.not_before:%Y-%m-%d %H:%M}Z"
    if code in _OTHER_NAME:
        subject = f": its subject is {certificate.subject}" if certificate and certificate.subject else ""
        return f"{its} is for another name{subject}"
    issuer = f", issued by {certificate.issuer}" if certificate and certificate.issuer else ""
    return f"{its} is not trusted: {error.verify_message}{issuer}"


def no_handshake(peer: str, error: OSError, min_version: str) -> str:
    """Why there was no handshake."""
    if not isinstance(error, ssl.SSLError):
        return f"no TLS with {peer}: it broke the connection"
    if isinstance(error, ssl.SSLEOFError):
        return f"no TLS with {peer}: it closed the connection during the handshake"
    if error.reason in _TOO_OLD:
        return f"{peer} speaks no {min_version} or newer"
    if error.reason in _NO_TLS:
        return f"no TLS with {peer}: it answered something that is not TLS"
    reason = (error.reason or error.strerror or str(error)).replace("_", " ").lower()
    return f"no TLS with {peer}: {reason}"


def _when(left: timedelta) -> str:
    days = abs(left).days
    span = f"{days} day{'s' if days > 1 else ''}" if days else format_elapsed_ms(abs(left).total_seconds() * 1000)
    return f"in {span}" if left > timedelta() else f"{span} ago"
