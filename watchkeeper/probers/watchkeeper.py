"""Asks a watchkeeper how it is: this one or another. Tickets that are not delivered are a trouble like any."""

from collections.abc import Sequence
from functools import cached_property
from ipaddress import ip_address
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from watchkeeper.domain.probe import Category, FactType, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.probers._asking import AskingProber
from watchkeeper.probers._http_options import HttpOptions, ascii_url, peer_of
from watchkeeper.probers.base import Failure, Finding, ProberKind, failed, failure_fact
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import HttpUrl, Verify

_PATH: Final = "/api/v1/status"
_MOST: Final = "256KiB"
_LONGEST: Final = 300  # characters of what it says, in a message


class WatchkeeperOptions(Model):
    """A check of a watchkeeper."""

    url: HttpUrl = "http://127.0.0.1:9321"
    """Where its pages are. Plain http:// is for loopback addresses only."""
    verify: Verify = True
    """Whether the certificate is verified, or the path of a file with the CA certificates to verify it by."""

    @field_validator("url")
    @classmethod
    def _leads_to_its_pages(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError("must say where its pages are: accepted is a URL without ? and #")
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise ValueError("plain http:// is for loopback addresses only: accepted is https://")
        ascii_url(url)
        return url

    @cached_property
    def asked(self) -> HttpOptions:
        """The check of a URL that its status is read by."""
        return HttpOptions.model_validate(
            {
                "url": self.url.rstrip("/") + _PATH,
                "verify": self.verify,
                "follow_redirects": False,
                "max_size": _MOST,
                # The body is kept because something is expected of it.
                "expect": {"status": [200], "body": {"contains": "uptime_seconds"}},
            }
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class _Numbers(BaseModel):
    """The numbers of a status that are values of a sample under the same name. Another version may lack some."""

    model_config = ConfigDict(strict=True, use_attribute_docstrings=True)

    uptime_seconds: _Number = None
    """seconds since it was started"""
    open_incidents: _Number = None
    """incidents that are open"""
    missed_runs_total: _Number = None
    """runs that did not take place when they were due, since the start"""
    unanswered_evaluations_total: _Number = None
    """evaluations of rules that had no answer, since the start"""
    scheduler_lag_seconds: _Number = None
    """how late probes were started at most, in the last minute or two"""
    effects_waiting: _Number = None
    """changes that wait in memory for the database"""
    decisions_journaled: _Number = None
    """decisions that wait in the journal for the database"""
    database_failing_seconds: _Number = None
    """seconds since the database began to refuse changes; 0 while it takes them"""
    database_silent_seconds: _Number = None
    """seconds since the database answered last; it is asked every five seconds"""
    rollup_samples_dropped: _Number = None
    """samples that are in no rollup because the database was away, since the start"""
    commands_waiting: _Number = None
    """ticket commands that are not done yet"""
    oldest_command_seconds: _Number = None
    """age in seconds of the oldest of these; 0 when there is none"""
    commands_rejected: _Number = None
    """ticket commands that their backend has rejected"""


class _Backend(BaseModel):
    model_config = ConfigDict(strict=True)

    refusing: bool


class _Status(_Numbers):
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,64}$")]
    not_ready: list[str]
    config_reload_successful: bool | None = None
    backends: list[_Backend] | None = None

    def values(self) -> dict[str, float]:
        numbers = {name: getattr(self, name) for name in _Numbers.model_fields}
        values = {name: number for name, number in numbers.items() if number is not None}
        if self.config_reload_successful is not None:
            values["config_reload_failed"] = float(not self.config_reload_successful)
        if self.backends is not None:
            values["backends_refusing"] = float(sum(backend.refusing for backend in self.backends))
        return values


class WatchkeeperProber(AskingProber):
    """Checks of watchkeepers."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, _found)


def _found(options: WatchkeeperOptions, answer: Sample, body: bytes) -> Finding:
    """What an answer says."""
    peer = peer_of(options.url)
    nonsense = failed(Failure.BODY, f"{peer} answered something that is no status of a watchkeeper")
    if answer.status is not Status.UP:
        failure = answer.facts["failure"]
        if failure == Failure.BODY:
            return nonsense
        message = f"{peer} {answer.message}" if failure == Failure.STATUS else answer.message
        return Finding(answer.status, message, facts=answer.facts)
    try:
        status = _Status.model_validate_json(body)
    except ValidationError:
        return nonsense
    values, facts = status.values(), {"version": status.version}
    if status.not_ready:
        text = f"watchkeeper at {peer} can not do its work: {_on_one_line(status.not_ready)}"
        return failed(Failure.ANSWER, text, values, facts)
    return Finding(Status.UP, f"watchkeeper {status.version} at {peer} does its work", values, facts)


def _on_one_line(reasons: Sequence[str]) -> str:
    text = "".join(character if character.isprintable() else " " for character in "; ".join(reasons)[:_LONGEST])
    return text.rstrip(". ")


KIND = ProberKind(
    name="watchkeeper",
    summary="Asks a watchkeeper how it is, this one or another.",
    category=Category.HEALTH,
    options=WatchkeeperOptions,
    make=WatchkeeperProber,
    host=lambda options: urlsplit(options.url).hostname or "",
    values={
        **{name: field.description or "" for name, field in _Numbers.model_fields.items()},
        "config_reload_failed": "1 when the configuration was not accepted when it was read last, else 0",
        "backends_refusing": "ticket backends that did not answer as they should when they were asked last",
    },
    facts={
        **failure_fact(
            Failure.RESOLVE,
            Failure.CONNECT,
            Failure.TLS,
            Failure.TIMEOUT,
            Failure.PROTOCOL,
            Failure.STATUS,
            Failure.BODY,
            Failure.ANSWER,
        ),
        "version": (FactType.TEXT, "its version"),
    },
)
