"""Asks a web server and looks at the answer, by libcurl."""

import asyncio
import errno
import os
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import pycurl

from watchkeeper.domain.probe import Category, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_size
from watchkeeper.probers._http_answer import Wrong, wrong_answer, wrong_status
from watchkeeper.probers._http_options import HttpOptions, origin, peer_of
from watchkeeper.probers._transfers import ABANDONED, Outcome, Transfers
from watchkeeper.probers.base import (
    Failure,
    Finding,
    ProberKind,
    failed,
    failure_fact,
    not_connected,
    sample,
)
from watchkeeper.schema.fields import SecretUnavailable

_TLS_ERRORS: Final = frozenset(
    code for name, code in vars(pycurl).items() if name.startswith("E_SSL_") or name == "E_PEER_FAILED_VERIFICATION"
) - {pycurl.E_SSL_CACERT_BADFILE}
_E_HTTP2_STREAM: Final = 92  # curl/curl.h; pycurl has no names for these two
_E_TOO_LARGE: Final = 100
_PROTOCOL_ERRORS: Final = {
    pycurl.E_GOT_NOTHING: "closed the connection without an answer",
    pycurl.E_RECV_ERROR: "broke the connection",
    pycurl.E_SEND_ERROR: "broke the connection",
    pycurl.E_PARTIAL_FILE: "closed the connection before the end of its answer",
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "answered something that is not HTTP",
    pycurl.E_BAD_CONTENT_ENCODING: "answered with a body that cannot be decoded",
    pycurl.E_HTTP2: "broke the rules of HTTP/2",
    _E_HTTP2_STREAM: "broke the rules of HTTP/2",
    _E_TOO_LARGE: "answered with headers that do not end",
}


class HttpProber:
    """Checks of URLs, all of them on one libcurl multi handle."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._transfers: Transfers | None = None
        self._closed = False

    async def run(self, probe: Probe) -> Sample:
        """Performs the check once. Times are libcurl's own."""
        began = monotonic()
        try:
            headers = await _secret_headers(probe) if probe.options.secrets else None
            return await self._check(probe, headers)
        except SecretUnavailable as error:
            finding = failed(Failure.LOCAL, str(error))
        except (OSError, pycurl.error, MemoryError) as error:
            finding = failed(Failure.LOCAL, f"could not begin: {error}")
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._closed = True
        if self._transfers is not None:
            self._transfers.close()

    async def _check(self, probe: Probe, headers: list[bytes] | None) -> Sample:
        if self._closed:
            return sample(
                probe, failed(Failure.LOCAL, "watchkeeper is stopping"), at_ms=self._clock(), duration_s=0.0
            )
        if self._transfers is None:
            self._transfers = Transfers(asyncio.get_running_loop())
        options: HttpOptions = probe.options
        handle = self._transfers.take()
        try:
            for option, value in options.settings:
                handle.setopt(option, value)
            handle.setopt(pycurl.TIMEOUT_MS, probe.timeout_ms)
            chunks: list[bytes] = []
            if options.expect.needs_body:
                handle.setopt(pycurl.WRITEFUNCTION, chunks.append)
            if headers is not None:
                handle.setopt(pycurl.HTTPHEADER, headers)
                handle.setopt(pycurl.PREREQFUNCTION, _same_origin(handle, options.url))
            outcome = await self._transfers.perform(handle)
            finding = _found(probe, handle, outcome, chunks)
            return sample(probe, finding, at_ms=self._clock(), duration_s=handle.getinfo(pycurl.TOTAL_TIME))
        finally:
            self._transfers.give_back(handle)


async def _secret_headers(probe: Probe) -> list[bytes]:
    """All headers. Files are read in a thread, so that one on a dead file server holds up nothing else.

    Raises:
        SecretUnavailable: one is not there, or not in time.
    """
    options: HttpOptions = probe.options
    if all(secret.source == "env" for secret in options.secrets.values()):
        return options.with_secrets()
    try:
        async with asyncio.timeout(probe.timeout_ms / 1000):
            return await asyncio.to_thread(options.with_secrets)
    except TimeoutError:
        waited = format_duration_ms(probe.timeout_ms)
        raise SecretUnavailable(f"the secrets of its headers could not be read within {waited}") from None


def _same_origin(handle: Any, url: str) -> Callable[..., int]:
    """Stops a redirect before it takes secret headers elsewhere; libcurl itself holds back only two of them."""
    first = origin(url)

    def may_ask(*_peer: Any) -> int:
        same = origin(handle.getinfo(pycurl.EFFECTIVE_URL)) == first
        return int(pycurl.PREREQFUNC_OK if same else pycurl.PREREQFUNC_ABORT)

    return may_ask


def _found(probe: Probe, handle: Any, outcome: Outcome, chunks: list[bytes]) -> Finding:
    """What the run found, with its times."""
    if outcome.code == ABANDONED:
        return failed(Failure.LOCAL, outcome.text)
    options: HttpOptions = probe.options
    total = handle.getinfo(pycurl.TOTAL_TIME)
    status = handle.getinfo(pycurl.RESPONSE_CODE)
    values = _values(handle, status, by_name=options.by_name)
    wrong: Wrong | None
    if outcome.code == 0:
        wrong = wrong_answer(options.expect, status, total, b"".join(chunks), handle.getinfo(pycurl.CONTENT_TYPE))
    elif outcome.code == pycurl.E_FILESIZE_EXCEEDED:  # a wrong status says more than a large body
        too_large = (Failure.BODY, f"answered with a body of over {format_size(options.max_size)} (max_size)")
        wrong = wrong_status(options.expect, status) or too_large
    else:
        finding = _broken(probe, handle, outcome)
        return Finding(finding.status, finding.message, values, finding.facts)
    if wrong is not None:
        return failed(*wrong, values)
    return Finding(Status.UP, f"answered {status} in {total:.3f} s", values)


def _values(handle: Any, status: int, *, by_name: bool) -> dict[str, float]:
    """What there is to measure of a run, whole or broken off. libcurl's times count from the beginning."""
    get = handle.getinfo
    values: dict[str, float] = {}
    resolved, connected = get(pycurl.NAMELOOKUP_TIME), get(pycurl.CONNECT_TIME)
    if connected > 0 and get(pycurl.NUM_CONNECTS):
        values["connect_seconds"] = max(connected - resolved, 0.0)
        if by_name:
            values["resolve_seconds"] = resolved
        if (secured := get(pycurl.APPCONNECT_TIME)) > 0:
            values["tls_seconds"] = max(secured - connected, 0.0)
    if status:
        values["status_code"] = status
        values["first_byte_seconds"] = get(pycurl.STARTTRANSFER_TIME)
        values["size_bytes"] = get(pycurl.SIZE_DOWNLOAD)
    return values


def _broken(probe: Probe, handle: Any, outcome: Outcome) -> Finding:
    """What a transfer that did not come to its end says."""
    code, peer = outcome.code, peer_of(handle.getinfo(pycurl.EFFECTIVE_URL))
    redirected = handle.getinfo(pycurl.REDIRECT_COUNT) > 0 or 300 <= handle.getinfo(pycurl.RESPONSE_CODE) <= 399
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return failed(Failure.TIMEOUT, _late(probe, handle, peer))
    if code == pycurl.E_COULDNT_CONNECT:
        return not_connected(handle.getinfo(pycurl.OS_ERRNO), peer)
    if code == pycurl.E_COULDNT_RESOLVE_HOST:
        if not _descriptors_left():
            return not_connected(errno.EMFILE, peer)
        return failed(Failure.RESOLVE, f"cannot resolve the name of {peer}")
    if code in _TLS_ERRORS:
        return failed(Failure.TLS, f"no TLS with {peer}: {outcome.text}")
    if code == pycurl.E_TOO_MANY_REDIRECTS:
        return failed(Failure.REDIRECT, "redirects without end")
    if code == pycurl.E_ABORTED_BY_CALLBACK:
        return failed(Failure.REDIRECT, f"redirects to {peer}, where its secret headers are not sent")
    if code in (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_URL_MALFORMAT) and redirected:
        return failed(Failure.REDIRECT, "redirects to something that is no http:// or https:// URL")
    if code == pycurl.E_UNSUPPORTED_PROTOCOL:  # libcurl takes it for HTTP/0.9
        return failed(Failure.PROTOCOL, f"{peer} answered something that is not HTTP")
    if code in _PROTOCOL_ERRORS:
        return failed(Failure.PROTOCOL, f"{peer} {_PROTOCOL_ERRORS[code]}")
    return failed(Failure.LOCAL, f"libcurl could not do it: {outcome.text or f'error {code}'}")


def _late(probe: Probe, handle: Any, peer: str) -> str:
    """What was waited for when the time was over."""
    within = f"within {format_duration_ms(probe.timeout_ms)}"
    get = handle.getinfo
    if get(pycurl.STARTTRANSFER_TIME) > 0:
        return f"the answer of {peer} did not end {within}"
    if get(pycurl.PRETRANSFER_TIME) > 0:
        return f"no answer from {peer} {within}"
    if get(pycurl.CONNECT_TIME) > 0:
        return f"no TLS with {peer} {within}"
    if get(pycurl.NAMELOOKUP_TIME) > 0:
        return f"no connection to {peer} {within}"
    return f"the name of {peer} was not resolved {within}"


def _descriptors_left() -> bool:
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


KIND = ProberKind(
    name="http",
    summary="Asks a web server and looks at the status, the body, the certificate and the time it takes.",
    category=Category.HEALTH,
    options=HttpOptions,
    make=HttpProber,
    values={
        "resolve_seconds": "seconds to resolve the name; absent for an IP address",
        "connect_seconds": "seconds to connect, after the name was resolved; absent on a connection kept alive",
        "tls_seconds": "seconds for the TLS handshake, after the connection; https only",
        "first_byte_seconds": "seconds from the beginning until the first byte of the answer",
        "size_bytes": "size of the body in bytes",
        "status_code": "status code of the answer, such as 200",
    },
    facts=failure_fact(
        Failure.RESOLVE,
        Failure.CONNECT,
        Failure.TLS,
        Failure.TIMEOUT,
        Failure.PROTOCOL,
        Failure.REDIRECT,
        Failure.STATUS,
        Failure.BODY,
        Failure.SLOW,
    ),
)
