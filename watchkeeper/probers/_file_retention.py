"""Which copies should be kept and are not there. Pure: the time and the copies' times are arguments."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta, tzinfo

from pydantic import Field

from watchkeeper.domain.units import utc
from watchkeeper.schema.base import Model


class Retention(Model):
    """Copies that must be there: one of each of the last days, weeks and months, not counting the one under way."""

    daily: int = Field(default=0, ge=0, le=1000)
    """Of how many days before today."""
    weekly: int = Field(default=0, ge=0, le=500)
    """Of how many weeks before this one. A week begins on Monday."""
    monthly: int = Field(default=0, ge=0, le=200)
    """Of how many months before this one."""


def missing(wanted: Retention, written_ms: Iterable[int], now_ms: int, zone: tzinfo) -> list[str]:
    """The days, weeks and months without a copy, the newest first: `2026-11-24`, `2026-W47`, `2026-10`."""
    days = {utc(at_ms).astimezone(zone).date() for at_ms in written_ms}
    today = utc(now_ms).astimezone(zone).date()
    have_weeks, have_months = {_week(day) for day in days}, {_month(day) for day in days}
    gaps = [day.isoformat() for day in _days_before(today, wanted.daily) if day not in days]
    gaps += [week for week in _weeks_before(today, wanted.weekly) if week not in have_weeks]
    return gaps + [month for month in _months_before(today, wanted.monthly) if month not in have_months]


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def _days_before(today: date, count: int) -> Iterator[date]:
    return (today - timedelta(days=number) for number in range(1, count + 1))


def _weeks_before(today: date, count: int) -> Iterator[str]:
    return (_week(today - timedelta(weeks=number)) for number in range(1, count + 1))


def _months_before(today: date, count: int) -> Iterator[str]:
    month = today.replace(day=1)
    for _ in range(count):
        month = (month - timedelta(days=1)).replace(day=1)
        yield _month(month)
