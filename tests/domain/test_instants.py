"""Dates and times, as people write them."""

from zoneinfo import ZoneInfo

import pytest

from watchkeeper.domain.instants import parse_instant_ms
from watchkeeper.domain.units import format_time

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-11-28T22:00+08:00", None, "2026-11-28 14:00:00Z"),
        ("2026-11-28 22:00Z", BERLIN, "2026-11-28 22:00:00Z"),
        ("2026-11-28 22:00", BERLIN, "2026-11-28 21:00:00Z"),
        ("2026-10-25 02:30", BERLIN, "2026-10-25 00:30:00Z"),  # it comes twice: the first
    ],
)
def test_a_time_is_read_where_it_is(text: str, zone: ZoneInfo | None, instant: str) -> None:
    assert format_time(parse_instant_ms(text, zone)) == instant


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("tomorrow", None, "is not a time"),
        ("2026-11-28 22:00", None, "has no time zone"),
        ("2026-03-29 02:30", BERLIN, "does not exist in Europe/Berlin"),
        ("0001-01-01T00:00+14:00", None, "is out of range"),
    ],
)
def test_what_can_not_be_read_is_told(text: str, zone: ZoneInfo | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_instant_ms(text, zone)
