"""Calls that had no answer: what is sure of them, and what to tell people, who are not told what was sent."""

import os
import re
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import (
    ConnectTimeout,
    InvalidHeader,
    InvalidSchema,
    InvalidURL,
    ProxyError,
    SSLError,
)
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.exceptions import SSLError as BodySSLError
from urllib3.exceptions import TimeoutError as BodyTimeout

from watchkeeper.itsm.base import Ambiguous, Outcome, Unavailable

NO_HEADER: Final = "who asks can not be said in a header: a secret holds a line's end or other strange characters"

_SHOWN: Final = 300  # characters of what a library says
_CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_NOISE: Final = re.compile(
    r"<[^>]*>:? ?|\w+\(host=[^)]*\): |Failed to establish a new connection: |\[Errno -?\d+\] | \(_ssl\.c:\d+\)"
)
_UNKNOWN_CA: Final = re.compile("self-signed|unable to get")
_NO_CAS: Final = re.compile("NO_CERTIFICATE_OR_CRL_FOUND|PEM")
_NO_TLS: Final = re.compile("WRONG_VERSION_NUMBER|UNEXPECTED_EOF|HTTP_REQUEST|record layer failure")
_HANDSHAKE: Final = re.compile(
    "CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER|HANDSHAKE_FAILURE|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL"
    "|NO_CERTIFICATE_OR_CRL_FOUND|PEM"
)


def failure(error: Exception, url: str, *, verify: bool | str, reads: bool) -> Outcome:
    """What of a call never reached the other side is sure not to have been done; of the rest nobody knows.

    Args:
        error: of requests or urllib3.
        url: what was called.
        verify: as in `fields.Verify`.
        reads: whether the call changes nothing.
    """
    text = _plain(error, url, verify)
    return Unavailable(text) if reads or _never_left(error) else Ambiguous(text)


def unreadable_cas(verify: bool | str) -> Outcome:
    """That there is no such file of CAs."""
    return Unavailable(f"{_cas(verify)}, can not be read: there is no such file")


def _never_left(error: Exception) -> bool:
    if isinstance(error, ConnectTimeout | ProxyError | InvalidHeader | InvalidURL | InvalidSchema):
        return True
    if isinstance(error, SSLError):  # of the handshake, or of a connection that breaks off later
        return _HANDSHAKE.search(str(error)) is not None
    if not isinstance(error, RequestsConnectionError):
        return False
    return isinstance(_reason(error), NewConnectionError | NameResolutionError)


def _plain(error: Exception, url: str, verify: bool | str) -> str:
    if isinstance(error, InvalidHeader):
        return NO_HEADER
    if isinstance(error, InvalidURL | InvalidSchema):  # what it says of a proxy may be a part of its password
        what = _variable(url) if _proxy(url) else "the URL"
        return f"can not be reached: {what} names no {'HTTP proxy' if _proxy(url) else 'host'} that there can be"
    if isinstance(error, SSLError | BodySSLError):
        return _of_tls(str(error), _inner(error), verify)
    if isinstance(error, ProxyError):
        return _of_proxy(error, url)
    if isinstance(error, requests.exceptions.Timeout | BodyTimeout):
        return "did not answer in time"
    if not _never_left(error):
        return f"broke off: {_inner(error)}"
    return f"can not be reached: {_why_not(error, urlsplit(url).hostname or '', _place(url))}"


def _of_tls(text: str, inner: str, verify: bool | str) -> str:
    found = re.search(r"certificate verify failed: (.+?)\.? \(_ssl", text)
    if found is not None and _UNKNOWN_CA.search(found[1]):
        return (
            f"its certificate is not accepted: {found[1].strip()}, by {_cas(verify)}. "
            "Set `verify` to the file of the CA that signed it"
        )
    if found is not None:
        return f"its certificate is not accepted: {found[1].strip()}"
    if _NO_CAS.search(text):
        return f"{_cas(verify)}, can not be read: there is no certificate in the file"
    hint = ". Perhaps nothing speaks TLS at this port" if _NO_TLS.search(text) else ""
    return f"TLS failed: {inner}{hint}"


def _cas(verify: bool | str) -> str:
    """Which CAs are accepted, in words."""
    if isinstance(verify, str):
        return f"the CAs of {verify}, which `verify` names"
    for name in _CA_VARIABLES:
        if file := os.environ.get(name):
            return f"the CAs of {file}, which {name} names"
    return "the CAs that come with Python's certifi, which are not the system's"


def _of_proxy(error: ProxyError, url: str) -> str:
    proxy = _proxy(url)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        host, place = urlsplit(proxy).hostname or "", _place(proxy)
    except ValueError:
        host, place = "", "?"
    name = f"the proxy {place} ({_variable(url)})"
    inner = _inner(error)
    if isinstance(_reason(_reason(error)), NewConnectionError | NameResolutionError):
        return f"{name} can not be reached: {_why_not(error, host, '')}. NO_PROXY names hosts that need none"
    if " 407 " in f"{inner} ":
        return f"{name} wants to know who asks (407): put user and password into {_variable(url)}"
    return f"{name} does not let the call through: {inner}"


def _proxy(url: str) -> str:
    """What the environment names as the proxy for a URL; empty where there is none."""
    return select_proxy(url, get_environ_proxies(url)) or ""


def _variable(url: str) -> str:
    return f"{urlsplit(url).scheme.upper()}_PROXY"


def _place(url: str) -> str:
    """Host and port of a URL, and nothing else of it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port is None else f"{host}:{parts.port}"


def _why_not(error: Exception, host: str, place: str) -> str:
    reason: Any = _reason(error)
    reason = _reason(reason) if isinstance(error, ProxyError) else reason
    if isinstance(reason, NameResolutionError):
        said = re.search(r"\[Errno -?\d+\] ([^)]*)", str(reason))
        return f"there is no host {host!r}, as far as can be found out ({said[1] if said else reason.args[-1]})"
    return f"{_inner(error)} ({place})" if place else _inner(error)


def _reason(error: Any) -> Any:
    """What an error of requests, or of a proxy in urllib3, is about."""
    if isinstance(error, RequestsConnectionError):
        return getattr(error.args[0], "reason", None) if error.args else None
    return getattr(error, "original_error", error)


def _inner(error: BaseException) -> str:
    reason: Any = error
    while reason.args and isinstance(reason.args[0], BaseException):
        reason = reason.args[0]
    reason = getattr(reason, "reason", reason)
    reason = getattr(reason, "original_error", reason)
    text = _NOISE.sub("", str(reason.args[-1] if getattr(reason, "args", ()) else reason))
    return _CONTROL.sub(" ", text)[:_SHOWN]
