"""Keeping watch: samples and time go in, effects come out.

This is the one way from a sample to a ticket command. It holds state but does no I/O and knows no clock, so the
daemon, a rule test and a replay of history that feed it the same samples get the same incidents.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from watchkeeper.domain import alert as alerts
from watchkeeper.domain.alert import Alert, AlertRef, AlertState, Verdict
from watchkeeper.domain.casebook import Casebook
from watchkeeper.domain.effect import AlertChanged, Effect, ProbeGone, StatusChanged
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.probe import Every, Probe, Sample, Status
from watchkeeper.domain.rule import Condition, Rule, Scope
from watchkeeper.domain.service import Service
from watchkeeper.domain.window import EMPTY, Points, Unanswerable, Window


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be watched: the configuration as the domain sees it. Every probe's service is in `services`."""

    services: Mapping[str, Service]
    probes: Mapping[str, Probe]
    rules: Mapping[str, Rule]
    default_backend: str


def reusing(plan: Plan, before: Plan) -> Plan:
    """The plan, with the very probes of an earlier one where they are equal: a look tells that nothing changed."""
    probes = {
        probe_id: known if (known := before.probes.get(probe_id)) == probe else probe
        for probe_id, probe in plan.probes.items()
    }
    return replace(plan, probes=probes)


class Binding:
    """A rule on a probe, and the alert that they make."""

    __slots__ = ("alert", "condition", "rule", "unanswered")

    def __init__(self, rule: Rule, condition: Condition, alert: Alert) -> None:
        self.rule = rule
        self.condition = condition
        self.alert = alert
        self.unanswered = ""  # why the last verdict was unknown

    def judge(self, scope: Scope) -> Verdict:
        """What the rule says of a sample. What is unknown decides nothing, but for rules on missed runs."""
        unknown = scope.sample.status is Status.UNKNOWN
        if unknown and not self.condition.asks_missed:
            self.unanswered = "the probe could not tell"
            return Verdict.UNKNOWN
        try:
            holds = self.condition(scope)
        except Unanswerable as reason:
            self.unanswered = str(reason)
            return Verdict.UNKNOWN
        except Exception as error:  # noqa: BLE001  # a bug in a rule's code must not cost another rule its ticket
            self.unanswered = f"the evaluation failed: {error!r}"
            return Verdict.UNKNOWN
        if holds:
            return Verdict.HOLDS
        return Verdict.UNKNOWN if unknown else Verdict.OVER


class Subject:
    """A probe under watch: its last sample, its status and since when, its window and its bindings."""

    __slots__ = ("bindings", "probe", "sample", "service", "status", "status_since_ms", "window")

    def __init__(self, probe: Probe, service: Service) -> None:
        self.probe = probe
        self.service = service
        self.sample: Sample | None = None
        self.status: Status | None = None  # None: not yet known
        self.status_since_ms = 0
        self.window = EMPTY
        self.bindings: list[Binding] = []

    def scope(self, sample: Sample, now_ms: int) -> Scope:
        return Scope(sample, self.probe, self.service, now_ms, self.window)

    def unheard_since(self, now_ms: int) -> int | None:
        """Since when the probe should have been heard of and was not; `None` while the silence is not too long."""
        if self.sample is None or not isinstance(self.probe.schedule, Every):
            return None
        interval_ms, heard_ms = self.probe.schedule.interval_ms, self.sample.at_ms
        return heard_ms + interval_ms if now_ms - heard_ms > 2 * interval_ms + self.probe.timeout_ms else None

    def looks_at_the_same_as(self, old: "Subject") -> bool:
        return old.probe.prober == self.probe.prober and bool(old.probe.options == self.probe.options)

    def take_over(self, old: "Subject") -> None:
        """Goes on where an earlier one of the same probe was, as far as both look at the same thing in one way."""
        if self.looks_at_the_same_as(old):
            self.sample, self.status, self.status_since_ms = old.sample, old.status, old.status_since_ms
            self.window.keep(old.window)


class Watch:
    """The state of everything under watch.

    Args:
        plan: what shall be watched.
        incidents: those open when watching ended last, with the alerts that were not inactive then.
        next_incident_id: the first number to give.
        has_history: whether somebody fills new windows from what is stored; see `awaits_history`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        open_alerts: Iterable[Alert] = (),
        open_incidents: Iterable[Incident] = (),
        next_incident_id: int = 1,
        has_history: bool = False,
    ) -> None:
        self.plan = plan
        self.subjects: dict[str, Subject] = {}
        self.unanswered_total = 0
        self._has_history = has_history
        self._casebook = Casebook(open_incidents, next_incident_id)
        self._deadlines: list[tuple[int, AlertRef, Binding]] = []
        self._remembered = {alert.ref: alert for alert in open_alerts}

    @property
    def incidents(self) -> Mapping[str, Incident]:
        """The open incidents, by their key."""
        return self._casebook.open

    def revise(self, plan: Plan, now_ms: int) -> list[Effect]:
        """Takes on a plan, at start and at a reload. What stays keeps its state; what is gone ends its trouble."""
        before = self.subjects
        self.plan = plan
        self.subjects = {}
        kept = self._remembered
        self._remembered = {}
        kept.update((binding.alert.ref, binding.alert) for old in before.values() for binding in old.bindings)
        rules = list(plan.rules.values())
        effects: list[Effect] = []
        for probe in plan.probes.values():
            subject = self.subjects[probe.id] = Subject(probe, plan.services[probe.service])
            subject.bindings = [
                Binding(rule, rule.conditions[probe.prober], kept.pop(ref, Alert(ref)))
                for rule in rules
                if rule.match(probe)
                for ref in (AlertRef(rule.id, probe.id),)
            ]
            if spans := _spans(subject):
                subject.window = Window(spans)
            old = before.get(probe.id)
            if old is not None:
                subject.take_over(old)
                effects += _moved(old, subject, now_ms)
            # What is stored of another target under the same id says nothing of this one.
            if self._has_history and (old is None or subject.looks_at_the_same_as(old)):
                subject.window.await_history(() if old is None else old.window.awaited)
        for subject in self.subjects.values():
            if subject.sample is None:
                # Nothing is known of it yet, or no longer: clocks that run stand until it is heard of.
                for binding in subject.bindings:
                    binding.alert = alerts.stall(binding.alert, now_ms)
        self._rearm()
        effects += [ProbeGone(probe_id, now_ms) for probe_id in before if probe_id not in self.subjects]
        for alert in kept.values():
            if alert.state is not AlertState.INACTIVE:
                reason = _why_ended(alert.ref, plan)
                effects += self._move(alert, alerts.clear(alert, now_ms), None, None, reason)
        return effects

    def observe(self, sample: Sample) -> list[Effect]:
        """What follows from a sample, and before it from clocks that ran out earlier, however late they are served.

        One of a probe that is no longer watched is passed over.
        """
        subject = self.subjects.get(sample.probe_id)
        if subject is None:
            return []
        effects = self.advance(sample.at_ms - 1)
        unheard_since = subject.unheard_since(sample.at_ms)
        subject.sample = sample
        if (before := subject.status) is not sample.status:
            subject.status, subject.status_since_ms = sample.status, sample.at_ms
            service = subject.probe.service
            effects.append(
                StatusChanged(sample.probe_id, service, sample.status, sample.at_ms, sample.message, before)
            )
        if subject.window is not EMPTY:
            subject.window.append(sample)
        scope = subject.scope(sample, sample.at_ms)
        for binding in subject.bindings:
            verdict = binding.judge(scope)
            alert = binding.alert
            if verdict is Verdict.OVER and alert.state is AlertState.INACTIVE:
                continue  # nothing was wrong and nothing is: nearly always
            if verdict is Verdict.HOLDS and alerts.is_steady(alert) and unheard_since is None:
                continue  # it is as wrong as it was
            if verdict is Verdict.UNKNOWN:
                self.unanswered_total += 1
            if unheard_since is not None:
                alert = binding.alert = alerts.stall(alert, unheard_since)
            for after in alerts.observe(alert, binding.rule.hold, verdict, sample.at_ms):
                effects += self._move(alert, after, binding, scope, sample.message)
                alert = after
        return effects

    def advance(self, now_ms: int) -> list[Effect]:
        """What follows from time passing: clocks that have run out, in the order in which they did."""
        effects: list[Effect] = []
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            due, _, binding = heapq.heappop(self._deadlines)
            before = binding.alert
            after = alerts.expire(before, binding.rule.hold, now_ms)
            if after is before or after.since_ms != due:
                continue  # moved on since the clock was set
            subject = self.subjects[before.ref.probe_id]
            if subject.sample is None:
                continue
            if (unheard_since := subject.unheard_since(due)) is not None:
                after = alerts.stall(before, unheard_since)
            scope = subject.scope(subject.sample, due)
            effects += self._move(before, after, binding, scope, subject.sample.message)
        return effects

    def awaits_history(self) -> list[Subject]:
        """Those whose windows are to be filled. Those with alerts that are not inactive come first."""
        awaiting = [subject for subject in self.subjects.values() if subject.window.awaited]
        awaiting.sort(key=lambda one: all(b.alert.state is AlertState.INACTIVE for b in one.bindings))
        return awaiting

    def fill(self, probe_id: str, history: Mapping[str, Points]) -> None:
        """Fills the window of a probe from its history."""
        if (subject := self.subjects.get(probe_id)) is not None:
            subject.window.fill(history)

    def next_deadline(self) -> int | None:
        """When `advance` has something to do, at the earliest."""
        while self._deadlines:
            due, _, binding = self._deadlines[0]
            if alerts.deadline(binding.alert, binding.rule.hold) == due:
                return due
            heapq.heappop(self._deadlines)
        return None

    def _rearm(self) -> None:
        self._deadlines = []
        for subject in self.subjects.values():
            for binding in subject.bindings:
                self._arm(binding)

    def _arm(self, binding: Binding) -> None:
        due = alerts.deadline(binding.alert, binding.rule.hold)
        if due is not None:
            heapq.heappush(self._deadlines, (due, binding.alert.ref, binding))

    def _move(
        self, before: Alert, after: Alert, binding: Binding | None, scope: Scope | None, reason: str
    ) -> list[Effect]:
        """Moves an alert on, and its incident with it."""
        if binding is not None:
            binding.alert = after
            self._arm(binding)
        effects: list[Effect] = []
        if before != after:
            effects.append(AlertChanged(before, after, reason))
        if after.state is AlertState.FIRING and before.state is not AlertState.FIRING:
            assert binding is not None
            assert scope is not None
            effects += self._casebook.fired(after, binding.rule, scope, self.plan.default_backend)
        elif before.state is AlertState.FIRING and after.state is AlertState.INACTIVE:
            effects += self._casebook.over(after, reason)
        return effects


def _moved(old: Subject, subject: Subject, now_ms: int) -> list[Effect]:
    """What follows when a probe belongs to another service than before: its time counts for that one from now on."""
    if subject.status is None or old.probe.service == subject.probe.service:
        return []
    text = f"the probe belongs to the service {subject.probe.service} now"
    return [StatusChanged(subject.probe.id, subject.probe.service, subject.status, now_ms, text, subject.status)]


def _why_ended(ref: AlertRef, plan: Plan) -> str:
    if ref.rule_id not in plan.rules:
        return "rule removed"
    return "probe removed" if ref.probe_id not in plan.probes else "the rule no longer looks at the probe"


def _spans(subject: Subject) -> dict[str, int]:
    """The series that the rules on a probe ask for, each as far back as the longest asks."""
    spans: dict[str, int] = {}
    for binding in subject.bindings:
        for asked in (binding.condition.spans_ms, binding.rule.title.spans_ms):
            for name, span_ms in asked.items():
                spans[name] = max(spans.get(name, 0), span_ms)
    return spans
