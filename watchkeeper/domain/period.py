"""Periods that availability is agreed for: of the calendar in a time zone, or up to now."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Final

from watchkeeper.domain.calendar import day_begins_ms, local_day
from watchkeeper.domain.instants import FIRST_YEAR, LAST_YEAR, parse_instant_ms
from watchkeeper.domain.spans import Span
from watchkeeper.domain.units import format_time, parse_duration_ms

PERIOD_HELP: Final = "month, quarter, year or a duration from 1h to 366d, such as 30d"
NAMED_HELP: Final = "a month such as 2026-10, a quarter such as 2026-Q4 or a year such as 2026"
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_LEAST_MS, _MOST_MS = parse_duration_ms("1h"), parse_duration_ms("366d")
_NAMED: Final = re.compile(r"(\d{4})(?:-(?:(\d{2})|Q([1-4])))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """`name`: as people wrote it. `months`: of the calendar, beginning with a month, quarter or year; 0: `rolling_ms`
    up to now."""

    name: str
    months: int = 0
    rolling_ms: int = 0

    def span(self, now_ms: int, zone: tzinfo) -> Span:
        """The one that an instant is in, or that ends with it; a calendar's in a time zone, until its end."""
        if not self.months:
            return Span(now_ms - self.rolling_ms, now_ms)
        today = local_day(now_ms, zone)
        return _months(today.year, (today.month - 1) // self.months * self.months + 1, self.months, zone)


MONTH: Final = Period("month", months=1)


def parse_period(text: str) -> Period:
    """The period of a text.

    Raises:
        ValueError: it is none.
    """
    if (months := _MONTHS.get(text)) is not None:
        return Period(text, months=months)
    try:
        length_ms = parse_duration_ms(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a period: accepted is {PERIOD_HELP}") from None
    if not _LEAST_MS <= length_ms <= _MOST_MS:
        raise ValueError(f"{text!r} is out of range: accepted is {PERIOD_HELP}")
    return Period(text, rolling_ms=length_ms)


def parse_named(text: str, zone: tzinfo) -> Span:
    """The month, quarter or year of a calendar, in a time zone.

    Raises:
        ValueError: it is none.
    """
    found = _NAMED.fullmatch(text.strip())
    year, month, quarter = found.groups() if found else (None, None, None)
    if year is None or not FIRST_YEAR <= int(year) <= LAST_YEAR or (month and not 1 <= int(month) <= 12):
        raise ValueError(f"{text!r} is not a period: accepted is {NAMED_HELP}")
    if month:
        return _months(int(year), int(month), 1, zone)
    return _months(int(year), int(quarter) * 3 - 2, 3, zone) if quarter else _months(int(year), 1, 12, zone)


def _months(year: int, month: int, count: int, zone: tzinfo) -> Span:
    years, last = divmod(month - 1 + count, 12)
    return Span(day_begins_ms(date(year, month, 1), zone), day_begins_ms(date(year + years, last + 1, 1), zone))


def _kind(text: str) -> str:
    return "quarter" if "Q" in text else "month" if "-" in text else "year"


ASKED: Final = ("month", "quarter", "year", "last", "from", "to")
_ASKED_HELP: Final = "one of month, quarter, year and last, or from with to"
_MOST_ASKED_MS: Final = parse_duration_ms("1100d")


def asked_span(asked: Mapping[str, str], now_ms: int, zone: tzinfo) -> tuple[Span, int]:
    """The span that somebody asks for, and when its period ends; what is yet to come of it is left out of the span.

    Args:
        asked: what of `ASKED` they say; nothing: this month.
        zone: where months are, and times that name none.

    Raises:
        ValueError: it is none, has not begun, or is too long. The text says so.
    """
    given = {name: text for name, text in asked.items() if text}
    named = [name for name in given if name not in ("from", "to")]
    if len(named) > 1 or (named and len(given) > 1) or ("to" in given and "from" not in given):
        raise ValueError(f"{' and '.join(given)} do not go together: accepted is {_ASKED_HELP}")
    if not given:
        span = MONTH.span(now_ms, zone)
    elif not named:
        until_ms = parse_instant_ms(given["to"], zone) if "to" in given else now_ms
        span = Span(parse_instant_ms(given["from"], zone), until_ms)
    elif named == ["last"]:
        span = Span(now_ms - parse_duration_ms(given["last"]), now_ms)
    else:
        [name] = named
        span = parse_named(given[name], zone)
        if _kind(given[name]) != name:
            raise ValueError(f"{given[name]!r} is no {name}: accepted is {NAMED_HELP}")
    if span.from_ms >= now_ms:
        raise ValueError(f"it begins at {format_time(span.from_ms)}, which is yet to come")
    if span.to_ms <= span.from_ms:
        raise ValueError("it ends before it begins")
    if span.to_ms - span.from_ms > _MOST_ASKED_MS:
        raise ValueError("it is longer than 1100d: ask for a shorter time")
    return Span(span.from_ms, min(span.to_ms, now_ms)), span.to_ms
