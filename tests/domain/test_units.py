"""Durations, sizes and ratios as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.units import (
    format_duration_ms,
    format_size,
    format_time,
    parse_duration_ms,
    parse_ratio_ppm,
    parse_size_bytes,
)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0s", 0), ("250ms", 250), ("30s", 30_000), ("1h30m", 5_400_000), ("2w", 1_209_600_000), ("1y", 31_536_000_000)],
)
def test_durations_are_read(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize(
    "text", ["", "30", "s", "1.5h", "-5s", "5 s", "5S", "5min", "٣s", "5s ", "1001y", "9" * 39 + "s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"a duration|thousand years"):
        parse_duration_ms(text)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (999, "999ms"),
        (59_999.6, "1m"),
        (90_500, "1m30s"),
        (3_605_000, "1h"),
        (93_784_000, "1d2h"),
        (-5000, "-5s"),
        (400 * 86_400_000, "400d"),
    ],
)
def test_durations_are_shown_by_their_two_largest_units(ms: float, text: str) -> None:
    assert format_duration_ms(ms) == text


@given(st.integers(0, 10**12))
def test_a_duration_that_is_shown_reads_as_nearly_the_same(ms: int) -> None:
    again = parse_duration_ms(format_duration_ms(ms))
    assert again <= ms
    assert ms - again < max(1, ms / 24)
    assert format_duration_ms(again) == format_duration_ms(ms)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("1kB", 1000), ("1KB", 1000), ("1KiB", 1024), ("500MB", 500_000_000), ("1.5 GiB", 1_610_612_736)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "10", "10G", "-1B", "1kiB", "1iB", "1e3B", "B", "1" * 50 + "B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: accepted is"):
        parse_size_bytes(text)


@given(st.integers(0, 1024), st.sampled_from(("B", "KiB", "MiB", "GiB", "TiB", "PiB")))
def test_a_whole_size_that_is_shown_reads_as_the_same(count: int, unit: str) -> None:
    size = parse_size_bytes(f"{count}{unit}")
    assert parse_size_bytes(format_size(size)) == size


@given(st.integers(0, 1_000_000))
def test_ratios_are_exact(ppm: int) -> None:
    assert parse_ratio_ppm(f"{ppm // 10_000}.{ppm % 10_000:04}%") == ppm


@pytest.mark.parametrize("text", ["99.9", "0.999", "100.0001%", "101%", "-1%", "99.99999%", "%", ""])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a ratio|over 100%"):
        parse_ratio_ppm(text)


def test_times_are_shown_in_utc() -> None:
    assert format_time(1_700_000_000_999) == "2023-11-14 22:13:20Z"
