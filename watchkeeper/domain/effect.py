"""What follows from a decision: values that say what shall be stored, and what shall be done."""

from dataclasses import dataclass
from enum import StrEnum

from watchkeeper.domain.alert import Alert, AlertRef
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.probe import Status
from watchkeeper.domain.problem import Problem
from watchkeeper.domain.report import Report
from watchkeeper.domain.ticket import Command


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A probe's status from `at_ms` on, which ends the interval before. `before`: `None` when nothing was known."""

    probe_id: str
    service: str
    status: Status
    at_ms: int
    message: str
    before: Status | None = None


@dataclass(frozen=True, slots=True)
class ProbeGone:
    """A probe is no longer watched: its last interval ends."""

    probe_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class AlertChanged:
    before: Alert
    after: Alert
    reason: str


class Happening(StrEnum):
    """An entry in an incident's timeline."""

    OPENED = "opened"
    JOINED = "joined"
    LEFT = "left"
    RETURNED = "returned"  # a condition came back before its alert was over
    FLAPPING = "flapping"  # it comes and goes
    STEADY = "steady"  # it did
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"  # somebody took its ticket up
    TICKET_MOVED = "ticket_moved"  # somebody did something else to it
    REOPENED = "reopened"  # its ticket had been resolved too early
    RESOLVED = "resolved"
    MERGED = "merged"  # over, as it is part of another one
    EXPLAINED = "explained"  # some of its alerts are part of another one
    IMPACTED = "impacted"  # it has spread, or spread less


@dataclass(frozen=True, slots=True)
class IncidentChanged:
    """`alert`: which it is about; of what is about several of them, the first. `alerts`: those, where they are not
    all of its alerts."""

    incident: Incident
    happening: Happening
    at_ms: int
    alert: AlertRef
    text: str
    alerts: tuple[AlertRef, ...] = ()


class ProblemHappening(StrEnum):
    """What becomes of a problem."""

    OPENED = "opened"
    RECURRED = "recurred"  # one more incident of it
    LASTED = "lasted"  # one of its incidents is over
    REOPENED = "reopened"  # it recurred after people had resolved it, or people opened its ticket again
    RESOLVED = "resolved"  # by people
    KNOWN_ERROR = "known_error"
    NOTED = "noted"  # people wrote something, or did something else to its ticket
    SUCCEEDED = "succeeded"  # another one takes its place


@dataclass(frozen=True, slots=True)
class ProblemChanged:
    """`linked`: the ids of the incidents that belong to it from now on."""

    problem: Problem
    happening: ProblemHappening
    at_ms: int
    text: str
    linked: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportChanged:
    """What a source says of an alert from now on. `at_ms`: when it was heard."""

    report: Report
    at_ms: int


@dataclass(frozen=True, slots=True)
class ReportGone:
    """Nothing is left of what a source said of an alert."""

    source: str
    key: str
    at_ms: int


Effect = (
    StatusChanged | ProbeGone | AlertChanged | ReportChanged | ReportGone | IncidentChanged | ProblemChanged | Command
)
