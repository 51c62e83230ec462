"""What the functions of rules compute, against arithmetic without rounding."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.domain.statistics import (
    Points,
    Unanswerable,
    average,
    deviation,
    fit,
    increase,
    quantile,
    rate,
    time_to,
    total,
)

few = settings(max_examples=150, deadline=None, derandomize=True)
MODERATE = st.floats(-1e6, 1e6)
OFFSET = st.sampled_from((0.0, 1.0, 1e9, -1e12))
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


NOISE = st.lists(st.tuples(st.integers(1, 10**6), st.floats(-1000, 1000)), min_size=2, max_size=40)


def spread(values: list[Fraction]) -> Fraction:
    """The mean square of the distances to the mean."""
    mean = sum(values, Fraction()) / len(values)
    return sum(((value - mean) ** 2 for value in values), Fraction()) / len(values)


@few
@given(NOISE, OFFSET)
def test_sums_means_and_deviations_are_exact(noise: list[tuple[int, float]], offset: float) -> None:
    values = [offset + value for _, value in noise]
    exact = [Fraction(value) for value in values]
    assert total(values) == float(sum(exact))
    assert average(values) == pytest.approx(float(sum(exact) / len(exact)), rel=1e-15)
    assert deviation(values) == pytest.approx(math.sqrt(spread(exact)), rel=1e-12)


@few
@given(NOISE, OFFSET)
def test_the_fitted_line_is_that_of_least_squares(noise: list[tuple[int, float]], offset: float) -> None:
    times = [1_700_000_000_000 + sum(gap for gap, _ in noise[: n + 1]) for n in range(len(noise))]
    values = [offset + value for _, value in noise]
    line = fit(Points(times, values), times[-1])

    xs = [Fraction(at_ms - times[-1], 1000) for at_ms in times]
    ys = [Fraction(value) for value in values]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    products = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    slope = products / sum((x - mean_x) ** 2 for x in xs)
    # What stays of values that nearly cancel out is as exact as the values are.
    scale = math.sqrt(spread(ys) / spread(xs))
    assert line.slope == pytest.approx(float(slope), rel=1e-9, abs=1e-13 * scale)
    value = mean_y - slope * mean_x
    assert line.value == pytest.approx(float(value), rel=1e-12, abs=1e-12 * math.sqrt(spread(ys)))


@few
@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=40))
def test_a_counter_grows_by_what_it_rises_and_by_what_it_is_after_a_fall(values: list[float]) -> None:
    grown = Fraction(0)
    for before, after in pairwise(values):
        grown += Fraction(after) - (Fraction(before) if after >= before else 0)
    assert increase(values) == pytest.approx(float(grown), rel=1e-15)


def test_points_of_one_time_have_no_line_and_no_rate() -> None:
    for ask in (lambda: fit(Points([1000], [1.0]), 1000), lambda: rate(Points([5, 5], [1.0, 2.0]))):
        with pytest.raises(Unanswerable, match="the same time"):
            ask()


def test_when_a_line_reaches_a_limit() -> None:
    rising = fit(Points([0, 60_000], [10.0, 20.0]), 60_000)
    assert time_to(30, rising) == pytest.approx(60)
    assert time_to(20, rising) == 0
    assert time_to(30, fit(Points([0, 60_000], [20.0, 10.0]), 60_000)) == math.inf
    assert time_to(30, fit(Points([0, 60_000], [20.0, 20.0]), 60_000)) == math.inf
