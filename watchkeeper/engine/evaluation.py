"""Evaluation: samples and clocks go to the watch, what follows from them to the recorder and into the log."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog

from watchkeeper.domain.alert import AlertState
from watchkeeper.domain.effect import AlertChanged, Effect, Happening, IncidentChanged, StatusChanged
from watchkeeper.domain.probe import Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import TicketSeen
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.domain.window import Points
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.schedule import CHECK_CLOCK_S

STOOD_STILL_MS: Final = 3_000 + round(CHECK_CLOCK_S * 1000)

_log = structlog.get_logger("watch")

_ALERT_EVENTS = {
    AlertState.PENDING: "alert_pending",
    AlertState.FIRING: "alert_firing",
    AlertState.INACTIVE: "alert_over",
}


class Evaluation:
    """Moves the watch on, on one event loop.

    Args:
        record: takes what follows, in order.
    """

    def __init__(
        self, watch: Watch, clock: Clock, record: Callable[[Sequence[Effect]], None], figures: Figures
    ) -> None:
        self.watch = watch
        self._clock = clock
        self._record = record
        self._figures = figures
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_ms = 0
        self._ended = False
        self._alive_ms = clock()

    def note_alive(self) -> None:
        """To be called every few seconds. Time in which that did not happen is nobody's silence: the machine slept,
        the process was stopped, or somebody set the clock."""
        now = self._clock()
        stood_ms, self._alive_ms = now - self._alive_ms, now
        if stood_ms > STOOD_STILL_MS:
            self.watch.stood_still(stood_ms)

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
        self._hand_on(self.watch.revise(plan, self._clock()))

    def fill(self, probe_id: str, history: Mapping[str, Points]) -> None:
        """Fills the window of a probe from its history."""
        self._hand_on(self.watch.fill(probe_id, history, self._clock()))

    def tickets_seen(self, seen: Iterable[TicketSeen]) -> None:
        """Takes in what was read of tickets."""
        self._hand_on([effect for one in seen for effect in self.watch.ticket_seen(one)])

    def reopening_refused(self, incident_id: int, why: str) -> None:
        """Takes in that a backend does not open a ticket again."""
        self._hand_on(self.watch.reopening_refused(incident_id, why, self._clock()))

    def end(self) -> None:
        """Serves no clocks any more."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def _hand_on(self, effects: Sequence[Effect]) -> None:
        if effects:
            self._record(effects)  # before it is told: a log that can not be written must not cost a ticket
        self._set_timer()
        for effect in effects:
            if isinstance(effect, IncidentChanged):
                self._count(effect)
            _tell(effect)

    def _count(self, effect: IncidentChanged) -> None:
        incident = effect.incident
        if effect.happening is Happening.OPENED:
            self._figures.incidents_opened.labels(incident.service, incident.severity).inc()
        elif effect.happening is Happening.RESOLVED:
            self._figures.incidents_resolved.labels(incident.service, incident.severity).inc()

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


_LEVELS = {
    Happening.OPENED: "warning",
    Happening.ESCALATED: "warning",
    Happening.FLAPPING: "warning",
    Happening.RETURNED: "debug",
}


def _tell(effect: Effect) -> None:
    """One log event for each change that an operator would want to know of."""
    if isinstance(effect, StatusChanged):
        first_good = effect.before is None and effect.status is Status.UP
        tell = _log.info if effect.status is Status.UP else _log.warning
        (_log.debug if first_good else tell)(
            "probe_status_changed",
            probe=effect.probe_id,
            service=effect.service,
            status=effect.status.value,
            before=None if effect.before is None else effect.before.value,
            message=effect.message,
        )
    elif isinstance(effect, AlertChanged):
        if effect.before.state is not effect.after.state:
            rule, probe = effect.after.ref
            _log.info(_ALERT_EVENTS[effect.after.state], rule=rule, probe=probe, reason=effect.reason)
    elif isinstance(effect, IncidentChanged):
        incident = effect.incident
        tell = getattr(_log, _LEVELS.get(effect.happening, "info"))
        tell(
            f"incident_{effect.happening}",
            incident=incident.number,
            service=incident.service,
            severity=incident.severity.value,
            title=incident.title,
            text=effect.text,
        )
