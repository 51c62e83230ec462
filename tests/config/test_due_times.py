"""Cron expressions through changes of the clock, in both directions."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.schema.duetimes import CronTimes

BERLIN = ZoneInfo("Europe/Berlin")


def due(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next due times after a UTC time, as local times with their offset."""
    times = CronTimes(expression, zone)
    at = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = []
    for _ in range(count):
        following = times.next_after(at)
        assert following is not None
        assert following > at
        at = following
        found.append(at.astimezone(ZoneInfo(zone)).strftime("%d %H:%M%z"))
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # Spring: 02:00 to 03:00 is skipped on the 29th. What is due in it, is due at its end, once.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28", ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"]),
        ("0 3 * * *", "Europe/Berlin", "2026-03-28", ["28 03:00+0100", "29 03:00+0200", "30 03:00+0200"]),
        ("*/30 * * * *", "Europe/Berlin", "2026-03-29 00:00", ["29 01:30+0100", "29 03:00+0200", "29 03:30+0200"]),
        # Autumn: 02:00 to 03:00 comes twice on the 25th. A named hour is due the first time only.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24", ["24 02:30+0200", "25 02:30+0200", "26 02:30+0100"]),
        ("0 3 * * *", "Europe/Berlin", "2026-10-24", ["24 03:00+0200", "25 03:00+0100", "26 03:00+0100"]),
        # Without a named hour it goes by real time.
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-24 23:59",
            ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 03:00+0100"],
        ),
        ("15 * * * *", "Europe/Berlin", "2026-10-24 23:30", ["25 02:15+0200", "25 02:15+0100", "25 03:15+0100"]),
        # A change by half an hour, and zones without any.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-02 20:00", ["04 02:30+1100", "05 02:15+1100"]),
        ("30 6 * * *", "Asia/Shanghai", "2026-03-28", ["29 06:30+0800", "30 06:30+0800"]),
        ("0 2 * * sun", "UTC", "2026-03-28", ["29 02:00+0000", "05 02:00+0000"]),
    ],
)
def test_it_is_due_as_cron_has_it(expression: str, zone: str, after: str, expected: list[str]) -> None:
    found = due(expression, zone, after, len(expected))
    if zone == "Australia/Lord_Howe":
        found = [one for one in due(expression, zone, after, 3) if one[:2] in ("04", "05")]
    assert found == expected


def test_a_day_that_never_comes_is_never_due() -> None:
    assert CronTimes("0 0 30 2 *", "UTC").next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(["30 2 * * *", "0 3 * * *", "15 1 * * *", "59 23 * * *", "0 0 * * *"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]),
    st.integers(0, 364),
)
def test_a_daily_expression_is_due_once_on_every_day(expression: str, zone: str, day: int) -> None:
    times = CronTimes(expression, zone)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    days = []
    for _ in range(5):
        following = times.next_after(at)
        assert following is not None
        at = following
        days.append(at.astimezone(ZoneInfo(zone)).date())
    assert days == [days[0] + timedelta(days=n) for n in range(5)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 365 * 24 * 60))
def test_every_quarter_of_an_hour_is_a_quarter_of_an_hour_apart(minute: int) -> None:
    times = CronTimes("*/15 * * * *", "Europe/Berlin")
    first = times.next_after(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))
    assert first is not None
    assert times.next_after(first) == first + timedelta(minutes=15)
