"""Stored history as points of a window: what a restart would otherwise forget."""

from collections.abc import Iterable

from watchkeeper.domain.rollup import RollupEntry
from watchkeeper.domain.window import Points


def points_of(entries: Iterable[RollupEntry]) -> Points:
    """As many points as there were samples, spread evenly over the minute or hour that each entry is of.

    They have the same count, sum, minimum and maximum as the samples; which was when within the entry is lost.
    """
    times: list[int] = []
    values: list[float] = []
    for entry in sorted(entries):
        step = entry.span_ms / entry.samples
        times += [entry.from_ms + round(step * (n + 0.5)) for n in range(entry.samples)]
        values += _values(entry)
    return Points(times, values)


def _values(entry: RollupEntry) -> list[float]:
    if entry.samples == 1:
        return [entry.mean]
    others = entry.samples - 2
    ends = [entry.min, entry.max]
    return [*ends, *[(entry.sum - entry.min - entry.max) / others] * others] if others else ends
