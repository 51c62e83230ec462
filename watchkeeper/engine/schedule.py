"""The schedule: APScheduler fires slots of probes, never single ones."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from watchkeeper.domain.probe import Cron, Every, Probe
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_elapsed_ms
from watchkeeper.engine.slots import Slot, slot_of
from watchkeeper.schema.duetimes import CronTimes

CHECK_CLOCK_S: Final = 5.0
STEP_MS: Final = 1_000  # the wall clock is off by so much against the loop's: somebody set it, or all stood still

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_TICK: Final = timedelta(microseconds=1)

_log = structlog.get_logger("schedule")

Cohort = Slot | Cron
"""The probes that start together: those of a slot, or of one cron expression in one time zone."""


class Schedule:
    """Says when which probe is to be started. Lives on the event loop that it is started on.

    Args:
        start: starts a run of a probe.
        missed: hears that so many runs of a probe did not take place, when the first of them was due, and why.
        lag: hears how late a slot was fired, in seconds.
        alive: is called every few seconds while the event loop turns.
    """

    def __init__(
        self,
        clock: Clock,
        start: Callable[[Probe], None],
        missed: Callable[[Probe, int, int, str], None],
        lag: Callable[[float], None],
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._start = start
        self._missed = missed
        self._lag = lag
        self._alive = alive
        self._cohorts: dict[Cohort, dict[str, Probe]] = {}
        self._last_due: dict[Slot, int] = {}
        self._first_runs: set[asyncio.TimerHandle] = set()
        self._probes: Mapping[str, Probe] = {}
        self._clock_check: asyncio.TimerHandle | None = None
        self._clock_ahead_ms = 0.0  # the wall clock, against the loop's
        self._ended = False
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # On the loop itself: a job here only starts things.
            executors={"default": DebugExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    @property
    def running(self) -> bool:
        return bool(self._scheduler.running) and not self._ended

    def begin(self) -> None:
        self._scheduler.start()
        self._clock_ahead_ms = self._ahead_ms()
        self._check_clock_later()

    def end(self) -> None:
        """Starts nothing any more."""
        self._ended = True  # APScheduler shuts down only when the loop gets to it
        if self._clock_check is not None:
            self._clock_check.cancel()
        for timer in self._first_runs:
            timer.cancel()
        self._first_runs.clear()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def revise(self, probes: Mapping[str, Probe]) -> None:
        """Takes on other probes. Those that stay as they are keep their times."""
        before = self._probes
        self._probes = probes
        for probe_id, probe in before.items():
            if probes.get(probe_id) != probe:
                self._take_out(probe)
        early: dict[int, list[Probe]] = {}
        for probe_id, probe in probes.items():
            if before.get(probe_id) != probe:
                delay_ms = self._put_in(probe)
                if delay_ms is not None:
                    early.setdefault(delay_ms, []).append(probe)
        for delay_ms, some in early.items():
            self._run_early(some, delay_ms)

    def due(self) -> dict[Cohort, datetime]:
        """When each cohort is fired next."""
        return {job.args[0]: job.next_run_time for job in self._scheduler.get_jobs()}

    def fire(self, cohort: Cohort) -> None:
        """Starts every probe of a cohort."""
        if self._ended:
            return
        if isinstance(cohort, Slot):
            self._note_due(cohort)
        for probe in tuple(self._cohorts.get(cohort, {}).values()):
            self._start(probe)

    def check_clock(self) -> None:
        """Has everything fired at its right time again after the wall clock was set.

        APScheduler goes by the wall clock: one that is set back by an hour would silence every probe for an hour.
        """
        ahead_ms = self._ahead_ms()
        stepped_ms, self._clock_ahead_ms = ahead_ms - self._clock_ahead_ms, ahead_ms
        if abs(stepped_ms) < STEP_MS:
            return
        _log.warning("clock_stepped", by_s=round(stepped_ms / 1000, 1))
        if stepped_ms > 0:
            self._scheduler.wakeup()  # what is overdue now is fired now
            return
        for cohort in self._cohorts:
            self._scheduler.reschedule_job(repr(cohort), trigger=_trigger(cohort))

    def _ahead_ms(self) -> float:
        return self._clock() - asyncio.get_running_loop().time() * 1000

    def _check_clock_later(self) -> None:
        def check() -> None:
            self._alive()
            self._check_clock_later()
            self.check_clock()

        self._clock_check = asyncio.get_running_loop().call_later(CHECK_CLOCK_S, check)

    def _note_due(self, slot: Slot) -> None:
        now = self._clock()
        due = slot.last_due(now)
        self._lag((now - due) / 1000)
        last = self._last_due.get(slot, due - slot.interval_ms)
        skipped = (due - last) // slot.interval_ms - 1
        self._last_due[slot] = due
        if skipped > 0:
            stood = format_elapsed_ms(due - last)
            why = f"{skipped} run{'s' if skipped > 1 else ''} missed: the schedule stood still for {stood}"
            for probe in self._cohorts[slot].values():
                self._missed(probe, skipped, last + slot.interval_ms, why)

    def _put_in(self, probe: Probe) -> int | None:
        """Puts a probe into its cohort. Returns after how long it wants an early first run, if it does."""
        cohort = _cohort_of(probe)
        members = self._cohorts.setdefault(cohort, {})
        members[probe.id] = probe
        if len(members) == 1:
            self._scheduler.add_job(self.fire, _trigger(cohort), (cohort,), id=repr(cohort))
        return cohort.first_delay(probe.id, self._clock()) if isinstance(cohort, Slot) else None

    def _run_early(self, probes: Sequence[Probe], delay_ms: int) -> None:
        def start() -> None:
            self._first_runs.discard(timer)
            for probe in probes:
                if self._probes.get(probe.id) is probe:  # else it is gone, or another by now
                    self._start(probe)

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, start)
        self._first_runs.add(timer)

    def _take_out(self, probe: Probe) -> None:
        cohort = _cohort_of(probe)
        members = self._cohorts[cohort]
        del members[probe.id]
        if not members:
            del self._cohorts[cohort]
            if isinstance(cohort, Slot):
                self._last_due.pop(cohort, None)
            self._scheduler.remove_job(repr(cohort))


def _cohort_of(probe: Probe) -> Cohort:
    if isinstance(probe.schedule, Every):
        return slot_of(probe.id, probe.schedule.interval_ms)
    return probe.schedule


class _SlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler comes without types
    """When a slot is due, as APScheduler asks for it: one step, however long nothing was fired."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return _EPOCH + self._slot.next_due((now - _EPOCH) // _MS) * _MS


class _CronTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler comes without types
    def __init__(self, cron: Cron) -> None:
        self._times = CronTimes(cron.expression, cron.timezone)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        return self._times.next_after(now - _TICK if previous is None else max(previous, now - _TICK))


def _trigger(cohort: Cohort) -> BaseTrigger:
    return _CronTrigger(cohort) if isinstance(cohort, Cron) else _SlotTrigger(cohort)
