"""The window of recent samples, and the functions over it."""

import math
from statistics import linear_regression

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.made import sample
from watchkeeper.domain.probe import Status
from watchkeeper.domain.window import (
    DURATION,
    UP,
    Points,
    Ring,
    Unanswerable,
    Window,
    average,
    fit,
    increase,
    quantile,
    rate,
    time_to,
)

few = settings(max_examples=150, deadline=None, derandomize=True)
MODERATE = st.floats(-1e6, 1e6)


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
        points = ring.since(after, after + length)
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


def test_a_window_keeps_only_the_series_that_are_asked_for() -> None:
    window = Window({"used": 1000, DURATION: 1000, UP: 1000})
    window.append(sample(100, Status.UP, used=5.0, free=3.0))
    window.append(sample(200, Status.DOWN))
    window.append(sample(300, Status.UNKNOWN, used=9.0))
    window.append(sample(400, Status.UP, used=math.nan))
    assert [list(part) for part in window.points("used", 1000, 400)] == [[100], [5.0]]
    assert [list(part) for part in window.points(UP, 1000, 400)] == [[100, 200, 400], [1.0, 0.0, 1.0]]
    assert list(window.points(DURATION, 1000, 400).values) == [0.25, 0.25, 0.25]
    with pytest.raises(Unanswerable, match="0 samples of 'free' in the last 1s, 1 needed"):
        window.points("free", 1000, 400)


def test_a_window_ends_now_and_begins_just_after_its_length_ago() -> None:
    window = Window({"used": 1000})
    for at_ms in (100, 200, 300):
        window.append(sample(at_ms, used=float(at_ms)))
    assert list(window.points("used", 200, 300).values) == [200.0, 300.0]
    assert list(window.points("used", 200, 250).values) == [100.0, 200.0]
    with pytest.raises(Unanswerable):
        window.points("used", 200, 300, at_least=3)
    with pytest.raises(Unanswerable):
        window.points("used", 50, 400)


def test_a_window_that_replaces_another_takes_over_its_points() -> None:
    old = Window({"used": 1000, "free": 1000})
    for at_ms in (100, 900, 1000):
        old.append(sample(at_ms, used=1.0, free=2.0))
    new = Window({"used": 500, UP: 500})
    new.keep(old)
    assert list(new.points("used", 500, 1000).times) == [900, 1000]
    with pytest.raises(Unanswerable):
        new.points(UP, 500, 1000)


SERIES = st.lists(MODERATE, min_size=2, max_size=30)


@few
@given(SERIES, st.floats(0, 1))
def test_a_quantile_lies_between_its_neighbours_in_rank(values: list[float], q: float) -> None:
    ranked = sorted(values)
    found = quantile(q, values)
    low = math.floor(q * (len(values) - 1))
    slack = 1e-9 * (abs(ranked[-1]) + abs(ranked[0]))
    assert ranked[low] - slack <= found <= ranked[min(low + 1, len(values) - 1)] + slack
    assert (quantile(0, values), quantile(1, values)) == (ranked[0], ranked[-1])


def test_quantiles_interpolate() -> None:
    assert quantile(0.5, [4.0, 1.0, 3.0, 2.0]) == 2.5
    assert quantile(0.25, [10.0, 20.0, 30.0]) == 15.0
    assert quantile(0.9, [7.0]) == 7.0
    with pytest.raises(Unanswerable):
        quantile(1.1, [1.0])


def test_a_counter_that_falls_was_reset() -> None:
    assert increase([10.0, 15.0, 3.0, 4.0]) == 5 + 3 + 1
    assert rate(Points([1000, 2000, 5000], [0.0, 4.0, 8.0])) == 2.0
    assert average([1.0, 2.0, 6.0]) == 3.0


@few
@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 1000)), min_size=2, max_size=40))
def test_the_fitted_line_is_that_of_least_squares(gaps: list[tuple[int, float]]) -> None:
    times = [1_700_000_000_000 + sum(gap for gap, _ in gaps[: n + 1]) for n in range(len(gaps))]
    values = [value for _, value in gaps]
    line = fit(Points(times, values), times[-1])
    slope, intercept = linear_regression([(at_ms - times[-1]) / 1000 for at_ms in times], values)
    assert line.value == pytest.approx(intercept, rel=1e-5, abs=1e-5)
    assert line.slope == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_points_of_one_time_have_no_line() -> None:
    with pytest.raises(Unanswerable):
        fit(Points([1000], [1.0]), 1000)


def test_when_a_line_reaches_a_limit() -> None:
    rising = fit(Points([0, 60_000], [10.0, 20.0]), 60_000)
    assert time_to(30, rising) == pytest.approx(60)
    assert time_to(20, rising) == 0
    assert time_to(30, fit(Points([0, 60_000], [20.0, 10.0]), 60_000)) == math.inf
    assert time_to(30, fit(Points([0, 60_000], [20.0, 20.0]), 60_000)) == math.inf
