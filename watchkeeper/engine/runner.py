"""Runs of probes: a bounded number at once, and of one probe never two."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from watchkeeper.domain.probe import Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.probers.base import Prober

MAX_IN_FLIGHT: Final = 1000

_log = structlog.get_logger("runner")


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
    order of asking: nobody starves.

    Args:
        prober: finds the prober of a type.
        observe: takes each sample.
        is_full: whether what a run finds could not be kept now: then runs are missed.
        most: how many runs may be under way at once.
    """

    def __init__(
        self,
        clock: Clock,
        prober: Callable[[str], Prober],
        observe: Callable[[Sample], None],
        is_full: Callable[[], bool],
        most: int = MAX_IN_FLIGHT,
    ) -> None:
        self._clock = clock
        self._prober = prober
        self._observe = observe
        self._is_full = is_full
        self._most = most
        self._runs: dict[str, _Run] = {}
        self._waiting: deque[_Run] = deque()
        self._in_flight = 0
        self._ending = False
        self._loop: asyncio.AbstractEventLoop | None = None  # asking for it each time costs a system call
        self.missed: Counter[str] = Counter()
        self.samples: Counter[tuple[str, Status]] = Counter()

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def start(self, probe: Probe) -> None:
        """Begins a run, now or when there is room. One that would overlap with the probe's last is missed."""
        if self._ending:
            return
        running = self._runs.get(probe.id)
        if running is not None:
            self.miss(probe, 1)
            self._end_stuck(running)
            return
        if self._is_full():
            self.miss(probe, 1)
            return
        run = self._runs[probe.id] = _Run(probe)
        if self._in_flight < self._most:
            self._launch(run)
        else:
            self._waiting.append(run)

    def miss(self, probe: Probe, count: int) -> None:
        """Notes runs that did not take place."""
        self.missed[probe.id] += count

    def forget(self, probe_id: str) -> None:
        """The probe is gone: its run under way, if any, still ends, and nobody asks for what it missed."""
        self.missed.pop(probe_id, None)

    async def end(self) -> None:
        """Ends all runs, and begins none any more."""
        self._ending = True
        self._waiting.clear()
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runs.clear()

    def _launch(self, run: _Run) -> None:
        self._in_flight += 1
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
            self._in_flight -= 1
            self._runs.pop(probe.id, None)
            self._launch_waiting()
        self.samples[probe.prober, sample.status] += 1
        try:
            self._observe(sample)
        except Exception:  # noqa: BLE001  # a bug in evaluation: logged with its trace; other probes go on
            _log.exception("evaluation_failed", probe=probe.id)

    def _launch_waiting(self) -> None:
        while self._waiting and self._in_flight < self._most:
            self._launch(self._waiting.popleft())

    def _end_stuck(self, run: _Run) -> None:
        """A prober keeps its own deadline. Where one does not, the run is ended when it has had its time twice."""
        if run.task is None or self._loop is None:
            return
        if self._loop.time() - run.began_s > 2 * run.probe.timeout_ms / 1000:
            _log.error("run_stuck", probe=run.probe.id, prober=run.probe.prober)
            run.task.cancel()
