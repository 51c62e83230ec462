"""Service hours: when a service is promised to work, in a time zone, with holidays and worked weekends.

A time of day that a zone skips is the instant at which clocks are put forward, one that it has twice is the first of
the two. So the spans of a day meet without gap or overlap, on days of 23 and of 25 hours too.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import accumulate
from typing import Final

from watchkeeper.domain.spans import Span, merged

DAY_MINUTES: Final = 1440
ALWAYS: Final = "always"
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)

DayHours = tuple[tuple[int, int], ...]
"""From which minute of the day until before which; one that ends on the next day ends after 1440."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a service is promised to work.

    `week`: the hours of Monday to Sunday; `None`: always. `closed`: days without hours, whatever day of the week they
    are. `opened`: days that are worked though they would be free: where their day of the week has no hours, they have
    those of the last one before it that has any.
    """

    name: str
    zone: tzinfo
    week: tuple[DayHours, ...] | None = None
    closed: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()

    def hours(self, from_ms: int, to_ms: int) -> list[Span]:
        """The service hours between two instants, by their beginning; they neither overlap nor touch."""
        if self.week is None and not self.closed:
            return [Span(from_ms, to_ms)] if from_ms < to_ms else []
        spans = (Span(max(one.from_ms, from_ms), min(one.to_ms, to_ms)) for one in self._days(from_ms, to_ms))
        return merged(span for span in spans if span.from_ms < span.to_ms)

    def hours_ms(self, from_ms: int, to_ms: int) -> int:
        """How much of the time between two instants is within service hours."""
        return sum(span.to_ms - span.from_ms for span in self.hours(from_ms, to_ms))

    def _days(self, from_ms: int, to_ms: int) -> Iterator[Span]:
        first, last = local_day(from_ms, self.zone) - 2 * _DAY, local_day(to_ms, self.zone) + _DAY
        for day in (first + n * _DAY for n in range((last - first).days + 1)):
            for begin, end in self.of_day(day):
                yield Span(_at(day, begin, self.zone), _at(day, end, self.zone))

    def of_day(self, day: date) -> DayHours:
        """The hours of a day."""
        if day in self.closed and day not in self.opened:
            return ()
        week = ((0, DAY_MINUTES),) if self.week is None else self.week[day.weekday()]
        if week or self.week is None or day not in self.opened:
            return week
        before = (self.week[(day.weekday() - n) % 7] for n in range(1, 7))
        return next((hours for hours in before if hours), ())


def always(name: str = ALWAYS, zone: tzinfo = UTC) -> Calendar:
    """Service hours that never end."""
    return Calendar(name, zone)


def advance(calendar: Calendar, from_ms: int, service_ms: int, until_ms: int) -> int | None:
    """The instant at which so much service time has passed since another; `None`: not before `until_ms`."""
    hours = calendar.hours(from_ms, until_ms)
    passed = list(accumulate((span.to_ms - span.from_ms for span in hours), initial=0))
    if service_ms >= passed[-1]:
        return None
    index = bisect_right(passed, service_ms) - 1
    return hours[index].from_ms + service_ms - passed[index]


def local_day(at_ms: int, zone: tzinfo) -> date:
    """The date in a zone at an instant."""
    return (_EPOCH + at_ms * _MS).astimezone(zone).date()


def day_begins_ms(day: date, zone: tzinfo) -> int:
    """The first instant of a day in a zone."""
    return _at(day, 0, zone)


@lru_cache(maxsize=16_384)  # the same days for every service of a calendar
def _at(day: date, minute: int, zone: tzinfo) -> int:
    """The instant at which a zone's clocks show a minute of a day, or go past it."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001  # made aware below
    early, late = (_instant_ms(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if _instant_wall(early, zone) == wall or early == late:
        return early
    # Clocks are put forward over it. `late` is before that, `early` after it: looks for the first that is past it.
    low, high = min(early, late), max(early, late)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _instant_wall(middle, zone) >= wall else (middle, high)
    return high


def _instant_ms(at: datetime) -> int:
    return (at - _EPOCH) // _MS


def _instant_wall(at_ms: int, zone: tzinfo) -> datetime:
    return (_EPOCH + at_ms * _MS).astimezone(zone).replace(tzinfo=None)
