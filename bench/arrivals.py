"""When probes arrived at the target, from nginx's log: what a run's lateness is when one looks from outside."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import sleep

from bench.sides.watchkeeper import probe_id

_EARLY_MS = 25  # nginx's clock stands while it serves a batch: an arrival may seem that much too early


@dataclass(frozen=True, slots=True)
class Arrival:
    at_ms: float
    status: int
    number: int  # of the probe


class Log:
    """Reads what was added since it was made."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begin = file.stat().st_size if file.exists() else 0

    def read(self) -> list[Arrival]:
        sleep(1)  # until nginx has written what it holds
        with self._file.open("rb") as lines:
            lines.seek(self._begin)
            return [_arrival(line.split()) for line in lines if line.count(b" ") == 2 and line.endswith(b"\n")]


def lateness_ms(arrivals: Sequence[Arrival], every_s: int) -> list[float]:
    """How long after it was due each run arrived. Empty when it can not be told when runs are due."""
    if (due_phase := _due_phase(every_s)) is None:
        return []
    every_ms = every_s * 1000
    phases: dict[int, int] = {}
    late = []
    for arrival in arrivals:
        number = arrival.number
        if number not in phases:
            phases[number] = due_phase(number)
        by = (arrival.at_ms - phases[number]) % every_ms
        late.append(max(0.0, by - every_ms) if by > every_ms - _EARLY_MS else by)
    return late


def longest_gap_s(arrivals: Sequence[Arrival], begin_ms: float, end_ms: float, count: int) -> float:
    """The longest time that any of `count` probes was not seen. Beyond two intervals a run was lost, or late by more
    than one interval."""
    seen: dict[int, list[float]] = defaultdict(list)
    for arrival in arrivals:
        seen[arrival.number].append(arrival.at_ms)
    longest = 0.0
    for number in range(count):
        times = sorted((begin_ms, *(at for at in seen[number] if begin_ms < at < end_ms), end_ms))
        longest = max(longest, *(after - before for before, after in itertools.pairwise(times)))
    return longest / 1000


def percentile(numbers: Sequence[float], percent: int) -> float:
    """Of any numbers; 0 when there are none."""
    if len(numbers) < 2:
        return numbers[0] if numbers else 0.0
    return quantiles(numbers, n=100, method="inclusive")[percent - 1]


def _arrival(words: Sequence[bytes]) -> Arrival:
    at_s, status, uri = words
    return Arrival(float(at_s) * 1000, int(status), int(uri.rpartition(b"/")[2]))


def _due_phase(every_s: int) -> Callable[[int], int] | None:
    """Where in its interval a probe is due: the one thing that is asked of watchkeeper's own code."""
    try:
        from watchkeeper.engine.slots import slot_of
    except ImportError:
        return None
    return lambda number: slot_of(probe_id(number), every_s * 1000).phase_ms
