"""The open incidents, and what becomes of them when alerts fire, come and go, and are over."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from watchkeeper.domain.alert import Alert, AlertRef
from watchkeeper.domain.correlation import incident_key, ticket_key
from watchkeeper.domain.draft import draft_incident, draft_successor
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged
from watchkeeper.domain.incident import (
    AlertFired,
    AlertFlaps,
    AlertOver,
    AlertReturned,
    Event,
    Incident,
    IncidentState,
    Reassessed,
    Superseded,
    TicketMoved,
    step,
)
from watchkeeper.domain.rule import Named, Rule, Scope, Severity, Template, assess, is_worse, priority
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import (
    Command,
    CommandKind,
    TicketChange,
    TicketDraft,
    TicketPolicy,
    TicketSeen,
    TicketState,
)
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_time


class Casebook:
    """All open incidents, by their key. An alert stays with the incident that it joined until it is over.

    Args:
        incidents: those that are open.
        next_id: the first number to give.
    """

    def __init__(self, incidents: Iterable[Incident], next_id: int) -> None:
        self.open = {incident.key: incident for incident in incidents}
        self._next_id = next_id
        self._by_id = {incident.id: incident.key for incident in self.open.values()}
        self._key_of = {ref: incident.key for incident in self.open.values() for ref in incident.firing}

    def fired(self, alert: Alert, rule: Rule, scope: Scope, default_backend: str) -> list[Effect]:
        """What follows from an alert that fires: a new incident, or one more alert in an open one."""
        key = incident_key(rule, scope.probe)
        self._key_of[alert.ref] = key
        if (incident := self.open.get(key)) is None:
            effects = self._begin(key, alert, rule, scope, default_backend)
        else:
            text = f"{scope.probe.id} joined: {scope.sample.message}"
            event = AlertFired(alert.ref, alert.since_ms)
            effects = self._take(incident, event, Happening.JOINED, alert, TicketChange(text), alert.since_ms)
            if is_worse(rule.severity, incident.severity):
                why = f"the rule {rule.id} fires"
                effects += self._raise(key, rule, rule.severity, scope.service, why, alert, alert.since_ms)
        return effects + self._mark_flapping(alert, alert.since_ms)

    def stayed(self, before: Alert, after: Alert, reason: str, at_ms: int) -> list[Effect]:
        """What follows when an alert goes on firing: that it came back, that it began or ceased to flap. Of one that
        flaps it is counted how often it comes back, and no more."""
        incident = self._of(after)
        effects: list[Effect] = []
        if incident is not None and after.returns > before.returns:
            text = "" if after.ref in incident.flapping else f"{after.ref.probe_id} is in trouble again: {reason}"
            joined = step(incident, AlertReturned(after.ref))
            self.open[incident.key] = joined
            effects.append(IncidentChanged(joined, Happening.RETURNED, at_ms, after.ref, text))
        return effects + self._mark_flapping(after, at_ms)

    def over(self, alert: Alert, reason: str) -> list[Effect]:
        """What follows from an alert that is over: its incident is too when it was the last."""
        incident = self._of(alert)
        self._key_of.pop(alert.ref, None)
        if incident is None:
            return []
        event = AlertOver(alert.ref, alert.since_ms)
        if incident.firing - {alert.ref}:
            text = f"{alert.ref.probe_id} is no longer part of it: {reason}"
            return self._take(incident, event, Happening.LEFT, alert, TicketChange(text), alert.since_ms)
        lasted = format_elapsed_ms(alert.since_ms - incident.started_ms)
        often = f", in which {_came_back(incident)}" if incident.returns else ""
        text = f"Over since {format_time(alert.since_ms)}, after {lasted}{often}: {reason}"
        change = TicketChange(text, TicketState.RESOLVED)
        return self._take(incident, event, Happening.RESOLVED, alert, change, alert.since_ms)

    def escalations(self, rules: Mapping[str, Rule], key: str | None = None) -> Iterator[tuple[int, str]]:
        """When which open incidents get worse, if they are still open then: all of them, or the one of a key."""
        found = self.open.values() if key is None else [self.open[key]]
        for incident in found:
            rule = rules.get(incident.rule_id)
            for step_ in () if rule is None else rule.incident.escalation:
                if is_worse(step_.severity, incident.severity):
                    yield incident.opened_ms + step_.after_ms, incident.key

    def escalate(self, key: str, rule: Rule, service: Service, now_ms: int) -> list[Effect]:
        """What follows when an incident has been open for long."""
        incident = self.open[key]
        open_ms = now_ms - incident.opened_ms
        due = [one.severity for one in rule.incident.escalation if one.after_ms <= open_ms]
        worst = min(due, key=list(Severity).index, default=incident.severity)
        if not is_worse(worst, incident.severity):
            return []
        why = f"it has been open for {format_duration_ms(open_ms // 1000 * 1000)}"
        return self._raise(key, rule, worst, service, why, None, now_ms)

    def ticket_seen(self, seen: TicketSeen) -> list[Effect]:
        """What follows from what is seen of a ticket: that somebody took it up, put it aside or ended it."""
        incident = self.open.get(self._by_id.get(seen.incident_id, ""))
        if incident is None:
            return []
        who = seen.assignee or "somebody"
        is_taken_up = seen.state is not TicketState.OPEN or bool(seen.assignee)
        moved = step(incident, TicketMoved(seen.state, seen.number, is_taken_up, seen.at_ms))
        if moved == incident:
            return []
        self.open[incident.key] = moved
        taken = moved.acknowledged_ms != incident.acknowledged_ms
        what = f"{seen.number} was taken up by {who}" if taken else f"{seen.number} is {_STATES[seen.state]} now"
        what = f"{seen.number} was deleted" if seen.is_gone else what
        happening = Happening.ACKNOWLEDGED if taken else Happening.TICKET_MOVED
        return [IncidentChanged(moved, happening, seen.at_ms, incident.affected[0], what)]

    def abandoned(self, policies: Mapping[str, TicketPolicy], key: str | None = None) -> Iterator[tuple[int, str]]:
        """When something is done about open incidents whose ticket a person has ended: all of them, or one's."""
        for incident in self.open.values() if key is None else [self.open[key]]:
            if incident.abandoned_ms is not None:
                policy = policies.get(incident.backend, TicketPolicy())
                yield incident.abandoned_ms + policy.reopen_after_ms, incident.key

    def take_up_again(self, key: str, policy: TicketPolicy, now_ms: int) -> list[Effect]:
        """What follows when trouble goes on though its ticket is over: it is opened again, or another one made."""
        incident = self.open[key]
        if incident.abandoned_ms is None or incident.abandoned_ms + policy.reopen_after_ms > now_ms:
            return []
        lasts = format_elapsed_ms(now_ms - incident.abandoned_ms)
        can_reopen = incident.ticket_state is TicketState.RESOLVED
        if not can_reopen or now_ms - incident.abandoned_ms > policy.reopen_within_ms:
            return self.succeed(key, f"the trouble goes on, {lasts} after {incident.ticket_number} was ended", now_ms)
        text = f"The trouble goes on, {lasts} after the ticket was resolved"
        reopened = replace(incident, abandoned_ms=None)
        self.open[key] = reopened
        return [
            IncidentChanged(reopened, Happening.REOPENED, now_ms, incident.affected[0], text),
            _command(reopened, CommandKind.REOPEN, TicketChange(text, TicketState.OPEN), now_ms),
        ]

    def succeed(self, key: str, why: str, now_ms: int) -> list[Effect]:
        """Puts a new incident, with a ticket of its own, in the place of one whose ticket is over for good."""
        old = self.open[key]
        ended = step(old, Superseded(now_ms))
        new = replace(
            old,
            id=self._next_id,
            opened_ms=now_ms,
            acknowledged_ms=None,
            abandoned_ms=None,
            ticket_state=None,
            ticket_number="",
        )
        self._next_id += 1
        self.open[key] = new
        self._by_id[new.id] = key
        self._by_id.pop(old.id, None)
        ref = old.affected[0]
        draft = draft_successor(new, old, ticket_key(key, now_ms), why)
        return [
            IncidentChanged(ended, Happening.RESOLVED, now_ms, ref, f"{new.number} takes its place: {why}"),
            IncidentChanged(new, Happening.OPENED, now_ms, ref, f"follows {old.number}: {why}"),
            _command(new, CommandKind.CREATE, draft, now_ms),
        ]

    def key_of(self, ref: AlertRef) -> str | None:
        """The key of the incident that an alert which fires is part of."""
        return self._key_of.get(ref)

    def _of(self, alert: Alert) -> Incident | None:
        key = self._key_of.get(alert.ref)
        return None if key is None else self.open.get(key)

    def _mark_flapping(self, alert: Alert, at_ms: int) -> list[Effect]:
        incident = self._of(alert)
        if incident is None or alert.is_flapping == (alert.ref in incident.flapping):
            return []
        event = AlertFlaps(alert.ref, alert.is_flapping)
        if alert.is_flapping:
            text = f"{alert.ref.probe_id} comes and goes: this stays open until it has calmed down"
            return self._take(incident, event, Happening.FLAPPING, alert, TicketChange(text), at_ms)
        text = f"{alert.ref.probe_id} has calmed down; {_came_back(incident)}"
        return self._take(incident, event, Happening.STEADY, alert, TicketChange(text), at_ms)

    def _raise(
        self, key: str, rule: Rule, severity: Severity, service: Service, why: str, alert: Alert | None, at_ms: int
    ) -> list[Effect]:
        incident = self.open[key]
        event = Reassessed(severity, *assess(rule, severity, service))
        after = step(incident, event)
        level = priority(after.impact, after.urgency)
        text = f"Raised from {incident.severity} to {severity}, priority {level}: {why}"
        change = TicketChange(text, impact=after.impact, urgency=after.urgency)
        return self._take(incident, event, Happening.ESCALATED, alert, change, at_ms)

    def _take(
        self,
        incident: Incident,
        event: Event,
        happening: Happening,
        alert: Alert | None,
        change: TicketChange,
        at_ms: int,
    ) -> list[Effect]:
        """Moves an incident on, and tells its ticket."""
        after = step(incident, event)
        if after is incident:
            return []
        if after.state is IncidentState.OPEN:
            self.open[after.key] = after
        else:
            del self.open[after.key]
            self._by_id.pop(after.id, None)
        ref = incident.affected[0] if alert is None else alert.ref
        kind = CommandKind.UPDATE if change.state is None else CommandKind.RESOLVE
        return [
            IncidentChanged(after, happening, at_ms, ref, change.note),
            _command(after, kind, change, at_ms),
        ]

    def _begin(self, key: str, alert: Alert, rule: Rule, scope: Scope, default_backend: str) -> list[Effect]:
        active = alert.active_since_ms
        impact, urgency = assess(rule, rule.severity, scope.service)
        incident = Incident(
            id=self._next_id,
            key=key,
            rule_id=rule.id,
            service=scope.service.id,
            title=rule.title(scope),
            severity=rule.severity,
            impact=impact,
            urgency=urgency,
            backend=rule.incident.backend or default_backend,
            started_ms=alert.since_ms if active is None else active,
            opened_ms=alert.since_ms,
            firing=frozenset({alert.ref}),
            affected=(alert.ref,),
            runbook=rule.runbook,
            labels=_rendered(rule.labels, scope),
            annotations=_rendered(rule.annotations, scope),
        )
        draft = draft_incident(incident, ticket_key(key, incident.opened_ms), rule, scope)
        self._next_id += 1
        self.open[key] = incident
        self._by_id[incident.id] = key
        return [
            IncidentChanged(incident, Happening.OPENED, alert.since_ms, alert.ref, scope.sample.message),
            _command(incident, CommandKind.CREATE, draft, alert.since_ms),
        ]


_STATES = {state: state.value.replace("_", " ") for state in TicketState}


def _came_back(incident: Incident) -> str:
    return "trouble came back " + ("once" if incident.returns == 1 else f"{incident.returns} times")


def _rendered(templates: Mapping[str, Template], scope: Scope) -> tuple[Named, ...]:
    return tuple(Named(name, template(scope)) for name, template in templates.items())


def _command(incident: Incident, kind: CommandKind, payload: TicketDraft | TicketChange, at_ms: int) -> Command:
    return Command(incident.id, incident.backend, ticket_key(incident.key, incident.opened_ms), kind, payload, at_ms)
