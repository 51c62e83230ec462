"""What the functions of rules compute, over plain sequences of numbers.

They mean what PromQL's functions of the same name mean; docs/explanation/how-functions-count.md has the formulas.
Sums are `fsum`'s, which are right to the last bit, and everything else is counted from a point of the series itself,
so that small changes of large numbers are not lost.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import floor, fsum, isfinite, nan, sqrt
from operator import mul
from typing import NamedTuple


class Unanswerable(Exception):
    """A rule's question has no answer now: no data yet, a value that the sample lacks, a division by zero."""


class Points(NamedTuple):
    """Times (ms since the epoch, ascending) and the values at these times."""

    times: Sequence[int]
    values: Sequence[float]


class Line(NamedTuple):
    """A straight line through time: `value` at the time it was fitted for, `slope` per second."""

    value: float
    slope: float


def total(values: Sequence[float]) -> float:
    """The sum. As floats have it: infinite where it is too large, not a number where infinities cancel out."""
    try:
        return fsum(values)
    except (OverflowError, ValueError):
        return float(sum(values))


def dot(one: Iterable[float], other: Iterable[float]) -> float:
    """The sum of products. Not a number where that can not be told."""
    try:
        return fsum(map(mul, one, other))
    except (OverflowError, ValueError):
        return nan


def average(values: Sequence[float]) -> float:
    count = len(values)
    try:
        return fsum(values) / count
    except (OverflowError, ValueError):
        return float(sum(value / count for value in values))


def deviation(values: Sequence[float]) -> float:
    """The population standard deviation.

    Raises:
        Unanswerable: the values are too large to be squared.
    """
    base = values[0]
    off = [value - base for value in values]
    mean = total(off) / len(off)
    off = [value - mean for value in off]
    return finite(sqrt(dot(off, off) / len(off)))


def quantile(q: float, values: Sequence[float]) -> float:
    """The q-quantile (0 to 1) with linear interpolation between ranks.

    Raises:
        Unanswerable: q is outside 0 to 1.
    """
    if not 0 <= q <= 1:
        raise Unanswerable(f"a quantile is between 0 and 1, not {q}")
    ranked = sorted(values)
    rank = q * (len(ranked) - 1)
    low = floor(rank)
    high = min(low + 1, len(ranked) - 1)
    weight = rank - low
    return ranked[low] * (1 - weight) + ranked[high] * weight if weight else ranked[low]


def resets(values: Sequence[float]) -> list[float]:
    """What a counter stood at each time before it fell."""
    return [before for before, after in pairwise(values) if after < before]


def increase(values: Sequence[float]) -> float:
    """How much a counter grew, counting a fall as a reset to zero. No extrapolation to the window's edges."""
    return total([values[-1], -values[0], *resets(values)])


def rate(points: Points) -> float:
    """A counter's growth per second between the first and the last point."""
    return increase(points.values) / elapsed_s(points.times)


def elapsed_s(times: Sequence[int]) -> float:
    """From the first to the last, in seconds.

    Raises:
        Unanswerable: that is no time at all.
    """
    if times[-1] == times[0]:
        raise Unanswerable("all samples in the window have the same time")
    return (times[-1] - times[0]) / 1000


def fit(points: Points, now_ms: int) -> Line:
    """Simple linear regression by least squares.

    Raises:
        Unanswerable: all points stand at one time, or are too large to be multiplied.
    """
    elapsed_s(points.times)
    count = len(points.times)
    begin, base = points.times[0], points.values[0]
    xs = [at_ms - begin for at_ms in points.times]  # whole numbers: their sums are exact
    ys = [value - base for value in points.values]
    sum_x, sum_y = sum(xs), total(ys)
    slope = (count * dot(xs, ys) - sum_x * sum_y) / (count * sum(map(mul, xs, xs)) - sum_x * sum_x)
    return line_through(begin, base, sum_x / count, sum_y / count, slope, now_ms)


def line_through(begin: int, base: float, mean_x: float, mean_y: float, slope: float, now_ms: int) -> Line:
    """The line of a slope (per ms) that passes through the means, which count from `begin` (ms) and `base`.

    Raises:
        Unanswerable: it is not finite.
    """
    value = base + (mean_y + slope * ((now_ms - begin) - mean_x))
    return Line(finite(value), finite(slope * 1000))


def time_to(limit: float, line: Line) -> float:
    """Seconds until the line reaches the limit: 0 when it is there already, infinity when it never gets there."""
    if line.value >= limit:
        return 0.0
    return (limit - line.value) / line.slope if line.slope > 0 else float("inf")


def finite(number: float) -> float:
    """The number.

    Raises:
        Unanswerable: it is not finite.
    """
    if not isfinite(number):
        raise Unanswerable("the samples in the window are too large to compute with")
    return number
