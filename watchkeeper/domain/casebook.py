"""The open incidents, and what becomes of them when alerts fire and are over."""

from collections.abc import Iterable

from watchkeeper.domain.alert import Alert
from watchkeeper.domain.correlation import incident_key, ticket_key
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged
from watchkeeper.domain.incident import AlertFired, AlertOver, Incident, IncidentState, step
from watchkeeper.domain.rule import Rule, Scope
from watchkeeper.domain.ticket import Command, CommandKind, TicketChange, TicketDraft, TicketState, draft_incident
from watchkeeper.domain.units import format_elapsed_ms, format_time


class Casebook:
    """All open incidents, by their key. An alert stays with the incident that it joined until it is over.

    Args:
        incidents: those that are open.
        next_id: the first number to give.
    """

    def __init__(self, incidents: Iterable[Incident], next_id: int) -> None:
        self.open = {incident.key: incident for incident in incidents}
        self._next_id = next_id
        self._key_of = {ref: incident.key for incident in self.open.values() for ref in incident.firing}

    def fired(self, alert: Alert, rule: Rule, scope: Scope, default_backend: str) -> list[Effect]:
        """What follows from an alert that fires: a new incident, or one more alert in an open one."""
        key = incident_key(rule, scope.probe)
        incident = self.open.get(key)
        self._key_of[alert.ref] = key
        if incident is None:
            return self._begin(key, alert, rule, scope, default_backend)
        joined = step(incident, AlertFired(alert.ref, alert.since_ms))
        if joined is incident:
            return []
        self.open[key] = joined
        text = f"{scope.probe.id} joined: {scope.sample.message}"
        return [
            IncidentChanged(joined, Happening.JOINED, alert.since_ms, alert.ref, text),
            _command(joined, CommandKind.UPDATE, TicketChange(text), alert.since_ms),
        ]

    def over(self, alert: Alert, reason: str) -> list[Effect]:
        """What follows from an alert that is over: its incident is too when it was the last."""
        key = self._key_of.pop(alert.ref, None)
        incident = self.open.get(key) if key is not None else None
        if incident is None:
            return []
        left = step(incident, AlertOver(alert.ref, alert.since_ms))
        if left.state is IncidentState.OPEN:
            self.open[left.key] = left
            text = f"{alert.ref.probe_id} is no longer part of it: {reason}"
            return [
                IncidentChanged(left, Happening.LEFT, alert.since_ms, alert.ref, text),
                _command(left, CommandKind.UPDATE, TicketChange(text), alert.since_ms),
            ]
        del self.open[left.key]
        lasted = format_elapsed_ms(alert.since_ms - left.started_ms)
        text = f"Over since {format_time(alert.since_ms)}, after {lasted}: {reason}"
        return [
            IncidentChanged(left, Happening.RESOLVED, alert.since_ms, alert.ref, text),
            _command(left, CommandKind.RESOLVE, TicketChange(text, TicketState.RESOLVED), alert.since_ms),
        ]

    def _begin(self, key: str, alert: Alert, rule: Rule, scope: Scope, default_backend: str) -> list[Effect]:
        active = alert.active_since_ms
        incident = Incident(
            id=self._next_id,
            key=key,
            rule_id=rule.id,
            service=scope.service.id,
            title=rule.title(scope),
            severity=rule.severity,
            impact=rule.incident.impact,
            urgency=rule.incident.urgency,
            backend=rule.incident.backend or default_backend,
            started_ms=alert.since_ms if active is None else active,
            opened_ms=alert.since_ms,
            firing=frozenset({alert.ref}),
            affected=(alert.ref,),
            runbook=rule.runbook,
        )
        draft = draft_incident(incident, ticket_key(key, incident.opened_ms), rule, scope)
        self._next_id += 1
        self.open[key] = incident
        return [
            IncidentChanged(incident, Happening.OPENED, alert.since_ms, alert.ref, scope.sample.message),
            _command(incident, CommandKind.CREATE, draft, alert.since_ms),
        ]


def _command(incident: Incident, kind: CommandKind, payload: TicketDraft | TicketChange, at_ms: int) -> Command:
    return Command(incident.id, incident.backend, ticket_key(incident.key, incident.opened_ms), kind, payload, at_ms)
