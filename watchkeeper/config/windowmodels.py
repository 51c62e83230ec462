"""The models of what is planned: maintenance, and where changes are read from."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
)

from watchkeeper.domain.change import ChangeOutcome, ChangeState
from watchkeeper.domain.expected import Matcher
from watchkeeper.domain.matchers import MATCHER_HELP, parse_matcher
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import (
    DurationMs,
    HttpUrl,
    LocalPath,
    PositiveDurationMs,
    Secret,
    TextOrSecret,
    TimeZone,
)
from watchkeeper.schema.names import CronExpression, Identifier

_URL: TypeAdapter[str] = TypeAdapter(HttpUrl)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _matcher(value: Any) -> Matcher:
    if not isinstance(value, str):
        raise ValueError(f"must be a text: accepted is {MATCHER_HELP}")
    return parse_matcher(value)


MatcherText = Annotated[
    Matcher, BeforeValidator(_matcher), WithJsonSchema({"type": "string", "description": MATCHER_HELP})
]


def calendar_place(text: str, base: Path = Path()) -> str:
    """The URL or the absolute path of a calendar.

    Raises:
        ValueError: it is a URL that is not read.
    """
    if "://" not in text:
        return TypeAdapter(LocalPath).validate_python(text, context={"base": base})
    scheme, _, rest = text.partition("://")
    url = f"https://{rest}" if scheme == "webcal" else text
    host = urlsplit(_URL.validate_python(url)).hostname
    if url.startswith("http://") and host not in _LOOPBACK:
        raise ValueError("is fetched over https:// only: what is on the way could silence anything")
    return url


def _place(value: str | Secret, info: ValidationInfo) -> str | Secret:
    return value if isinstance(value, Secret) else calendar_place(value, (info.context or {}).get("base", Path()))


CalendarPlace = Annotated[
    TextOrSecret,
    AfterValidator(_place),
    WithJsonSchema(
        {
            "type": ["string", "object"],
            "description": "a path or an https:// URL; as a secret if whoever knows the URL can read it",
        }
    ),
]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Title = Annotated[str, StringConstraints(max_length=200)]


class MaintenanceModel(Model):
    id: Identifier
    """Its name. Entries may share one where each is a single window, and they do not overlap."""
    title: Title = ""
    """What is going on; the id if this is not set. Windows of a calendar have the titles of their events."""
    services: tuple[Identifier, ...] = ()
    """Services whose trouble is expected."""
    probes: tuple[Glob, ...] = ()
    """Probes whose trouble is expected: ids or globs such as `db-*`. Beside `services` either is enough."""
    match: tuple[MatcherText, ...] = ()
    """What alerts must be like as well: matchers such as `severity="minor"` or `env=~"test|stage"`."""
    cron: CronExpression | None = None
    """When windows begin, as five fields: minute hour day month weekday, such as `0 2 * * sun`."""
    duration: PositiveDurationMs | None = None
    """How long each window of `cron` lasts, by a watch."""
    timezone: TimeZone | None = None
    """Of `cron`, of times that name no zone, and of a calendar's whole days: a name such as Europe/Berlin. UTC if it
    is not set."""
    begin: Annotated[str | None, Field(alias="from")] = None
    """When a single window begins: a date and a time such as `2026-11-28T22:00+08:00`, or without a zone beside
    `timezone`."""
    to: str | None = None
    """When it ends."""
    ical: CalendarPlace | None = None
    """An iCalendar file, or the https:// URL of one: each event is a window."""
    summary: Glob | None = None
    """Which events of the calendar are meant, by their titles: a glob such as `*patch*`, in any case."""


class ChangeSourceModel(Model):
    name: Identifier | None = None
    """What the source is called; the name of its file or host if this is not set. A backend's is its own."""
    backend: Identifier | None = None
    """A ticket backend, of the type servicenow or jira, whose approved changes are read."""
    every: Annotated[DurationMs, Field(ge=60_000, le=3_600_000)] | None = None
    """With `backend`: how often it is asked, from 1m to 1h; 2m if this is not set."""
    yaml: LocalPath | None = None
    """A file of changes."""
    ical: CalendarPlace | None = None
    """An iCalendar file, or the https:// URL of one: each event is an approved change."""
    services: tuple[Identifier, ...] = ()
    """With `ical`: the services that its changes are about."""
    cis: tuple[str, ...] = ()
    """With `ical`: the configuration items that they are about."""
    probes: tuple[Glob, ...] = ()
    """With `ical`: the probes that they are about, ids or globs."""
    summary: Glob | None = None
    """With `ical`: which events are meant, by their titles: a glob, in any case."""
    timezone: TimeZone | None = None
    """With `ical`: where whole days are, and times that name no zone; UTC if this is not set."""


class ChangeModel(Model):
    id: Identifier
    """Its number, as people call it."""
    title: Title = ""
    """What is going on; the id if this is not set."""
    services: tuple[Identifier, ...] = ()
    """The services that it is about. This, `cis` or `probes` is required."""
    cis: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = ()
    """The configuration items that it is about, as services name them."""
    probes: tuple[Glob, ...] = ()
    """The probes that it is about: ids or globs."""
    begin: Annotated[str, Field(alias="from")]
    """When it begins: a date and a time such as `2026-11-28T22:00+08:00`, or without a zone beside `timezone`."""
    to: str
    """When it ends."""
    timezone: TimeZone | None = None
    """Of its times that name no zone; that of the file if this is not set."""
    state: ChangeState = ChangeState.APPROVED
    """How far it is: only what is `approved`, `under_way` or `done` is expected."""
    outcome: ChangeOutcome = ChangeOutcome.UNKNOWN
    """What came of it."""


class ChangeFileModel(Model):
    timezone: TimeZone | None = None
    """Of times that name no zone."""
    changes: tuple[ChangeModel, ...]
