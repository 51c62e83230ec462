"""Rollups: what a probe's numbers were, minute by minute and hour by hour.

Samples of one probe that have the same names of values share a *track*. What happened on a track in one period (the
minutes of an hour, the hours of a quarter day) is a *chunk*. How chunks are written in few bytes: see `chunk`.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from operator import mul
from typing import Final, NamedTuple

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS


class RollupEntry(NamedTuple):
    """What one series was in one minute or hour: `span_ms` from `from_ms` (ms since the epoch)."""

    from_ms: int
    span_ms: int
    samples: int
    min: float
    max: float
    mean: float

    @property
    def sum(self) -> float:
        return self.mean * self.samples


class Row(NamedTuple):
    """Some samples of a track taken together: how many, and of each series the least, the greatest, the mean."""

    samples: int
    lows: Sequence[float]
    highs: Sequence[float]
    means: Sequence[float]


Chunk = dict[int, Row]
"""The rows of one period by their position in it: minutes of an hour (0 to 59), hours of a quarter day (0 to 5)."""


def combine(one: Row, other: Row) -> Row:
    """The samples of both, taken together."""
    count = one.samples + other.samples
    means = [
        (mean * one.samples + more * other.samples) / count for mean, more in zip(one.means, other.means, strict=True)
    ]
    return Row(count, list(map(min, one.lows, other.lows)), list(map(max, one.highs, other.highs)), means)


def merge(into: Chunk, more: Mapping[int, Row]) -> None:
    """Adds rows of the same track and period. What stands at one position is taken together."""
    for position, row in more.items():
        there = into.get(position)
        into[position] = row if there is None else combine(there, row)


def total(rows: Sequence[Row]) -> Row:
    """All of some rows, at least one, taken together."""
    if len(rows) == 1:
        return rows[0]
    counts, lows, highs, means = zip(*rows, strict=True)
    count = sum(counts)
    return Row(
        count,
        list(map(min, *lows)),
        list(map(max, *highs)),
        [sum(map(mul, counts, column)) / count for column in zip(*means, strict=True)],
    )


def roll_up(width: int, samples: "array[float]") -> Iterator[tuple[int, int, Chunk]]:
    """Chunks of minutes of the samples of one track.

    Args:
        width: how many series the track has.
        samples: one after the other: the time (ms since the epoch), then a value of each series; all finite as
            32-bit floats (see `finite`). In any order of time.

    Returns:
        For each hour: its number since the epoch, the time of its first sample, its rows.
    """
    stride = width + 1
    times = samples[::stride]
    minutes = [int(at_ms) // MINUTE_MS for at_ms in times]
    numbers = array("f", samples)
    hours: dict[int, tuple[int, Chunk]] = {}
    begin, count = 0, len(minutes)
    while begin < count:
        minute = minutes[begin]
        end = begin + 1
        while end < count and minutes[end] == minute:
            end += 1
        row = _row(numbers[begin * stride : end * stride], stride)
        hour, position = divmod(minute, 60)
        _, chunk = hours.setdefault(hour, (int(times[begin]), {}))
        there = chunk.get(position)
        chunk[position] = row if there is None else combine(there, row)
        begin = end
    for hour, (first_ms, chunk) in hours.items():
        yield hour, first_ms, chunk


def _row(numbers: "array[float]", stride: int) -> Row:
    count = len(numbers) // stride
    if count == 1:
        only = numbers[1:]
        return Row(1, only, only, only)
    if count == 2:  # most often, and quicker so
        one, other = numbers[1:stride], numbers[stride + 1 :]
        means = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
        return Row(2, list(map(min, one, other)), list(map(max, one, other)), means)
    columns = [numbers[begin::stride] for begin in range(1, stride)]
    return Row(count, list(map(min, columns)), list(map(max, columns)), [sum(column) / count for column in columns])


def finite(names: tuple[str, ...], samples: "array[float]") -> Mapping[tuple[str, ...], "array[float]"]:
    """Samples by the names of those of their values that are finite as 32-bit floats; the others are left out.

    Samples stand as in `roll_up`, before and after.
    """
    if isfinite(sum(array("f", samples))):
        return {names: samples}
    stride = len(names) + 1
    found: dict[tuple[str, ...], array[float]] = {}
    for begin in range(0, len(samples), stride):
        values = samples[begin + 1 : begin + stride]
        good = [n for n, value in enumerate(array("f", values)) if isfinite(value)]
        if good:
            kept = found.setdefault(tuple(names[n] for n in good), array("d"))
            kept.append(samples[begin])
            kept.extend(values[n] for n in good)
    return found
