"""When cron expressions are due, also on the days when clocks are put forward or back.

As cron itself does it: a time that a day skips is due when the skipped hour ends. A time that a day has twice is due
the first time only, unless the expression names no hour: what runs every hour or few minutes goes by real time.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from watchkeeper.schema.cron import parse_cron

_AROUND: Final = timedelta(hours=3)  # no clock is moved by more than that
_TICK: Final = timedelta(microseconds=1)


class CronTimes:
    """The due times of an expression in a time zone."""

    def __init__(self, expression: str, timezone: str) -> None:
        fields = parse_cron(expression)
        self._zone = ZoneInfo(timezone)
        self._every_hour = fields.hour.startswith("*")
        # Of wall-clock times, as if there were no time zones: APScheduler's own way through a change of the clock
        # repeats the same hour for ever.
        self._walls = CronTrigger(**fields._asdict(), timezone=UTC)

    def next_after(self, after: datetime) -> datetime | None:
        """The first due time after an aware datetime, in UTC; `None` when there is none ever."""
        if self._changes_around(after):
            due = min((due for due in self._due_around(after) if due > after), default=None)
            if due is not None:
                return due
        wall = next(self._walls_from(self._wall(after) + _TICK), None)
        while wall is not None:
            if (due := next((due for due in self._instants(wall) if due > after), None)) is not None:
                return due
            wall = next(self._walls_from(wall + _TICK), None)
        return None

    def _due_around(self, after: datetime) -> Iterator[datetime]:
        end = self._wall(after + _AROUND)
        for wall in self._walls_from(self._wall(after) - _AROUND):
            if wall > end:
                return
            yield from self._instants(wall)

    def _changes_around(self, at: datetime) -> bool:
        before, later = ((at + shift).astimezone(self._zone).utcoffset() for shift in (-_AROUND, _AROUND))
        return before != later

    def _walls_from(self, wall: datetime) -> Iterator[datetime]:
        """Wall-clock times that the expression names, from one on. They carry UTC, which means nothing here."""
        while (found := self._walls.get_next_fire_time(None, wall)) is not None:
            yield found
            wall = found + _TICK

    def _instants(self, wall: datetime) -> Iterator[datetime]:
        """When a wall-clock time is: once, or twice on the day when the clock is put back."""
        first = wall.replace(tzinfo=self._zone, fold=0).astimezone(UTC)
        if self._wall(first) != wall:
            yield self._end_of_gap(first)
            return
        yield first
        second = wall.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        if self._every_hour and second != first:
            yield second

    def _wall(self, at: datetime) -> datetime:
        return at.astimezone(self._zone).replace(tzinfo=UTC)

    def _end_of_gap(self, inside: datetime) -> datetime:
        """When the clock was put forward over a time that it skips. Found to the minute: clocks change on minutes."""
        low, high = inside - _AROUND, inside + _AROUND
        offset = low.astimezone(self._zone).utcoffset()
        while high - low > timedelta(minutes=1):
            middle = low + (high - low) / 2
            if middle.astimezone(self._zone).utcoffset() == offset:
                low = middle
            else:
                high = middle
        return high.replace(second=0, microsecond=0)
