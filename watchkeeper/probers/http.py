"""Asks a web server and looks at the answer, by libcurl."""

import asyncio
import errno
from time import monotonic
from typing import Any, Final

import pycurl

from watchkeeper.domain.probe import Category, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_size
from watchkeeper.probers._http_answer import Wrong, wrong_answer, wrong_status
from watchkeeper.probers._http_options import HttpOptions, origin, peer_of
from watchkeeper.probers._http_redirects import SameOrigin
from watchkeeper.probers._resolver import descriptors_left
from watchkeeper.probers._threads import Threads
from watchkeeper.probers._transfers import ABANDONED, Outcome, Transfers
from watchkeeper.probers.base import (
    Failure,
    Finding,
    ProberKind,
    Runs,
    Stopping,
    failed,
    failure_fact,
    not_connected,
    sample,
)
from watchkeeper.schema.fields import SecretUnavailable

_TLS_ERRORS: Final = frozenset(
    code for name, code in vars(pycurl).items() if name.startswith("E_SSL_") or name == "E_PEER_FAILED_VERIFICATION"
) - {pycurl.E_SSL_CACERT_BADFILE}
_SECRET_THREADS: Final = 4
_NO_WEB_URL: Final = "redirects to something that is no http:// or https:// URL"
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


# After these the address is looked up anew: the service may have moved.
_ADDRESS_ERRORS: Final = frozenset(
    (pycurl.E_COULDNT_CONNECT, pycurl.E_OPERATION_TIMEDOUT, pycurl.E_COULDNT_RESOLVE_HOST, *_TLS_ERRORS)
)


class HttpProber:
    """Checks of URLs, all of them on one libcurl multi handle."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._transfers: Transfers | None = None
        self._secret_files = Threads("http-secrets", _SECRET_THREADS)
        self._runs = Runs()
        self._doubted: set[str] = set()  # probes whose last connection failed
        self._closed = False

    async def run(self, probe: Probe, body: list[bytes] | None = None) -> Sample:
        """Performs the check once. Times are libcurl's own. The body's pieces are added to `body`, if something is
        expected of it."""
        began = monotonic()
        try:
            headers = await self._secret_headers(probe) if probe.options.prepared.secrets else None
            left_ms = probe.timeout_ms - int((monotonic() - began) * 1000)
            return await self._check(probe, headers, max(left_ms, 1), [] if body is None else body)
        except (SecretUnavailable, Stopping) as error:
            finding = failed(Failure.LOCAL, str(error))
        except (OSError, pycurl.error, MemoryError) as error:
            finding = failed(Failure.LOCAL, f"could not begin: {error}")
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._closed = True
        self._runs.close()
        self._secret_files.close()
        if self._transfers is not None:
            self._transfers.close()

    async def _secret_headers(self, probe: Probe) -> list[bytes]:
        """All headers. Files are read in a thread, so that one on a dead file server holds up nothing else.

        Raises:
            SecretUnavailable: one is not there, or not in time.
            Stopping: the prober is closed.
        """
        options: HttpOptions = probe.options
        if all(secret.source == "env" for secret in options.prepared.secrets.values()):
            return options.with_secrets()
        try:
            async with self._runs.within(probe.timeout_ms):
                return await asyncio.wrap_future(self._secret_files.submit(options.with_secrets))
        except TimeoutError:
            waited = format_duration_ms(probe.timeout_ms)
            raise SecretUnavailable(f"the secrets of its headers could not be read within {waited}") from None

    async def _check(self, probe: Probe, headers: list[bytes] | None, timeout_ms: int, body: list[bytes]) -> Sample:
        transfers = self._transfers
        if transfers is None:
            if self._closed:
                raise Stopping
            transfers = self._transfers = Transfers(asyncio.get_running_loop())
        options: HttpOptions = probe.options
        wire_url, by_name, _, setup = options.prepared
        handle = transfers.take(setup)
        clean = False
        try:
            handle.setopt(pycurl.URL, wire_url)
            handle.setopt(pycurl.TIMEOUT_MS, timeout_ms)
            watch = _watch_redirects(handle, options, headers)
            chunks = _keep_body(handle, body) if options.expect.needs_body else None
            if doubted := probe.id in self._doubted:
                self._doubted.discard(probe.id)
                handle.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
            outcome = await transfers.perform(handle)
            if by_name and outcome.code in _ADDRESS_ERRORS:
                self._doubted.add(probe.id)
            total_s = handle.getinfo(pycurl.TOTAL_TIME)
            finding = _found(probe, handle, outcome, total_s, chunks, watch)
            clean = headers is None and chunks is None and not doubted
            return sample(probe, finding, at_ms=self._clock(), duration_s=total_s)
        finally:
            if clean:
                transfers.give_back(handle, setup)
            else:
                transfers.give_back_after_reset(handle, setup)


def _watch_redirects(handle: Any, options: HttpOptions, headers: list[bytes] | None) -> SameOrigin | None:
    """Sets headers that hold secrets, and what keeps them from going elsewhere."""
    if headers is None:
        return None
    handle.setopt(pycurl.HTTPHEADER, headers)
    watch = SameOrigin(options.url)
    if options.follow_redirects:
        handle.setopt(pycurl.HEADERFUNCTION, watch.on_header)
    return watch


def _keep_body(handle: Any, chunks: list[bytes]) -> list[bytes]:
    """Where the body will be, in pieces."""
    handle.setopt(pycurl.WRITEFUNCTION, chunks.append)
    return chunks


def _found(
    probe: Probe,
    handle: Any,
    outcome: Outcome,
    total_s: float,
    chunks: list[bytes] | None,
    watch: SameOrigin | None,
) -> Finding:
    """What the run found, with its times."""
    if outcome.code == ABANDONED:
        return failed(Failure.LOCAL, outcome.text)
    options: HttpOptions = probe.options
    status = handle.getinfo(pycurl.RESPONSE_CODE)
    values = _values(handle, status, by_name=options.prepared.by_name)
    wrong: Wrong | None
    if outcome.code == 0:
        body, content_type = (b"", "") if chunks is None else (b"".join(chunks), _content_type(handle))
        wrong = wrong_answer(options.expect, status, total_s, body, content_type)
    elif watch is not None and watch.elsewhere is not None:
        wrong = _led_away(watch.elsewhere)
    elif outcome.code == pycurl.E_FILESIZE_EXCEEDED:  # a wrong status says more than a large body
        too_large = (Failure.BODY, f"answered with a body of over {format_size(options.max_size)} (max_size)")
        wrong = wrong_status(options.expect, status) or too_large
    else:
        finding = _broken(probe, handle, outcome)
        return Finding(finding.status, finding.message, values, finding.facts)
    if wrong is not None:
        return failed(*wrong, values)
    return Finding(Status.UP, f"answered {status} in {total_s:.3f} s", values)


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
        values["size_bytes"] = get(pycurl.SIZE_DOWNLOAD_T)
    return values


def _broken(probe: Probe, handle: Any, outcome: Outcome) -> Finding:
    """What a transfer that did not come to its end says."""
    code, peer = outcome.code, _last_peer(probe.options, handle)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return failed(Failure.TIMEOUT, _late(probe, handle, peer))
    if code == pycurl.E_COULDNT_CONNECT:
        return not_connected(handle.getinfo(pycurl.OS_ERRNO), peer)
    if code == pycurl.E_COULDNT_RESOLVE_HOST:
        if not descriptors_left():
            return not_connected(errno.EMFILE, peer)
        return failed(Failure.RESOLVE, f"cannot resolve the name of {peer}")
    if code in _TLS_ERRORS:
        return failed(Failure.TLS, f"no TLS with {peer}: {outcome.text}")
    if code == pycurl.E_TOO_MANY_REDIRECTS:
        return failed(Failure.REDIRECT, "redirects without end")
    if code in (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_URL_MALFORMAT) and _is_redirected(handle):
        return failed(Failure.REDIRECT, _NO_WEB_URL)
    if code == pycurl.E_UNSUPPORTED_PROTOCOL:  # libcurl takes it for HTTP/0.9
        return failed(Failure.PROTOCOL, f"{peer} answered something that is not HTTP")
    if code == pycurl.E_RECV_ERROR and "headers" in outcome.text:  # too large ones have no code of their own
        code = _E_TOO_LARGE
    if code in _PROTOCOL_ERRORS:
        return failed(Failure.PROTOCOL, f"{peer} {_PROTOCOL_ERRORS[code]}")
    return failed(Failure.LOCAL, f"libcurl could not do it: {outcome.text or f'error {code}'}")


def _late(probe: Probe, handle: Any, peer: str) -> str:
    """What was waited for when the time was over."""
    within = f"within {format_duration_ms(probe.timeout_ms)}"
    get = handle.getinfo
    if get(pycurl.REQUEST_SIZE) > 0:
        if get(pycurl.RESPONSE_CODE) == 0 or _is_redirected(handle):
            return f"no answer from {peer} {within}"
        return f"the answer of {peer} did not end {within}"
    # These times are zero until it is so far; libcurl sets later ones when it gives up as well.
    if get(pycurl.NAMELOOKUP_TIME) == 0:
        return f"the name of {peer} was not resolved {within}"
    if get(pycurl.CONNECT_TIME) == 0:
        return f"no connection to {peer} {within}"
    return f"no TLS with {peer} {within}"


def _is_redirected(handle: Any) -> bool:
    """Whether the last that was heard was a redirect."""
    return 300 <= int(handle.getinfo(pycurl.RESPONSE_CODE)) <= 399


def _led_away(target: str) -> Wrong:
    """What a redirect to where secret headers do not belong is."""
    try:
        scheme, host, _ = origin(target)
    except ValueError:
        scheme = host = ""
    if scheme not in ("http", "https") or not host:
        return Failure.REDIRECT, _NO_WEB_URL
    return Failure.REDIRECT, f"redirects to {peer_of(target)}, where its secret headers are not sent"


def _content_type(handle: Any) -> str:
    return bytes(handle.getinfo_raw(pycurl.CONTENT_TYPE) or b"").decode("latin-1")


def _effective_url(handle: Any) -> str:
    """Where the last request went, or should have gone. Servers may redirect to bytes that are no text."""
    return bytes(handle.getinfo_raw(pycurl.EFFECTIVE_URL)).decode("utf-8", "replace")


def _last_peer(options: HttpOptions, handle: Any) -> str:
    """`host:port` of the last request."""
    try:
        return peer_of(_effective_url(handle))
    except ValueError:
        return peer_of(options.url)


KIND = ProberKind(
    name="http",
    summary="Asks a web server and looks at the status, the body, the certificate and the time it takes.",
    category=Category.HEALTH,
    options=HttpOptions,
    make=HttpProber,
    host=lambda options: options.host,
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
