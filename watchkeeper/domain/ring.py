"""The recent points of one series, and statistics over any stretch of them.

A stretch of some thousand points is not looked at point by point each time: it is made of blocks, each summed up
once, and of the few points before the first and after the last whole block. Blocks are put together by the formulas
of Chan, Golub and LeVeque (The American Statistician 37, 1983), which lose nothing where numbers are large and vary
little.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from math import fsum, isfinite, sqrt
from operator import mul
from typing import Final, NamedTuple

from watchkeeper.domain import statistics
from watchkeeper.domain.statistics import Line, Points, dot, elapsed_s, finite, line_through, total

BLOCK: Final = 64  # points
FEW: Final = 4 * BLOCK  # fewer points than this are looked at one by one


class Block(NamedTuple):
    """Some points summed up. `x` is time in ms, counted from `begin`; `y` is the value, counted from `base`."""

    size: int
    least: float
    greatest: float
    sum: float
    rest: float  # what the sum lacks by rounding
    resets: float  # the sum of the values before each fall
    begin: int
    base: float
    mean_x: float
    mean_y: float
    xx: float  # sums of products of the distances to the means
    xy: float
    yy: float


_WIDTH: Final = len(Block._fields)


def sum_up(times: Sequence[int], values: Sequence[float]) -> Block:
    """The block of some points, at least one."""
    size = len(values)
    begin, base = times[0], values[0]
    whole = total(values)
    rest = fsum([*values, -whole]) if isfinite(whole) else 0.0
    xs = [at_ms - begin for at_ms in times]
    ys = [value - base for value in values]
    mean_x, mean_y = sum(xs) / size, total(ys) / size
    xs_off = [x - mean_x for x in xs]
    ys_off = [y - mean_y for y in ys]
    xx, xy, yy = dot(xs_off, xs_off), dot(xs_off, ys_off), dot(ys_off, ys_off)
    resets = total(statistics.resets(values))
    return Block(size, min(values), max(values), whole, rest, resets, begin, base, mean_x, mean_y, xx, xy, yy)


class Ring:
    """Times and values of one series, forgetting what is older than its span. Appending is O(1), amortised.

    Args:
        span_ms: more than zero.
    """

    __slots__ = ("_blocks", "_head", "_times", "_values", "span_ms")

    def __init__(self, span_ms: int) -> None:
        self.span_ms = span_ms
        self._times = array("q")
        self._values = array("d")
        self._head = 0
        self._blocks: array[float] | None = None  # of the points from 0 on, as far as somebody asked

    def __len__(self) -> int:
        return len(self._times) - self._head

    def append(self, at_ms: int, value: float) -> None:
        """Adds a point. Points at or after its time are dropped: the clock was set back, they have not been yet."""
        times = self._times
        if times and at_ms <= times[-1]:
            self._drop_from(bisect_left(times, at_ms, lo=self._head))
        times.append(at_ms)
        self._values.append(value)
        oldest = at_ms - self.span_ms
        head = self._head
        while times[head] <= oldest:
            head += 1
        self._head = head
        if head > 32 and head > len(times) // 2:
            self._forget()

    def put_before(self, points: Points) -> None:
        """Adds older points. Those that are not older than what is there are dropped."""
        head = self._head
        end = bisect_left(points.times, self._times[head]) if len(self) else len(points.times)
        self._times = array("q", points.times[:end]) + self._times[head:]
        self._values = array("d", points.values[:end]) + self._values[head:]
        self._head = 0
        self._blocks = None

    def copy(self, span_ms: int) -> "Ring":
        """The same points, as far as they are in another span."""
        other = Ring(span_ms)
        if len(self):
            head = bisect_right(self._times, self._times[-1] - span_ms, lo=self._head)
            other._times, other._values = self._times[head:], self._values[head:]
        return other

    def stretch(self, after_ms: int, until_ms: int) -> "Stretch":
        """The points in (after, until]."""
        times = self._times
        start = bisect_right(times, after_ms, lo=self._head)
        end = len(times)
        if end > start and times[-1] > until_ms:
            end = bisect_right(times, until_ms, lo=start)
        return Stretch(self, start, end)

    def points(self, start: int, end: int) -> Points:
        return Points(self._times[start:end], self._values[start:end])

    def values(self, start: int, end: int) -> "array[float]":
        return self._values[start:end]

    def point(self, index: int) -> tuple[int, float]:
        return self._times[index], self._values[index]

    def sum_up_until(self, last: int) -> "array[float]":
        """The numbers of all blocks, one block after the other, of which there are at least `last`."""
        if self._blocks is None:
            self._blocks = array("d")
        for begin in range(len(self._blocks) // _WIDTH * BLOCK, last * BLOCK, BLOCK):
            self._blocks.extend(sum_up(*self.points(begin, begin + BLOCK)))
        return self._blocks

    def _drop_from(self, index: int) -> None:
        del self._times[index:]
        del self._values[index:]
        if self._blocks is not None:
            del self._blocks[index // BLOCK * _WIDTH :]

    def _forget(self) -> None:
        """Gives back the memory of points that are too old: of whole blocks only, where there are blocks."""
        gone = self._head
        if self._blocks is not None:
            gone -= gone % BLOCK
            del self._blocks[: gone // BLOCK * _WIDTH]
        del self._times[:gone]
        del self._values[:gone]
        self._head -= gone


class Stretch:
    """The points of a ring from one index on and before another, until the ring changes."""

    __slots__ = ("_end", "_ring", "_start")

    def __init__(self, ring: Ring, start: int, end: int) -> None:
        self._ring = ring
        self._start = start
        self._end = end

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def points(self) -> Points:
        return self._ring.points(self._start, self._end)

    @property
    def values(self) -> "array[float]":
        return self._ring.values(self._start, self._end)

    def total(self) -> float:
        return total(self._each("sum", "rest"))

    def average(self) -> float:
        count = self._end - self._start
        if count < FEW:
            return statistics.average(self.values)
        mean = self.total() / count
        return mean if isfinite(mean) else statistics.average(self.values)

    def least(self) -> float:
        return min(self._each("least"))

    def greatest(self) -> float:
        return max(self._each("greatest"))

    def delta(self) -> float:
        """The last value minus the first."""
        return self._ring.point(self._end - 1)[1] - self._ring.point(self._start)[1]

    def rate(self) -> float:
        """See `statistics.rate`.

        Raises:
            Unanswerable: the first and the last point stand at one time.
        """
        if self._end - self._start < FEW:
            return statistics.rate(self.points)
        (began_ms, first), (ended_ms, last) = self._ring.point(self._start), self._ring.point(self._end - 1)
        return total([last, -first, *self._resets()]) / elapsed_s((began_ms, ended_ms))

    def deviation(self) -> float:
        """See `statistics.deviation`.

        Raises:
            Unanswerable: the values are too large to be squared.
        """
        if self._end - self._start < FEW:
            return statistics.deviation(self.values)
        sizes, bases, means, squares = self._all_columns("size", "base", "mean_y", "yy")
        off = _from_their_mean(sizes, bases, means)[1]
        return finite(sqrt(total([*squares, *map(mul, map(mul, sizes, off), off)]) / len(self)))

    def fit(self, now_ms: int) -> Line:
        """See `statistics.fit`.

        Raises:
            Unanswerable: all points stand at one time, or are too large to be multiplied.
        """
        if self._end - self._start < FEW:
            return statistics.fit(self.points, now_ms)
        sizes, begins, bases, means_x, means_y, xx, xy = self._all_columns(
            "size", "begin", "base", "mean_x", "mean_y", "xx", "xy"
        )
        mean_x, xs_off = _from_their_mean(sizes, begins, means_x)
        mean_y, ys_off = _from_their_mean(sizes, bases, means_y)
        weighed = list(map(mul, sizes, xs_off))
        covariance = total([*xy, *map(mul, weighed, ys_off)])
        variance = total([*xx, *map(mul, weighed, xs_off)])
        return line_through(int(begins[0]), bases[0], mean_x, mean_y, covariance / variance, now_ms)

    def _blocks(self) -> tuple[int, int]:
        """The number of the first block that is wholly in here, and the number after the last."""
        return -(-self._start // BLOCK), self._end // BLOCK

    def _resets(self) -> Iterator[float]:
        """What adds up to the sum of the values before each fall."""
        first, last = (number * BLOCK for number in self._blocks())
        yield from self._columns("resets")[0]
        for begin, end in ((self._start, first), (last, self._end)):
            yield from statistics.resets(self._ring.values(begin, end))
        # Between two blocks, and between a block and what stands before or after it.
        seam = first if first > self._start else first + BLOCK
        before, after = self._ring.values(seam - 1, self._end - 1), self._ring.values(seam, self._end)
        for value, following in zip(before[::BLOCK], after[::BLOCK], strict=True):
            if following < value:
                yield value

    def _each(self, *of_blocks: str) -> "array[float]":
        """Some numbers of each block, and the values that are in none."""
        if self._end - self._start < FEW:
            return self.values
        first, last = self._blocks()
        found = self._ring.values(self._start, first * BLOCK)
        for column in self._columns(*of_blocks):
            found += column
        return found + self._ring.values(last * BLOCK, self._end)

    def _columns(self, *names: str) -> list["array[float]"]:
        """One number each of all whole blocks."""
        first, last = self._blocks()
        numbers = self._ring.sum_up_until(last)
        begin, end = first * _WIDTH, last * _WIDTH
        return [numbers[begin + Block._fields.index(name) : end : _WIDTH] for name in names]

    def _all_columns(self, *names: str) -> list["array[float]"]:
        """The same, with what stands before the first and after the last whole block as blocks of their own."""
        first, last = self._blocks()
        columns = self._columns(*names)
        if self._start < first * BLOCK:
            edge = sum_up(*self._ring.points(self._start, first * BLOCK))
            for name, column in zip(names, columns, strict=True):
                column.insert(0, getattr(edge, name))
        if last * BLOCK < self._end:
            edge = sum_up(*self._ring.points(last * BLOCK, self._end))
            for name, column in zip(names, columns, strict=True):
                column.append(getattr(edge, name))
        return columns


def _from_their_mean(
    sizes: Sequence[float], bases: Sequence[float], means: Sequence[float]
) -> tuple[float, list[float]]:
    """The mean of blocks, counted from the first one's base, and how far each block's mean is from it."""
    base = bases[0]
    each = [(of_block - base) + mean for of_block, mean in zip(bases, means, strict=True)]
    mean = dot(sizes, each) / sum(sizes)
    return mean, [one - mean for one in each]
