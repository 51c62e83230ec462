"""The incident: an interruption, from the first alert that fires until the last is over."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.rule import Level, Severity

_PREFIX: Final = "INC-"


def incident_number(incident_id: int) -> str:
    """What people call an incident: `INC-12`."""
    return f"{_PREFIX}{incident_id}"


def incident_id(number: str) -> int:
    """The id of an incident that people call `INC-12`, `inc-12` or 12.

    Raises:
        ValueError: it is no such number.
    """
    digits = number.upper().removeprefix(_PREFIX)
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise ValueError(f"{number!r} is not an incident's number, such as {incident_number(12)}")
    return int(digits)


class IncidentState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """`started_ms`: when the first condition began to hold; `opened_ms`: when its alert fired.
    `firing`: the alerts that fire now; `affected`: all that ever did, in order."""

    id: int
    key: str
    rule_id: str
    service: str
    title: str
    severity: Severity
    impact: Level
    urgency: Level
    backend: str
    started_ms: int
    opened_ms: int
    firing: frozenset[AlertRef]
    affected: tuple[AlertRef, ...]
    state: IncidentState = IncidentState.OPEN
    resolved_ms: int | None = None
    runbook: str = ""

    @property
    def number(self) -> str:
        """What people call it: `INC-12`."""
        return incident_number(self.id)


@dataclass(frozen=True, slots=True)
class AlertFired:
    alert: AlertRef
    at_ms: int


@dataclass(frozen=True, slots=True)
class AlertOver:
    alert: AlertRef
    at_ms: int


def step(incident: Incident, event: AlertFired | AlertOver) -> Incident:
    """The incident after an event. The same object when the event changes nothing.

    A resolved incident stays resolved: trouble that comes back is a new incident.
    """
    if incident.state is IncidentState.RESOLVED:
        return incident
    if isinstance(event, AlertFired):
        if event.alert in incident.firing:
            return incident
        known = event.alert in incident.affected
        affected = incident.affected if known else (*incident.affected, event.alert)
        return replace(incident, firing=incident.firing | {event.alert}, affected=affected)
    if event.alert not in incident.firing:
        return incident
    firing = incident.firing - {event.alert}
    if firing:
        return replace(incident, firing=firing)
    return replace(incident, firing=firing, state=IncidentState.RESOLVED, resolved_ms=event.at_ms)
