"""Field types: durations, sizes, ratios, time zones, cron expressions, paths and secrets."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from watchkeeper.domain.units import (
    DURATION_HELP,
    RATIO_HELP,
    SIZE_HELP,
    parse_duration_ms,
    parse_ratio_ppm,
    parse_size_bytes,
)


def _text(parse: Callable[[str], int], accepted: str) -> Callable[[Any], int]:
    def validate(value: Any) -> int:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} has no unit: accepted is {accepted}")
        return parse(value)

    return validate


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError("must be more than zero")
    return value


DurationMs = Annotated[
    int,
    BeforeValidator(_text(parse_duration_ms, DURATION_HELP)),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(\d+(ms|[smhdwy]))+$",
            "patternErrorMessage": f"accepted is {DURATION_HELP}",
            "description": DURATION_HELP,
        }
    ),
]
PositiveDurationMs = Annotated[DurationMs, AfterValidator(_positive)]
SizeBytes = Annotated[
    int,
    BeforeValidator(_text(parse_size_bytes, SIZE_HELP)),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d+(\.\d+)?\s*([kKMGTP]?i?B)$",
            "patternErrorMessage": f"accepted is {SIZE_HELP}",
            "description": SIZE_HELP,
        }
    ),
]
RatioPpm = Annotated[
    int,
    BeforeValidator(_text(parse_ratio_ppm, RATIO_HELP)),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{1,3}(\.\d{1,4})?\s*%$",
            "patternErrorMessage": f"accepted is {RATIO_HELP}",
            "description": RATIO_HELP,
        }
    ),
]


RATE_HELP = "a number of calls per second, minute or hour, such as 60/m or 2000/h"
_RATE = re.compile(r"(\d{1,9})/([smh])", re.ASCII)
_PER_MINUTE = {"s": 60.0, "m": 1.0, "h": 1 / 60}


def _rate(value: Any) -> float:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        raise ValueError(f"{value!r} is not a rate: accepted is {RATE_HELP}")
    return int(found[1]) * _PER_MINUTE[found[2]]


Rate = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]*[1-9][0-9]*/[smh]$", "description": RATE_HELP}),
]
"""Calls per minute."""


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone: accepted is a name such as Europe/Berlin or UTC") from None
    return name


TimeZone = Annotated[str, AfterValidator(_timezone)]


def _path(text: str, info: ValidationInfo) -> str:
    if not text or "\0" in text:
        raise ValueError("must be a path")
    base: Path = (info.context or {}).get("base", Path())
    return os.path.abspath(base / os.path.expanduser(text))  # without asking the disk


LocalPath = Annotated[str, AfterValidator(_path)]
"""A path or glob, relative to the file that names it; absolute once validated."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept. What it is, is read when it is needed and kept nowhere."""

    source: str  # env, file or credential
    name: str

    def reveal(self) -> str:
        """The secret itself.

        Raises:
            SecretUnavailable: it is not where it should be.
        """
        if self.source == "env":
            if (value := os.environ.get(self.name)) is None:
                raise SecretUnavailable(f"the environment variable {self.name} is not set")
            return value
        path = Path(self.name)
        if self.source == "credential":
            folder = os.environ.get("CREDENTIALS_DIRECTORY")
            if folder is None:
                raise SecretUnavailable(f"the credential {self.name} needs systemd: CREDENTIALS_DIRECTORY is not set")
            path = Path(folder) / self.name
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SecretUnavailable(f"the secret file {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SecretUnavailable(f"the secret file {path} is not UTF-8 text") from None


class SecretUnavailable(Exception):
    """A secret is not where the configuration says it is."""


SECRET_HELP = "{env: NAME}, {file: PATH} or {credential: NAME}"  # noqa: S105


def _secret(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, dict) and len(value) == 1:
        [(source, name)] = value.items()
        if source in ("env", "file", "credential") and isinstance(name, str) and name:
            if source == "credential" and "/" in name:
                raise ValueError("a credential's name has no slash")
            return Secret(source, _path(name, info) if source == "file" else name)
    if isinstance(value, str):
        raise ValueError(f"a secret does not stand in the file: accepted is {SECRET_HELP}")
    raise ValueError(f"must say where the secret is kept: accepted is {SECRET_HELP}")


SecretRef = Annotated[
    Secret,
    BeforeValidator(_secret),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": {source: {"type": "string"} for source in ("env", "file", "credential")},
            "description": f"Where the secret is kept: {SECRET_HELP}",
        }
    ),
]


def _text_or_secret(value: Any, info: ValidationInfo) -> str | Secret:
    return value if isinstance(value, str) else _secret(value, info)


TextOrSecret = Annotated[
    str | Secret,
    BeforeValidator(_text_or_secret),
    WithJsonSchema({"type": ["string", "object"], "description": f"a text, or for a secret {SECRET_HELP}"}),
]


def _verify(value: Any, info: ValidationInfo) -> bool | str:
    if isinstance(value, str):
        return _path(value, info)
    if not isinstance(value, bool):
        raise ValueError("must be true, false or the path of a file with CA certificates")
    return value


Verify = Annotated[
    bool | str,
    BeforeValidator(_verify),
    WithJsonSchema({"type": ["boolean", "string"], "description": "true, false or the path of a file with CAs"}),
]
"""Whether a server's certificate is verified, and by which CAs: the system's or those of a file."""


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must be a URL that begins with http:// or https:// and names a host")
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("a URL holds no spaces or control characters")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a secret does not stand in the file: take user and password out of the URL")
    return url


HttpUrl = Annotated[str, AfterValidator(_http_url)]


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: Any) -> Address:
    """The address of `host:port` or `[::1]:port`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(text, Address):
        return text
    accepted = "accepted is host:port or [::1]:port"
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not an address: {accepted}")
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r} is not an address: an IPv6 address stands in brackets, [::1]:443")
    if not colon or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} is not an address: {accepted}, with a port from 1 to 65535")
    return Address(host, int(port))


HostPort = Annotated[
    Address,
    BeforeValidator(parse_address),
    WithJsonSchema({"type": "string", "description": "host:port or [::1]:port"}),
]
