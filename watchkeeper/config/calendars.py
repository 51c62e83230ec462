"""Service hours, from what the daemon's file says of them. Public holidays are looked up here, once."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from watchkeeper.config.calendarmodels import CalendarModel, parse_days, parse_hours
from watchkeeper.config.document import Document, Path_
from watchkeeper.config.problems import Problem, suggest
from watchkeeper.domain.calendar import ALWAYS, DAY_MINUTES, Calendar, DayHours, always

FIRST_YEAR: Final = 2020
LAST_YEAR: Final = 2040
"""Holidays are known of these years; in others there are none."""


def read_calendars(
    document: Document, models: Mapping[str, CalendarModel], problems: list[Problem]
) -> dict[str, Calendar]:
    """The calendars by their names, `always` among them. What is wrong with them is added to the problems."""
    found = {ALWAYS: always()}
    for name, model in models.items():
        path: Path_ = ("calendars", name)
        free, worked = _holidays(document, path, model, problems)
        found[name] = Calendar(
            name,
            ZoneInfo(model.timezone),
            _week(document, path, model, problems),
            frozenset(model.closed) | free,
            frozenset(model.opened) | (worked - frozenset(model.closed)),
        )
        if model.hours is not None and not any(model.hours.values()):
            problems.append(document.problem((*path, "hours"), "has no hours: leave it out if it is always"))
        both = sorted(set(model.closed) & set(model.opened))
        problems += [document.problem((*path, "opened"), f"{day} is both closed and opened") for day in both]
    return found


def _week(
    document: Document, path: Path_, model: CalendarModel, problems: list[Problem]
) -> tuple[DayHours, ...] | None:
    if model.hours is None:
        return None
    week: list[DayHours] = [()] * 7
    named: dict[int, str] = {}
    for days, texts in model.hours.items():
        spans = tuple(sorted(parse_hours(text) for text in texts))
        place = (*path, "hours", days)
        if any(spans[n][1] > spans[n + 1][0] for n in range(len(spans) - 1)):
            problems.append(document.problem(place, "these hours overlap"))
        for day in parse_days(days):
            if (other := named.setdefault(day, days)) != days:
                message = f"names a day of {other!r} as well: name each day once"
                problems.append(document.problem(place, message, key=True))
            week[day] = spans
    for day, spans in enumerate(week):
        following = week[(day + 1) % 7]
        if spans and following and spans[-1][1] - DAY_MINUTES > following[0][0]:
            place = (*path, "hours", named[day])
            problems.append(document.problem(place, "these hours last into those of the next day"))
    return tuple(week)


def _holidays(
    document: Document, path: Path_, model: CalendarModel, problems: list[Problem]
) -> tuple[frozenset[date], frozenset[date]]:
    if model.holidays is None:
        return frozenset(), frozenset()
    try:
        return holidays_of(model.holidays)
    except ValueError as error:
        problems.append(document.problem((*path, "holidays"), str(error)))
        return frozenset(), frozenset()


@lru_cache(maxsize=32)
def holidays_of(code: str) -> tuple[frozenset[date], frozenset[date]]:
    """The public holidays of a country or a part of one, and the weekends that are worked instead of other days.

    Args:
        code: ISO 3166-1 or -2: `CN`, `DE-BY`.

    Raises:
        ValueError: nothing is known of it.
    """
    import holidays  # here: it takes a third of a second, and most configurations do not need it

    country, _, part = code.partition("-")
    known = holidays.list_supported_countries()
    if country not in known:
        raise ValueError(f"no holidays are known of {country!r}: accepted is a country such as CN or DE-BY")
    if part and part not in known[country]:
        there = f"there is {', '.join(known[country])}" if known[country] else "leave it out"
        raise ValueError(f"{country} has no part {part!r}{suggest(part, known[country])}: {there}")
    found = holidays.country_holidays(country, subdiv=part or None, years=range(FIRST_YEAR, LAST_YEAR + 1))
    return frozenset(found), frozenset(found.weekend_workdays)
