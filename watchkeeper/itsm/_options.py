"""What the options of ticket systems that are spoken to over HTTP have in common."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue

from watchkeeper.domain.rule import Severity
from watchkeeper.domain.ticket import TicketDraft
from watchkeeper.itsm.base import BackendOptions, Unavailable
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import HttpUrl, PositiveDurationMs, Secret, SecretUnavailable, Verify

_MAX_TIMEOUT_MS: Final = 600_000


def confidential(url: str) -> str:
    """The URL, if what is said there is nobody else's business: without TLS only on this machine.

    Raises:
        ValueError: somebody could listen.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
        raise ValueError("must begin with https://: http:// is accepted for this machine only (127.0.0.1, localhost)")
    return url


def _system_url(url: str) -> str:
    parts = urlsplit(confidential(url))
    if parts.query or parts.fragment:
        raise ValueError("ends where a ? or a # would begin")
    return url.rstrip("/")


def is_this_machine(host: str) -> bool:
    """Whether a host is reached without any network."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _timeout(value: int) -> int:
    if value > _MAX_TIMEOUT_MS:
        raise ValueError("must be at most 10m")
    return value


SystemUrl = Annotated[HttpUrl, AfterValidator(_system_url)]
"""Where a ticket system is."""

TimeoutMs = Annotated[PositiveDurationMs, AfterValidator(_timeout)]


class FieldsBy(Model):
    """Fields of the tickets that all of this holds for."""

    service: str = "*"
    """Id of the services, a glob."""
    rule: str = "*"
    """Id of the rules, a glob."""
    severity: Severity | None = None
    """Of the incident; every one if this is not set."""
    fields: dict[str, JsonValue]
    """Fields and their values."""

    def holds(self, draft: TicketDraft) -> bool:
        """Whether a ticket gets these fields."""
        return (
            fnmatchcase(draft.service, self.service)
            and fnmatchcase(draft.rule, self.rule)
            and self.severity in (None, draft.severity)
        )


class RemoteOptions(BackendOptions):
    """What every system over HTTP has."""

    url: SystemUrl
    """Where it is. `http://` is accepted for this machine only."""
    verify: Verify = True
    """Whether its certificate is verified, or a file with the CAs that may have signed it."""
    timeout: TimeoutMs = 30_000
    """How long a call may take."""
    fields: dict[str, JsonValue] = Field(default={})
    """Fields that every new ticket gets, by the system's own names."""
    fields_by: Sequence[FieldsBy] = ()
    """Fields that some new tickets get. Of entries that name the same field the last one that holds counts, and all
    of them before `fields`."""

    @property
    def timeout_s(self) -> float:
        return self.timeout / 1000

    def fields_of(self, draft: TicketDraft) -> dict[str, Any]:
        """The fields of a new ticket that the configuration asks for."""
        wanted: dict[str, Any] = dict(self.fields)
        for entry in self.fields_by:
            if entry.holds(draft):
                wanted.update(entry.fields)
        return wanted

    def all_fields(self) -> dict[str, list[Any]]:
        """Every field that a ticket may get, and the values that it may get there."""
        found: dict[str, list[Any]] = {}
        for fields in (self.fields, *(entry.fields for entry in self.fields_by)):
            for name, value in fields.items():
                found.setdefault(name, []).append(value)
        return found


def reveal(text: str | Secret) -> str:
    """A text, or the secret that stands for it.

    Raises:
        Unavailable: the secret is not where it should be.
    """
    try:
        return text.reveal() if isinstance(text, Secret) else text
    except SecretUnavailable as error:
        raise Unavailable(str(error)) from None
