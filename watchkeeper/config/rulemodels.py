"""The models of rule files. A docstring under a field is its help text in the JSON Schema."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, Tag, model_validator

from watchkeeper.config.models import LabelName, Labels
from watchkeeper.config.problemmodels import OwnProblems
from watchkeeper.domain.flapping import STATES
from watchkeeper.domain.probe import Category
from watchkeeper.domain.rule import GroupBy, Level, Severity, is_worse
from watchkeeper.schema.alternatives import OneOf, word
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import DurationMs, PositiveDurationMs, RatioPpm
from watchkeeper.schema.names import Identifier

Ignore = Annotated[
    Literal["ignore"],
    word("ignore", "{alert_after: 10m}"),
    Field(description="Silence neither opens nor resolves anything."),
]
Off = Annotated[
    Literal["off"],
    word("off", "{high: 30%, low: 25%}"),
    Field(description="Each time that it comes is an incident of its own."),
]


class MatchModel(Model):
    category: Category | None = None
    """What the probe is about."""
    prober: str | None = None
    """The probe's type."""
    service: str | None = None
    """A service's id, or a glob."""
    probe: str | None = None
    """A probe's id, or a glob."""
    labels: Labels = Field(default_factory=dict)
    """Labels that the probe has, with these values."""


class FailuresModel(Model):
    """A number of samples instead of a time."""

    failures: Annotated[int, Field(ge=1, le=STATES)]
    """In how many samples the condition must hold. What could not be told does not count."""
    of: Annotated[int, Field(ge=1, le=STATES)] | None = None
    """Of how many, the newest ones; all of them must be in a row if this is not set."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.of is not None and self.of < self.failures:
            raise ValueError(f"failures: {self.failures} of {self.of} samples can not be")
        return self


class NoDataModel(Model):
    """When silence is trouble."""

    alert_after: PositiveDurationMs
    """The alert fires when nothing has been known for so long, whatever the reason."""


class FlappingModel(Model):
    """What share of the changes between the last 21 samples is too much; the newest weigh 1.2, the oldest 0.8."""

    high: RatioPpm = 300_000
    """From here on the alert flaps: its incident stays open."""
    low: RatioPpm = 250_000
    """Below this it does no longer."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 < self.low <= self.high:
            raise ValueError("low must be more than 0% and not more than high")
        return self


class EscalationModel(Model):
    after: PositiveDurationMs
    """How long the incident has been open."""
    severity: Severity
    """What it becomes. Impact and urgency rise with it."""


class IncidentModel(Model):
    impact: Level | None = None
    """Derived from the severity, and one level higher for services of high criticality, if this is not set."""
    urgency: Level | None = None
    """Derived from the severity if this is not set."""
    group_by: Annotated[tuple[str, ...], Field(min_length=1)] = (GroupBy.PROBE,)
    """Alerts of this rule that agree in all of these are one incident: `probe`, `service`, `rule` or label names."""
    key: Identifier | None = None
    """Rules with the same key are about one trouble: their alerts make one incident. The rule's id if this is not
    set."""
    backend: Identifier | None = None
    """Where its tickets go; the default backend if this is not set."""
    inhibits: bool | None = None
    """Whether its trouble explains that of what depends on the probe or its service. If this is not set, that of
    health probes does, from the severity major on."""
    inhibited: bool | None = None
    """Whether it may be explained by trouble of what its probe or service depends on. If this is not set, that of
    health probes may, and trouble of a probe's parents explains everything."""


Text = Annotated[str, StringConstraints(max_length=2000)]


def _worse_and_worse(steps: list[EscalationModel]) -> list[EscalationModel]:
    for before, after in pairwise(steps):
        if after.after <= before.after or not is_worse(after.severity, before.severity):
            raise ValueError("each step must come later than the one before, with a worse severity")
    return steps


class RuleModel(Model):
    id: Identifier
    """Unique among all rules, and stable: the keys of incidents are made of it."""
    title: str = "{{ service.title }}: {{ probe.id }}: {{ message }}"
    """The ticket's title: a Jinja2 template."""
    match: MatchModel = MatchModel()
    """Which probes the rule looks at: those that agree with all of this."""
    when: str
    """The condition, in CEL."""
    resolve_when: str | None = None
    """When it is over, in CEL: between the two conditions an alert that fires goes on firing. When `when` no longer
    holds if this is not set."""
    for_: Annotated[Annotated[DurationMs, Tag("[text]")] | Annotated[FailuresModel, Tag("[mapping]")], OneOf] = Field(
        default=0, alias="for"
    )
    """How long the condition must hold before the alert fires: a duration, or a number of samples."""
    keep_firing_for: DurationMs = 0
    """How long the condition must be over before the alert stops firing."""
    no_data: Annotated[Annotated[Ignore, Tag("[text]")] | Annotated[NoDataModel, Tag("[mapping]")], OneOf] = "ignore"
    """What silence means: `ignore`, or trouble in itself after a time."""
    flapping: Annotated[Annotated[Off, Tag("[text]")] | Annotated[FlappingModel, Tag("[mapping]")], OneOf] = (
        FlappingModel()
    )
    """From when on an alert that comes and goes holds one incident open; `off`: never."""
    severity: Severity = Severity.MAJOR
    """How bad it is. Impact and urgency follow from it."""
    escalate: Annotated[list[EscalationModel], AfterValidator(_worse_and_worse)] = Field(default_factory=list)
    """What the incident becomes while it stays open, in steps."""
    incident: IncidentModel = IncidentModel()
    """What it opens."""
    problem: OwnProblems | None = None
    """When repeats of its incidents are a problem, where that is something else than for all rules: a mapping with
    `after`, `within`, `downtime`, `flapping`, or `off`."""
    labels: dict[LabelName, Text] = Field(default_factory=dict)
    """Short texts about the incident, such as `team`: Jinja2 templates."""
    annotations: dict[LabelName, Text] = Field(default_factory=dict)
    """Long texts for whoever reads the ticket, such as `description`: Jinja2 templates."""
    runbook: str = ""
    """Where to read what to do. It stands in the ticket."""


class RuleGroup(Model):
    """`rules` are read one by one, each as a `RuleModel`: a mistake in one does not hide those in others."""

    name: Identifier
    rules: list[dict[str, Any]]


class RuleFile(Model):
    """A file of rules."""

    groups: list[RuleGroup]
