"""The open incidents, and what becomes of them when alerts fire, come and go, and are over."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from watchkeeper.domain import notes
from watchkeeper.domain.alert import Alert, AlertRef
from watchkeeper.domain.briefing import MOST_NAMED, Briefing, describe, reasons
from watchkeeper.domain.correlation import incident_key, ticket_key
from watchkeeper.domain.draft import draft
from watchkeeper.domain.earlier import Earlier, EarlierIncidents
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
from watchkeeper.domain.phrases import Phrases
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.rule import Named, Rule, Scope, Severity, Template, assess, is_worse
from watchkeeper.domain.service import Service, dependants, needed_by
from watchkeeper.domain.ticket import Command, CommandKind, TicketChange, TicketDraft, TicketSeen, TicketState


class Casebook:
    """All open incidents, by their key. An alert stays with the incident that it joined until it is over.

    Args:
        incidents: those that are open.
        next_id: the first number to give.
        plan: what is watched; see `revise`.
        earlier: incidents that are over, see `EarlierIncidents`.
    """

    def __init__(
        self,
        incidents: Iterable[Incident],
        next_id: int,
        plan: Plan,
        earlier: Mapping[str, Sequence[Earlier]] = MappingProxyType({}),
    ) -> None:
        self.revise(plan)
        self._earlier = EarlierIncidents(earlier)
        self.open = {incident.key: incident for incident in incidents}
        self._next_id = next_id
        self._by_id = {incident.id: incident.key for incident in self.open.values()}
        self._key_of = {ref: incident.key for incident in self.open.values() for ref in incident.firing}

    def revise(self, plan: Plan) -> None:
        """Takes on another plan."""
        self._plan = plan
        self._needed_by = needed_by(plan.services.values())

    def fired(self, alert: Alert, rule: Rule, scope: Scope) -> list[Effect]:
        """What follows from an alert that fires: a new incident, or one more alert in an open one."""
        key = incident_key(rule, scope.probe)
        self._key_of[alert.ref] = key
        if (incident := self.open.get(key)) is None:
            effects = self._begin(key, alert, rule, scope)
        else:
            words = self.words_for(incident)
            text = notes.joined(words, alert, incident, scope.sample.message)
            event = AlertFired(alert.ref, alert.since_ms)
            effects = self._take(incident, event, Happening.JOINED, alert, TicketChange(text), alert.since_ms)
            if is_worse(rule.severity, incident.severity):
                why = notes.rule_fires(words, rule, alert)
                effects += self._raise(key, rule, rule.severity, scope.service, why, alert, alert.since_ms)
        return effects + self._mark_flapping(alert, alert.since_ms)

    def stayed(self, before: Alert, after: Alert, reason: str, at_ms: int) -> list[Effect]:
        """What follows when an alert goes on firing: that it came back, that it began or ceased to flap. Of one that
        flaps it is counted how often it comes back, and no more."""
        incident = self.of(after)
        effects: list[Effect] = []
        if incident is not None and after.returns > before.returns:
            is_flapping = after.ref in incident.flapping
            text = "" if is_flapping else notes.returned(self.words_for(incident), after, incident, reason, at_ms)
            joined = step(incident, AlertReturned(after.ref))
            self.open[incident.key] = joined
            effects.append(IncidentChanged(joined, Happening.RETURNED, at_ms, after.ref, text))
        return effects + self._mark_flapping(after, at_ms)

    def over(self, alert: Alert, reason: str) -> list[Effect]:
        """What follows from an alert that is over: its incident is too when it was the last."""
        incident = self.of(alert)
        self._key_of.pop(alert.ref, None)
        if incident is None:
            return []
        event = AlertOver(alert.ref, alert.since_ms)
        words = self.words_for(incident)
        if incident.firing - {alert.ref}:
            change = TicketChange(notes.left(words, alert, incident, reason))
            return self._take(incident, event, Happening.LEFT, alert, change, alert.since_ms)
        change = TicketChange(notes.resolved(words, incident, reason, alert.since_ms), TicketState.RESOLVED)
        return self._take(incident, event, Happening.RESOLVED, alert, change, alert.since_ms)

    def rule_of(self, incident: Incident) -> Rule | None:
        """The rule that says how bad an incident gets: the one that opened it or, where that is gone, the first whose
        alert fires."""
        names = (incident.rule_id, *(ref.rule_id for ref in incident.affected if ref in incident.firing))
        return next((self._plan.rules[name] for name in names if name in self._plan.rules), None)

    def escalations(self, key: str | None = None) -> Iterator[tuple[int, str]]:
        """When which open incidents get worse, if they are still open then: all of them, or the one of a key."""
        found = self.open.values() if key is None else [self.open[key]]
        for incident in found:
            rule = self.rule_of(incident)
            for step_ in () if rule is None else rule.incident.escalation:
                if is_worse(step_.severity, incident.severity):
                    yield incident.opened_ms + step_.after_ms, incident.key

    def escalate(self, key: str, rule: Rule, now_ms: int) -> list[Effect]:
        """What follows when an incident has been open for long."""
        incident = self.open[key]
        open_ms = now_ms - incident.opened_ms
        due = [one.severity for one in rule.incident.escalation if one.after_ms <= open_ms]
        worst = min(due, key=list(Severity).index, default=incident.severity)
        if not is_worse(worst, incident.severity):
            return []
        why = notes.open_for(self.words_for(incident), incident, open_ms)
        service = self._plan.service_of(incident.service)
        return self._raise(key, rule, worst, service, why, None, now_ms)

    def ticket_seen(self, seen: TicketSeen) -> list[Effect]:
        """What follows from what is seen of a ticket: that somebody took it up, put it aside or ended it."""
        incident = self.open.get(self._by_id.get(seen.incident_id, ""))
        if incident is None:
            return []
        is_taken_up = seen.state is not TicketState.OPEN or bool(seen.assignee)
        moved = step(incident, TicketMoved(seen.state, seen.number, is_taken_up, seen.at_ms))
        if moved == incident:
            return []
        self.open[incident.key] = moved
        taken = moved.acknowledged_ms != incident.acknowledged_ms
        what = notes.seen(self.words_for(incident), seen, taken_up=taken)
        happening = Happening.ACKNOWLEDGED if taken else Happening.TICKET_MOVED
        return [IncidentChanged(moved, happening, seen.at_ms, incident.affected[0], what)]

    def abandoned(self, key: str | None = None) -> Iterator[tuple[int, str]]:
        """When something is done about open incidents whose ticket a person has ended: all of them, or one's."""
        for incident in self.open.values() if key is None else [self.open[key]]:
            if incident.abandoned_ms is not None:
                yield incident.abandoned_ms + self._plan.policy_of(incident.backend).reopen_after_ms, incident.key

    def take_up_again(self, key: str, scope: Scope | None, now_ms: int) -> list[Effect]:
        """What follows when trouble goes on though its ticket is over: it is opened again, or another one made."""
        incident = self.open[key]
        policy, words = self._plan.policy_of(incident.backend), self.words_for(incident)
        if incident.abandoned_ms is None or incident.abandoned_ms + policy.reopen_after_ms > now_ms:
            return []
        lasts = words.elapsed(now_ms - incident.abandoned_ms)
        can_reopen = incident.ticket_state is TicketState.RESOLVED
        if not can_reopen or now_ms - incident.abandoned_ms > policy.reopen_within_ms:
            why = words.goes_on.format(elapsed=lasts, ticket=incident.ticket_number)
            return self.succeed(key, why, scope, now_ms)
        text = words.reopened.format(elapsed=lasts)
        reopened = replace(incident, abandoned_ms=None)
        self.open[key] = reopened
        return [
            IncidentChanged(reopened, Happening.REOPENED, now_ms, incident.affected[0], text),
            _command(reopened, CommandKind.REOPEN, TicketChange(text, TicketState.OPEN), now_ms),
        ]

    def succeed(self, key: str, why: str, scope: Scope | None, now_ms: int) -> list[Effect]:
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
        rule = self._plan.rules.get(old.rule_id)
        create = self._draft(new, rule, scope, follows=old, opening=why)
        self._earlier.add(ended)
        words = self.words_for(new)
        replaced = words.replaced.format(number=new.number, why=why)
        replaces = words.replaces.format(number=old.number, why=why)
        return [
            IncidentChanged(ended, Happening.RESOLVED, now_ms, ref, replaced),
            IncidentChanged(new, Happening.OPENED, now_ms, ref, replaces),
            _command(new, CommandKind.CREATE, create, now_ms),
        ]

    def key_of(self, ref: AlertRef) -> str | None:
        """The key of the incident that an alert which fires is part of."""
        return self._key_of.get(ref)

    def words_for(self, incident: Incident) -> Phrases:
        """What is said in its ticket."""
        return self._plan.words_of(incident.backend)

    def of(self, alert: Alert) -> Incident | None:
        """The open incident that an alert is part of."""
        key = self._key_of.get(alert.ref)
        return None if key is None else self.open.get(key)

    def _mark_flapping(self, alert: Alert, at_ms: int) -> list[Effect]:
        incident = self.of(alert)
        if incident is None or alert.is_flapping == (alert.ref in incident.flapping):
            return []
        event, words = AlertFlaps(alert.ref, alert.is_flapping), self.words_for(incident)
        if alert.is_flapping:
            change = TicketChange(notes.flapping(words, alert, incident, at_ms))
            return self._take(incident, event, Happening.FLAPPING, alert, change, at_ms)
        change = TicketChange(notes.calmed(words, alert, incident, at_ms))
        return self._take(incident, event, Happening.STEADY, alert, change, at_ms)

    def _raise(
        self, key: str, rule: Rule, severity: Severity, service: Service, why: str, alert: Alert | None, at_ms: int
    ) -> list[Effect]:
        incident = self.open[key]
        event = Reassessed(severity, *assess(rule, severity, service))
        after = step(incident, event)
        text = notes.raised(self.words_for(incident), incident.severity, after, why)
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
            self._earlier.add(after)
            self._by_id.pop(after.id, None)
        ref = incident.affected[0] if alert is None else alert.ref
        kind = CommandKind.UPDATE if change.state is None else CommandKind.RESOLVE
        return [
            IncidentChanged(after, happening, at_ms, ref, change.note.partition("\n")[0]),
            _command(after, kind, change, at_ms),
        ]

    def _begin(self, key: str, alert: Alert, rule: Rule, scope: Scope) -> list[Effect]:
        active = alert.active_since_ms
        impact, urgency = assess(rule, rule.severity, scope.service)
        incident = Incident(
            id=self._next_id,
            key=key,
            rule_id=rule.id,
            service=scope.service.id,
            title=rule.title(scope) or f"{scope.service.title}: {scope.probe.id}",
            severity=rule.severity,
            impact=impact,
            urgency=urgency,
            backend=rule.incident.backend or self._plan.default_backend,
            started_ms=alert.since_ms if active is None else active,
            opened_ms=alert.since_ms,
            firing=frozenset({alert.ref}),
            affected=(alert.ref,),
            runbook=rule.runbook,
            labels=_rendered(rule.labels, scope),
            annotations=_rendered(rule.annotations, scope),
        )
        create = self._draft(incident, rule, scope)
        self._next_id += 1
        self.open[key] = incident
        self._by_id[incident.id] = key
        return [
            IncidentChanged(incident, Happening.OPENED, alert.since_ms, alert.ref, scope.sample.message),
            _command(incident, CommandKind.CREATE, create, alert.since_ms),
        ]

    def _draft(
        self,
        incident: Incident,
        rule: Rule | None,
        scope: Scope | None,
        follows: Incident | None = None,
        opening: str = "",
    ) -> TicketDraft:
        plan = self._plan
        briefing = Briefing(
            incident=incident,
            service=plan.service_of(incident.service),
            rule=rule,
            scope=scope,
            reasons=() if rule is None or scope is None else reasons(rule, scope),
            dependants=[
                plan.service_of(one) for one in dependants(incident.service, self._needed_by, MOST_NAMED + 1)
            ],
            earlier=self._earlier.of(incident.key),
            url=plan.url,
            words=plan.words_of(incident.backend),
            follows=follows,
            opening=opening,
        )
        key = ticket_key(incident.key, incident.opened_ms)
        return draft(briefing, key, plan.descriptions.get(incident.backend, describe))


def _rendered(templates: Mapping[str, Template], scope: Scope) -> tuple[Named, ...]:
    return tuple(Named(name, template(scope)) for name, template in templates.items())


def _command(incident: Incident, kind: CommandKind, payload: TicketDraft | TicketChange, at_ms: int) -> Command:
    return Command(incident.id, incident.backend, ticket_key(incident.key, incident.opened_ms), kind, payload, at_ms)
