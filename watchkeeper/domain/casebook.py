"""The open incidents, and what becomes of them when alerts fire, come and go, and are over."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from watchkeeper.domain import notes
from watchkeeper.domain.alert import Alert, AlertRef
from watchkeeper.domain.announced import change_ref
from watchkeeper.domain.article import Source
from watchkeeper.domain.briefing import named
from watchkeeper.domain.earlier import Earlier, EarlierIncidents
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged
from watchkeeper.domain.expected import Window
from watchkeeper.domain.incident import (
    AlertFlaps,
    AlertReturned,
    AlertsExplained,
    AlertsFired,
    AlertsOver,
    Event,
    Impacted,
    Incident,
    IncidentState,
    Reassessed,
    Superseded,
    TicketMoved,
    step,
)
from watchkeeper.domain.knowledge import Shelf
from watchkeeper.domain.opening import Drafts, Entry, background, new_incident, ticket_command
from watchkeeper.domain.phrases import Phrases
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.rule import Rule, Scope, Severity, assess, is_worse
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import CommandKind, TicketChange, TicketSeen, TicketState


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
        self._earlier = EarlierIncidents(earlier)
        self.revise(plan)
        self.open = {incident.key: incident for incident in incidents}
        self._next_id = next_id
        self._told_ms: dict[int, int] = {}  # when tickets were told, or are, of what can wait
        self._by_id = {incident.id: incident.key for incident in self.open.values()}
        self._key_of = {ref: incident.key for incident in self.open.values() for ref in incident.firing}

    def revise(self, plan: Plan) -> None:
        """Takes on another plan."""
        self._plan = plan
        self._drafts = Drafts(plan, self._earlier)

    def learn(self, shelves: Mapping[Source, Shelf]) -> None:
        """Takes in what is known now, of some sources."""
        self.revise(replace(self._plan, knowledge=self._plan.knowledge.replacing(shelves)))

    def is_open(self, key: str) -> bool:
        """Whether there is an open incident of a key."""
        return key in self.open

    def begin(self, key: str, entries: Sequence[Entry], now_ms: int, change: Window | None = None) -> list[Effect]:
        """Opens an incident of alerts that fire, the most important first. `change`: in whose aftermath it is."""
        first = entries[0]
        title = first.rule.title(first.scope) or f"{first.scope.service.title}: {first.scope.probe.id}"
        return self._begin(key, title, entries, now_ms, change)

    def begin_storm(self, key: str, entries: Sequence[Entry], now_ms: int) -> list[Effect]:
        """Opens the incident that gathers what is too much for incidents of their own."""
        services = list(dict.fromkeys(entry.scope.service.title for entry in entries))
        words = self._plan.words_of(self._plan.default_backend)
        title = words.storm.format(count=len(entries), services=named(services, words))
        return self._begin(key, title, entries, now_ms, None)

    def join(self, key: str, entries: Sequence[Entry], now_ms: int) -> list[Effect]:
        """Takes alerts that fire into an open incident."""
        incident, words = self.open[key], self.words_for(self.open[key])
        for entry in entries:
            self._key_of[entry.alert.ref] = key
        alone = entries[0] if len(entries) == 1 else None
        at_ms = alone.alert.since_ms if alone is not None else now_ms
        event = AlertsFired(tuple(entry.alert.ref for entry in entries), at_ms)
        if alone is not None:
            text = notes.joined(words, alone.alert, incident, alone.scope.sample.message)
        else:
            text = words.joined_many.format(count=len(entries), probes=_probes_of(event.alerts, words))
        effects = self._take(
            incident, event, Happening.JOINED, entries[0].alert.ref, TicketChange(text), at_ms, event.alerts
        )
        worst = min(entries, key=lambda entry: _RANK[entry.rule.severity])
        if is_worse(worst.rule.severity, self.open[key].severity):
            why = notes.rule_fires(words, worst.rule, worst.alert)
            effects += self._raise(
                key, worst.rule, worst.rule.severity, worst.scope.service, why, worst.alert.ref, at_ms
            )
        for entry in entries:
            effects += self._mark_flapping(entry.alert, at_ms)
        return effects

    def hand_over(self, key: str, alerts: Sequence[Alert], into: Incident, now_ms: int) -> list[Effect]:
        """Some alerts of an incident are explained by another one: it goes on with the rest, or is part of that."""
        incident, words = self.open[key], self.words_for(self.open[key])
        refs = tuple(alert.ref for alert in alerts)
        for ref in refs:
            self._key_of.pop(ref, None)
        event = AlertsExplained(refs, into.id, now_ms)
        if incident.firing - set(refs):
            text = words.explained.format(probes=_probes_of(refs, words), number=into.number, title=into.title)
            return self._take(incident, event, Happening.EXPLAINED, refs[0], TicketChange(text), now_ms, refs)
        text = words.merged.format(number=into.number, title=into.title)
        change = TicketChange(text, TicketState.RESOLVED, duplicate_of=into.id)
        return self._take(incident, event, Happening.MERGED, refs[0], change, now_ms, refs)

    def impact(self, key: str, added: Sequence[AlertRef], gone: Sequence[AlertRef], now_ms: int) -> list[Effect]:
        """An open incident explains more alerts than before, or fewer."""
        incident, words = self.open[key], self.words_for(self.open[key])
        event = Impacted(tuple(added), tuple(gone))
        after = step(incident, event)
        lines = [
            pattern.format(count=len(refs), probes=_probes_of(refs, words), total=len(after.impacted))
            for refs, pattern in ((added, words.impacted), (gone, words.relieved))
            if refs
        ]
        if after is incident:
            return []
        change = TicketChange("\n".join(lines))
        return self._take(incident, event, Happening.IMPACTED, None, change, now_ms, (*event.added, *event.gone))

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
        event = AlertsOver((alert.ref,), alert.since_ms)
        words = self.words_for(incident)
        if incident.firing - {alert.ref}:
            change = TicketChange(notes.left(words, alert, incident, reason))
            return self._take(incident, event, Happening.LEFT, alert.ref, change, alert.since_ms)
        change = TicketChange(notes.resolved(words, incident, reason, alert.since_ms), TicketState.RESOLVED)
        return self._take(incident, event, Happening.RESOLVED, alert.ref, change, alert.since_ms)

    def left(self, key: str, refs: Sequence[AlertRef], now_ms: int) -> list[Effect]:
        """What follows from several alerts of an incident that are over."""
        incident, words = self.open[key], self.words_for(self.open[key])
        for ref in refs:
            self._key_of.pop(ref, None)
        event = AlertsOver(tuple(refs), now_ms)
        text = words.left_many.format(count=len(refs), probes=_probes_of(refs, words))
        if incident.firing - set(refs):
            return self._take(incident, event, Happening.LEFT, refs[0], TicketChange(text), now_ms, event.alerts)
        change = TicketChange(notes.resolved(words, incident, text, now_ms), TicketState.RESOLVED)
        return self._take(incident, event, Happening.RESOLVED, refs[0], change, now_ms)

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
            ticket_command(reopened, CommandKind.REOPEN, TicketChange(text, TicketState.OPEN), now_ms),
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
        self._told_ms.pop(old.id, None)
        ref = old.affected[0]
        rule = self._plan.rules.get(old.rule_id)
        create = self._drafts.draft(new, rule, scope, follows=old, opening=why)
        self._earlier.add(ended)
        words = self.words_for(new)
        replaced = words.replaced.format(number=new.number, why=why)
        replaces = words.replaces.format(number=old.number, why=why)
        return [
            IncidentChanged(ended, Happening.RESOLVED, now_ms, ref, replaced),
            IncidentChanged(new, Happening.OPENED, now_ms, ref, replaces),
            ticket_command(new, CommandKind.CREATE, create, now_ms),
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
            return self._take(incident, event, Happening.FLAPPING, alert.ref, change, at_ms)
        change = TicketChange(notes.calmed(words, alert, incident, at_ms))
        return self._take(incident, event, Happening.STEADY, alert.ref, change, at_ms)

    def _raise(
        self, key: str, rule: Rule, severity: Severity, service: Service, why: str, alert: AlertRef | None, at_ms: int
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
        ref: AlertRef | None,
        change: TicketChange,
        at_ms: int,
        alerts: tuple[AlertRef, ...] = (),
    ) -> list[Effect]:
        """Moves an incident on, and tells its ticket. `alerts`: which it is about, where these are several."""
        after = step(incident, event)
        if after is incident:
            return []
        if after.state is IncidentState.OPEN:
            self.open[after.key] = after
        else:
            del self.open[after.key]
            self._earlier.add(after)
            self._by_id.pop(after.id, None)
            self._told_ms.pop(after.id, None)
        kind = CommandKind.UPDATE if change.state is None else CommandKind.RESOLVE
        note = change.note.partition("\n")[0]
        due_ms = self._due_ms(after, at_ms) if happening in _CAN_WAIT else 0
        return [
            IncidentChanged(after, happening, at_ms, ref or incident.affected[0], note, alerts),
            ticket_command(after, kind, change, at_ms, due_ms),
        ]

    def _due_ms(self, incident: Incident, at_ms: int) -> int:
        """When a ticket is to be told of what can wait: soon, and with what else has happened since the last time."""
        interval_ms = self._plan.correlation.group_interval_ms
        told_ms = self._told_ms.get(incident.id, -interval_ms)
        if told_ms <= at_ms:  # else what waits already is told then
            told_ms = self._told_ms[incident.id] = max(at_ms, told_ms + interval_ms)
        return told_ms

    def _begin(
        self, key: str, title: str, entries: Sequence[Entry], now_ms: int, change: Window | None
    ) -> list[Effect]:
        alert, rule, scope = entries[0].alert, entries[0].rule, entries[0].scope
        backend = rule.incident.backend or self._plan.default_backend
        incident = new_incident(self._next_id, key, title, entries, backend, now_ms, change)
        opening = background(self.words_for(incident), incident, entries[0], change)
        create = self._drafts.draft(incident, rule, scope, opening=opening)
        self._next_id += 1
        self.open[key] = incident
        self._by_id[incident.id] = key
        self._key_of.update(dict.fromkeys(incident.affected, key))
        effects: list[Effect] = [
            IncidentChanged(incident, Happening.OPENED, now_ms, alert.ref, scope.sample.message),
            ticket_command(incident, CommandKind.CREATE, create, now_ms),
        ]
        if change is not None and change.backend == incident.backend:
            link = TicketChange(
                self.words_for(incident).caused_by.format(number=change.id), caused_by=change_ref(change)
            )
            effects.append(ticket_command(incident, CommandKind.UPDATE, link, now_ms))
        for entry in entries:
            effects += self._mark_flapping(entry.alert, now_ms)
        return effects


_CAN_WAIT: Final = frozenset(
    (Happening.JOINED, Happening.LEFT, Happening.EXPLAINED, Happening.FLAPPING, Happening.STEADY)
)
_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


def _probes_of(refs: Sequence[AlertRef], words: Phrases) -> str:
    return named(list(dict.fromkeys(ref.probe_id for ref in refs)), words)
