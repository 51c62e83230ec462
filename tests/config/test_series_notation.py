"""The notation of series in rule tests."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.config.series import MAX_SAMPLES, Element, NotationError, boolean, moment, number, parse, status
from watchkeeper.domain.series import Findings, Stretch, length


def numbers(text: str) -> list[float | None]:
    """The values that samples have, run by run."""
    series = parse(text, number)
    found = Findings("p", 1000, values={"x": series, "always": (Stretch(1.0),)})
    return [sample.values.get("x") for sample in found.samples(0)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1+1x4", [1, 2, 3, 4, 5]),
        ("0-2x3", [0, -2, -4, -6]),
        ("5x3", [5, 5, 5, 5]),
        ("5x0 6", [5, 6]),
        ("-1.5e2 .5 2. +3", [-150, 0.5, 2, 3]),
        ("1e+1+1e-1x1", [10, 10.1]),
        ("-2-1x1", [-2, -3]),
        ("1 _ 2", [1, None, 2]),
        ("1 _x3 2", [1, None, None, None, 2]),
        ("0+0.1x3", [0, 0.1, 0.2, 0.3]),
        (" 1\n\t2 ", [1, 2]),
    ],
)
def test_numbers_are_written_as_in_prometheus(text: str, values: list[float | None]) -> None:
    assert numbers(text) == values


def test_numbers_that_are_none_can_be_written() -> None:
    first, *infinite = numbers("NaN Inf +Inf -Inf")
    assert first is not None
    assert math.isnan(first)
    assert infinite == [math.inf, math.inf, -math.inf]


def test_statuses_and_truth_values_are_counted_like_numbers() -> None:
    statuses = [(one.value and one.value.value, one.times) for one in parse("up downx2 _x2 missed unknown", status)]
    assert statuses == [("up", 1), ("down", 3), (None, 2), ("missed", 1), ("unknown", 1)]
    assert [(one.value, one.times) for one in parse("truex1 false", boolean)] == [(True, 2), (False, 1)]


def test_times_are_relative_to_the_sample_or_have_their_zone() -> None:
    day, later, fixed = parse("-26h +1mx1 2020-01-01T06:00Z", moment)
    assert day.value == -timedelta(hours=26)
    assert (later.value, later.times) == (timedelta(minutes=1), 2)
    assert fixed.value == datetime(2020, 1, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("element", "text", "offset", "words"),
    [
        (status, "up dwon up", 3, "'dwon' is no status (did you mean 'down'?)"),
        (status, "up down, up", 3, "did you mean 'down'?"),
        (status, "up x3", 3, "'x3' stands alone"),
        (status, "upx-3", 0, "is no status"),
        (status, "UP", 0, "accepted are up, down, unknown, missed, _"),
        (number, "1 2y", 2, "'2y' is no number"),
        (number, "1+1", 0, "does not say how many steps: 1+1x10"),
        (number, "1+x3", 0, "is no number"),
        (number, "_x0", 0, "leave it out"),
        (number, "1x99999999999999999999", 0, "more than 1,000,000 samples"),
        (number, "1x999999 2", 9, "more than 1,000,000 samples"),
        (number, "", 0, "is empty"),
        (number, "1" * 99, 0, "is no number"),
        (number, "1" * 5000, 0, "is too long"),
        (number, "1e9999", 0, "is no number"),
        (number, "١", 0, "is no number"),
        (boolean, "yes", 0, "accepted are true, false"),
        (moment, "-26", 0, "is no time"),
        (moment, "-101y", 0, "is no time"),
        (moment, "2020-01-01T06:00", 0, "a time with its zone"),
    ],
)
def test_a_slip_is_told_with_its_place(element: Element, text: str, offset: int, words: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse(text, element)
    [slip] = caught.value.slips
    assert slip.offset == offset
    assert words in slip.message


def test_all_slips_of_a_text_are_told_but_not_without_end() -> None:
    with pytest.raises(NotationError) as caught:
        parse("up a b down c", status)
    assert [slip.offset for slip in caught.value.slips] == [3, 5, 12]
    with pytest.raises(NotationError) as caught:
        parse("a " * 1000, status)
    assert len(caught.value.slips) == 10


parts = st.one_of(
    st.tuples(st.integers(-1000, 1000), st.integers(0, 50), st.integers(-9, 9)),
    st.tuples(st.none(), st.integers(1, 50), st.just(0)),
)


@given(st.lists(parts, min_size=1, max_size=20))
def test_what_is_written_is_what_is_read(written: Sequence[tuple[int | None, int, int]]) -> None:
    texts = [f"_x{times}" if value is None else f"{value}{step:+d}x{times}" for value, times, step in written]
    wanted: list[float | None] = []
    for value, times, step in written:
        wanted += [None] * times if value is None else [value + step * index for index in range(times + 1)]
    series = parse(" ".join(texts), number)
    assert length(series) == len(wanted)
    if len(wanted) > 1:
        assert numbers(" ".join(texts)) == wanted


@given(st.text(max_size=200), st.sampled_from([number, status, boolean, moment]))
def test_whatever_is_written_is_a_series_or_a_slip_inside_the_text(text: str, element: Callable[[str], Any]) -> None:
    try:
        runs, offsets = length(parse(text, element)), []
    except NotationError as error:
        runs, offsets = 1, [slip.offset for slip in error.slips]
    assert 0 < runs <= MAX_SAMPLES
    assert all(0 <= offset <= len(text) for offset in offsets)
