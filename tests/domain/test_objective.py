"""Periods and error budgets."""

from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from watchkeeper.domain.availability import Correction, CorrectionKind, History, Measured, measure
from watchkeeper.domain.calendar import Calendar, always
from watchkeeper.domain.condition import AvailabilityPolicy, UnknownCounts
from watchkeeper.domain.objective import ErrorBudget, budget_of
from watchkeeper.domain.period import asked_span, parse_named, parse_period
from watchkeeper.domain.probe import Status
from watchkeeper.domain.spans import Span
from watchkeeper.domain.timeline import Interval

HOUR, DAY = 3_600_000, 86_400_000
MINUTE = 60_000
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


ALWAYS = always()
NOW = ms("2026-11-25T12:00")
NOVEMBER, DECEMBER = ms("2026-11-01"), ms("2026-12-01")


def so_far(down_ms: int, until: int = NOW, begin: int = NOVEMBER) -> Measured:
    """Up since the beginning, but for a while at its beginning."""
    down = [Interval("a", begin, begin + down_ms, Status.DOWN)] if down_ms else []
    history = History([*down, Interval("a", begin + down_ms, None, Status.UP)])
    return measure(Span(begin, until), history, AvailabilityPolicy(), always())


def budget(measured: Measured, ppm: int = 999_000, until: int = DECEMBER, calendar: Calendar = ALWAYS) -> ErrorBudget:
    found = budget_of(measured, ppm, calendar, until)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("month", "2026-11-01", "2026-12-01"),
        ("quarter", "2026-10-01", "2027-01-01"),
        ("year", "2026-01-01", "2027-01-01"),
        ("30d", "2026-10-26T12:00", "2026-11-25T12:00"),
        ("1h", "2026-11-25T11:00", "2026-11-25T12:00"),
    ],
)
def test_a_period_is_of_the_calendar_or_up_to_now(text: str, begin: str, end: str) -> None:
    assert parse_period(text).span(NOW, UTC) == Span(ms(begin), ms(end))


def test_a_month_begins_and_ends_in_the_time_zone() -> None:
    assert parse_period("month").span(ms("2026-10-31T17:00"), SHANGHAI).from_ms == ms("2026-10-31T16:00")
    october = parse_named("2026-10", BERLIN)
    assert october == Span(ms("2026-09-30T22:00"), ms("2026-10-31T23:00"))
    assert october.to_ms - october.from_ms == 31 * DAY + HOUR


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-02", "2026-02-01", "2026-03-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01"),
        ("2024", "2024-01-01", "2025-01-01"),
    ],
)
def test_a_period_has_a_name(text: str, begin: str, end: str) -> None:
    assert parse_named(text, UTC) == Span(ms(begin), ms(end))


@pytest.mark.parametrize(
    "text", ["", "2026-13", "2026-Q5", "26-10", "1969", "2300", "２０２６", "2026-10-01", "October"]
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a period"):
        parse_named(text, UTC)


@pytest.mark.parametrize("text", ["fortnight", "30", "10m", "400d", ""])
def test_an_objective_has_no_such_period(text: str) -> None:
    with pytest.raises(ValueError, match="accepted is month, quarter, year"):
        parse_period(text)


@pytest.mark.parametrize(
    ("asked", "span", "until"),
    [
        ({}, ("2026-11-01", "2026-11-25T12:00"), "2026-12-01"),
        ({"month": "2026-10"}, ("2026-10-01", "2026-11-01"), "2026-11-01"),
        ({"quarter": "2026-Q4"}, ("2026-10-01", "2026-11-25T12:00"), "2027-01-01"),
        ({"year": "2025"}, ("2025-01-01", "2026-01-01"), "2026-01-01"),
        ({"last": "1d"}, ("2026-11-24T12:00", "2026-11-25T12:00"), "2026-11-25T12:00"),
        ({"from": "2026-11-20"}, ("2026-11-20", "2026-11-25T12:00"), "2026-11-25T12:00"),
        ({"from": "2026-11-20", "to": "2026-11-21T06:00+06:00"}, ("2026-11-20", "2026-11-21"), "2026-11-21"),
        ({"from": "2026-11-20", "to": "2026-11-30"}, ("2026-11-20", "2026-11-25T12:00"), "2026-11-30"),
    ],
)
def test_a_span_is_asked_for(asked: dict[str, str], span: tuple[str, str], until: str) -> None:
    assert asked_span(asked, NOW, UTC) == (Span(ms(span[0]), ms(span[1])), ms(until))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"month": "2026-12"}, "begins at 2026-12-01 00:00:00Z, which is yet to come"),
        ({"from": "2026-11-26"}, "it begins at"),
        ({"from": "2026-11-20", "to": "2026-11-19"}, "ends before it begins"),
        ({"to": "2026-11-19"}, "do not go together"),
        ({"month": "2026-10", "last": "1d"}, "month and last do not go together"),
        ({"month": "2026"}, "is no month"),
        ({"year": "2026-10"}, "is no year"),
        ({"last": "4y"}, "is longer than 1100d"),
        ({"last": "0s"}, "which is yet to come"),
        ({"last": "soon"}, "is not a duration"),
        ({"from": "yesterday"}, "is not a time"),
    ],
)
def test_a_span_that_can_not_be_is_refused_with_a_reason(asked: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        asked_span(asked, NOW, UTC)


def test_a_month_of_thirty_days_allows_43_minutes_and_12_seconds() -> None:
    found = budget(so_far(0, DECEMBER), until=DECEMBER)

    assert (found.allowed_ms, found.left_ms) == (43 * MINUTE + 12_000, 43 * MINUTE + 12_000)
    assert (found.burn, found.runs_out_ms) == (Fraction(0), None)


def test_a_year_at_four_nines_allows_52_minutes_and_33_600_milliseconds() -> None:
    year = so_far(0, ms("2027-01-01"), ms("2026-01-01"))

    assert budget(year, 999_900, ms("2027-01-01")).allowed_ms == 52 * MINUTE + 33_600


def test_of_a_month_that_goes_on_the_days_to_come_count_as_well() -> None:
    found = budget(so_far(10 * MINUTE))

    assert (found.allowed_ms, found.spent_ms, found.left_ms) == (2_592_000, 600_000, 1_992_000)
    assert found.burn == Fraction(600_000 * 1_000_000, (24 * DAY + 12 * HOUR) * 1000)


def test_a_budget_runs_out_when_the_rate_so_far_goes_on() -> None:
    found = budget(so_far(40 * MINUTE))  # 192 s are left, of 40 minutes in 24.5 days: 1.96 days

    assert found.runs_out_ms == NOW + 192_000 * (24 * DAY + 12 * HOUR) // (40 * MINUTE)
    assert budget(so_far(20 * MINUTE)).runs_out_ms is None  # it lasts until the month is over


def test_a_budget_that_is_spent_tells_when_it_ran_out() -> None:
    found = budget(so_far(50 * MINUTE))

    assert (found.is_kept, found.left_ms) == (False, -(50 * MINUTE - 2_592_000))
    assert found.runs_out_ms == NOVEMBER + 2_592_000


def test_a_budget_is_kept_to_the_last_millisecond_and_not_beyond() -> None:
    whole = [budget(so_far(2_592_000 + more, DECEMBER)) for more in (0, 1)]

    assert [one.is_kept for one in whole] == [True, False]


def test_an_objective_of_a_hundred_percent_allows_nothing() -> None:
    assert (budget(so_far(0), 1_000_000).is_kept, budget(so_far(1), 1_000_000).is_kept) == (True, False)
    assert budget(so_far(1), 1_000_000).burn is None


def test_an_objective_of_nothing_is_always_kept() -> None:
    assert budget(so_far(24 * DAY), 0).is_kept


def test_there_is_no_budget_of_what_was_not_measured() -> None:
    nothing = measure(Span(NOVEMBER, NOW), History(), AvailabilityPolicy(), always())

    assert (nothing.percent, nothing.availability) == ("no data", None)
    assert budget_of(nothing, 999_000, always(), DECEMBER) is None


def test_the_budget_of_a_rolling_period_is_that_of_its_length() -> None:
    measured = so_far(DAY, NOW, NOW - 30 * DAY)

    found = budget(measured, 900_000, NOW)

    assert (found.allowed_ms, found.left_ms) == (3 * DAY, 2 * DAY)
    assert found.runs_out_ms is None  # two days at a day in thirty last longer than thirty days
    assert budget(so_far(DAY, NOW, NOW - 30 * DAY), 960_000, NOW).runs_out_ms == NOW + 6 * DAY


def test_unknown_that_counts_as_down_spends_the_budget() -> None:
    history = History(
        [Interval("a", NOVEMBER, NOVEMBER + HOUR, Status.UNKNOWN), Interval("a", NOVEMBER + HOUR, None, Status.UP)]
    )
    policy = AvailabilityPolicy(unknown=UnknownCounts.DOWN)

    found = budget(measure(Span(NOVEMBER, NOW), history, policy, always()))

    assert (found.spent_ms, found.runs_out_ms) == (HOUR, NOVEMBER + 2_592_000)


def test_office_hours_allow_less_and_run_out_in_office_hours() -> None:
    calendar = Calendar("cn", SHANGHAI, (*(((540, 1080),),) * 5, (), ()))
    monday = ms("2026-11-23T01:00")  # 09:00
    added = Correction(1, "shop", CorrectionKind.ADD, monday, monday + 30 * MINUTE, "a", "b", 0)
    history = History([Interval("a", NOVEMBER, None, Status.UP)], [], [added])
    span = Span(ms("2026-10-31T16:00"), monday + 9 * HOUR)

    found = budget(measure(span, history, AvailabilityPolicy(), calendar), 990_000, ms("2026-11-30T16:00"), calendar)

    # 21 working days of nine hours in the month; 16 of them so far, half an hour of which was down.
    assert found.allowed_ms == 21 * 9 * HOUR // 100
    assert found.left_ms == 21 * 9 * HOUR // 100 - 30 * MINUTE
    assert found.runs_out_ms is None
