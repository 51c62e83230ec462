"""Flap detection: how much of the last states was change."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.flapping import MASK, STATES, count_of, flaps, push, share_of_change
from watchkeeper.domain.rule import Thresholds

HISTORIES = st.lists(st.booleans(), min_size=STATES, max_size=60)


def history(states: list[bool]) -> int:
    found = 0
    for state in states:
        found = push(found, holds=state)
    return found


def drawn(marks: str) -> int:
    """`x.`: held, did not; the oldest first."""
    return history([mark == "x" for mark in marks])


def test_what_never_changes_has_no_share_of_change() -> None:
    assert share_of_change(0) == share_of_change(MASK) == 0


def test_what_changes_each_time_is_nothing_but_change() -> None:
    assert share_of_change(drawn("x." * 11)) == pytest.approx(1)


def test_the_newest_change_weighs_one_and_a_half_times_as_much_as_the_oldest() -> None:
    newest, oldest = drawn("." * 20 + "x"), drawn("." + "x" * 20)
    assert share_of_change(newest) == pytest.approx(1.2 / 20)
    assert share_of_change(oldest) == pytest.approx(0.8 / 20)


@given(HISTORIES)
def test_it_is_the_weighted_mean_of_the_changes_as_the_definition_puts_it(states: list[bool]) -> None:
    last = states[-STATES:]
    changed = [one is not other for one, other in pairwise(last)]
    weights = [0.8 + 0.4 * n / 19 for n in range(20)]
    assert share_of_change(history(states)) == pytest.approx(
        sum(weight for weight, change in zip(weights, changed, strict=True) if change) / 20
    )


@given(HISTORIES, st.integers(1, STATES))
def test_states_are_counted_from_the_newest(states: list[bool], last: int) -> None:
    assert count_of(history(states), last) == sum(states[-last:])


def test_it_begins_above_one_threshold_and_ends_below_the_other() -> None:
    thresholds = Thresholds(0.30, 0.25)
    between = drawn("." * 14 + "x.x.xxx")  # five changes
    assert 0.25 <= share_of_change(between) < 0.30
    assert not flaps(between, thresholds, before=False)
    assert flaps(between, thresholds, before=True)
    assert flaps(drawn("." * 14 + "x.x.x.x"), thresholds, before=False)
    assert not flaps(drawn("." * 20 + "x"), thresholds, before=True)
