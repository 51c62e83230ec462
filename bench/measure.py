"""One measurement: a side at work for a while."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep

from bench import kernel
from bench.sides import Side
from bench.target import Target


@dataclass(frozen=True, slots=True)
class Window:
    """What a side did and took in a while. `others_cores`: what everybody else took, whom nobody asked."""

    seconds: float
    checks: int
    checks_per_s: float
    cpu_s: float
    cpu_ms_per_check: float
    pss_mb: float
    others_cores: float


def window(side: Side, target: Target, seconds: float, *, count: Callable[[], int] | None = None) -> Window:
    """Measures a side for so many seconds.

    Args:
        count: says how many checks were made so far; if not given, the target is asked.
    """
    count = count or target.requests
    checks, others = count(), Others(side, target)
    cpu, began = kernel.cpu_s(side.pids), monotonic()
    sleep(seconds)
    cpu, took = kernel.cpu_s(side.pids) - cpu, monotonic() - began
    checks = count() - checks
    others_cores = others.cores()
    side.check_alive()
    return Window(
        seconds=round(took, 3),
        checks=checks,
        checks_per_s=round(checks / took, 1),
        cpu_s=round(cpu, 4),
        cpu_ms_per_check=round(1000 * cpu / checks, 5) if checks else 0.0,
        pss_mb=round(kernel.pss_mb(side.pids), 1),
        others_cores=others_cores,
    )


class Others:
    """What processes use that have nothing to do with the benchmark, from when this is made."""

    def __init__(self, side: Side, target: Target) -> None:
        self._pids = [*side.pids, target.pid]
        self._began = monotonic()
        self._before_s = self._used_s()

    def cores(self) -> float:
        """On average so far."""
        return round(max(0.0, (self._used_s() - self._before_s) / (monotonic() - self._began)), 3)

    def _used_s(self) -> float:
        own = os.times()
        return kernel.busy_s() - kernel.cpu_s(self._pids) - own.user - own.system
