"""The incident: an interruption, from the first alert that fires until the last is over."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.rule import Level, Named, Severity, is_worse
from watchkeeper.domain.ticket import TicketState

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
    `firing`: the alerts that fire now; `affected`: all that ever did, in order; `flapping`: those of the firing ones
    that flap. `returns`: how often a condition came back while the incident was open.

    `acknowledged_ms`: when somebody took it up. `ticket_state`, `ticket_number`: of its ticket, as it was seen last.
    `abandoned_ms`: since when a person has had the ticket resolved or closed, though the trouble goes on.

    `impacted`: the alerts that it explains now, which have no incident of their own. `merged_into`: the id of the
    incident that turned out to be its cause. `caused_by`: the number of the change in whose aftermath it began.
    """

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
    labels: tuple[Named, ...] = ()
    annotations: tuple[Named, ...] = ()
    flapping: frozenset[AlertRef] = frozenset()
    returns: int = 0
    acknowledged_ms: int | None = None
    abandoned_ms: int | None = None
    ticket_state: TicketState | None = None
    ticket_number: str = ""
    impacted: frozenset[AlertRef] = frozenset()
    merged_into: int | None = None
    caused_by: str = ""

    @property
    def number(self) -> str:
        """What people call it: `INC-12`."""
        return incident_number(self.id)


@dataclass(frozen=True, slots=True)
class AlertsFired:
    """Several at once."""

    alerts: tuple[AlertRef, ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class AlertsExplained:
    """Alerts are part of another incident from now on, which is their cause."""

    alerts: tuple[AlertRef, ...]
    by: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Impacted:
    """What it explains is more, or less, than before."""

    added: tuple[AlertRef, ...]
    gone: tuple[AlertRef, ...]


@dataclass(frozen=True, slots=True)
class AlertsOver:
    alerts: tuple[AlertRef, ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class AlertReturned:
    """The condition was over, and came back before the alert was."""

    alert: AlertRef


@dataclass(frozen=True, slots=True)
class AlertFlaps:
    """The alert begins to flap, or ceases to."""

    alert: AlertRef
    flaps: bool


@dataclass(frozen=True, slots=True)
class Reassessed:
    """What the incident counts as from now on."""

    severity: Severity
    impact: Level
    urgency: Level


@dataclass(frozen=True, slots=True)
class TicketMoved:
    """What is seen of the ticket is another thing than before. `is_taken_up`: somebody works on it."""

    state: TicketState
    number: str
    is_taken_up: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another incident takes its place."""

    at_ms: int


Event = (
    AlertsFired
    | AlertsExplained
    | Impacted
    | AlertsOver
    | AlertReturned
    | AlertFlaps
    | Reassessed
    | TicketMoved
    | Superseded
)


def step(incident: Incident, event: Event) -> Incident:
    """The incident after an event. The same object when the event changes nothing.

    A resolved incident stays resolved: trouble that comes back is a new incident.
    """
    if incident.state is IncidentState.RESOLVED:
        return incident
    if isinstance(event, Reassessed):
        return _reassess(incident, event)
    if isinstance(event, TicketMoved):
        return _move_ticket(incident, event)
    if isinstance(event, Superseded):
        none = frozenset[AlertRef]()
        return _resolve(replace(incident, firing=none, flapping=none), event.at_ms)
    if isinstance(event, AlertsFired):
        new = tuple(alert for alert in event.alerts if alert not in incident.firing)
        if not new:
            return incident
        known = frozenset(incident.affected)
        affected = (*incident.affected, *(alert for alert in new if alert not in known))
        return replace(incident, firing=incident.firing.union(new), affected=affected)
    if isinstance(event, AlertsExplained):
        return _explain(incident, event)
    if isinstance(event, Impacted):
        impacted = incident.impacted.union(event.added) - set(event.gone)
        return replace(incident, impacted=impacted) if impacted != incident.impacted else incident
    if isinstance(event, AlertsOver):
        return _end(incident, event)
    if event.alert not in incident.firing:
        return incident
    if isinstance(event, AlertReturned):
        return replace(incident, returns=incident.returns + 1)
    flapping = incident.flapping - {event.alert}
    flapping = incident.flapping | {event.alert} if event.flaps else flapping
    return replace(incident, flapping=flapping) if flapping != incident.flapping else incident


def _end(incident: Incident, event: AlertsOver) -> Incident:
    over = incident.firing.intersection(event.alerts)
    if not over:
        return incident
    left = replace(incident, firing=incident.firing - over, flapping=incident.flapping - over)
    return left if left.firing else _resolve(left, event.at_ms)


def _resolve(incident: Incident, at_ms: int) -> Incident:
    return replace(incident, state=IncidentState.RESOLVED, resolved_ms=at_ms, impacted=frozenset())


def _explain(incident: Incident, event: AlertsExplained) -> Incident:
    gone = incident.firing.intersection(event.alerts)
    if not gone:
        return incident
    left = replace(incident, firing=incident.firing - gone, flapping=incident.flapping - gone)
    return left if left.firing else _resolve(replace(left, merged_into=event.by), event.at_ms)


def _reassess(incident: Incident, event: Reassessed) -> Incident:
    """Trouble that goes on gets worse, or stays as it is: nothing is lowered."""
    severity = event.severity if is_worse(event.severity, incident.severity) else incident.severity
    impact = max(event.impact, incident.impact, key=_height)
    urgency = max(event.urgency, incident.urgency, key=_height)
    if (severity, impact, urgency) == (incident.severity, incident.impact, incident.urgency):
        return incident
    return replace(incident, severity=severity, impact=impact, urgency=urgency)


def _move_ticket(incident: Incident, event: TicketMoved) -> Incident:
    acknowledged_ms, abandoned_ms = incident.acknowledged_ms, None
    if acknowledged_ms is None and event.is_taken_up:
        acknowledged_ms = event.at_ms
    if event.state in (TicketState.RESOLVED, TicketState.CLOSED):
        abandoned_ms = event.at_ms if incident.abandoned_ms is None else incident.abandoned_ms
    return replace(
        incident,
        acknowledged_ms=acknowledged_ms,
        abandoned_ms=abandoned_ms,
        ticket_state=event.state,
        ticket_number=event.number,
    )


def _height(level: Level) -> int:
    return -list(Level).index(level)
