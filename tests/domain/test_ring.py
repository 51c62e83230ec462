"""The recent points of a series, and statistics over any stretch of them."""

import math
import random
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.domain import statistics
from watchkeeper.domain.ring import BLOCK, FEW, Ring
from watchkeeper.domain.statistics import Points, Unanswerable

few = settings(max_examples=150, deadline=None, derandomize=True)
MODERATE = st.floats(-1e6, 1e6)
SOME = settings(max_examples=40, deadline=None, derandomize=True)


@few
@given(
    st.integers(1, 300),
    st.lists(st.tuples(st.integers(-5, 40), MODERATE), max_size=120),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 400)), max_size=5),
)
def test_a_ring_holds_what_a_list_would_in_the_same_span(
    span: int, gaps: list[tuple[int, float]], asked: list[tuple[int, int]]
) -> None:
    ring, kept, now = Ring(span), list[tuple[int, float]](), 0
    for gap, value in gaps:
        now += gap
        ring.append(now, value)
        kept = [point for point in kept if now - span < point[0] < now]
        kept.append((now, value))
        assert len(ring) == len(kept)
    for after, length in asked:
        points = ring.stretch(after, after + length).points
        expected = [point for point in kept if after < point[0] <= after + length]
        assert list(zip(*points, strict=True)) == expected


def test_a_ring_takes_no_more_memory_than_its_span_needs() -> None:
    ring = Ring(span_ms=1000)
    for at_ms in range(0, 200_000, 10):
        ring.append(at_ms, 1.0)
        assert len(ring) <= 100
        assert len(ring._times) <= 250
    ring.append(10**9, 1.0)
    assert len(ring) == 1
    ring.append(10**9 + 1, 1.0)
    assert len(ring._times) <= 100


@few
@given(st.lists(st.tuples(st.integers(1, 40), MODERATE), max_size=60), st.integers(1, 1000), st.integers(1, 1000))
def test_a_copy_holds_what_a_ring_of_the_other_span_would(
    gaps: list[tuple[int, float]], span: int, other: int
) -> None:
    ring, shorter, now = Ring(span), Ring(min(span, other)), 0
    for gap, value in gaps:
        now += gap
        ring.append(now, value)
        shorter.append(now, value)
    copy = ring.copy(other)
    assert copy.stretch(-1, now).points == shorter.stretch(-1, now).points
    copy.append(now + 1, 1.0)
    assert len(ring) <= len(gaps)


def worked(rng: random.Random, offset: float, kind: str) -> Ring:
    """A ring with many points that has been through everything that happens to one."""
    ring = Ring(span_ms=1_000_000)
    at_ms, value = 1_700_000_000_000, offset

    def add(count: int) -> None:
        nonlocal at_ms, value
        for _ in range(count):
            at_ms += rng.choice((1, 500, 1000, 1000, 1000, 7013))
            if kind == "counter":
                value = rng.random() if rng.random() < 0.02 else value + rng.random()
            elif kind == "noise":
                value = offset + rng.uniform(-1, 1)
            elif kind == "wild":
                value = rng.uniform(-1, 1) * 10 ** rng.randint(-9, 9)
            ring.append(at_ms, value)

    add(rng.randint(FEW, 3 * FEW))
    for _ in range(rng.randint(0, 5)):
        ring.stretch(at_ms - rng.randint(1, 1_000_000), at_ms).average()  # makes blocks
        if rng.random() < 0.3:
            at_ms -= rng.randint(1, 50_000)  # the clock is set back
        if rng.random() < 0.2:
            ring.put_before(Points([at_ms - 900_000 + n for n in range(100)], [offset] * 100))
        add(rng.randint(1, FEW))
    return ring


@SOME
@given(
    st.integers(0, 2**32),
    st.sampled_from((0.0, 1e9, -3e12)),
    st.sampled_from(("noise", "counter", "constant", "wild")),
)
def test_a_stretch_of_blocks_says_what_its_points_say_one_by_one(seed: int, offset: float, kind: str) -> None:
    rng = random.Random(seed)
    ring = worked(rng, offset, kind)
    for _ in range(4):
        until = ring.stretch(-1, 2**60).points.times[-1 - rng.choice((0, 0, rng.randrange(len(ring) // 2)))]
        stretch = ring.stretch(until - rng.randint(300_000, 2_000_000), until)
        points = stretch.points
        near = pytest.approx
        assert stretch.total() == near(math.fsum(points.values), rel=1e-15)
        assert stretch.average() == near(statistics.average(points.values), rel=1e-15)
        assert (stretch.least(), stretch.greatest()) == (min(points.values), max(points.values))
        assert stretch.delta() == points.values[-1] - points.values[0]
        assert stretch.rate() == near(statistics.rate(points), rel=1e-14)
        deviation = statistics.deviation(points.values)
        assert stretch.deviation() == near(deviation, rel=1e-12)
        wide = statistics.deviation([at_ms / 1000 for at_ms in points.times])
        line, plain = stretch.fit(until), statistics.fit(points, until)
        assert line.slope == near(plain.slope, rel=1e-10, abs=1e-13 * deviation / wide)
        assert line.value == near(plain.value, rel=1e-12, abs=1e-12 * deviation)


def test_a_stretch_of_one_value_does_not_vary_and_does_not_rise() -> None:
    ring = Ring(10**9)
    for n in range(1000):
        ring.append(n * 777, 0.1)
    stretch = ring.stretch(-1, 10**6)
    assert (stretch.deviation(), stretch.fit(10**6), stretch.average()) == (0.0, (0.1, 0.0), 0.1)


def test_a_fall_counts_once_wherever_blocks_meet() -> None:
    values = [float(n % BLOCK) for n in range(8 * BLOCK)]  # falls exactly between two blocks
    for shift in range(-2, 3):
        for skipped in range(BLOCK - 2, BLOCK + 3):
            ring = Ring(10**9)
            for n, value in enumerate(values[shift:] if shift > 0 else [0.0] * -shift + values):
                ring.append(n * 1000, value)
            stretch = ring.stretch((skipped - 1) * 1000, 10**9)
            points = stretch.points
            grown = sum(after - before if after >= before else after for before, after in pairwise(points.values))
            assert stretch.rate() == pytest.approx(grown / (len(points.times) - 1), rel=1e-12)


def test_numbers_that_are_too_large_have_no_answer_or_the_one_that_floats_have() -> None:
    for values in ([1e308, -1e308, 1.5e308], [1.0, math.inf, 2.0], [math.inf, -math.inf, 0.0]):
        ring = Ring(10**9)
        for n in range(2 * FEW):
            ring.append(n * 1000, values[n % 3])
        for stretch in (ring.stretch(-1, 10**9), ring.stretch(-1, 30_000)):
            points = stretch.points
            assert stretch.greatest() == max(points.values)
            assert stretch.average() == pytest.approx(statistics.average(points.values), nan_ok=True)
            with pytest.raises(Unanswerable, match="too large"):
                stretch.deviation()
            with pytest.raises(Unanswerable, match="too large"):
                stretch.fit(0)


def test_a_week_of_minutes_costs_far_less_than_looking_at_each() -> None:
    ring = Ring(10**12)
    for n in range(10_080):
        ring.append(n * 60_000, n % 97 + 0.5)
    now = 10_080 * 60_000

    def took(ask: object) -> float:
        assert callable(ask)
        best = math.inf
        for _ in range(5):
            began = perf_counter()
            ask()
            best = min(best, perf_counter() - began)
        return best

    whole = ring.stretch(-1, now)
    assert took(lambda: whole.fit(now)) < took(lambda: statistics.fit(whole.points, now)) / 3
    assert took(whole.average) < took(lambda: statistics.average(whole.points.values)) / 3
