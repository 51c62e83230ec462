"""So many calls a minute, evenly, and none saved up."""

from collections.abc import Sequence
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.simulators.clock import HandClock
from watchkeeper.domain.budget import Budget
from watchkeeper.schema.fields import Rate

UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000}
MOST_CALLS = 5


def per_minute(text: str) -> float:
    return TypeAdapter[float](Rate).validate_python(text)


def begins(rate: float, attempts: Sequence[tuple[int, int]]) -> list[int]:
    """When each call is begun, by attempts: a pause in ms, and how many calls it takes."""
    clock = HandClock()
    budget = Budget(rate, clock)
    began: list[int] = []
    for pause_ms, calls in attempts:
        clock.now_ms += max(pause_ms, ceil(budget.wait_s() * 1000))
        assert budget.wait_s() == 0
        for _ in range(calls):
            budget.spend()
            began.append(clock())
    return began


def most_in(window_ms: int, began: Sequence[int]) -> int:
    """The most calls in any time of this length."""
    return max(sum(first <= at < first + window_ms for at in began) for first in began)


def test_without_a_rate_nobody_waits() -> None:
    budget = Budget(None, HandClock())
    for _ in range(1000):
        budget.spend()

    assert budget.wait_s() == 0


def test_after_each_call_the_next_one_waits_for_its_share_of_the_minute() -> None:
    budget = Budget(60, HandClock())
    assert budget.wait_s() == 0

    budget.spend()

    assert budget.wait_s() == 1


def test_what_waited_for_long_enough_may_begin() -> None:
    clock = HandClock()
    budget = Budget(60, clock)
    budget.spend()

    clock.advance(0.5)
    assert budget.wait_s() == 0.5
    clock.advance(budget.wait_s())
    assert budget.wait_s() == 0


def test_what_has_begun_is_finished_and_paid_for_later() -> None:
    budget = Budget(60, HandClock())
    for _ in range(6):
        budget.spend()

    assert budget.wait_s() == 6


def test_after_a_day_without_calls_none_are_saved_up() -> None:
    clock = HandClock()
    budget = Budget(60, clock)
    clock.advance(86_400)
    budget.spend()

    assert budget.wait_s() == 1


def test_less_than_one_call_a_minute_is_one_at_once_and_then_a_wait() -> None:
    clock = HandClock()
    budget = Budget(0.5, clock)

    assert budget.wait_s() == 0
    budget.spend()
    assert budget.wait_s() == 120
    clock.advance(120)
    assert budget.wait_s() == 0


def test_a_clock_that_is_set_back_costs_nothing_and_gives_nothing() -> None:
    clock = HandClock()
    budget = Budget(60, clock)
    budget.spend()
    clock.advance(-3600)

    assert budget.wait_s() == 1
    clock.advance(1)
    assert budget.wait_s() == 0


@pytest.mark.parametrize(("rate", "minutes", "calls"), [("60/m", 10, 600), ("2000/h", 60, 2000), ("2/s", 5, 600)])
def test_who_always_has_something_to_do_gets_the_whole_rate(rate: str, minutes: int, calls: int) -> None:
    began = begins(per_minute(rate), [(0, 1)] * (calls + 1))

    assert began[-1] - began[0] == pytest.approx(minutes * 60_000, rel=0.001)


@given(
    number=st.integers(1, 200),
    unit=st.sampled_from(sorted(UNITS_MS)),
    pauses=st.lists(st.just(0) | st.integers(0, 120_000), min_size=1, max_size=300),
)
def test_in_no_second_minute_or_hour_are_more_calls_begun_than_the_rate_says(
    number: int, unit: str, pauses: list[int]
) -> None:
    began = begins(per_minute(f"{number}/{unit}"), [(pause, 1) for pause in pauses])

    assert most_in(UNITS_MS[unit], began) <= number


@given(number=st.integers(1, 5000), unit=st.sampled_from(["m", "h"]), pauses=st.lists(st.integers(0, 90_000)))
def test_in_no_sixty_seconds_are_more_calls_begun_than_a_minute_has(
    number: int, unit: str, pauses: list[int]
) -> None:
    rate = per_minute(f"{number}/{unit}")
    began = begins(rate, [(pause, 1) for pause in [0, *pauses]])

    assert most_in(60_000, began) <= ceil(rate)


@given(
    number=st.integers(1, 200),
    attempts=st.lists(st.tuples(st.just(0) | st.integers(0, 20_000), st.integers(1, MOST_CALLS)), min_size=1),
)
def test_what_is_finished_beyond_the_rate_is_no_more_than_the_last_attempt(
    number: int, attempts: list[tuple[int, int]]
) -> None:
    began = begins(per_minute(f"{number}/m"), attempts)

    assert most_in(60_000, began) <= number + MOST_CALLS - 1
