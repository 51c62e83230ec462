"""Service hours: days of 23 and 25 hours, holidays, worked weekends, nights."""

from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.calendar import Calendar, advance, always, day_begins_ms, local_day
from watchkeeper.domain.spans import Span

HOUR = 3_600_000
BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
OFFICE = (*(((540, 1080),),) * 5, (), ())
ALL_DAY = (((0, 1440),),) * 7


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def hours_of(calendar: Calendar, begin: str, end: str) -> list[str]:
    def written(at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%d %H:%M")

    return [f"{written(one.from_ms)}-{written(one.to_ms)}" for one in calendar.hours(ms(begin), ms(end))]


def test_hours_that_never_end_are_all_of_the_time() -> None:
    assert always().hours(5, 9) == [Span(5, 9)]
    assert always().hours(5, 5) == []


def test_office_hours_are_those_of_the_time_zone() -> None:
    calendar = Calendar("cn", SHANGHAI, OFFICE)

    assert hours_of(calendar, "2026-11-26", "2026-11-30T02:00") == [
        "26 01:00-26 10:00",
        "27 01:00-27 10:00",
        "30 01:00-30 02:00",
    ]


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_a_day_has_as_many_hours_as_it_has(day: str, hours: int) -> None:
    begin = day_begins_ms(date.fromisoformat(day), BERLIN)
    end = day_begins_ms(date.fromordinal(date.fromisoformat(day).toordinal() + 1), BERLIN)

    assert end - begin == hours * HOUR
    assert Calendar("all", BERLIN, ALL_DAY).hours(begin, end) == [Span(begin, end)]


def test_hours_over_the_night_when_clocks_are_moved_are_shorter_or_longer() -> None:
    night = Calendar("night", BERLIN, (*((),) * 5, ((1320, 1800),), ()))  # Saturday 22:00 to 06:00

    assert night.hours_ms(ms("2026-03-28"), ms("2026-03-30")) == 7 * HOUR
    assert night.hours_ms(ms("2026-10-24"), ms("2026-10-26")) == 9 * HOUR


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ((120, 180), []),  # 02:00 to 03:00, which is skipped
        ((150, 240), ["29 01:00-29 02:00"]),  # 02:30 to 04:00: from 03:00 on
        ((60, 150), ["29 00:00-29 01:00"]),  # 01:00 to 02:30
    ],
)
def test_times_that_clocks_skip_are_the_moment_at_which_they_are_moved(
    hours: tuple[int, int], expected: list[str]
) -> None:
    calendar = Calendar("c", BERLIN, ((hours,),) * 7)

    assert hours_of(calendar, "2026-03-28T23:00", "2026-03-29T22:00") == expected


def test_times_that_clocks_show_twice_are_the_first_so_that_hours_meet() -> None:
    before, after = (Calendar("c", BERLIN, ((one,),) * 7) for one in ((0, 150), (150, 1440)))

    assert hours_of(before, "2026-10-24T22:00", "2026-10-25T23:00") == ["24 22:00-25 00:30"]
    assert hours_of(after, "2026-10-24T22:00", "2026-10-25T23:00") == ["25 00:30-25 23:00"]


def test_a_holiday_has_no_hours_and_a_worked_weekend_those_of_the_friday_before() -> None:
    calendar = Calendar(
        "cn",
        SHANGHAI,
        (*(((540, 1080),),) * 4, ((540, 900),), (), ()),
        closed=frozenset({date(2026, 10, 5), date(2026, 10, 10)}),
        opened=frozenset({date(2026, 10, 10)}),  # a Saturday
    )

    assert hours_of(calendar, "2026-10-03T16:00", "2026-10-11T16:00") == [
        "06 01:00-06 10:00",
        "07 01:00-07 10:00",
        "08 01:00-08 10:00",
        "09 01:00-09 07:00",
        "10 01:00-10 07:00",
    ]


def test_a_worked_saturday_with_hours_of_its_own_has_those() -> None:
    calendar = Calendar("c", UTC, (*OFFICE[:5], ((600, 660),), ()), opened=frozenset({date(2026, 11, 28)}))

    assert calendar.of_day(date(2026, 11, 28)) == ((600, 660),)


def test_a_calendar_of_closed_days_alone_is_open_else() -> None:
    calendar = Calendar("c", UTC, closed=frozenset({date(2026, 11, 26)}))

    assert hours_of(calendar, "2026-11-25", "2026-11-28") == ["25 00:00-26 00:00", "27 00:00-28 00:00"]


def test_a_date_that_a_zone_never_had_has_no_hours() -> None:
    samoa = Calendar("c", ZoneInfo("Pacific/Apia"), ALL_DAY)
    skipped = date(2011, 12, 30)

    assert day_begins_ms(skipped, samoa.zone) == day_begins_ms(date(2011, 12, 31), samoa.zone)
    assert len(samoa.hours(ms("2011-12-29"), ms("2012-01-02"))) == 1


def test_service_time_is_counted_within_hours_only() -> None:
    calendar = Calendar("cn", SHANGHAI, OFFICE)
    friday = ms("2026-11-27T09:00")  # 17:00 in Shanghai

    assert advance(calendar, friday, 30 * 60_000, ms("2027-01-01")) == ms("2026-11-27T09:30")
    assert advance(calendar, friday, 2 * HOUR, ms("2027-01-01")) == ms("2026-11-30T02:00")
    assert advance(calendar, friday, HOUR, ms("2026-11-28")) is None
    assert advance(calendar, friday, 0, ms("2027-01-01")) == friday


minutes = st.integers(0, 1440)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"])


@given(zones, st.sets(minutes, max_size=6), st.integers(0, 365 * 24 * 60))
def test_hours_and_what_is_between_them_add_up(zone: str, edges: set[int], minute: int) -> None:
    cut = [0, *sorted(edges - {0, 1440}), 1440]
    pairs = list(pairwise(cut))
    inside, outside = tuple(pairs[::2]), tuple(pairs[1::2])
    begin = ms("2026-01-01") + minute * 60_000
    end = begin + 10 * 24 * HOUR + 1234

    parts = [Calendar("c", ZoneInfo(zone), (one,) * 7).hours_ms(begin, end) for one in (inside, outside)]

    assert sum(parts) == end - begin


@given(zones, st.integers(ms("1990-01-01"), ms("2030-01-01")))
def test_a_day_begins_no_later_than_what_is_in_it(zone: str, at_ms: int) -> None:
    day = local_day(at_ms, ZoneInfo(zone))

    assert day_begins_ms(day, ZoneInfo(zone)) <= at_ms
    assert at_ms < day_begins_ms(date.fromordinal(day.toordinal() + 1), ZoneInfo(zone))
