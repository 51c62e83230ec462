"""So many calls a minute, saved up for a minute at most."""

from hypothesis import given
from hypothesis import strategies as st

from tests.simulators.clock import HandClock
from watchkeeper.domain.budget import Budget


def test_without_a_rate_nobody_waits() -> None:
    budget = Budget(None, HandClock())
    for _ in range(1000):
        budget.spend()

    assert budget.wait_s() == 0


def test_a_minutes_calls_may_be_made_at_once_and_the_next_one_waits() -> None:
    budget = Budget(60, HandClock())
    for _ in range(60):
        assert budget.wait_s() == 0
        budget.spend()

    assert budget.wait_s() == 1


def test_what_waited_for_long_enough_may_begin() -> None:
    clock = HandClock()
    budget = Budget(60, clock)
    for _ in range(60):
        budget.spend()

    clock.advance(0.5)
    assert budget.wait_s() == 0.5
    clock.advance(budget.wait_s())
    assert budget.wait_s() == 0


def test_what_has_begun_is_finished_and_paid_for_later() -> None:
    budget = Budget(60, HandClock())
    for _ in range(65):
        budget.spend()

    assert budget.wait_s() == 6


def test_no_more_than_a_minutes_calls_are_saved_up() -> None:
    clock = HandClock()
    budget = Budget(60, clock)
    clock.advance(86_400)
    for _ in range(60):
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
    for _ in range(60):
        budget.spend()
    clock.advance(-3600)

    assert budget.wait_s() == 1
    clock.advance(1)
    assert budget.wait_s() == 0


@given(
    rate=st.floats(min_value=0.1, max_value=600),
    pauses=st.lists(st.floats(min_value=0, max_value=120), min_size=1, max_size=60),
)
def test_in_any_time_no_more_is_begun_than_the_rate_allows(rate: float, pauses: list[float]) -> None:
    clock = HandClock()
    budget = Budget(rate, clock)
    began: list[int] = []
    for pause in pauses:
        clock.advance(max(pause, budget.wait_s() + 0.001))
        budget.spend()
        began.append(clock())

    for first in range(len(began)):
        for last in range(first, len(began)):
            minutes = (began[last] - began[first]) / 60_000
            assert last - first + 1 <= max(1.0, rate) + minutes * rate + 0.01
