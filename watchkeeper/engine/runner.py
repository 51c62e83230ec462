"""Runs of probes: a bounded number at once and of each host, and of one probe never two."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from watchkeeper.domain.probe import Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.probers.base import Prober

TELL_EVERY_S: Final = 60.0  # how often missed runs are logged, however many there are

_log = structlog.get_logger("runner")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many runs may be under way at once: `runs` in all, `per_host` of one host."""

    runs: int = 2000
    per_host: int = 200


@dataclass(slots=True)
class _Run:
    """A run under way. `task` is not set while it waits for its turn.
    `began_s`: when it had its turn, by the loop's clock, which nobody sets."""

    probe: Probe
    began_s: float = 0.0
    task: asyncio.Task[None] | None = None


class Runner:
    """Performs probes. Lives on one event loop.

    A probe waits or runs once at most, so what is queued is bounded by the number of probes. Turns are given in the
    order of asking: nobody starves. A host that hangs holds up its own probes only.

    Args:
        prober: finds the prober of a type.
        observe: takes each sample, with the probe as it was when it ran. A run that did not take place gives one too.
        is_full: whether what a run finds could not be kept now: then runs are missed.
    """

    def __init__(
        self,
        clock: Clock,
        prober: Callable[[str], Prober],
        observe: Callable[[Probe, Sample], None],
        is_full: Callable[[], bool],
        limits: Limits = Limits(),
    ) -> None:
        self._clock = clock
        self._prober = prober
        self._observe = observe
        self._is_full = is_full
        self._limits = limits
        self._runs: dict[str, _Run] = {}
        self._waiting: deque[_Run] = deque()
        self._parked: dict[str, deque[_Run]] = {}  # those that wait for another of their host to end
        self._of_host: Counter[str] = Counter()
        self._in_flight = 0
        self._ending = False
        self._loop: asyncio.AbstractEventLoop | None = None  # asking for it each time costs a system call
        self._missed_in_row: Counter[str] = Counter()
        self._untold = 0
        self._told_s = -TELL_EVERY_S
        self.missed: Counter[str] = Counter()
        self.missed_total = 0  # those of probes that are gone included
        self.samples: Counter[tuple[str, Status]] = Counter()

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        return len(self._waiting) + sum(map(len, self._parked.values()))

    def start(self, probe: Probe) -> None:
        """Begins a run, now or when there is room. One that would overlap with the probe's last is missed."""
        if self._ending:
            return
        running = self._runs.get(probe.id)
        if running is not None:
            waits = running.task is None
            why = "too many runs are under way" if waits else "the run before has not ended"
            self.miss(probe, 1, self._clock(), f"a run was missed: {why}")
            self._end_stuck(running)
        elif self._is_full():
            self.miss(probe, 1, self._clock(), "a run was missed: too much waits for the database")
        else:
            run = self._runs[probe.id] = _Run(probe)
            self._admit(run)

    def miss(self, probe: Probe, count: int, at_ms: int, message: str) -> None:
        """Notes runs that did not take place: nothing is known of the probe from then on.

        Args:
            at_ms: when the first of them was due.
        """
        self.missed[probe.id] += count
        self.missed_total += count
        self._missed_in_row[probe.id] += count
        self._tell_missed(probe, count, message)
        in_row = self._missed_in_row[probe.id]
        self._hand_on(probe, Sample(probe.id, at_ms, Status.UNKNOWN, message=message, missed=in_row))

    def forget(self, probe_id: str) -> None:
        """The probe is gone: its run under way, if any, still ends, and nobody asks for what it missed."""
        self.missed.pop(probe_id, None)
        self._missed_in_row.pop(probe_id, None)

    async def end(self) -> None:
        """Ends all runs, and begins none any more."""
        self._ending = True
        self._waiting.clear()
        self._parked.clear()
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runs.clear()

    def _admit(self, run: _Run) -> None:
        """Gives a run its turn, or a place to wait for it."""
        host = run.probe.host
        if host and self._of_host[host] >= self._limits.per_host:
            self._parked.setdefault(host, deque()).append(run)
        elif self._in_flight >= self._limits.runs:
            self._waiting.append(run)
        else:
            self._launch(run)

    def _launch(self, run: _Run) -> None:
        self._in_flight += 1
        if run.probe.host:
            self._of_host[run.probe.host] += 1
        loop = self._loop = self._loop or asyncio.get_running_loop()
        run.began_s = loop.time()
        run.task = loop.create_task(self._perform(run.probe))

    async def _perform(self, probe: Probe) -> None:
        try:
            sample = await self._prober(probe.prober).run(probe)
        except asyncio.CancelledError:
            if self._ending:
                raise
            sample = Sample(probe.id, self._clock(), Status.UNKNOWN, message="the prober did not keep its deadline")
        except Exception:  # noqa: BLE001  # a prober's bug: logged with its trace, and the probe is unknown
            _log.exception("prober_failed", probe=probe.id, prober=probe.prober)
            sample = Sample(probe.id, self._clock(), Status.UNKNOWN, message="the prober failed; see the log")
        finally:
            self._make_room(probe)
        self.samples[probe.prober, sample.status] += 1
        if self._missed_in_row:
            self._missed_in_row.pop(probe.id, None)
        self._hand_on(probe, sample)

    def _make_room(self, probe: Probe) -> None:
        self._runs.pop(probe.id, None)
        self._in_flight -= 1
        if host := probe.host:
            self._of_host[host] -= 1
            if not self._of_host[host]:
                del self._of_host[host]
            if parked := self._parked.get(host):
                self._admit(parked.popleft())
                if not parked:
                    del self._parked[host]
        while self._waiting and self._in_flight < self._limits.runs:
            self._admit(self._waiting.popleft())

    def _hand_on(self, probe: Probe, sample: Sample) -> None:
        try:
            self._observe(probe, sample)
        except Exception:  # noqa: BLE001  # a bug in evaluation: logged with its trace; other probes go on
            _log.exception("evaluation_failed", probe=probe.id)

    def _tell_missed(self, probe: Probe, count: int, message: str) -> None:
        self._untold += count
        loop = self._loop = self._loop or asyncio.get_running_loop()
        if loop.time() - self._told_s >= TELL_EVERY_S:
            _log.warning("runs_missed", runs=self._untold, latest_probe=probe.id, reason=message)
            self._untold, self._told_s = 0, loop.time()

    def _end_stuck(self, run: _Run) -> None:
        """A prober keeps its own deadline. Where one does not, the run is ended when it has had its time twice."""
        if run.task is None or self._loop is None:
            return
        if self._loop.time() - run.began_s > 2 * run.probe.timeout_ms / 1000:
            _log.error("run_stuck", probe=run.probe.id, prober=run.probe.prober)
            run.task.cancel()
