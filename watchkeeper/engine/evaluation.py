"""Evaluation: samples and clocks go to the watch, what follows from them to the recorder and into the log."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from watchkeeper.domain.article import Source
from watchkeeper.domain.effect import (
    Effect,
    Happening,
    IncidentChanged,
    ProblemChanged,
    ProblemHappening,
    ReportChanged,
)
from watchkeeper.domain.expected import Window
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.knowledge import Shelf
from watchkeeper.domain.probe import Probe, Sample
from watchkeeper.domain.problem import ProblemState
from watchkeeper.domain.problems import Problems
from watchkeeper.domain.report import Report
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import ProblemSeen, TicketSeen
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.domain.window import Points
from watchkeeper.engine.between import Between
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.schedule import CHECK_CLOCK_S
from watchkeeper.engine.telling import tell

STOOD_STILL_MS: Final = 3_000 + round(CHECK_CLOCK_S * 1000)


class Evaluation:
    """Moves the watch on, on one event loop.

    Args:
        record: takes what follows, in order.
        problems: follow what happens to incidents; `None` where nobody asks.
    """

    def __init__(
        self,
        watch: Watch,
        clock: Clock,
        record: Callable[[Sequence[Effect]], None],
        figures: Figures,
        problems: Problems | None = None,
    ) -> None:
        self.watch = watch
        self._problems = problems
        self._clock = clock
        self._record = record
        self._figures = figures
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_ms = 0
        self._ended = False
        self._alive_ms = clock()
        self._between = Between()
        for incident in watch.incidents.values():
            self._expect(incident)

    def note_alive(self) -> None:
        """To be called every few seconds. Time in which that did not happen is nobody's silence: the machine slept,
        the process was stopped, or somebody set the clock."""
        now = self._clock()
        stood_ms, self._alive_ms = now - self._alive_ms, now
        if stood_ms > STOOD_STILL_MS:
            self.watch.stood_still(stood_ms)
        elif stood_ms < -STOOD_STILL_MS:
            self.watch.set_back(now)

    def observe(self, probe: Probe, sample: Sample) -> None:
        """Takes in a sample of a probe, as it was when it ran. One that has become another since is passed over."""
        subject = self.watch.subjects.get(probe.id)
        if sample.at_ms - self._alive_ms > STOOD_STILL_MS:
            self.note_alive()
        if subject is not None and (subject.probe is probe or subject.probe == probe):
            self._hand_on(self.watch.observe(sample))

    def advance(self) -> None:
        """Serves the clocks of alerts that have run out."""
        self._timer = None
        if self._clock() - self._alive_ms > STOOD_STILL_MS:
            self.note_alive()
        self._hand_on(self.watch.advance(self._clock()))

    def revise(self, plan: Plan) -> None:
        """Takes on another plan."""
        if self._problems is not None:
            self._problems.revise(plan)
        self._hand_on(self.watch.revise(plan, self._clock()))

    def fill(self, probe_id: str, history: Mapping[str, Points]) -> None:
        """Fills the window of a probe from its history."""
        self._hand_on(self.watch.fill(probe_id, history, self._clock()))

    def expect(self, windows: Sequence[Window]) -> None:
        """Takes in the windows in which trouble is expected."""
        self._hand_on(self.watch.expect(windows, self._clock()))

    def learn(self, shelves: Mapping[Source, Shelf]) -> None:
        """Takes in what is known now, of some sources."""
        self.watch.learn(shelves)

    def tickets_seen(self, seen: Iterable[TicketSeen]) -> None:
        """Takes in what was read of tickets."""
        self._hand_on([effect for one in seen for effect in self.watch.ticket_seen(one)])

    def reopening_refused(self, incident_id: int, why: str) -> None:
        """Takes in that a backend does not open a ticket again."""
        self._hand_on(self.watch.reopening_refused(incident_id, why, self._clock()))

    def problem_seen(self, seen: ProblemSeen) -> None:
        """Takes in what was read of a problem's ticket."""
        if self._problems is not None:
            self._hand_on(self._problems.seen(seen))

    def problem_reopening_refused(self, problem_id: int, why: str) -> None:
        """Takes in that a backend does not open a problem's ticket again."""
        if self._problems is not None:
            self._hand_on(self._problems.refused(problem_id, why, self._clock()))

    def reported(self, report: Report) -> bool:
        """Takes in what a source reports. Whether that was news.

        Raises:
            TooManyAlerts: of that source no more are taken.
        """
        effects = self.watch.report(report, self._clock())
        self._hand_on(effects)
        # Clocks that have run out may have changed others.
        changed = (effect.report for effect in effects if isinstance(effect, ReportChanged))
        return any((one.source, one.key) == (report.source, report.key) for one in changed)

    def end(self) -> None:
        """Serves no clocks any more."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def problem_backends(self) -> list[str]:
        """The backend of each problem that is not resolved."""
        return [] if self._problems is None else [problem.backend for problem in self._problems.open]

    def problem_counts(self) -> Mapping[tuple[str, ProblemState], int]:
        """How many problems there are that are not resolved, by service and state."""
        return Counter((one.service, one.state) for one in (self._problems.open if self._problems else ()))

    def followed(self, effects: Sequence[Effect]) -> Sequence[Effect]:
        """Effects, and behind them what they make of problems."""
        return effects if self._problems is None else [*effects, *self._problems.following(effects)]

    def _hand_on(self, effects: Sequence[Effect]) -> None:
        effects = self.followed(effects)
        if effects:
            self._record(effects)  # before it is told: a log that can not be written must not cost a ticket
        self._set_timer()
        for effect in effects:
            if isinstance(effect, IncidentChanged):
                self._count(effect)
            if isinstance(effect, ProblemChanged):
                self._count_problem(effect)
            tell(effect)

    def _count(self, effect: IncidentChanged) -> None:
        incident, figures = effect.incident, self._figures
        labels = incident.service, incident.severity
        since_opened_s = max(0, effect.at_ms - incident.opened_ms) / 1000
        if effect.happening is Happening.OPENED:
            figures.incidents_opened.labels(*labels).inc()
            since = self._between.opened(incident)
            if since.failure_s is not None:
                figures.between_failures.labels(incident.service).observe(since.failure_s)
            figures.incidents_repeated.labels(*labels).inc(since.is_repeat)
            self._expect(incident)
        elif effect.happening is Happening.ESCALATED:
            self._expect(incident)
        elif effect.happening is Happening.ACKNOWLEDGED:
            figures.acknowledge.labels(*labels).observe(since_opened_s)
        elif effect.happening is Happening.RESOLVED:
            figures.incidents_resolved.labels(*labels).inc()
            figures.resolve.labels(*labels).observe(since_opened_s)
        elif effect.happening is Happening.MERGED:
            figures.incidents_resolved.labels(*labels).inc()  # and took no time of its own

    def _count_problem(self, effect: ProblemChanged) -> None:
        if effect.happening is ProblemHappening.OPENED:
            self._figures.problems_opened.labels(effect.problem.service).inc()
        elif effect.happening in (ProblemHappening.RECURRED, ProblemHappening.REOPENED):
            self._figures.problems_recurred.labels(effect.problem.service).inc()

    def _expect(self, incident: Incident) -> None:
        """Shows at zero what an open incident will be counted in: what appears at one has not increased by one."""
        for figure in (self._figures.acknowledge, self._figures.resolve):
            figure.labels(incident.service, incident.severity)

    def _set_timer(self) -> None:
        due = self.watch.next_deadline()
        if due is None or self._ended or (self._timer is not None and self._timer_due_ms <= due):
            return  # an earlier timer looks again when it fires
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # nothing runs yet, or the clocks are moved by hand
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due_ms = due
        self._timer = loop.call_later(max(0, due - self._clock()) / 1000, self.advance)
