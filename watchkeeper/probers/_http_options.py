"""What a check of a URL is asked for, and what libcurl is told about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

import pycurl
from pydantic import AfterValidator, Field, JsonValue, StringConstraints, field_validator, model_validator

from watchkeeper import __version__
from watchkeeper.probers._resolver import KEEP_S, is_ip
from watchkeeper.probers._trust import ca_file
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import (
    SECRET_HELP,
    HttpUrl,
    PositiveDurationMs,
    Secret,
    SecretUnavailable,
    SizeBytes,
    TextOrSecret,
    Verify,
)

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110, 5.6.2
_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")
_LINE_BREAKS: Final = re.compile(r"[\0\r\n]")
_CREDENTIAL: Final = re.compile(r"authorization|cookie|api-?key|token|secret|password", re.IGNORECASE)
_WEB: Final = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
_MAX_REDIRECTS: Final = 10

Text = Annotated[str, StringConstraints(min_length=1)]
StatusCode = Annotated[int, Field(ge=100, le=599)]


class Body(Model):
    """What the body must be like."""

    contains: Text
    """A text that stands somewhere in the body."""


class Expect(Model):
    """What a good answer is."""

    status: tuple[StatusCode, ...] = Field(default=(), min_length=1, validate_default=False)
    """The accepted status codes; 200 to 299 when not set."""
    body: Body | None = None
    """What the body must be like."""
    json_: dict[str, JsonValue] | None = Field(default=None, alias="json", min_length=1)
    """What the body, read as JSON, must hold; it may hold more. A mapping is compared key by key."""
    within: PositiveDurationMs | None = None
    """How long the whole check may take, name resolution included. It is for services that are slow but alive."""

    @property
    def needs_body(self) -> bool:
        return self.body is not None or self.json_ is not None


def _are_headers(headers: dict[str, str | Secret]) -> dict[str, str | Secret]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name: accepted are letters, digits and -")
        if isinstance(value, str) and _CREDENTIAL.search(name):
            raise ValueError(f"{name}: a secret does not stand in the file: accepted is {SECRET_HELP}")
        if isinstance(value, str) and _LINE_BREAKS.search(value):
            raise ValueError(f"{name}: a header's value is one line")
        if isinstance(value, str) and _SURROGATES.search(value):
            raise ValueError(f"{name}: a header's value is text: half of a surrogate pair is none")
    return headers


Headers = Annotated[dict[str, TextOrSecret], AfterValidator(_are_headers)]


class HttpOptions(Model):
    """A check of a URL."""

    url: HttpUrl
    """What is asked for."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """The request's method. No body is sent."""
    headers: Headers = Field(default_factory=dict)
    """Headers of the request. One that carries a credential names where the secret is kept."""
    expect: Expect = Expect()
    """What a good answer is."""
    follow_redirects: bool = True
    """Whether redirects are followed: up to 10; with secret headers only on the same scheme, host and port."""
    verify: Verify = True
    """Whether the certificate is verified, or the path of a file with the CA certificates to verify it by."""
    max_size: SizeBytes = Field(default=1024 * 1024, gt=0)
    """The largest body that is read when something is expected of it."""
    keep_alive: bool = False
    """Whether the connection stays open for the next run. Otherwise each run connects and does TLS anew."""

    @field_validator("url")
    @classmethod
    def _is_encodable(cls, url: str) -> str:
        ascii_url(url)
        return url

    @model_validator(mode="after")
    def _has_a_body(self) -> "HttpOptions":
        if self.method == "HEAD" and self.expect.needs_body:
            raise ValueError("the answer to HEAD has no body to expect something of: accepted is method: GET")
        return self

    @property
    def host(self) -> str:
        """The URL's host."""
        return urlsplit(self.url).hostname or ""

    @cached_property
    def prepared(self) -> "Prepared":
        """What runs need of these options, worked out once."""
        secrets = {name: value for name, value in self.headers.items() if isinstance(value, Secret)}
        plain = () if secrets else tuple(_plain_headers(self))
        most = self.max_size if self.expect.needs_body else None
        return Prepared(
            ascii_url(self.url),
            not is_ip(self.host),
            secrets or NO_SECRETS,
            _setup(self.method, self.follow_redirects, self.verify, self.keep_alive, most, plain),
        )

    def with_secrets(self) -> list[bytes]:
        """All headers, as libcurl takes them. May read files.

        Raises:
            SecretUnavailable: a secret is not there, or it is more than one line.
        """
        lines = _plain_headers(self)
        for name, secret in self.prepared.secrets.items():
            value = secret.reveal()
            if _LINE_BREAKS.search(value):
                raise SecretUnavailable(f"the secret for the header {name} is more than one line")
            lines.append(_header(name, value))
        return lines


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@lru_cache(maxsize=16_384)
def peer_of(url: str) -> str:
    """`host:port` of a URL, and nothing else of it: paths and queries may hold secrets."""
    _, host, port = origin(url)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Prepared(NamedTuple):
    """`wire_url`: the URL as libcurl takes it. `by_name`: whether it names a host that must be resolved. `secrets`:
    the headers that hold some. `setup`: the rest of libcurl's options, but the timeout and where a body goes."""

    wire_url: str
    by_name: bool
    secrets: Mapping[str, Secret]
    setup: "Setup"


NO_SECRETS: Final[Mapping[str, Secret]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """What is set once for a libcurl handle. Checks that differ in their URL only have the same one, and so can take
    each other's handles."""

    settings: tuple[tuple[int, Any], ...]

    def apply(self, handle: Any) -> None:
        for option, value in self.settings:
            handle.setopt(option, value)


@lru_cache(maxsize=1024)
def _setup(
    method: str,
    follow_redirects: bool,
    verify: bool | str,
    keep_alive: bool,
    max_size: int | None,
    headers: tuple[bytes, ...],
) -> Setup:
    settings: list[tuple[int, Any]] = [
        (pycurl.NOSIGNAL, 1),
        (pycurl.PROXY, ""),  # not even one that the environment names
        (pycurl.PROTOCOLS, _WEB),
        (pycurl.USERAGENT, f"watchkeeper/{__version__}"),
        (pycurl.CAINFO, ca_file(verify)),
        (pycurl.CAPATH, None),  # the file is all that is trusted
        (pycurl.DNS_CACHE_TIMEOUT, KEEP_S),
        *_method(method),
    ]
    if follow_redirects:
        settings += [
            (pycurl.FOLLOWLOCATION, 1),
            (pycurl.MAXREDIRS, _MAX_REDIRECTS),
            (pycurl.REDIR_PROTOCOLS, _WEB),
        ]
    if not verify:
        settings += [(pycurl.SSL_VERIFYPEER, 0), (pycurl.SSL_VERIFYHOST, 0)]
    if not keep_alive:
        # A resumed TLS session skips the certificate: it would not be checked.
        settings += [(pycurl.FRESH_CONNECT, 1), (pycurl.FORBID_REUSE, 1), (pycurl.SSL_SESSIONID_CACHE, 0)]
    if max_size is not None:
        settings.append((pycurl.MAXFILESIZE_LARGE, max_size))
    settings.append((pycurl.WRITEFUNCTION, len))  # takes all of it and keeps nothing
    if headers:
        settings.append((pycurl.HTTPHEADER, list(headers)))
    return Setup(tuple(settings))


def _method(method: str) -> list[tuple[int, Any]]:
    match method:
        case "GET":
            return []
        case "HEAD":
            return [(pycurl.NOBODY, 1)]
        case "POST":
            return [(pycurl.POST, 1), (pycurl.POSTFIELDS, "")]
        case "PUT" | "PATCH":
            return [(pycurl.POSTFIELDS, ""), (pycurl.CUSTOMREQUEST, method)]
        case _:
            return [(pycurl.CUSTOMREQUEST, method)]


def _plain_headers(options: HttpOptions) -> list[bytes]:
    return [_header(name, value) for name, value in options.headers.items() if isinstance(value, str)]


def _header(name: str, value: str) -> bytes:
    # libcurl reads `name:` as "leave this header out", `name;` as a header without a value. Bytes of the environment
    # that are no text are surrogates in Python.
    return (f"{name}: {value}" if value.strip() else f"{name};").encode(errors="surrogateescape")


def ascii_url(url: str) -> str:
    """The URL with its host in IDNA and the rest percent-encoded, as it goes over the wire."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    try:
        host = (parts.hostname or "").encode("idna").decode()
    except UnicodeError:
        raise ValueError("is not a URL: its host is not a name that can be looked up") from None
    host = f"[{host}]" if ":" in host else host
    place = host if parts.port is None else f"{host}:{parts.port}"
    path, query = (quote(part, safe="/%:@!$&'()*+,;=?~") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, place, path, query, ""))
