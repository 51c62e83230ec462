"""What others tell of trouble: reports of alerts that fire elsewhere, or are over.

The alert of a report is known by names that begin with `@` and the source: nothing of the configuration is called so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from math import nan
from typing import Final, NamedTuple

from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.probe import NOTHING, Category, Every, Probe, Sample, Status
from watchkeeper.domain.rule import IncidentPolicy, Match, Named, Rule, Scope, Severity
from watchkeeper.domain.service import Service

FOREIGN: Final = "@"
"""How ids begin that are made of reports."""

GROUP_LABEL: Final = "groupKey"
"""The label under which the group is found that a source itself has put an alert into."""

MOST_NAME: Final = 200  # characters of a key, a rule or a title
MOST_TEXT: Final = 2000  # characters of a message

_UNFIT: Final = re.compile("[\0-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]+")


class ReportState(StrEnum):
    FIRING = "firing"
    OVER = "over"


class Measured(NamedTuple):
    """A number of a report."""

    name: str
    number: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a source says of one alert.

    `key`: which alert, among all of the source. `rule`: what is wrong there; where one key has several, as with
    severities, each is an alert of its own and one takes over from another. `at_ms`: what the report is true from: of
    one that fires when it was seen or began, of one that is over the end. `began_ms`: since when it fires.
    `expires_ms`: for how long it is true if it is not repeated, `None` for ever. `condition`: what is asked there.
    `group`: the group that the source has put it into. `url`: where the source shows it.
    """

    source: str
    key: str
    state: ReportState
    at_ms: int
    rule: str = ""
    title: str = ""
    severity: Severity = Severity.MAJOR
    service: str = ""
    began_ms: int = 0
    labels: tuple[Named, ...] = ()
    annotations: tuple[Named, ...] = ()
    message: str = ""
    url: str = ""
    runbook: str = ""
    condition: str = ""
    group: str = ""
    values: tuple[Measured, ...] = ()
    expires_ms: int | None = None

    @property
    def ref(self) -> AlertRef:
        """Its alert."""
        return AlertRef(f"{FOREIGN}{self.source}/{self.rule}", f"{FOREIGN}{self.source}/{self.key}")


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """How the reports of a source are dealt with.

    `kind`: what it is, as people call it. `service`: that of alerts which name none that there is. `group_by`: what
    alerts of one incident have in common: names of labels, or `service`; where it is empty, each is one of its own.
    `backend`: `None`: the default one. `late_ms`: for how long after an alert's end a report from before may still be
    under way.
    """

    kind: str
    service: str
    group_by: tuple[str, ...] = ()
    backend: str | None = None
    late_ms: int = 120_000


@dataclass(frozen=True, slots=True)
class Constant:
    """A text without placeholders, as a template."""

    text: str
    spans_ms: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, scope: Scope) -> str:  # noqa: ARG002  # what a template is
        return self.text


def rule_of(report: Report, policy: SourcePolicy) -> Rule:
    """What stands for the rule of a report's alert."""
    ref = report.ref
    incident = IncidentPolicy(
        group_by=policy.group_by,
        backend=policy.backend,
        key=f"{FOREIGN}{report.source}" if policy.group_by else ref.probe_id,
    )
    return Rule(
        id=ref.rule_id,
        title=Constant(report.title),
        match=Match(),
        when=report.condition,
        conditions={},
        severity=report.severity,
        incident=incident,
        runbook=report.runbook,
        labels={name: Constant(text) for name, text in report.labels},
        annotations={name: Constant(text) for name, text in _annotations(report)},
    )


def _annotations(report: Report) -> tuple[Named, ...]:
    return (*report.annotations, Named("url", report.url)) if report.url else report.annotations


def scope_of(report: Report, policy: SourcePolicy, service: Service, now_ms: int) -> Scope:
    """What stands for the probe of a report's alert, and its last sample."""
    labels = dict(report.labels)
    if report.group:
        labels[GROUP_LABEL] = report.group
    probe = Probe(
        id=report.ref.probe_id,
        prober=policy.kind,
        service=service.id,
        category=Category.HEALTH,
        schedule=Every(0),
        timeout_ms=0,
        options=None,
        labels=labels,
    )
    values = dict(report.values) if report.values else NOTHING
    # How long a run took that found it, nobody has told.
    sample = Sample(probe.id, report.at_ms, Status.DOWN, nan, values, message=report.message)
    return Scope(sample, probe, service, now_ms)


def cleaned(text: str, most: int = MOST_NAME) -> str:
    """A text of one line, without what no screen shows and no database keeps, cut to a length."""
    line = _UNFIT.sub(" ", text).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def key_of(*parts: str) -> str:
    """A key of names, readable where they are short enough. Other names give another key."""
    whole = "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
    line = cleaned(whole)
    return line if line == whole else f"{line[:150]}#{fingerprint(whole)}"


def fingerprint(text: str) -> str:
    """Sixteen hex digits that stand for a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
