"""Rules: which probes they look at, what they ask, what they open."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol

from watchkeeper.domain.probe import Category, Probe, Sample
from watchkeeper.domain.service import Criticality, Service
from watchkeeper.domain.window import EMPTY, Window


class Severity(StrEnum):
    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class Level(StrEnum):
    """Of impact and urgency, the two that ITIL derives a priority from."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


IMPACT_AND_URGENCY: Mapping[Severity, tuple[Level, Level]] = {
    Severity.CRITICAL: (Level.HIGH, Level.HIGH),
    Severity.MAJOR: (Level.MEDIUM, Level.HIGH),
    Severity.MINOR: (Level.MEDIUM, Level.LOW),
    Severity.INFO: (Level.LOW, Level.LOW),
}


def priority(impact: Level, urgency: Level) -> int:
    """1 (critical) to 5 (planning) by the usual matrix: high x high is 1, low x low is 5."""
    levels = list(Level)
    return 1 + levels.index(impact) + levels.index(urgency)


def is_worse(one: Severity, other: Severity) -> bool:
    severities = list(Severity)
    return severities.index(one) < severities.index(other)


@dataclass(slots=True)
class Scope:
    """Everything that a condition or a template may ask about."""

    sample: Sample
    probe: Probe
    service: Service
    now_ms: int
    window: Window = EMPTY
    trail: Sequence[Sample] = ()
    """The last samples, the oldest first, while something is wrong."""


class Condition(Protocol):
    """A compiled `when`. `spans_ms` says which series it asks for, and how far back."""

    @property
    def spans_ms(self) -> Mapping[str, int]: ...

    @property
    def asks_missed(self) -> bool:
        """Whether it asks how many runs were missed: then it is asked of samples that are unknown as well."""

    def __call__(self, scope: Scope) -> bool:
        """Whether the condition holds.

        Raises:
            Unanswerable: it can not be told now.
        """

    def explain(self, scope: Scope) -> Sequence[tuple[str, str]]:
        """What the condition asks about, as it is written, and what that is now: `values.used`, `97.3`. What has no
        answer is `?`."""


class Template(Protocol):
    """A compiled text with placeholders."""

    @property
    def spans_ms(self) -> Mapping[str, int]: ...

    def __call__(self, scope: Scope) -> str:
        """The text. What has no answer now is shown as `?`."""


class Named(NamedTuple):
    """A label or an annotation, rendered."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """Which probes a rule looks at: all that agree with everything that is set. Ids may be globs."""

    category: Category | None = None
    prober: str | None = None
    service: str | None = None
    probe: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, probe: Probe) -> bool:
        return (
            (self.category is None or probe.category is self.category)
            and (self.prober is None or probe.prober == self.prober)
            and (self.service is None or fnmatchcase(probe.service, self.service))
            and (self.probe is None or fnmatchcase(probe.id, self.probe))
            and all(probe.labels.get(name) == value for name, value in self.labels.items())
        )


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Between which shares of weighted state changes (0 to 1) an alert begins to flap, and ends to. Icinga 2's."""

    high: float = 0.30
    low: float = 0.25


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a condition must hold before the alert fires, and be over before it stops.

    `failures`, `of`: it holds when it did in so many of the last so many samples that could tell.
    `no_data_ms`: for how long nothing may be known before the alert fires for that; `None`: for ever.
    `flapping`: `None` where alerts may come and go as often as they like.
    """

    for_ms: int = 0
    keep_firing_for_ms: int = 0
    failures: int = 1
    of: int = 1
    no_data_ms: int | None = None
    flapping: Thresholds | None = None


class GroupBy(StrEnum):
    """What alerts of one rule must have in common to be one incident."""

    PROBE = "probe"
    SERVICE = "service"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Escalation:
    """What an incident becomes that is still open so long after it was opened."""

    after_ms: int
    severity: Severity


@dataclass(frozen=True, slots=True)
class IncidentPolicy:
    """What a rule opens. `key`: what rules share whose alerts are one trouble, `None` for the rule's own id.
    `impact` and `urgency`: `None` where they follow from severity and service. `inhibits`, `inhibited`: whether its
    trouble explains that of what depends on it, and whether it may be explained; see `is_cause`, `is_explained`."""

    impact: Level | None = None
    urgency: Level | None = None
    group_by: tuple[str, ...] = (GroupBy.PROBE,)
    backend: str | None = None  # None: the default backend
    key: str | None = None
    escalation: tuple[Escalation, ...] = ()
    inhibits: bool | None = None
    inhibited: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `conditions` holds the compiled `when` for each prober whose probes the rule matches:
    what names mean, and which exist, depends on the prober. `relief` holds those of `resolve_when`, where the rule
    has one: an alert that fires is over when that holds, and not when `when` no longer does."""

    id: str
    title: Template
    match: Match
    when: str
    conditions: Mapping[str, Condition]
    severity: Severity
    incident: IncidentPolicy
    hold: Hold = Hold()
    runbook: str = ""
    resolve_when: str = ""
    relief: Mapping[str, Condition] = field(default_factory=dict)
    labels: Mapping[str, Template] = field(default_factory=dict)
    annotations: Mapping[str, Template] = field(default_factory=dict)

    def templates(self) -> Iterator[Template]:
        """All of its texts with placeholders."""
        yield self.title
        yield from self.labels.values()
        yield from self.annotations.values()

    def asks_the_same_as(self, other: "Rule") -> bool:
        """Whether both hold, and are over, at the same times."""
        return _words(self) == _words(other)

    def alerts_like(self, other: "Rule") -> bool:
        """Whether it is also held for the same time."""
        return self.asks_the_same_as(other) and self.hold == other.hold


def _words(rule: "Rule") -> tuple[list[str], list[str]]:
    """What a rule asks, however it is broken into lines."""
    return rule.when.split(), rule.resolve_when.split()


def is_cause(rule: Rule, probe: Probe) -> bool:
    """Whether an alert explains trouble of what depends on its probe: what the rule sets, else whether it is of a
    health probe, and at least major."""
    if rule.incident.inhibits is not None:
        return rule.incident.inhibits
    return probe.category is Category.HEALTH and not is_worse(Severity.MAJOR, rule.severity)


def is_explained(rule: Rule, probe: Probe) -> bool:
    """Whether an alert is explained by trouble of a service that its own depends on: what the rule sets, else whether
    it is of a health probe. Trouble of a probe's parents explains all of its alerts, unless the rule says no."""
    if rule.incident.inhibited is not None:
        return rule.incident.inhibited
    return probe.category is Category.HEALTH


def assess(rule: Rule, severity: Severity, service: Service) -> tuple[Level, Level]:
    """Impact and urgency: what the rule sets, else what the severity stands for, with the impact one level higher
    where the service is of high criticality."""
    impact, urgency = IMPACT_AND_URGENCY[severity]
    if service.criticality is Criticality.HIGH:
        impact = list(Level)[max(0, list(Level).index(impact) - 1)]
    return rule.incident.impact or impact, rule.incident.urgency or urgency


Clock = Callable[[], int]
"""Wall-clock time in ms since the epoch (UTC). Handed in wherever time is needed."""
