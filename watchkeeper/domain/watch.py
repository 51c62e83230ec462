"""Keeping watch: samples and time go in, effects come out.

This is the one way from a sample to a ticket command. It holds state but does no I/O and knows no clock, so the
daemon, a rule test and a replay of history that feed it the same samples get the same incidents.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from watchkeeper.domain import alert as alerts
from watchkeeper.domain.alert import Alert, AlertRef, AlertState, Verdict
from watchkeeper.domain.article import Source
from watchkeeper.domain.casebook import Casebook
from watchkeeper.domain.clocks import Clock, Clocks, Kind
from watchkeeper.domain.correlator import Correlator
from watchkeeper.domain.earlier import Earlier
from watchkeeper.domain.effect import (
    AlertChanged,
    Effect,
    Happening,
    IncidentChanged,
    ProbeGone,
    ReportChanged,
    StatusChanged,
)
from watchkeeper.domain.expected import Labelled
from watchkeeper.domain.expected import Window as ExpectedWindow
from watchkeeper.domain.foreign import Foreign
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.knowledge import Shelf
from watchkeeper.domain.phrases import ENGLISH, Phrases
from watchkeeper.domain.plan import Plan, reusing
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.report import FOREIGN, Report
from watchkeeper.domain.rule import Rule, Scope
from watchkeeper.domain.subject import Binding, Subject, trail_of
from watchkeeper.domain.ticket import TicketSeen
from watchkeeper.domain.window import EMPTY, Points, Window

__all__ = ("Plan", "Watch", "reusing")


class Watch:
    """The state of everything under watch.

    Args:
        plan: what shall be watched.
        incidents: those open when watching ended last, with the alerts that were not inactive then.
        next_incident_id: the first number to give.
        earlier_incidents: those that are over, by their key, see `EarlierIncidents`.
        reports: what others said last, see `report`.
        has_history: whether somebody fills new windows from what is stored; see `awaits_history`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        open_alerts: Iterable[Alert] = (),
        open_incidents: Iterable[Incident] = (),
        next_incident_id: int = 1,
        earlier_incidents: Mapping[str, Sequence[Earlier]] = MappingProxyType({}),
        reports: Iterable[ReportChanged] = (),
        has_history: bool = False,
    ) -> None:
        self.plan = plan
        self.subjects: dict[str, Subject] = {}
        self.unanswered_total = 0
        self._has_history = has_history
        self._casebook = Casebook(open_incidents, next_incident_id, plan, earlier_incidents)
        self._clocks = Clocks()
        self._correlator = Correlator(self._casebook, plan, self._set_clock, self._seen)
        self._foreign = Foreign(plan, self._correlator, self._set_clock, reports)
        self._remembered = {alert.ref: alert for alert in open_alerts}

    @property
    def correlator(self) -> Correlator:
        """How the alerts that fire stand. To be looked at, not to be told anything."""
        return self._correlator

    @property
    def foreign(self) -> Foreign:
        """The alerts that others report. To be looked at, not to be told anything."""
        return self._foreign

    @property
    def incidents(self) -> Mapping[str, Incident]:
        """The open incidents, by their key."""
        return self._casebook.open

    def learn(self, shelves: Mapping[Source, Shelf]) -> None:
        """Takes in what is known now, of some sources."""
        self._casebook.learn(shelves)

    def revise(self, plan: Plan, now_ms: int) -> list[Effect]:
        """Takes on a plan, at start and at a reload. What stays keeps its state; what is gone ends its trouble. Rules
        that are new, or say something else than before, are asked at once about what is known."""
        before, rules_before = self.subjects, self.plan.rules
        self.plan = plan
        self._casebook.revise(plan)
        self.subjects = {}
        kept = self._remembered
        self._remembered = {}
        kept.update((binding.alert.ref, binding.alert) for old in before.values() for binding in old.bindings)
        effects: list[Effect] = []
        for probe in plan.probes.values():
            subject = self.subjects[probe.id] = Subject(probe, plan.services[probe.service])
            subject.bindings = [
                Binding(rule, probe.prober, kept.pop(ref, Alert(ref)))
                for rule in plan.rules.values()
                if rule.match(probe)
                for ref in (AlertRef(rule.id, probe.id),)
            ]
            if spans := subject.spans_ms():
                subject.window = Window(spans)
            old = before.get(probe.id)
            if old is not None:
                subject.take_over(old)
                effects += _moved(old, subject, now_ms)
                effects += self._note_edits(subject, old, rules_before, now_ms)
            # What is stored of another target under the same id says nothing of this one.
            if self._has_history and (old is None or subject.looks_at_the_same_as(old)):
                subject.window.await_history(() if old is None else old.window.awaited)
        for subject in self.subjects.values():
            if subject.sample is None:
                # Nothing is known of it yet, or no longer: clocks that run stand until it is heard of.
                for binding in subject.bindings:
                    binding.alert = alerts.stall(binding.alert, now_ms)
        effects += self._foreign.revise(plan, kept, now_ms)
        self._set_clocks(before, now_ms)
        effects += self._opened(self._correlator.revise(plan, self._firing(), now_ms))
        for subject in self.subjects.values():
            effects += self._ask_edited(subject, now_ms)
        effects += [ProbeGone(probe_id, now_ms) for probe_id in before if probe_id not in self.subjects]
        for alert in kept.values():
            if alert.state is not AlertState.INACTIVE:
                effects += self._end(alert, now_ms)
        return effects if before else effects + self._correlator.settle(now_ms)

    def observe(self, sample: Sample) -> list[Effect]:
        """What follows from a sample, and before it from clocks that ran out earlier, however late they are served.

        One of a probe that is no longer watched is passed over.
        """
        subject = self.subjects.get(sample.probe_id)
        if subject is None:
            return []
        effects = self.advance(sample.at_ms - 1)
        unheard_since = subject.unheard_since(sample.at_ms)
        previous, subject.sample = subject.sample, sample
        status = sample.status
        if (before := subject.status) is not status:
            subject.status, subject.status_since_ms = status, sample.at_ms
            service = subject.probe.service
            effects.append(StatusChanged(sample.probe_id, service, status, sample.at_ms, sample.message, before))
        if subject.window is not EMPTY:
            subject.window.append(sample)
        if status is not _UP or subject.trail:
            subject.follow(previous, sample)
        scope = subject.scope(sample, sample.at_ms)
        for binding in subject.bindings:
            verdict = binding.judge(scope)
            alert = binding.alert
            if verdict is _UNKNOWN:
                self.unanswered_total += 1
            elif binding.minds_silence:
                binding.heard_ms = sample.at_ms
            if verdict is _OVER and alert.recent == 0 and alert.state is _INACTIVE:
                continue  # nothing was wrong lately and nothing is: nearly always
            if verdict is _HOLDS and unheard_since is None and alerts.is_steady(alert):
                continue  # it is as wrong as it was
            if unheard_since is not None:
                alert = binding.alert = alerts.stall(alert, unheard_since)
            if verdict is _HOLDS and not subject.trail:
                scope.trail = subject.trail = trail_of(previous, sample)
            effects += self._hear(binding, verdict, scope, sample.at_ms)
        return effects

    def report(self, report: Report, now_ms: int) -> list[Effect]:
        """What follows from what somebody else says of an alert of theirs, see `Foreign.report`.

        Raises:
            TooManyAlerts: of its source no more are taken. Nothing has changed.
        """
        self._foreign.require_room(report)
        return self.advance(now_ms - 1) + self._opened(self._foreign.report(report, now_ms))

    def advance(self, now_ms: int) -> list[Effect]:
        """What follows from time passing: clocks that have run out, in the order in which they did."""
        effects: list[Effect] = []
        while (clock := self._clocks.next()) is not None and clock.due_ms <= now_ms:
            self._clocks.take()
            if clock.kind is Kind.ESCALATION:
                effects += self._escalate(clock.about[0], clock.due_ms)
            elif clock.kind is Kind.ABANDONED:
                effects += self._take_up_again(clock.about[0], clock.due_ms)
            elif clock.kind is Kind.UNHEARD:
                effects += self._opened(self._foreign.serve(AlertRef(*clock.about), clock.due_ms))
            elif clock.kind in _CORRELATION:
                effects += self._opened(self._correlator.serve(clock.kind, clock.about[0], clock.due_ms))
            elif (found := self._find(clock)) is not None:
                serve = self._end_hold if clock.kind is Kind.HOLD else self._mind_silence
                effects += serve(*found, clock.due_ms, now_ms)
        return effects

    def expect(self, windows: Sequence[ExpectedWindow], now_ms: int) -> list[Effect]:
        """Takes on the windows that there are from now on: in them trouble is expected, and opens nothing."""
        return self._opened(self._correlator.expect(windows, now_ms))

    def awaits_history(self) -> list[Subject]:
        """Those whose windows are to be filled. Those with alerts that are not inactive come first."""
        awaiting = [subject for subject in self.subjects.values() if subject.window.awaited]
        awaiting.sort(key=lambda one: all(b.alert.state is AlertState.INACTIVE for b in one.bindings))
        return awaiting

    def fill(self, probe_id: str, history: Mapping[str, Points], now_ms: int) -> list[Effect]:
        """Fills the window of a probe from its history. What follows, for rules that were waiting to be asked."""
        if (subject := self.subjects.get(probe_id)) is None:
            return []
        subject.window.fill(history)
        return self._ask_edited(subject, now_ms)

    def ticket_seen(self, seen: TicketSeen) -> list[Effect]:
        """What follows from what was read of an incident's ticket. One of an incident that is over is passed over."""
        effects = self._casebook.ticket_seen(seen)
        for effect in effects:
            if isinstance(effect, IncidentChanged):
                for due, key in self._casebook.abandoned(effect.incident.key):
                    self._clocks.set(due, Kind.ABANDONED, (key,))
        return effects

    def reopening_refused(self, incident_id: int, why: str, now_ms: int) -> list[Effect]:
        """What follows when a backend does not open the ticket of an open incident again."""
        incident = next((one for one in self.incidents.values() if one.id == incident_id), None)
        if incident is None:
            return []
        words = self._casebook.words_for(incident)
        opening = words.not_reopened.format(ticket=incident.ticket_number or incident.number, detail=why)
        effects = self._casebook.succeed(incident.key, opening, self._scope_of(incident, now_ms), now_ms)
        self._set_escalations(incident.key)
        return effects

    def stood_still(self, for_ms: int) -> None:
        """Nothing could be heard for a while: the time of silence does not count."""
        for subject in self.subjects.values():
            for binding in subject.bindings:
                if binding.minds_silence:
                    binding.heard_ms += for_ms
        self._foreign.stood_still(for_ms)

    def set_back(self, now_ms: int) -> None:
        """The clock was set back by much."""
        self._correlator.set_back(now_ms)

    def next_deadline(self) -> int | None:
        """When `advance` has something to do, at the earliest."""
        while (clock := self._clocks.next()) is not None:
            if not self._is_stale(clock):
                return clock.due_ms
            self._clocks.take()
        return None

    def _hear(self, binding: Binding, verdict: Verdict, scope: Scope, at_ms: int) -> list[Effect]:
        """Tells an alert what its rule says."""
        effects: list[Effect] = []
        alert = binding.alert
        binding.is_edited = binding.is_edited and verdict is _UNKNOWN
        binding.is_held_anew = False
        for after in alerts.observe(alert, binding.rule.hold, verdict, at_ms):
            effects += self._move(alert, after, binding, scope, scope.sample.message, at_ms)
            alert = after
        return effects

    def _move(
        self, before: Alert, after: Alert, binding: Binding, scope: Scope, reason: str, at_ms: int
    ) -> list[Effect]:
        """Moves an alert on, and its incident with it."""
        binding.alert = after
        rule = binding.rule
        due = alerts.deadline(after, rule.hold)
        if due is not None and due != alerts.deadline(before, rule.hold):
            self._clocks.set(due, Kind.HOLD, after.ref)
        effects: list[Effect] = []
        if alerts.is_news(before, after, rule.hold):
            effects.append(AlertChanged(before, after, reason))
        if after.state is AlertState.FIRING and before.state is AlertState.FIRING:
            return effects + self._correlator.stayed(before, after, reason, at_ms)
        if after.state is AlertState.FIRING:
            effects += self._correlator.fired(after, rule, scope)
        elif before.state is AlertState.FIRING:
            effects += self._correlator.over(after, reason)
        return self._opened(effects)

    def _opened(self, effects: list[Effect]) -> list[Effect]:
        """Sets the clocks of incidents that are new, or as bad as they were not before."""
        for effect in effects:
            if isinstance(effect, IncidentChanged) and effect.happening in _MAY_ESCALATE:
                self._set_escalations(effect.incident.key)
        return effects

    def _end(self, alert: Alert, now_ms: int) -> list[Effect]:
        """Ends an alert whose rule or probe is gone."""
        after = alerts.clear(alert, now_ms)
        incident = self._casebook.of(after)
        words = ENGLISH if incident is None else self._casebook.words_for(incident)
        effects: list[Effect] = [AlertChanged(alert, after, _why_ended(alert.ref, self.plan, ENGLISH))]
        if alert.state is AlertState.FIRING:
            effects += self._correlator.over(after, _why_ended(alert.ref, self.plan, words))
        return effects

    def _end_hold(self, subject: Subject, binding: Binding, due_ms: int, now_ms: int) -> list[Effect]:
        before = binding.alert
        after = alerts.expire(before, binding.rule.hold, now_ms)
        if after is before or after.since_ms != due_ms or subject.sample is None:
            return []  # moved on since the clock was set
        if (unheard_since := subject.unheard_since(due_ms)) is not None:
            after = alerts.stall(before, unheard_since)
        scope = subject.scope(subject.sample, due_ms)
        return self._move(before, after, binding, scope, subject.sample.message, due_ms)

    def _mind_silence(self, subject: Subject, binding: Binding, due_ms: int, _now_ms: int) -> list[Effect]:
        patience_ms = binding.rule.hold.no_data_ms
        if patience_ms is None:
            return []
        silent_at_ms = binding.heard_ms + patience_ms
        if silent_at_ms > due_ms:
            self._clocks.set(silent_at_ms, Kind.SILENCE, binding.alert.ref)
            return []
        self._clocks.set(due_ms + patience_ms, Kind.SILENCE, binding.alert.ref)  # for the time after the next verdict
        before = binding.alert
        after = alerts.fall_silent(before, binding.heard_ms, due_ms)
        if after is before:
            return []
        words = self.plan.words_of(binding.rule.incident.backend or self.plan.default_backend)
        message = _silence(words, patience_ms, binding.unanswered)
        scope = subject.scope(Sample(subject.probe.id, due_ms, Status.UNKNOWN, message=message), due_ms)
        if subject.sample is not None and not scope.trail:
            scope.trail = (subject.sample,)
        return self._move(before, after, binding, scope, _silence(ENGLISH, patience_ms, binding.unanswered), due_ms)

    def _escalate(self, key: str, due_ms: int) -> list[Effect]:
        incident = self._casebook.open.get(key)
        rule = None if incident is None else self._casebook.rule_of(incident)
        return [] if rule is None else self._casebook.escalate(key, rule, due_ms)

    def _take_up_again(self, key: str, due_ms: int) -> list[Effect]:
        incident = self._casebook.open.get(key)
        if incident is None:
            return []
        effects = self._casebook.take_up_again(key, self._scope_of(incident, due_ms), due_ms)
        self._set_escalations(key)
        return effects

    def _scope_of(self, incident: Incident, now_ms: int) -> Scope | None:
        """What can be told of the trouble now: of the first of its probes of which anything is known."""
        for ref in incident.affected:
            is_its = ref.rule_id == incident.rule_id and ref in incident.firing
            if is_its and (scope := self._seen(ref, now_ms)) is not None:
                return scope
        return None

    def _seen(self, ref: AlertRef, now_ms: int) -> Scope | None:
        """What is known of an alert's probe."""
        if ref.probe_id.startswith(FOREIGN):
            return self._foreign.scope(ref, now_ms)
        subject = self.subjects.get(ref.probe_id)
        return None if subject is None or subject.sample is None else subject.scope(subject.sample, now_ms)

    def _firing(self) -> Iterator[tuple[Alert, Labelled]]:
        for subject in self.subjects.values():
            for binding in subject.bindings:
                if binding.alert.state is AlertState.FIRING:
                    yield binding.alert, Labelled(binding.rule, subject.probe, subject.service)
        yield from self._foreign.firing()

    def _set_clock(self, due_ms: int, kind: Kind, about: AlertRef | tuple[str]) -> None:
        self._clocks.set(due_ms, kind, about)

    def _set_escalations(self, key: str) -> None:
        if not self._casebook.is_open(key):
            return
        for due, _ in self._casebook.escalations(key):
            self._clocks.set(due, Kind.ESCALATION, (key,))

    def _note_edits(
        self, subject: Subject, old: Subject, rules_before: Mapping[str, Rule], now_ms: int
    ) -> list[Effect]:
        """Marks the rules that are to be asked anew. What another condition has gone through is forgotten, and so is
        since when it has been over."""
        effects: list[Effect] = []
        known = {binding.rule.id for binding in old.bindings}
        for binding in subject.bindings:
            rule, alert = binding.rule, binding.alert
            rule_before = rules_before[rule.id] if rule.id in known else None
            if rule_before is None or rule.asks_the_same_as(rule_before):
                binding.is_edited = rule_before is None
                binding.is_held_anew = rule_before is not None and not rule.alerts_like(rule_before)
                continue
            binding.is_edited = True
            binding.alert = replace(alert, recent=0, is_flapping=False, clear_since_ms=None, paused_ms=0)
            if alert.state is AlertState.PENDING:
                binding.alert = Alert(alert.ref, since_ms=now_ms)
                effects.append(AlertChanged(alert, binding.alert, "the rule was changed"))
        return effects

    def _ask_edited(self, subject: Subject, now_ms: int) -> list[Effect]:
        """Asks those rules on a probe that are edited about its last sample; those that can not tell yet, later."""
        sample = subject.sample
        if sample is None or subject.unheard_since(now_ms) is not None:
            return []
        effects: list[Effect] = []
        scope = subject.scope(sample, now_ms)
        for binding in subject.bindings:
            if not (binding.is_edited or binding.is_held_anew) or (verdict := binding.judge(scope)) is _UNKNOWN:
                continue
            if binding.is_edited:
                effects += self._hear(binding, verdict, scope, now_ms)
            else:
                after = alerts.hear_again(binding.alert, binding.rule.hold, verdict, now_ms)
                effects += self._move(binding.alert, after, binding, scope, sample.message, now_ms)
            binding.is_held_anew = False
        return effects

    def _set_clocks(self, before: Mapping[str, Subject], now_ms: int) -> None:
        """Sets all clocks anew. What has run out meanwhile, runs out now."""
        self._clocks = Clocks()
        for probe_id, subject in self.subjects.items():
            old = before.get(probe_id)
            heard_ms = {} if old is None else {one.rule.id: one.heard_ms for one in old.bindings if one.minds_silence}
            for binding in subject.bindings:
                ref, hold = binding.alert.ref, binding.rule.hold
                if (due := alerts.deadline(binding.alert, hold)) is not None:
                    self._clocks.set(due, Kind.HOLD, ref)
                if hold.no_data_ms is not None:
                    binding.heard_ms = heard_ms.get(binding.rule.id, now_ms)
                    self._clocks.set(binding.heard_ms + hold.no_data_ms, Kind.SILENCE, ref)
        self._foreign.set_clocks()
        for due, key in self._casebook.escalations():
            self._clocks.set(max(due, now_ms), Kind.ESCALATION, (key,))
        for due, key in self._casebook.abandoned():
            self._clocks.set(max(due, now_ms), Kind.ABANDONED, (key,))

    def _is_stale(self, clock: Clock) -> bool:
        """Whether nothing follows when a clock runs out."""
        if clock.kind in _CORRELATION or clock.kind is Kind.UNHEARD:
            return False
        if clock.kind in (Kind.ESCALATION, Kind.ABANDONED):
            return not self._casebook.is_open(clock.about[0])
        if (found := self._find(clock)) is None:
            return True
        binding = found[1]
        return clock.kind is Kind.HOLD and alerts.deadline(binding.alert, binding.rule.hold) != clock.due_ms

    def _find(self, clock: Clock) -> tuple[Subject, Binding] | None:
        """Whose clock it is."""
        rule_id, probe_id = clock.about[0], clock.about[-1]
        subject = self.subjects.get(probe_id)
        if subject is None:
            return None
        return next(((subject, binding) for binding in subject.bindings if binding.rule.id == rule_id), None)


_CORRELATION = (Kind.WINDOW, Kind.GATHERED, Kind.SPREAD)
_MAY_ESCALATE = (Happening.OPENED, Happening.JOINED, Happening.ESCALATED)
_INACTIVE = AlertState.INACTIVE
_HOLDS, _OVER, _UNKNOWN = Verdict.HOLDS, Verdict.OVER, Verdict.UNKNOWN
_UP = Status.UP


def _moved(old: Subject, subject: Subject, now_ms: int) -> list[Effect]:
    """What follows when a probe belongs to another service than before: its time counts for that one from now on."""
    if subject.status is None or old.probe.service == subject.probe.service:
        return []
    text = f"the probe belongs to the service {subject.probe.service} now"
    return [StatusChanged(subject.probe.id, subject.probe.service, subject.status, now_ms, text, subject.status)]


def _why_ended(ref: AlertRef, plan: Plan, words: Phrases) -> str:
    if ref.rule_id.startswith(FOREIGN):
        return words.source_removed
    if ref.rule_id not in plan.rules:
        return words.rule_removed
    return words.probe_removed if ref.probe_id not in plan.probes else words.probe_left


def _silence(words: Phrases, patience_ms: int, why: str) -> str:
    elapsed = words.elapsed(patience_ms)
    return words.silence_because.format(elapsed=elapsed, why=why) if why else words.silence.format(elapsed=elapsed)
