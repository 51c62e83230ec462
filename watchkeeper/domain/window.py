"""A probe's recent samples, as far back as any rule asks, and the functions that rules apply to them.

The functions follow PromQL's of the same meaning: a window of length W at time T holds what happened in (T - W, T].
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import floor, isnan
from operator import mul
from typing import NamedTuple

from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.units import format_duration_ms

DURATION = "duration"  # the name under which a run's duration stands beside the prober's values


class Unanswerable(Exception):
    """A rule's question has no answer now: no data yet, a value that the sample lacks, a division by zero."""


class Points(NamedTuple):
    """Times (ms since the epoch, ascending) and the values at these times."""

    times: Sequence[int]
    values: Sequence[float]


class Ring:
    """Times and values of one series, forgetting what is older than its span. Appending is O(1), amortised.

    Args:
        span_ms: more than zero.
    """

    __slots__ = ("_head", "_times", "_values", "span_ms")

    def __init__(self, span_ms: int) -> None:
        self.span_ms = span_ms
        self._times = array("q")
        self._values = array("d")
        self._head = 0

    def __len__(self) -> int:
        return len(self._times) - self._head

    def append(self, at_ms: int, value: float) -> None:
        """Adds a point. Points at or after its time are dropped: the clock was set back, they have not been yet."""
        times = self._times
        if times and at_ms <= times[-1]:
            keep = bisect_left(times, at_ms, lo=self._head)
            del times[keep:]
            del self._values[keep:]
        times.append(at_ms)
        self._values.append(value)
        oldest = at_ms - self.span_ms
        head = self._head
        while times[head] <= oldest:
            head += 1
        if head > 32 and head > len(times) // 2:
            del times[:head]
            del self._values[:head]
            head = 0
        self._head = head

    def put_before(self, points: "Points") -> None:
        """Adds older points. Those that are not older than what is there are dropped."""
        head = self._head
        end = bisect_left(points.times, self._times[head]) if len(self) else len(points.times)
        self._times = array("q", points.times[:end]) + self._times[head:]
        self._values = array("d", points.values[:end]) + self._values[head:]
        self._head = 0

    def since(self, after_ms: int, until_ms: int) -> Points:
        """The points in (after, until]."""
        start = bisect_right(self._times, after_ms, lo=self._head)
        end = len(self._times)
        if end > start and self._times[-1] > until_ms:
            end = bisect_right(self._times, until_ms, lo=start)
        return Points(self._times[start:end], self._values[start:end])


class Window:
    """The series of one probe that rules ask about. `spans_ms`: series name to the longest window asked for.

    `awaited`: the series whose history is still to come. Until it is there, they have no answers: what a rule would
    say of an hour of which a minute is known is no answer.
    """

    __slots__ = ("_rings", "awaited")

    def __init__(self, spans_ms: Mapping[str, int]) -> None:
        self._rings = {name: Ring(span) for name, span in spans_ms.items()}
        self.awaited: Mapping[str, int] = {}

    def await_history(self, still: Iterable[str] = ()) -> None:
        """From now on the history of every series is to come that is not there already, or that `still` names."""
        awaited = set(still)
        self.awaited = {name: ring.span_ms for name, ring in self._rings.items() if name in awaited or not len(ring)}

    def fill(self, history: Mapping[str, "Points"]) -> None:
        """Takes in the history that was awaited: of each series as much as there is, which may be nothing."""
        for name, points in history.items():
            if (ring := self._rings.get(name)) is not None:
                ring.put_before(points)
        self.awaited = {}

    def append(self, sample: Sample) -> None:
        """Takes in a sample. What is unknown says nothing and is left out."""
        if sample.status is Status.UNKNOWN:
            return
        for name, ring in self._rings.items():
            if name == UP:
                value: float | None = 1.0 if sample.status is Status.UP else 0.0
            elif name == DURATION:
                value = sample.duration_s
            else:
                value = sample.values.get(name)
            if value is not None and not isnan(value):
                ring.append(sample.at_ms, value)

    def keep(self, older: "Window") -> None:
        """Takes over the points of a window that this one replaces, where both have the series."""
        for name, ring in self._rings.items():
            if (before := older._rings.get(name)) is not None:
                for at_ms, value in zip(*before.since(-(2**62), 2**62), strict=True):
                    ring.append(at_ms, value)

    def points(self, name: str, span_ms: int, now_ms: int, at_least: int = 1) -> Points:
        """The points of one series in (now - span, now].

        Raises:
            Unanswerable: there are fewer than `at_least`.
        """
        if name in self.awaited:
            raise Unanswerable(f"the history of {name!r} is not read yet")
        ring = self._rings.get(name)
        points = ring.since(now_ms - span_ms, now_ms) if ring else Points((), ())
        if len(points.times) < at_least:
            raise Unanswerable(
                f"{len(points.times)} samples of {name!r} in the last {format_duration_ms(span_ms)}, "
                f"{at_least} needed"
            )
        return points


UP = "up"
EMPTY = Window({})


def average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def quantile(q: float, values: Sequence[float]) -> float:
    """The q-quantile (0 to 1) with linear interpolation between ranks, as PromQL's `quantile_over_time`.

    Raises:
        Unanswerable: q is outside 0 to 1.
    """
    if not 0 <= q <= 1:
        raise Unanswerable(f"a quantile is between 0 and 1, not {q}")
    ranked = sorted(values)
    rank = q * (len(ranked) - 1)
    low = floor(rank)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (rank - low)


def increase(values: Sequence[float]) -> float:
    """How much a counter grew, counting a fall as a reset to zero. No extrapolation to the window's edges."""
    grown = 0.0
    for before, after in pairwise(values):
        grown += after - before if after >= before else after
    return grown


def rate(points: Points) -> float:
    """A counter's growth per second between the first and the last point."""
    return increase(points.values) / ((points.times[-1] - points.times[0]) / 1000)


class Line(NamedTuple):
    """A straight line through time: `value` at the time it was fitted for, `slope` per second."""

    value: float
    slope: float


def fit(points: Points, now_ms: int) -> Line:
    """Simple linear regression by least squares, as PromQL's `predict_linear` and `deriv` do it:
    time is counted in seconds from now, so that the intercept is the fitted value at now.

    Raises:
        Unanswerable: all points stand at one time.
    """
    count = len(points.times)
    xs = [(at_ms - now_ms) / 1000 for at_ms in points.times]
    # Taking the first value out first keeps the sums small, and so exact, for large and steady series.
    base = points.values[0]
    ys = [value - base for value in points.values]
    sum_x, sum_y = sum(xs), sum(ys)
    covariance = sum(map(mul, xs, ys)) - sum_x * sum_y / count
    variance = sum(map(mul, xs, xs)) - sum_x * sum_x / count
    if variance <= 0:
        raise Unanswerable("all samples in the window have the same time")
    slope = covariance / variance
    return Line(value=base + sum_y / count - slope * sum_x / count, slope=slope)


def time_to(limit: float, line: Line) -> float:
    """Seconds until the line reaches the limit: 0 when it is there already, infinity when it never gets there."""
    if line.value >= limit:
        return 0.0
    return (limit - line.value) / line.slope if line.slope > 0 else float("inf")
