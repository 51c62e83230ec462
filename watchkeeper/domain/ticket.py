"""Tickets, and the commands that make them true in an ITSM backend."""

from dataclasses import dataclass
from enum import StrEnum

from watchkeeper.domain.incident import Incident
from watchkeeper.domain.rule import Level, Rule, Scope, priority
from watchkeeper.domain.units import format_duration_ms, format_time


class TicketKind(StrEnum):
    INCIDENT = "incident"
    PROBLEM = "problem"


class TicketState(StrEnum):
    """What every backend's states come down to."""

    OPEN = "open"
    RESOLVED = "resolved"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """What a new ticket shall say. `key` is what it is found by, `correlation` the readable incident key."""

    key: str
    kind: TicketKind
    correlation: str
    title: str
    description: str
    service: str
    impact: Level
    urgency: Level


@dataclass(frozen=True, slots=True)
class TicketChange:
    """What shall be added to a ticket: an internal note, and its new state where that changes.

    `key` is this change's own: a backend that can keep it does nothing when it gets a change for the second time.
    """

    note: str
    state: TicketState | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as its backend has it. `ref` is the backend's own stable id, `number` what people call it."""

    ref: str
    number: str
    key: str
    state: TicketState
    title: str
    url: str = ""


class CommandKind(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to be done at a backend, in the order of the incident's commands. `id` is the outbox row's."""

    incident_id: int
    backend: str
    key: str
    kind: CommandKind
    payload: TicketDraft | TicketChange
    created_ms: int
    id: int = 0


def draft_incident(incident: Incident, key: str, rule: Rule, scope: Scope) -> TicketDraft:
    """The ticket of a new incident: what a first responder needs to know, in plain text."""
    return TicketDraft(
        key=key,
        kind=TicketKind.INCIDENT,
        correlation=incident.key,
        title=incident.title,
        description=_describe(incident, rule, scope),
        service=incident.service,
        impact=incident.impact,
        urgency=incident.urgency,
    )


def _describe(incident: Incident, rule: Rule, scope: Scope) -> str:
    sample, service, probe = scope.sample, scope.service, scope.probe
    service_line = f"{service.title} ({service.id})" + (f", owner {service.owner}" if service.owner else "")
    held = f", held for {format_duration_ms(rule.hold.for_ms)}" if rule.hold.for_ms else ""
    level = priority(incident.impact, incident.urgency)
    values = ", ".join(f"{name}={value:g}" for name, value in sample.values.items()) or "none"
    lines = [
        sample.message or incident.title,
        "",
        f"Service:  {service_line}",
        f"Probe:    {probe.id} ({probe.prober}, {probe.category})",
        f"Since:    {format_time(incident.started_ms)}",
        f"Priority: {level} (impact {incident.impact}, urgency {incident.urgency})",
        f"Rule:     {rule.id}: {' '.join(rule.when.split())}{held}",
        f"Status:   {sample.status} after {sample.duration_s:.3f} s",
        f"Values:   {values}",
    ]
    if incident.runbook:
        lines.append(f"Runbook:  {incident.runbook}")
    lines += ["", f"Opened by watchkeeper as {incident.number} ({incident.key})."]
    return "\n".join(lines)
