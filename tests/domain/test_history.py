"""Stored history as points of a window."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.domain.history import points_of
from watchkeeper.domain.rollup import HOUR_MS, MINUTE_MS, RollupEntry

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


def entry(from_ms: int, span_ms: int, values: list[float]) -> RollupEntry:
    return RollupEntry(from_ms, span_ms, len(values), min(values), max(values), sum(values) / len(values))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(VALUES, st.sampled_from((MINUTE_MS, HOUR_MS)))
def test_points_have_the_count_sum_and_extremes_of_the_samples(values: list[float], span_ms: int) -> None:
    times, points = points_of([entry(120_000, span_ms, values)])

    assert len(points) == len(values)
    assert sum(points) == pytest.approx(sum(values), rel=1e-9, abs=1e-3)
    assert len(values) == 1 or (min(points) <= min(values) and max(points) >= max(values))
    assert all(120_000 <= at_ms <= 120_000 + span_ms for at_ms in times)
    assert list(times) == sorted(times)


def test_entries_stand_in_the_order_of_time() -> None:
    later, earlier = entry(MINUTE_MS, MINUTE_MS, [3.0]), entry(0, MINUTE_MS, [1.0, 2.0])

    assert points_of([later, earlier]) == ([15_000, 45_000, 90_000], [1.0, 2.0, 3.0])
