"""The models of rule test files. A docstring under a field is its help text in the JSON Schema."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from watchkeeper.config.models import LabelName, ProbeDefaults, ProbeDurationMs, ServiceModel
from watchkeeper.domain.comparison import MAX_LISTED
from watchkeeper.domain.outcome import Listed
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import DurationMs, LocalPath
from watchkeeper.schema.names import Identifier

DEFAULT_START_MS: Final = 1_577_836_800_000  # 2020-01-01T00:00Z, a Wednesday
MAX_LASTS_MS: Final = parse_duration_ms("10y")
_YEARS: Final = (1970, 2199)


class ContainsModel(Model):
    contains: str | tuple[str, ...]
    """What stands in the text somewhere."""


def _shape(value: Any) -> str:
    return "[mapping]" if isinstance(value, dict | Model) else "[text]"


Text = Annotated[
    Annotated[str, Tag("[text]")] | Annotated[ContainsModel, Tag("[mapping]")],
    Discriminator(_shape),
]
"""A whole text, or what it contains."""

Texts = dict[LabelName, Text]


class Active(StrEnum):
    """The states of alerts that are listed."""

    PENDING = "pending"
    FIRING = "firing"


class TicketState(StrEnum):
    """What watchkeeper asks of tickets."""

    OPEN = "open"
    RESOLVED = "resolved"


class AlertModel(Model):
    rule: Identifier | None = None
    probe: Identifier | None = None
    service: Identifier | None = None
    """The probe's."""
    state: Active | None = None
    since: DurationMs | None = None
    """When it came into this state, after the start."""
    flapping: bool | None = None
    """Whether it comes and goes."""
    returns: Annotated[int, Field(ge=0)] | None = None
    """How often the condition came back while the alert went on firing."""


class IncidentModel(Model):
    key: str | None = None
    """Such as `service-down/service=shop`."""
    rule: Identifier | None = None
    """The rule that opened it."""
    service: Identifier | None = None
    title: Text | None = None
    severity: Severity | None = None
    impact: Level | None = None
    urgency: Level | None = None
    priority: Annotated[int, Field(ge=1, le=5)] | None = None
    """1, the highest, to 5."""
    backend: str | None = None
    """Where its ticket goes."""
    started: DurationMs | None = None
    """When the condition began to hold, after the start."""
    opened: DurationMs | None = None
    """When its first alert fired, after the start."""
    probes: Annotated[tuple[Identifier, ...], Field(max_length=MAX_LISTED)] | None = None
    """Those whose alerts fire now; of an incident that is over, all whose alerts did. In any order."""
    flapping: bool | None = None
    """Whether an alert of it comes and goes."""
    returns: Annotated[int, Field(ge=0)] | None = None
    """How often a condition came back while it was open."""
    runbook: Text | None = None
    labels: Texts | None = None
    annotations: Texts | None = None


class ResolvedModel(IncidentModel):
    resolved: DurationMs | None = None
    """When its last alert was over, after the start."""


class TicketModel(Model):
    key: str | None = None
    """The incident's."""
    title: Text | None = None
    state: TicketState | None = None
    backend: str | None = None
    service: Identifier | None = None
    impact: Level | None = None
    urgency: Level | None = None
    priority: Annotated[int, Field(ge=1, le=5)] | None = None
    description: Text | None = None
    notes: Annotated[tuple[Text, ...], Field(max_length=MAX_LISTED)] | None = None
    """What was added to it, one after the other."""


def _not_too_late(value_ms: int) -> int:
    if value_ms > MAX_LASTS_MS:
        raise ValueError("is over ten years")
    return value_ms


AtMs = Annotated[DurationMs, AfterValidator(_not_too_late)]


class ExpectationModel(Model):
    """All that there is at a time, of each kind that is listed. An empty list says that there is none."""

    at: AtMs
    """The time after the start, such as `5m`: when everything of that time has happened."""
    alerts: Annotated[list[AlertModel], Field(max_length=MAX_LISTED)] | None = None
    """The alerts that are not inactive."""
    incidents: Annotated[list[IncidentModel], Field(max_length=MAX_LISTED)] | None = None
    """The incidents that are open."""
    resolved: Annotated[list[ResolvedModel], Field(max_length=MAX_LISTED)] | None = None
    """The incidents that were open and are over."""
    tickets: Annotated[list[TicketModel], Field(max_length=MAX_LISTED)] | None = None
    """The tickets that were asked for so far, open or resolved."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, name) is None for name in Listed):
            raise ValueError(f"expects nothing: say at least one of {', '.join(Listed)}; [] where there is none")
        return self


def _start(value: Any) -> int:
    accepted = "accepted is a time with its zone, such as 2020-01-01T06:00Z"
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"{value!r} is no time: {accepted}")
    if not _YEARS[0] < at.year < _YEARS[1]:
        raise ValueError(f"must lie between {_YEARS[0]} and {_YEARS[1]}")
    return round(at.timestamp() * 1000)


StartMs = Annotated[
    int,
    BeforeValidator(_start),
    WithJsonSchema({"type": "string", "description": "a time with its zone, such as 2020-01-01T06:00Z"}),
]


class RuleTestModel(Model):
    """`expect` is read one by one, each as an `ExpectationModel`, and so are the series of each probe."""

    name: str
    """What the test says of the rules, as a sentence."""
    start: StartMs | None = None
    """When its time begins; 2020-01-01T00:00Z, a Wednesday, if this is not set."""
    interval: ProbeDurationMs | None = None
    """How often the probes of this test run; each as often as it says itself if this is not set."""
    series: dict[Identifier, Any] = Field(default_factory=dict)
    """What the probes find, by their ids. One that is not named is not watched; `_` is one that never runs."""
    expect: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """What should come of it, at which times."""


class RuleTestProbe(ProbeDefaults):
    """A probe of a test. Keys of its prober's own may stand there: nothing is asked of its target."""

    id: Identifier
    """What series and expectations call it."""
    prober: str
    """Its type, which says what samples hold."""


class RuleTestFile(Model):
    """A file of rule tests."""

    rule_files: tuple[LocalPath, ...] = ()
    """Files and globs of the rules that are tested; those of `config` if this is not set."""
    config: LocalPath | None = None
    """A daemon's file: its services, probes and rules are those of the tests."""
    services: dict[Identifier, ServiceModel] | None = None
    """The services, as in the daemon's file. Those that the probes name, and nothing more is known of them, if this
    is not set."""
    probes: list[dict[str, Any]] = Field(default_factory=list)
    """The probes that the rules look at, as in probe files. What a prober requires may be missing here."""
    tests: Annotated[list[dict[str, Any]], Field(min_length=1)]
