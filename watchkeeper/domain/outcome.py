"""What a rehearsal has come to at a time, as plain fields that can be compared with what somebody expected.

Times are durations since the rehearsal began, as exact text: `1m30s`.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from watchkeeper.domain.alert import Alert
from watchkeeper.domain.incident import Incident, IncidentState
from watchkeeper.domain.rehearsal import Rehearsal
from watchkeeper.domain.rule import priority
from watchkeeper.domain.ticket import TicketChange, TicketDraft, TicketState

Fields = Mapping[str, Any]
"""Texts, numbers, truth values, lists of texts and mappings of texts, by name."""


class Listed(StrEnum):
    """What an expectation can list."""

    ALERTS = "alerts"  # that are not inactive
    INCIDENTS = "incidents"  # that are open
    RESOLVED = "resolved"  # incidents that were open before
    TICKETS = "tickets"  # that were asked for so far


def listed(what: Listed, rehearsal: Rehearsal, start_ms: int) -> list[dict[str, Any]]:
    """All that there is of it now, in the order in which it came."""
    return _LISTS[what](rehearsal, start_ms)


def since_start(at_ms: int, start_ms: int) -> str:
    """`1h2m3s` of a time after the start, `-5m` of one before it. To the millisecond."""
    return exact_duration(at_ms - start_ms)


def exact_duration(duration_ms: int) -> str:
    """`1h2m3s`: every unit, so that equal texts are equal times."""
    rest = abs(duration_ms)
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return ("-" if duration_ms < 0 else "") + (text or "0s")


def _alerts(rehearsal: Rehearsal, start_ms: int) -> list[dict[str, Any]]:
    return [_alert(alert, rehearsal, start_ms) for alert in rehearsal.alerts()]


def _alert(alert: Alert, rehearsal: Rehearsal, start_ms: int) -> dict[str, Any]:
    return {
        "rule": alert.ref.rule_id,
        "probe": alert.ref.probe_id,
        "service": rehearsal.watch.plan.probes[alert.ref.probe_id].service,
        "state": alert.state.value,
        "since": since_start(alert.since_ms, start_ms),
        "flapping": alert.is_flapping,
        "returns": alert.returns,
    }


def _incidents(rehearsal: Rehearsal, start_ms: int) -> list[dict[str, Any]]:
    return _in_state(IncidentState.OPEN, rehearsal.incidents.values(), start_ms)


def _resolved(rehearsal: Rehearsal, start_ms: int) -> list[dict[str, Any]]:
    return _in_state(IncidentState.RESOLVED, rehearsal.incidents.values(), start_ms)


def _in_state(state: IncidentState, incidents: Iterable[Incident], start_ms: int) -> list[dict[str, Any]]:
    return [_incident(one, start_ms) for one in incidents if one.state is state]


def _incident(incident: Incident, start_ms: int) -> dict[str, Any]:
    refs = incident.firing if incident.state is IncidentState.OPEN else incident.affected
    fields = {
        "key": incident.key,
        "rule": incident.rule_id,
        "service": incident.service,
        "title": incident.title,
        "severity": incident.severity.value,
        "impact": incident.impact.value,
        "urgency": incident.urgency.value,
        "priority": priority(incident.impact, incident.urgency),
        "backend": incident.backend,
        "started": since_start(incident.started_ms, start_ms),
        "opened": since_start(incident.opened_ms, start_ms),
        "probes": sorted({ref.probe_id for ref in refs}),
        "flapping": bool(incident.flapping),
        "returns": incident.returns,
        "runbook": incident.runbook,
        "labels": dict(incident.labels),
        "annotations": dict(incident.annotations),
    }
    if incident.resolved_ms is not None:
        fields["resolved"] = since_start(incident.resolved_ms, start_ms)
    return fields


def _tickets(rehearsal: Rehearsal, _start_ms: int) -> list[dict[str, Any]]:
    tickets: list[dict[str, Any]] = []
    by_key: dict[str, dict[str, Any]] = {}
    for command in rehearsal.commands:
        if isinstance(command.payload, TicketDraft):
            ticket = by_key[command.key] = _ticket(command.backend, command.payload)
            tickets.append(ticket)
        else:
            _change(by_key[command.key], command.payload)
    for ticket in tickets:
        ticket["priority"] = priority(ticket["impact"], ticket["urgency"])
    return tickets


def _ticket(backend: str, draft: TicketDraft) -> dict[str, Any]:
    return {
        "key": draft.correlation,
        "title": draft.title,
        "state": TicketState.OPEN.value,
        "backend": backend,
        "service": draft.service,
        "impact": draft.impact,
        "urgency": draft.urgency,
        "priority": 0,
        "description": draft.description,
        "notes": [],
    }


def _change(ticket: dict[str, Any], change: TicketChange) -> None:
    ticket["notes"].append(change.note)
    new = {"state": change.state, "impact": change.impact, "urgency": change.urgency}
    ticket.update((name, value) for name, value in new.items() if value is not None)


_LISTS: Final[Mapping[Listed, Callable[[Rehearsal, int], list[dict[str, Any]]]]] = {
    Listed.ALERTS: _alerts,
    Listed.INCIDENTS: _incidents,
    Listed.RESOLVED: _resolved,
    Listed.TICKETS: _tickets,
}
