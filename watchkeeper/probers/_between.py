"""Counters that the kernel keeps, and what they grew by between two runs of a probe."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from watchkeeper.domain.probe import Probe

_BRIEF_S: Final = 0.2
_MOST_KEPT: Final = 10_000  # probes

Counters = Mapping[Any, float]
"""Numbers that only grow, by their names."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters, and the second of a clock that only grows when they were read."""

    at_s: float
    counters: Counters


@dataclass(frozen=True, slots=True)
class Growth:
    """What counters grew by in a time."""

    seconds: float
    by: Mapping[Any, float]

    def per_second(self, name: Any) -> float:
        return self.by[name] / self.seconds


class LastReadings:
    """The last reading of each probe. A first run has none: it reads twice, a fifth of a second apart.

    Args:
        clock: seconds that only grow.
        pause: lets a number of seconds pass.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._kept: dict[tuple[str, str], Reading] = {}

    def growth(self, probe: Probe, read: Callable[[], Counters]) -> Growth:
        """What counters grew by since the last run of this probe. One that is new is counted from zero.

        Where one went back, as when a network interface is made anew, the last run does not count.

        Raises:
            OSError: from `read`.
        """
        key = probe.id, repr(probe.options)
        now = Reading(self._clock(), read())
        last = self._kept.get(key)
        if last is None or now.at_s <= last.at_s or _went_back(last.counters, now.counters):
            self._pause(_BRIEF_S)
            last, now = now, Reading(self._clock(), read())
        if key not in self._kept and len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = now
        by = {name: max(0.0, count - last.counters.get(name, 0)) for name, count in now.counters.items()}
        return Growth(max(now.at_s - last.at_s, 1e-3), by)


def _went_back(last: Counters, now: Counters) -> bool:
    return any(count < last.get(name, 0) for name, count in now.items())
