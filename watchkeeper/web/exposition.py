"""The metrics of what is watched, in Prometheus's text format.

Written as text and not by way of client objects: ten thousand probes make ninety thousand lines, and a scrape must
not hold up a probe. Labels are bounded: they are ids of the configuration, never anything that a server said.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from watchkeeper.domain.alert import AlertState
from watchkeeper.domain.probe import Probe, Status
from watchkeeper.domain.problem import ProblemState
from watchkeeper.domain.subject import Subject
from watchkeeper.domain.ticket import TicketState
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.store.outbox import OutboxDepth
from watchkeeper.web.families import escaped, family, head, labels_text
from watchkeeper.web.held_back import held_back

CHUNK: Final = 500  # probes whose lines are written in one go


@dataclass(frozen=True, slots=True)
class Reading:
    """What the engine knows at the time of a scrape, beside the watch itself. `refusing`: the backends that are not
    asked now since they did not answer as they should, and why."""

    now_ms: int
    samples: Mapping[tuple[str, Status], int]
    missed: Mapping[str, int]
    runs_in_flight: int
    runs_waiting: int
    effects_waiting: int
    decisions_journaled: int
    rollups_waiting: int
    rollup_samples_dropped: int
    outbox: Sequence[OutboxDepth]
    backends: Iterable[str]
    refusing: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[tuple[str, ProblemState], int] = field(default_factory=dict)


_Measure = Callable[[Subject], float | None]

_OF_PROBES: Final[tuple[tuple[str, str, str, _Measure], ...]] = (
    (
        "watchkeeper_probe_up",
        "gauge",
        "1 if the probe's last run found it up, 0 if down; absent while unknown",
        lambda subject: _UP.get(subject.status),
    ),
    (
        "watchkeeper_probe_unknown",
        "gauge",
        "1 if the probe's last run could not tell, else 0",
        lambda subject: None if subject.status is None else float(subject.status is Status.UNKNOWN),
    ),
    (
        "watchkeeper_probe_duration_seconds",
        "gauge",
        "How long the probe's last run took",
        lambda subject: None if subject.sample is None else subject.sample.duration_s,
    ),
    (
        "watchkeeper_probe_last_run_timestamp_seconds",
        "gauge",
        "When the probe's last run ended",
        lambda subject: None if subject.sample is None else subject.sample.at_ms / 1000,
    ),
)
_UP: Final[Mapping[Status | None, float]] = {Status.UP: 1.0, Status.DOWN: 0.0}


class Exposition:
    """Writes the metrics of a watch. Keeps the labels of each probe as text, as long as the plan stays."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._plan: Plan | None = None
        self._labels: dict[str, str] = {}

    def chunks(self, reading: Reading) -> Iterator[str]:
        """The text in pieces, none of which takes long."""
        if self._plan is not self._watch.plan:
            self._plan = self._watch.plan
            self._labels = {probe_id: _probe_labels(probe) for probe_id, probe in self._plan.probes.items()}
        subjects = list(self._watch.subjects.values())
        for name, kind, meaning, measure in _OF_PROBES:
            yield head(name, kind, meaning)
            yield from self._of_probes(name, subjects, measure)
        yield from self._values(subjects)
        missed = reading.missed
        name = "watchkeeper_probe_missed_runs_total"
        yield head(name, "counter", "Runs that did not take place when they were due")
        yield from self._of_probes(name, subjects, lambda subject: missed.get(subject.probe.id, 0))
        yield from _alerts(self._watch)
        yield from held_back(self._watch)
        yield from _incidents(self._watch)
        yield _tickets(self._watch)
        yield _problems(reading, self._watch)
        yield from _engine(reading, self._watch)

    def _of_probes(self, name: str, subjects: Sequence[Subject], measure: _Measure) -> Iterator[str]:
        labels = self._labels
        for begin in range(0, len(subjects), CHUNK):
            yield "".join(
                f"{name}{{{labels[subject.probe.id]}}} {value!r}\n"
                for subject in subjects[begin : begin + CHUNK]
                if (value := measure(subject)) is not None and subject.probe.id in labels
            )

    def _values(self, subjects: Sequence[Subject]) -> Iterator[str]:
        name, labels = "watchkeeper_probe_value", self._labels
        yield head(name, "gauge", "What the probe's last run measured, in the unit that the value's name ends in")
        for begin in range(0, len(subjects), CHUNK):
            yield "".join(
                f'{name}{{{labels[subject.probe.id]},value="{escaped(value)}"}} {float(number)!r}\n'
                for subject in subjects[begin : begin + CHUNK]
                if subject.sample is not None and subject.probe.id in labels
                for value, number in subject.sample.values.items()
            )


def _probe_labels(probe: Probe) -> str:
    return labels_text(probe=probe.id, service=probe.service, prober=probe.prober, category=probe.category.value)


def _alerts(watch: Watch) -> Iterator[str]:
    counts: Counter[tuple[str, AlertState]] = Counter()
    unanswered = 0
    for subject in watch.subjects.values():
        for binding in subject.bindings:
            if binding.alert.state is not AlertState.INACTIVE:
                counts[binding.rule.id, binding.alert.state] += 1
            unanswered += binding.alert.stalled_since_ms is not None
    yield family(
        "watchkeeper_alerts",
        "gauge",
        "Alerts that are pending or firing, by rule",
        (
            (labels_text(rule=rule.id, severity=rule.severity.value, state=state.value), counts[rule.id, state])
            for rule in watch.plan.rules.values()
            for state in (AlertState.PENDING, AlertState.FIRING)
        ),
    )
    yield family(
        "watchkeeper_alerts_stalled",
        "gauge",
        "Alerts pending or firing whose condition can not be told now: their clocks stand",
        [("", unanswered)],
    )
    yield family(
        "watchkeeper_reported_alerts",
        "gauge",
        "Alerts that fire as other systems report them, by source",
        ((labels_text(source=source), count) for source, count in watch.foreign.counts().items()),
    )
    yield family(
        "watchkeeper_evaluations_unanswered_total",
        "counter",
        "Evaluations of a rule that had no answer: they open and resolve nothing",
        [("", watch.unanswered_total)],
    )


def _incidents(watch: Watch) -> Iterator[str]:
    counts = Counter((incident.service, incident.severity) for incident in watch.incidents.values())
    keys = {(service, rule.severity) for service in watch.plan.services for rule in watch.plan.rules.values()}
    yield family(
        "watchkeeper_incidents_open",
        "gauge",
        "Incidents that are open",
        (
            (labels_text(service=service, severity=severity.value), counts[service, severity])
            for service, severity in sorted(keys | counts.keys())
        ),
    )


def _problems(reading: Reading, watch: Watch) -> str:
    services = sorted({*watch.plan.services, *(service for service, _ in reading.problems)})
    return family(
        "watchkeeper_problems_open",
        "gauge",
        "Problems that are not resolved, by state",
        (
            (labels_text(service=service, state=state.value), reading.problems.get((service, state), 0))
            for service in services
            for state in (ProblemState.OPEN, ProblemState.KNOWN_ERROR)
        ),
    )


def _tickets(watch: Watch) -> str:
    counts = Counter(
        (incident.service, incident.ticket_state or TicketState.OPEN) for incident in watch.incidents.values()
    )
    return family(
        "watchkeeper_incidents_by_ticket_state",
        "gauge",
        "Incidents that are open, by the state of their ticket as it was read last",
        (
            (labels_text(service=service, state=state.value), counts[service, state])
            for service in sorted({*watch.plan.services, *(service for service, _ in counts)})
            for state in TicketState
        ),
    )


def _engine(reading: Reading, watch: Watch) -> Iterator[str]:
    yield family(
        "watchkeeper_samples_total",
        "counter",
        "Runs that gave a sample, by its status",
        (
            (labels_text(prober=prober, status=status.value), reading.samples.get((prober, status), 0))
            for prober in sorted({probe.prober for probe in watch.plan.probes.values()})
            for status in Status
        ),
    )
    yield family("watchkeeper_probes", "gauge", "Probes that are watched", [("", len(watch.plan.probes))])
    yield family("watchkeeper_rules", "gauge", "Rules that are in force", [("", len(watch.plan.rules))])
    yield family("watchkeeper_runs_in_flight", "gauge", "Runs under way", [("", reading.runs_in_flight)])
    yield family("watchkeeper_runs_waiting", "gauge", "Runs that wait for their turn", [("", reading.runs_waiting)])
    yield family(
        "watchkeeper_store_effects_waiting",
        "gauge",
        "Changes that wait in memory for the database",
        [("", reading.effects_waiting)],
    )
    yield family(
        "watchkeeper_store_journal_decisions",
        "gauge",
        "Decisions that wait in the journal for the database: changes that belong together are one",
        [("", reading.decisions_journaled)],
    )
    yield family(
        "watchkeeper_rollups_waiting",
        "gauge",
        "Pieces of rollups that wait for the database",
        [("", reading.rollups_waiting)],
    )
    yield family(
        "watchkeeper_rollup_samples_dropped_total",
        "counter",
        "Samples that are in no rollup, because the database was away for too long",
        [("", reading.rollup_samples_dropped)],
    )
    yield from _outbox(reading)


def _outbox(reading: Reading) -> Iterator[str]:
    states = ("waiting", "in_flight", "rejected")
    depth = {(found.backend, found.state.value): found.count for found in reading.outbox}
    backends = sorted({*reading.backends, *(found.backend for found in reading.outbox)})
    oldest: dict[str, int] = {}
    for found in reading.outbox:
        oldest[found.backend] = min(found.oldest_ms, oldest.get(found.backend, found.oldest_ms))
    yield family(
        "watchkeeper_backend_up",
        "gauge",
        "1 while the ticket backend answers as it should, 0 when it did not the last time that it was asked",
        (
            (labels_text(backend=backend), int(backend not in reading.refusing))
            for backend in sorted(reading.backends)
        ),
    )
    yield family(
        "watchkeeper_outbox_depth",
        "gauge",
        "Ticket commands that are not delivered, by state",
        (
            (labels_text(backend=backend, state=state), depth.get((backend, state), 0))
            for backend in backends
            for state in states
        ),
    )
    yield family(
        "watchkeeper_outbox_oldest_age_seconds",
        "gauge",
        "Age of the oldest ticket command that is not delivered; 0 when there is none",
        (
            (
                labels_text(backend=backend),
                max(0.0, (reading.now_ms - oldest[backend]) / 1000) if backend in oldest else 0.0,
            )
            for backend in backends
        ),
    )
