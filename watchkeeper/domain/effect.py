"""What follows from a decision: values that say what shall be stored, and what shall be done."""

from dataclasses import dataclass
from enum import StrEnum

from watchkeeper.domain.alert import Alert, AlertRef
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.probe import Status
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


@dataclass(frozen=True, slots=True)
class IncidentChanged:
    """`alert`: which it is about; of what is about all of them, the first."""

    incident: Incident
    happening: Happening
    at_ms: int
    alert: AlertRef
    text: str


Effect = StatusChanged | ProbeGone | AlertChanged | IncidentChanged | Command
