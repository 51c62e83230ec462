"""Samples become rollups of minutes and hours, and these become few bytes and back."""

import math
from array import array
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.domain.chunk import decode, encode_coarsely, encode_exactly
from watchkeeper.domain.rollup import HOUR_MS, MINUTE_MS, Chunk, Row, combine, finite, merge, roll_up, total

few = settings(max_examples=150, deadline=None, derandomize=True)
HOUR = 500_000  # since the epoch
NUMBER = st.floats(-(2.0**100), 2.0**100, width=32)


def numbers(*samples: tuple[float, ...]) -> "array[float]":
    return array("d", [number for sample in samples for number in sample])


def plain(row: Row) -> tuple[int, list[float], list[float], list[float]]:
    return row.samples, list(row.lows), list(row.highs), list(row.means)


@st.composite
def rows(draw: st.DrawFn, width: int) -> Row:
    """As some samples would give it."""
    samples = draw(st.sampled_from([1, 1, 2, 2, 3, 60, 100_000]))
    ends = [sorted((draw(NUMBER), draw(NUMBER))) for _ in range(width)]
    lows, highs = [low for low, _ in ends], [high for _, high in ends]
    if samples == 1:
        return Row(1, lows, lows, lows)
    means = [low / 2 + high / 2 for low, high in ends]
    if samples > 2:
        means = [low + (high - low) * draw(st.floats(0, 1)) for low, high in ends]
    return Row(samples, lows, highs, means)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    width = draw(st.integers(1, 4))
    positions = draw(st.sets(st.integers(0, 59), min_size=1, max_size=60))
    return {position: draw(rows(width)) for position in positions}


@few
@given(chunks(), st.booleans())
def test_what_is_written_exactly_is_read_as_it_was_to_24_bits(chunk: Chunk, deflate: bool) -> None:
    read = decode(encode_exactly(chunk, deflate=deflate))

    assert read.keys() == chunk.keys()
    for position, row in chunk.items():
        assert read[position].samples == row.samples
        for before, after in zip(row[1:], read[position][1:], strict=True):
            # In 32 bits a mean of numbers that cancel out may be as far off as these are exact.
            largest = max(map(abs, [*row.lows, *row.highs]))
            assert after == pytest.approx(before, rel=1e-7, abs=max(largest * 1e-7, 1e-44))


@few
@given(chunks())
def test_what_is_written_coarsely_is_off_by_no_more_than_half_a_step_of_63(chunk: Chunk) -> None:
    read = decode(encode_coarsely(chunk))

    assert read.keys() == chunk.keys()
    whole = total(list(chunk.values()))
    for position, row in chunk.items():
        assert read[position].samples == row.samples
        for before, after in zip(row[1:], read[position][1:], strict=True):
            for low, high, was, now in zip(whole.lows, whole.highs, before, after, strict=True):
                assert abs(now - was) <= (high - low) / 126 * 1.001 + max(abs(low), abs(high)) * 1e-6


@few
@given(chunks())
def test_the_least_and_the_greatest_of_a_chunk_are_exact(chunk: Chunk) -> None:
    before, after = (total(list(some.values())) for some in (chunk, decode(encode_coarsely(chunk))))

    assert list(after.lows) == list(before.lows)
    assert list(after.highs) == list(before.highs)


def test_a_number_that_stays_takes_no_room_and_is_exact() -> None:
    one = {minute: Row(2, [0.1, 7.0], [0.1, 7.0], [0.1, 7.0]) for minute in range(60)}

    written = encode_coarsely(one)

    assert len(written) < 25
    assert decode(written)[59].lows == pytest.approx([0.1, 7.0], rel=1e-7)


def test_an_hour_of_noise_takes_a_byte_and_a_half_for_two_samples() -> None:
    noise = [math.sin(n * n) for n in range(60)]
    one = {minute: Row(2, [low - 1], [low + 1], [low]) for minute, low in enumerate(noise)}

    assert len(encode_coarsely(one)) < 60 * 1.5 + 25


@few
@given(chunks(), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_damaged_bytes_are_an_error_or_some_other_chunk(chunk: Chunk, at: int, wrong: bytes) -> None:
    written = encode_coarsely(chunk)
    damaged = written[:at] + wrong + written[at + len(wrong) :]
    for data in (damaged, written[:at]):
        with suppress(ValueError):
            decode(data)


def test_bytes_that_end_early_are_an_error() -> None:
    written = encode_exactly({n: Row(3, [1.0], [3.0], [2.5]) for n in range(3)}, deflate=False)

    for length in range(len(written)):
        with pytest.raises(ValueError, match="chunk"):
            decode(written[:length])


@few
@given(st.lists(st.tuples(st.integers(0, 3 * HOUR_MS - 1), NUMBER, NUMBER), min_size=1, max_size=60))
def test_rolled_up_are_all_samples_each_in_its_minute(samples: list[tuple[int, float, float]]) -> None:
    begin = HOUR * HOUR_MS
    found: dict[int, Row] = {}
    for hour, first_ms, chunk in roll_up(2, numbers(*((begin + at, *values) for at, *values in samples))):
        assert any(begin + at == first_ms and first_ms // HOUR_MS == hour for at, *_ in samples)
        found |= {hour * 60 + minute: row for minute, row in chunk.items()}

    minutes: dict[int, list[Sequence[float]]] = {}
    for at, *values in samples:
        minutes.setdefault((begin + at) // MINUTE_MS, []).append(values)
    assert found.keys() == minutes.keys()
    for minute, there in minutes.items():
        row = found[minute]
        assert row.samples == len(there)
        for column, values_of in enumerate(zip(*there, strict=True)):
            assert (row.lows[column], row.highs[column]) == (min(values_of), max(values_of))
            largest = max(map(abs, values_of))
            assert row.means[column] == pytest.approx(math.fsum(values_of) / len(there), rel=1e-9, abs=largest * 1e-9)


def test_samples_on_both_sides_of_an_hour_are_in_two_chunks() -> None:
    edge = HOUR * HOUR_MS
    found = list(roll_up(1, numbers((edge - 1, 1.0), (edge, 2.0))))

    assert [(hour, first_ms, sorted(chunk)) for hour, first_ms, chunk in found] == [
        (HOUR - 1, edge - 1, [59]),
        (HOUR, edge, [0]),
    ]


def test_samples_out_of_order_are_put_where_they_belong() -> None:
    at = HOUR * HOUR_MS
    [(_, _, chunk)] = roll_up(1, numbers((at + MINUTE_MS, 1.0), (at, 2.0), (at + MINUTE_MS + 1, 3.0)))

    assert {minute: plain(row) for minute, row in chunk.items()} == {
        0: (1, [2.0], [2.0], [2.0]),
        1: (2, [1.0], [3.0], [2.0]),
    }


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 1e39])
def test_a_number_that_is_not_finite_is_left_out_and_the_others_stay(odd: float) -> None:
    found = finite(("a", "b"), numbers((1, 1.0, 2.0), (2, odd, 4.0), (3, 5.0, 6.0)))

    assert {names: list(some) for names, some in found.items()} == {
        ("a", "b"): [1, 1.0, 2.0, 3, 5.0, 6.0],
        ("b",): [2, 4.0],
    }


def test_a_sample_without_any_finite_number_is_left_out() -> None:
    assert finite(("a",), numbers((1, math.nan))) == {}


@few
@given(st.lists(rows(2), min_size=2, max_size=6))
def test_rows_taken_together_are_the_same_in_any_order(some: list[Row]) -> None:
    whole = total(some)
    step_by_step = some[-1]
    for row in reversed(some[:-1]):
        step_by_step = combine(step_by_step, row)

    assert step_by_step.samples == whole.samples == sum(row.samples for row in some)
    assert list(step_by_step.lows) == list(whole.lows)
    assert list(step_by_step.highs) == list(whole.highs)
    for one, other, low, high in zip(step_by_step.means, whole.means, whole.lows, whole.highs, strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=max(abs(low), abs(high)) * 1e-9)


def test_merged_chunks_have_the_rows_of_both() -> None:
    into: Chunk = {0: Row(1, [1.0], [1.0], [1.0]), 1: Row(2, [2.0], [4.0], [3.0])}
    merge(into, {1: Row(2, [0.0], [3.0], [1.5]), 5: Row(1, [9.0], [9.0], [9.0])})

    assert {position: plain(row) for position, row in into.items()} == {
        0: (1, [1.0], [1.0], [1.0]),
        1: (4, [0.0], [4.0], [2.25]),
        5: (1, [9.0], [9.0], [9.0]),
    }
