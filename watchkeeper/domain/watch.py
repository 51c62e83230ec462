"""Keeping watch: samples and time go in, effects come out.

This is the one way from a sample to a ticket command. It holds state but does no I/O and knows no clock, so the
daemon, a rule test and a replay of history that feed it the same samples get the same incidents.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from watchkeeper.domain import alert as alerts
from watchkeeper.domain.alert import Alert, AlertRef, AlertState, Verdict
from watchkeeper.domain.correlation import incident_key, ticket_key
from watchkeeper.domain.effect import AlertChanged, Effect, Happening, IncidentChanged, ProbeGone, StatusChanged
from watchkeeper.domain.incident import AlertFired, AlertOver, Incident, IncidentState, step
from watchkeeper.domain.probe import Probe, Sample, Status
from watchkeeper.domain.rule import Condition, Rule, Scope
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import (
    Command,
    CommandKind,
    TicketChange,
    TicketDraft,
    TicketState,
    draft_incident,
)
from watchkeeper.domain.units import format_elapsed_ms, format_time
from watchkeeper.domain.window import EMPTY, Unanswerable, Window


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be watched: the configuration as the domain sees it. Every probe's service is in `services`."""

    services: Mapping[str, Service]
    probes: Mapping[str, Probe]
    rules: Mapping[str, Rule]
    default_backend: str


class Binding:
    """A rule on a probe, and the alert that they make."""

    __slots__ = ("alert", "condition", "rule", "unanswered")

    def __init__(self, rule: Rule, condition: Condition, alert: Alert) -> None:
        self.rule = rule
        self.condition = condition
        self.alert = alert
        self.unanswered = ""  # why the last verdict was unknown

    def judge(self, scope: Scope) -> Verdict:
        """What the rule says of a sample. What is unknown decides nothing."""
        if scope.sample.status is Status.UNKNOWN:
            self.unanswered = "the probe could not tell"
            return Verdict.UNKNOWN
        try:
            holds = self.condition(scope)
        except Unanswerable as reason:
            self.unanswered = str(reason)
            return Verdict.UNKNOWN
        return Verdict.HOLDS if holds else Verdict.OVER


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


class Watch:
    """The state of everything under watch.

    Args:
        plan: what shall be watched.
        incidents: those open when watching ended last, with the alerts that were not inactive then.
        next_incident_id: the first number to give.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        open_alerts: Iterable[Alert] = (),
        open_incidents: Iterable[Incident] = (),
        next_incident_id: int = 1,
    ) -> None:
        self.plan = plan
        self.subjects: dict[str, Subject] = {}
        self.incidents = {incident.key: incident for incident in open_incidents}
        self.unanswered_total = 0
        self._next_incident_id = next_incident_id
        self._deadlines: list[tuple[int, AlertRef, Binding]] = []
        self._remembered = {alert.ref: alert for alert in open_alerts}
        self._incident_of = {ref: incident.key for incident in self.incidents.values() for ref in incident.firing}

    def revise(self, plan: Plan, now_ms: int) -> list[Effect]:
        """Takes on a plan, at start and at a reload. What stays keeps its state; what is gone ends its trouble."""
        before = self.subjects
        self.plan = plan
        self.subjects = {}
        kept = self._remembered
        self._remembered = {}
        kept.update((binding.alert.ref, binding.alert) for old in before.values() for binding in old.bindings)
        rules = list(plan.rules.values())
        for probe in plan.probes.values():
            subject = Subject(probe, plan.services[probe.service])
            if (old := before.get(probe.id)) is not None:
                subject.sample, subject.status = old.sample, old.status
                subject.status_since_ms = old.status_since_ms
            subject.bindings = [
                Binding(rule, rule.conditions[probe.prober], kept.pop(ref, Alert(ref)))
                for rule in rules
                if rule.match(probe)
                for ref in (AlertRef(rule.id, probe.id),)
            ]
            spans = _spans(subject)
            if spans:
                subject.window = Window(spans)
                if old is not None:
                    subject.window.keep(old.window)
            self.subjects[probe.id] = subject
        self._rearm()
        effects: list[Effect] = [ProbeGone(probe_id, now_ms) for probe_id in before if probe_id not in self.subjects]
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
            if verdict is Verdict.UNKNOWN:
                self.unanswered_total += 1
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
            scope = subject.scope(subject.sample, due)
            effects += self._move(before, after, binding, scope, subject.sample.message)
        return effects

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
        if before.state is not after.state or before.clear_since_ms != after.clear_since_ms:
            effects.append(AlertChanged(before, after, reason))
        if after.state is AlertState.FIRING and before.state is not AlertState.FIRING:
            assert binding is not None
            assert scope is not None
            effects += self._fired(after, binding.rule, scope)
        elif before.state is AlertState.FIRING and after.state is AlertState.INACTIVE:
            effects += self._over(after, reason)
        return effects

    def _fired(self, alert: Alert, rule: Rule, scope: Scope) -> list[Effect]:
        key = incident_key(rule, scope.probe)
        incident = self.incidents.get(key)
        self._incident_of[alert.ref] = key
        if incident is None:
            return self._open(key, alert, rule, scope)
        joined = step(incident, AlertFired(alert.ref, alert.since_ms))
        if joined is incident:
            return []
        self.incidents[key] = joined
        text = f"{scope.probe.id} joined: {scope.sample.message}"
        return [
            IncidentChanged(joined, Happening.JOINED, alert.since_ms, alert.ref, text),
            self._command(joined, CommandKind.UPDATE, TicketChange(text), alert.since_ms),
        ]

    def _open(self, key: str, alert: Alert, rule: Rule, scope: Scope) -> list[Effect]:
        active = alert.active_since_ms
        incident = Incident(
            id=self._next_incident_id,
            key=key,
            rule_id=rule.id,
            service=scope.service.id,
            title=rule.title(scope),
            severity=rule.severity,
            impact=rule.incident.impact,
            urgency=rule.incident.urgency,
            backend=rule.incident.backend or self.plan.default_backend,
            started_ms=alert.since_ms if active is None else active,
            opened_ms=alert.since_ms,
            firing=frozenset({alert.ref}),
            affected=(alert.ref,),
            runbook=rule.runbook,
        )
        self._next_incident_id += 1
        self.incidents[key] = incident
        draft = draft_incident(incident, ticket_key(key, incident.opened_ms), rule, scope)
        return [
            IncidentChanged(incident, Happening.OPENED, alert.since_ms, alert.ref, scope.sample.message),
            self._command(incident, CommandKind.CREATE, draft, alert.since_ms),
        ]

    def _over(self, alert: Alert, reason: str) -> list[Effect]:
        key = self._incident_of.pop(alert.ref, None)
        incident = self.incidents.get(key) if key is not None else None
        if incident is None:
            return []
        left = step(incident, AlertOver(alert.ref, alert.since_ms))
        if left.state is IncidentState.OPEN:
            self.incidents[left.key] = left
            text = f"{alert.ref.probe_id} is no longer part of it: {reason}"
            change = TicketChange(text)
            return [
                IncidentChanged(left, Happening.LEFT, alert.since_ms, alert.ref, text),
                self._command(left, CommandKind.UPDATE, change, alert.since_ms),
            ]
        del self.incidents[left.key]
        lasted = format_elapsed_ms(alert.since_ms - left.started_ms)
        text = f"Over since {format_time(alert.since_ms)}, after {lasted}: {reason}"
        return [
            IncidentChanged(left, Happening.RESOLVED, alert.since_ms, alert.ref, text),
            self._command(left, CommandKind.RESOLVE, TicketChange(text, TicketState.RESOLVED), alert.since_ms),
        ]

    @staticmethod
    def _command(incident: Incident, kind: CommandKind, payload: TicketDraft | TicketChange, at_ms: int) -> Command:
        return Command(
            incident.id, incident.backend, ticket_key(incident.key, incident.opened_ms), kind, payload, at_ms
        )


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
