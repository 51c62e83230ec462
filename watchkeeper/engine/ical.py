"""Events of iCalendar texts (RFC 5545), in bounded time: what the standard allows, but no maintenance is like, is
left out with a reason.

A text is parsed, and its events are repeated, by libraries. What would keep them busy for long is seen before:
repetitions by the second, minute or hour, and what began long ago. Between two events the time is looked at.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from fnmatch import fnmatchcase
from math import prod
from threading import Lock
from time import monotonic
from typing import Any, Final

import recurring_ical_events
from icalendar import Calendar, use_zoneinfo

from watchkeeper.domain.maintenance import MAX_WINDOW_MS, Span, is_endless
from watchkeeper.domain.units import format_duration_ms, utc

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 5000
MAX_TOLD: Final = 20  # reasons
_MAX_S: Final = 20.0
_OFTEN: Final = ("SECONDLY", "MINUTELY", "HOURLY")
_MAX_A_DAY: Final = 24
_EARLIEST: Final = date(1990, 1, 1)
_LATEST: Final = date(2200, 1, 1)
_MARK: Final = re.compile(rb"^(?:BEGIN|END):(?:VCALENDAR|VEVENT)(?=[ \t]*\r?$)", re.MULTILINE | re.IGNORECASE)
_TURN: Final = Lock()  # zones are known to all who parse at the same time


class BadCalendar(Exception):
    """The text can not be used. Says why."""


class _BadEvent(Exception):
    """One event can not be used. Says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """`id`: the event's own; of those that come again with the time of each."""

    id: str
    title: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Events:
    """`left_out`: why some are not among them; of many reasons the first."""

    events: tuple[Event, ...]
    left_out: tuple[str, ...]


def read_events(text: bytes, zone: tzinfo, from_ms: int, to_ms: int, summary: str = "") -> Events:
    """The events that touch the time from one instant until before another, by their beginning. Cancelled ones are
    left out.

    Args:
        zone: where whole days are, and times that name no zone.
        summary: a glob that titles must be like, in any case; empty: any will do.

    Raises:
        BadCalendar: it is no calendar, has too much in it, or covers all the time.
    """
    if len(text) > MAX_BYTES:
        raise BadCalendar(f"is larger than {MAX_BYTES // 1024**2} MiB")
    with _TURN:
        return _read(text, zone, Span(from_ms, to_ms), summary)


def _read(text: bytes, zone: tzinfo, within: Span, summary: str) -> Events:
    deadline = monotonic() + _MAX_S
    found: list[Event] = []
    left_out: list[str] = []
    for series in _series(text, summary):
        if monotonic() > deadline:
            raise BadCalendar(f"takes more than {_MAX_S:.0f} s to read")
        try:
            found += _occurrences(series, zone, within)
        except _BadEvent as error:
            left_out.append(f"{_title(series[0])!r}: {error}")
        if len(found) > MAX_EVENTS:
            first, last = (f"{utc(at_ms):%Y-%m-%d}" for at_ms in within)
            raise BadCalendar(f"has more than {MAX_EVENTS:,} events from {first} to {last}")
    if is_endless(Span(event.from_ms, event.to_ms) for event in found):
        most = format_duration_ms(MAX_WINDOW_MS)
        raise BadCalendar(f"its events cover more than {most} without a gap: nothing would ever be told")
    once = {event.id: event for event in found}
    ordered = sorted(once.values(), key=lambda event: (event.from_ms, event.id))
    return Events(tuple(ordered), tuple(left_out[:MAX_TOLD]))


def _series(text: bytes, summary: str) -> Iterable[list[Any]]:
    """The parts of each event: how it comes again first, then single times that are otherwise."""
    if not text.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].upper() == b"BEGIN:VCALENDAR":
        raise BadCalendar("is no iCalendar text: it does not begin with BEGIN:VCALENDAR")
    if text.upper().count(b"BEGIN:VEVENT") > MAX_EVENTS:
        raise BadCalendar(f"has more than {MAX_EVENTS:,} events")
    # Forgets the zones of other calendars: the library would take those of the same name for these.
    use_zoneinfo()  # type: ignore[no-untyped-call]  # the library's own oversight
    try:
        parts = [part for one in Calendar.from_ical(text, multiple=True) for part in one.walk("VEVENT")]
    except Exception as error:  # noqa: BLE001  # whatever a library makes of bytes from elsewhere
        raise BadCalendar(f"is not valid: {_said(error)}") from None
    _require_whole(text)
    series: dict[str, list[Any]] = defaultdict(list)
    for number, part in enumerate(parts):
        series[str(part.get("UID", "")) or f"event-{number}"].append(part)
    for same in series.values():
        same.sort(key=lambda part: "RECURRENCE-ID" in part)
        if not summary or any(fnmatchcase(_title(part).lower(), summary.lower()) for part in same):
            yield same


def _require_whole(text: bytes) -> None:
    """The library would take what is cut off for an empty calendar, and all that was known would be forgotten."""
    marks = Counter(mark.upper() for mark in _MARK.findall(text))
    for part in (b"VCALENDAR", b"VEVENT"):
        if marks[b"BEGIN:" + part] != marks[b"END:" + part]:
            raise BadCalendar(f"is cut off: a BEGIN:{part.decode()} has no END:{part.decode()}")


def _occurrences(series: Sequence[Any], zone: tzinfo, within: Span) -> Iterator[Event]:
    for part in series:
        _require_sensible(part)
    durations = [part["DURATION"].dt for part in series if "DURATION" in part and not part["DURATION"].dt.days]
    comes_again = len(series) > 1 or any(name in series[0] for name in ("RRULE", "RDATE"))
    calendar = Calendar()
    calendar.subcomponents.extend(series)
    # A day more on both sides: what names no zone is taken for UTC by the library.
    day_ms = 86_400_000
    try:
        query = recurring_ical_events.of(calendar, components=["VEVENT"])
        found = query.between(utc(within.from_ms - day_ms), utc(within.to_ms + day_ms))
    except Exception as error:  # noqa: BLE001  # likewise
        raise _BadEvent(_said(error)) from None
    for one in found:
        if str(one.get("STATUS", "")).upper() == "CANCELLED":
            continue
        begin = _ms(one.start, zone)
        # Hours that an event says it lasts are real ones; the library takes them for ones on the clock's face.
        exact = next((lasts for lasts in durations if one.end - one.start == lasts), None)
        end = _ms(one.end, zone) if exact is None else begin + round(exact.total_seconds() * 1000)
        if begin < within.to_ms and end > within.from_ms and end > begin:
            own = str(one.get("UID", "")) or f"{begin}"
            yield Event(f"{own}@{utc(begin):%Y%m%dT%H%M%SZ}" if comes_again else own, _title(one), begin, end)


def _require_sensible(part: Any) -> None:
    if part.errors:
        name, said = part.errors[0]
        raise _BadEvent(f"{name}: {_said(said)}")
    begin = _time(part, "DTSTART")
    if begin is None:
        raise _BadEvent("has no DTSTART")
    end = _time(part, "DTEND")
    if end is not None and (type(begin) is not type(end) or _comparable(end) < _comparable(begin)):
        raise _BadEvent("DTEND is before DTSTART, or of another kind")
    lasts = _lasts_ms(part, begin, end)
    if lasts > MAX_WINDOW_MS:
        most = format_duration_ms(MAX_WINDOW_MS)
        raise _BadEvent(f"lasts {format_duration_ms(lasts)}; accepted are up to {most}")
    if lasts <= 0:
        raise _BadEvent("has no end: DTEND or DURATION is needed")
    for rule in _rules(part):
        _require_bounded(rule)


def _time(part: Any, name: str) -> date | None:
    """A day or an instant of an event; a zone that is named must be known."""
    if name not in part:
        return None
    try:
        value, zone = part[name].dt, part[name].params.get("TZID")
    except Exception as error:  # noqa: BLE001  # likewise
        raise _BadEvent(f"{name}: {_said(error)}") from None
    if not isinstance(value, date):
        raise _BadEvent(f"{name} is no date")
    if not _EARLIEST <= date(value.year, value.month, value.day) < _LATEST:
        raise _BadEvent(f"{name} is before {_EARLIEST.year} or after {_LATEST.year}")
    if isinstance(value, datetime) and value.tzinfo is None and zone:
        raise _BadEvent(
            f"{name} is in the time zone {str(zone)[:60]!r}, which neither the calendar describes nor anybody knows"
        )
    return value


def _comparable(value: date) -> datetime:
    at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _lasts_ms(part: Any, begin: date, end: date | None) -> float:
    if end is not None:
        return (_comparable(end) - _comparable(begin)).total_seconds() * 1000
    if "DURATION" in part:
        return float(part["DURATION"].dt.total_seconds()) * 1000
    return 0 if isinstance(begin, datetime) else 86_400_000  # a day without an end is that day


def _rules(part: Any) -> Sequence[Any]:
    rules = part.get("RRULE", [])
    return rules if isinstance(rules, list) else [rules]


def _require_bounded(rule: Any) -> None:
    """A repetition by the day or rarer, and not so odd that looking for its next time takes for ever."""
    often = next((str(one).upper() for one in rule.get("FREQ", []) if str(one).upper() in _OFTEN), None)
    if often is not None:
        raise _BadEvent(f"comes again {often.lower()}: accepted are DAILY, WEEKLY, MONTHLY and YEARLY")
    if any(one < 1 for one in rule.get("INTERVAL", [])):
        raise _BadEvent("comes again without an INTERVAL between")
    a_day = prod(max(1, len(rule.get(name, []))) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    if a_day > _MAX_A_DAY:
        raise _BadEvent(f"comes again {a_day:,} times a day: accepted are up to {_MAX_A_DAY}")


def _ms(value: date, zone: tzinfo) -> int:
    at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
    return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)


def _title(part: Any) -> str:
    summary = part.get("SUMMARY", "")
    return " ".join(str(summary[0] if isinstance(summary, list) else summary).split())[:200]


def _said(error: object) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
