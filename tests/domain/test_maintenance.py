"""When the windows of maintenance are, also on the days when clocks are moved."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.domain.expected import Selection
from watchkeeper.domain.maintenance import Maintenance, Once, Recurring, Span, is_endless, merged, mistake
from watchkeeper.domain.units import format_time, utc
from watchkeeper.schema.duetimes import CronTimes

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def due(expression: str, zone: str) -> Callable[[int], int | None]:
    times = CronTimes(expression, zone)

    def next_after(after_ms: int) -> int | None:
        found = times.next_after(utc(after_ms))
        return None if found is None else round(found.timestamp() * 1000)

    return next_after


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def windows(expression: str, zone: str, duration_ms: int, begin: str, end: str) -> list[tuple[str, str]]:
    times = Recurring(due(expression, zone), duration_ms, "")
    found = Maintenance("m", "m", Selection(), times).windows(ms(begin), ms(end))
    return [(format_time(one.from_ms)[5:16], format_time(one.to_ms)[5:16]) for one in found]


def test_a_window_lasts_as_long_by_a_watch_when_clocks_are_moved() -> None:
    spring = windows("0 2 * * *", "Europe/Berlin", 2 * HOUR, "2026-03-28", "2026-03-31")
    autumn = windows("0 2 * * *", "Europe/Berlin", 2 * HOUR, "2026-10-24 12:00", "2026-10-26")

    assert spring == [
        ("03-28 01:00", "03-28 03:00"),
        ("03-29 01:00", "03-29 03:00"),  # 02:00 does not exist: from 03:00 to 05:00 summer time
        ("03-30 00:00", "03-30 02:00"),
    ]
    assert autumn == [("10-25 00:00", "10-25 02:00")]  # the first 02:00 until the second 03:00


def test_windows_that_meet_only_where_a_clock_is_moved_are_one() -> None:
    found = windows("30 1,3 * * *", "Europe/Berlin", 90 * MINUTE, "2026-03-28 12:00", "2026-03-29 12:00")
    assert found == [("03-29 00:30", "03-29 03:00")]


def test_what_began_before_is_among_them() -> None:
    found = windows("0 22 * * sat", "UTC", 4 * HOUR, "2026-11-29 01:59", "2026-11-29 12:00")
    assert found == [("11-28 22:00", "11-29 02:00")]
    assert windows("0 22 * * sat", "UTC", 4 * HOUR, "2026-11-29 02:00", "2026-11-29 12:00") == []


class Model:
    """Cron, minute by minute: which instants are due."""

    def __init__(self, minutes: set[int], hours: set[int], days: set[int], zone: str, *, every_hour: bool) -> None:
        self.minutes, self.hours, self.days, self.every_hour = minutes, hours, days, every_hour
        self.zone = ZoneInfo(zone)

    def is_named(self, wall: datetime) -> bool:
        day = (wall.weekday() + 1) % 7
        return wall.minute in self.minutes and wall.hour in self.hours and day in self.days

    def is_due(self, at_ms: int) -> bool:
        wall = utc(at_ms).astimezone(self.zone)
        before = utc(at_ms - MINUTE).astimezone(self.zone).replace(tzinfo=None)
        skipped = wall.replace(tzinfo=None) - before - timedelta(minutes=1)
        if any(self.is_named(before + timedelta(minutes=1 + n)) for n in range(int(skipped.total_seconds()) // 60)):
            return True
        return self.is_named(wall) and (wall.fold == 0 or self.every_hour)


minutes = st.sampled_from([("0", {0}), ("30", {30}), ("*/20", {0, 20, 40}), ("5,50", {5, 50}), ("59", {59})])
hours = st.one_of(
    st.just(("*", set(range(24)))),
    st.just(("*/6", {0, 6, 12, 18})),
    st.integers(0, 23).map(lambda hour: (str(hour), {hour})),
    st.sampled_from([("1-3", {1, 2, 3}), ("0,2", {0, 2}), ("2", {2}), ("3", {3})]),
)
weekdays = st.one_of(st.just(("*", set(range(7)))), st.sampled_from([0, 6, 1]).map(lambda day: (DAYS[day], {day})))
begins = st.sampled_from(  # around changes of the clock, in both directions, by an hour and by half of one
    [("Europe/Berlin", "2026-03-28"), ("Europe/Berlin", "2026-10-24"), ("America/New_York", "2026-03-07"),
     ("America/New_York", "2026-10-31"), ("Australia/Lord_Howe", "2026-10-03"), ("Australia/Lord_Howe", "2026-04-04"),
     ("Asia/Shanghai", "2026-11-28"), ("UTC", "2026-02-27"), ("America/Sao_Paulo", "2018-11-03")]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(minutes, hours, weekdays, begins, st.integers(1, 200), st.integers(0, 24 * 60), st.integers(1, 40 * 60))
def test_windows_are_what_cron_says_minute_by_minute(
    minute: tuple[str, set[int]],
    hour: tuple[str, set[int]],
    weekday: tuple[str, set[int]],
    begin: tuple[str, str],
    lasts: int,
    offset: int,
    length: int,
) -> None:
    zone, day = begin
    from_ms = ms(day) + offset * MINUTE
    to_ms = from_ms + length * MINUTE
    model = Model(minute[1], hour[1], weekday[1], zone, every_hour=hour[0].startswith("*"))
    dues = [at for at in range(from_ms - lasts * MINUTE, to_ms, MINUTE) if model.is_due(at)]
    expected = {at for one in dues for at in range(one, one + lasts * MINUTE, MINUTE) if from_ms <= at < to_ms}

    times = Recurring(due(f"{minute[0]} {hour[0]} * * {weekday[0]}", zone), lasts * MINUTE, "")
    found = Maintenance("m", "m", Selection(), times).windows(from_ms, to_ms)

    covered = {at for one in found for at in range(one.from_ms, one.to_ms, MINUTE) if from_ms <= at < to_ms}
    assert covered == expected
    assert all(earlier.to_ms < later.from_ms for earlier, later in pairwise(found))


spans = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 10)).map(lambda one: Span(one[0], sum(one))), max_size=12
)


@given(spans, spans, st.randoms())
def test_the_same_spans_are_the_same_time_in_whatever_order_they_come(
    first: list[Span], then: list[Span], random: object
) -> None:
    shuffled = [*first, *then]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    together = merged([*first, *then])

    assert merged(shuffled) == together
    assert merged([*merged(then), *merged(first)]) == together
    covered = {at for span in [*first, *then] for at in range(*span)}
    assert {at for span in together for at in range(*span)} == covered


def test_spans_that_leave_no_gap_for_longer_than_a_window_may_last_are_endless() -> None:
    nights = [Span(day * DAY, day * DAY + HOUR) for day in range(40)]
    days = [Span(day * DAY, (day + 1) * DAY) for day in range(40)]

    assert not is_endless(nights)
    assert not is_endless(days[:31])
    assert is_endless(days)


@pytest.mark.parametrize(
    ("expression", "lasts", "said"),
    [
        ("0 2 * * sun", 2 * HOUR, ""),
        ("0 2,3 * * *", HOUR, ""),
        ("0 0 1 1 *", DAY, ""),
        ("0 0 * * *", DAY, "it would never end"),
        ("*/30 * * * *", 30 * MINUTE, "it would never end"),
        ("0 2,3 * * *", HOUR + 1, "is due again before the window is over"),
        ("0 0 30 2 *", HOUR, "is never due"),
        ("*/5 * * * *", MINUTE, "is due too often"),
    ],
)
def test_windows_that_overlap_or_never_end_are_a_mistake(expression: str, lasts: int, said: str) -> None:
    found = mistake(due(expression, "UTC"), lasts, ms("2026-01-01"))
    assert said in found
    assert bool(said) is bool(found)


def test_a_single_window_is_there_where_it_touches() -> None:
    once = Maintenance("m", "move", Selection(), Once(Span(100, 200)))
    assert [bool(once.windows(*looked)) for looked in ((0, 100), (0, 101), (199, 300), (200, 300))] == [
        False,
        True,
        True,
        False,
    ]
