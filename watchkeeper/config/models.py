"""The models of the daemon's file and of probe files. A docstring under a field is its help text in the schema."""

from enum import StrEnum
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from watchkeeper.config.calendarmodels import AvailabilityModel, CalendarModel, CalendarName, PeriodText
from watchkeeper.config.correlationmodels import CorrelationModel
from watchkeeper.config.problemmodels import Problems, ProblemsModel
from watchkeeper.config.sourcemodels import SourceModel, SourceName
from watchkeeper.config.windowmodels import ChangeSourceModel, MaintenanceModel
from watchkeeper.domain.calendar import ALWAYS
from watchkeeper.domain.probe import Category
from watchkeeper.domain.service import Criticality
from watchkeeper.domain.ticket import Language
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import (
    Address,
    DurationMs,
    HostPort,
    HttpUrl,
    LocalPath,
    PositiveDurationMs,
    RatioPpm,
    SecretRef,
    TextOrSecret,
    TimeZone,
)
from watchkeeper.schema.names import CronExpression, Identifier

LabelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Labels = dict[LabelName, Annotated[str, StringConstraints(max_length=500)]]


class LogFormat(StrEnum):
    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _without_slash(url: str) -> str:
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise ValueError("ends where a ? or a # would begin")
    return url.rstrip("/")


WebUrl = Annotated[HttpUrl, AfterValidator(_without_slash)]


class Web(Model):
    listen: HostPort = Address("127.0.0.1", 9321)
    """Where metrics, health and the API are served."""
    url: WebUrl | None = None
    """Under which URL people find it, such as `https://watchkeeper.example.com`. Tickets link to their incidents
    there."""
    token: SecretRef | None = None
    """What whoever changes something by the API must send: `Authorization: Bearer TOKEN`. Without one, only this
    machine may."""


class Log(Model):
    format: LogFormat = LogFormat.AUTO
    """`auto` is readable text on a terminal, JSON elsewhere."""
    level: LogLevel = LogLevel.INFO


class LimitsModel(Model):
    runs: Annotated[int, Field(ge=1, le=100_000)] = 2000
    """How many runs of probes may be under way at once. Each takes a file descriptor or two."""
    runs_per_host: Annotated[int, Field(ge=1, le=100_000)] = 200
    """How many of them may be at one host, so that a host that hangs holds up its own probes only."""


_MINUTES_KEPT_MS: Final = parse_duration_ms("2d")


def _at_least_two_days(value: int) -> int:
    if value < _MINUTES_KEPT_MS:
        raise ValueError("must be at least 2d")
    return value


KeptMs = Annotated[DurationMs, AfterValidator(_at_least_two_days)]


class RetentionModel(Model):
    rollups: KeptMs = parse_duration_ms("400d")
    """How long the hourly figures of every probe are kept, what status it had and how its alerts changed. Minutes are
    kept for two days."""
    incidents: KeptMs = parse_duration_ms("3y")
    """How long an incident is kept after it was resolved, with its timeline and its commands."""
    audit: KeptMs = parse_duration_ms("400d")
    """How long the audit log is kept. There is none yet: nothing reads this so far."""


class Itsm(Model):
    default: Identifier | None = None
    """The backend of rules that name none. With one backend it goes without saying."""
    language: Language = Language.ENGLISH
    """What tickets are written in: `en` English, `zh` Simplified Chinese. A backend may have another one."""
    description: str | None = None
    """The text of new tickets, a Jinja2 template, where it shall be another one than watchkeeper's own. A backend may
    have its own."""
    backends: dict[Identifier, dict[str, Any]] = Field(default_factory=dict)
    """Ticket systems by a name of your choice; `type` says which kind. Without any, tickets go to the local desk."""


class KnowledgeModel(Model):
    """What is known about trouble, and goes into tickets where it helps."""

    files: tuple[LocalPath, ...] | None = None
    """Markdown files and globs, such as `runbooks/**/*.md`. Those of the folder `knowledge/` beside this file, if
    there is one and this is not set."""
    servicenow: Identifier | None = None
    """A backend whose published knowledge articles are read as well."""
    query: Annotated[str, StringConstraints(max_length=1000)] = ""
    """Which of them, as an encoded query of `kb_knowledge`: `kb_category.label=Operations`. All if this is not
    set."""
    every: PositiveDurationMs = 3_600_000
    """How often they are read."""


class Objectives(Model):
    availability: RatioPpm | None = None
    """What share of its hours the service is to be available."""
    over: Annotated[tuple[PeriodText, ...], Field(min_length=1, max_length=6)] = ("month",)
    """Over which periods: `month`, `quarter` and `year` of its calendar's time zone, and durations up to now such as
    `30d`."""
    response: PositiveDurationMs | None = None
    """From a ticket's opening until somebody takes it up."""
    resolution: PositiveDurationMs | None = None
    """From a ticket's opening until the service works again."""


class ServiceModel(Model):
    title: str | None = None
    """What people call it; its id if this is not set."""
    owner: str = ""
    """The team that answers for it."""
    criticality: Criticality = Criticality.MEDIUM
    ci: str = ""
    """Its configuration item in the CMDB."""
    depends_on: tuple[Identifier, ...] = ()
    """Services that it can not work without."""
    hours: Identifier = ALWAYS
    """When it is promised to work: `always`, or one of `calendars`."""
    availability: AvailabilityModel = AvailabilityModel()
    """When it is down. While any of its critical health probes is, if this is not set."""
    objectives: Objectives = Objectives()


DatabaseUrl = Annotated[
    TextOrSecret,
    WithJsonSchema(
        {
            "type": ["string", "object"],
            "description": "sqlite:///FILE or postgresql://HOST/NAME; as a secret if it holds a password",
        }
    ),
]


class DaemonFile(Model):
    """`watchkeeper.yaml`: the daemon."""

    state: DatabaseUrl = "sqlite:///watchkeeper.db"
    """The database: `sqlite:///FILE` or `postgresql://HOST/NAME`."""
    probe_files: tuple[LocalPath, ...]
    """Files and globs of probes."""
    rule_files: tuple[LocalPath, ...] = ()
    """Files and globs of rules."""
    service_files: tuple[LocalPath, ...] = ()
    """Files and globs of more services: each has a mapping `services`."""
    web: Web = Web()
    itsm: Itsm = Itsm()
    knowledge: KnowledgeModel = KnowledgeModel()
    """What is known about trouble: articles that go into tickets."""
    services: dict[Identifier, ServiceModel] = Field(default_factory=dict)
    """The service catalogue."""
    calendars: dict[CalendarName, CalendarModel] = Field(default_factory=dict)
    """Service hours by names of your choice; `always` is there without."""
    maintenance: tuple[MaintenanceModel, ...] = ()
    """When work is planned: trouble in it opens nothing."""
    changes: tuple[ChangeSourceModel, ...] = ()
    """Where approved changes are read from."""
    sources: dict[SourceName, SourceModel] = Field(default_factory=dict)
    """Who else may report trouble by the API, by names of your choice."""
    correlation: CorrelationModel = CorrelationModel()
    """Which alerts are one trouble."""
    problems: Problems = ProblemsModel()
    """When repeats of incidents are a problem; `off`: never."""
    limits: LimitsModel = LimitsModel()
    retention: RetentionModel = RetentionModel()
    """How long what was found out is kept."""
    log: Log = Log()


class ServiceFile(Model):
    """A file of services."""

    services: dict[Identifier, ServiceModel]


def _not_too_short(value_ms: int) -> int:
    if value_ms < 100:
        raise ValueError("must be at least 100ms: what is shorter measures this machine")
    return value_ms


ProbeDurationMs = Annotated[DurationMs, AfterValidator(_not_too_short)]


class ProbeDefaults(Model):
    """What probes of this file have unless they say otherwise."""

    service: Identifier | None = None
    """The service whose health they tell."""
    every: ProbeDurationMs | None = None
    """How often it runs: `30s`, `5m`, `1h30m`, at least `100ms`. Every minute if neither this nor `cron` is set."""
    cron: CronExpression | None = None
    """When it runs, as five fields: minute hour day month weekday, such as `30 6 * * mon-fri`."""
    timezone: TimeZone | None = None
    """Of `cron`: a name such as Europe/Berlin; UTC if this is not set."""
    timeout: ProbeDurationMs | None = None
    """How long a run may take, at most as long as `every`. Ten seconds if this is not set."""
    labels: Labels = Field(default_factory=dict)
    """What rules can match and group by."""
    category: Category | None = None
    """What it is about; each prober has its own if this is not set."""
    parents: tuple[Identifier, ...] = ()
    """Probes of what lies on the way to its target, such as a gateway's. While one of them is in trouble, that
    explains the trouble of this one."""
    critical: bool | None = None
    """Whether its service counts as down while it is; true if this is not set, of health probes only."""

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        if self.every is not None and self.cron is not None:
            raise ValueError("every and cron are both set: a probe has one of them")
        return self


def _text_or_whole_number(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a text or a whole number")
    return value


EachValue = Annotated[str | int, BeforeValidator(_text_or_whole_number)]
Each = dict[LabelName, Annotated[list[EachValue], Field(min_length=1)]]


class ProbeCommon(ProbeDefaults):
    """What every probe has; the rest belongs to its prober."""

    id: Identifier
    """Unique among all probes, and stable: its history hangs on it."""
    prober: str
    """Its type."""
    service: Identifier
    """The service whose health it tells."""
    each: Each | None = None
    """Makes one probe of each combination: `{name}` in any text is replaced."""


class ProbeFile(Model):
    """A file of probes."""

    defaults: ProbeDefaults = ProbeDefaults()
    probes: list[dict[str, Any]]
