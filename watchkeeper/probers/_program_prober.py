"""What probers have in common whose runs call other programs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Final

from watchkeeper.domain.probe import Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._program import Concluded, Interrupted, Work
from watchkeeper.probers._threads import Threads
from watchkeeper.probers.base import Finding, Runs, Stopping, sample

_PATIENCE_S: Final = 8.0  # for clearing up when the prober is closed


class ProgramProber:
    """A prober whose runs call programs: in a few threads of its own, each stopped when its time is over.

    Args:
        measure: does the work, and clears up after itself when it is interrupted.
        threads: how many runs may be under way at once.
        late: what a run is found to be that was not done in time, of the probe and what it was doing.
    """

    def __init__(
        self,
        clock: Clock,
        measure: Callable[[Probe, Work], Finding],
        threads: int = 2,
        late: Callable[[Probe, str], Finding] | None = None,
    ) -> None:
        self._clock = clock
        self._measure = measure
        self._late = late or _late
        self._threads = Threads(measure.__module__.rpartition(".")[2], threads)
        self._runs = Runs()
        self._calls: dict[str, tuple[object, Work, Future[Finding]]] = {}  # by probe: its options, and the call

    async def run(self, probe: Probe) -> Sample:
        """Performs the probe in a thread."""
        began = monotonic()
        try:
            finding = await self._find(probe)
        except Concluded as concluded:
            finding = concluded.finding
        except (Stopping, Interrupted):
            finding = Finding(Status.UNKNOWN, str(Stopping()))
        except OSError as error:
            where = f" at {error.filename}" if isinstance(error.filename, str) else ""
            finding = Finding(Status.UNKNOWN, f"could not look{where}: {error.strerror or error}")
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        """Stops what is under way, and gives it a moment to clear up."""
        self._runs.close()
        self._threads.close()
        under_way = []
        for _, work, call in self._calls.values():
            work.stop()
            if not call.done():
                under_way.append(asyncio.wrap_future(call))
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*under_way, return_exceptions=True), _PATIENCE_S)

    async def _find(self, probe: Probe) -> Finding:
        earlier = self._calls.get(probe.id)
        if earlier is not None and not earlier[2].done() and earlier[0] == probe.options:
            return Finding(Status.UNKNOWN, "an earlier run is not cleared up yet")
        work, call = Work(), None
        try:
            async with self._runs.within(probe.timeout_ms):
                call = self._threads.submit(partial(self._measure, probe, work))
                self._calls[probe.id] = probe.options, work, call
                return await asyncio.wrap_future(call)
        except TimeoutError:
            if call is None or call.cancelled():
                waited = format_duration_ms(probe.timeout_ms)
                return Finding(Status.UNKNOWN, f"could not begin within {waited}: runs of other probes take long")
            return self._late(probe, work.doing)
        finally:
            work.stop()
            if call is None or call.done():
                self._calls.pop(probe.id, None)


def _late(probe: Probe, doing: str) -> Finding:
    within = format_duration_ms(probe.timeout_ms)
    return Finding(Status.DOWN, f"{doing or 'what it did'} was not done within {within}")
