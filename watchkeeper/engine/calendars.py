"""Sources of windows: iCalendar files and URLs, and YAML files of changes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from watchkeeper.config.planned import Calendar, ChangeFile, Planned
from watchkeeper.config.problems import ConfigError
from watchkeeper.config.windowmodels import calendar_place
from watchkeeper.config.windows import read_change_file
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.change import Change
from watchkeeper.domain.expected import Because, Window
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.engine.ical import MAX_BYTES, BadCalendar, Event, read_events
from watchkeeper.itsm._http import Http
from watchkeeper.itsm.base import Outcome, Rejected, Unavailable
from watchkeeper.schema.fields import Secret, SecretUnavailable

BEFORE_MS: Final = parse_duration_ms("7d")
AFTER_MS: Final = parse_duration_ms("31d")
"""What sources tell of: so far back, for the aftermath of changes; so far ahead, for when they can not be read."""
_TIMEOUT_S: Final = 30.0


class NotYet(Outcome):
    """A source is being read for the first time. What it told before the start stays valid, and nothing is wrong."""


class WindowSource(Protocol):
    """Something that knows windows. `name`: alone among all sources; its windows have it as their `backend`."""

    @property
    def name(self) -> str: ...

    def read(self, now_ms: int) -> Sequence[Window]:
        """All its windows from `BEFORE_MS` ago until `AFTER_MS` ahead. `ref` tells them apart. What has a state is a
        `Change`; other windows of changes count as approved.

        Raises:
            Outcome: it can not be read now, or not yet. What it told before stays valid.
        """


def _to_nobody(_source: str, _reasons: Sequence[str]) -> None:
    pass


class CalendarSource:
    """The events of a calendar.

    Args:
        left_out: hears of events that can not be used, and why, when these are others than before.
    """

    def __init__(
        self,
        calendar: Calendar,
        clock: Clock,
        left_out: Callable[[str, Sequence[str]], None] = _to_nobody,
        *,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.name = calendar.name
        self._calendar = calendar
        self._clock = clock
        self._tell = left_out
        self._timeout_s = timeout_s
        self._left_out: tuple[str, ...] = ()

    def read(self, now_ms: int) -> Sequence[Window]:
        """See `WindowSource`."""
        mine = self._calendar
        try:
            events = read_events(
                self._text(), ZoneInfo(mine.timezone), now_ms - BEFORE_MS, now_ms + AFTER_MS, mine.summary
            )
        except BadCalendar as error:
            raise Rejected(f"{self._shown()} {error}") from None
        if events.left_out != self._left_out:
            self._tell(self.name, events.left_out)
        self._left_out = events.left_out
        return [self._window(event) for event in events.events]

    def _window(self, event: Event) -> Window:
        mine = self._calendar
        if mine.because is Because.MAINTENANCE:
            title = event.title or mine.id
            return Window(
                mine.because, mine.id, title, event.from_ms, event.to_ms, mine.selection, self.name, event.id
            )
        number = event.id.partition("@")[0][:200]
        title = event.title or number
        return Change(mine.because, number, title, event.from_ms, event.to_ms, mine.selection, self.name, event.id)

    def _place(self) -> str:
        place = self._calendar.place
        if isinstance(place, str):
            return place
        try:
            return calendar_place(place.reveal())
        except SecretUnavailable as error:
            raise Unavailable(str(error)) from None
        except ValueError:
            raise Rejected(f"{self._shown()} is neither a path nor a URL that can be fetched") from None

    def _shown(self) -> str:
        """The place as it can be told."""
        place = self._calendar.place
        return f"the secret {place.name}" if isinstance(place, Secret) else place.partition("?")[0]

    def _text(self) -> bytes:
        place = self._place()
        return self._fetched(place) if "://" in place else _file(Path(place))

    def _fetched(self, url: str) -> bytes:
        http = Http(
            url,
            verify=True,
            timeout_s=self._timeout_s,
            authenticate=dict,
            clock=self._clock,
            budget=Budget(None, self._clock),
            headers={"Accept": "text/calendar, */*;q=0.1"},
        )
        try:
            answer = http.call("GET", url)
        finally:
            http.forget()
        if answer.status != 200:
            raise Unavailable(f"answered {answer.status}: {answer.shown}")
        return answer.body


class ChangeFileSource:
    """The changes of a YAML file."""

    def __init__(self, file: ChangeFile) -> None:
        self.name = file.name
        self._file = file

    def read(self, now_ms: int) -> Sequence[Window]:
        """See `WindowSource`."""
        try:
            changes = read_change_file(self._file)
        except ConfigError as error:
            raise Rejected("; ".join(map(str, error.problems[:5]))) from None
        return [one for one in changes if one.to_ms > now_ms - BEFORE_MS and one.from_ms < now_ms + AFTER_MS]


def sources_of(
    planned: Planned, clock: Clock, left_out: Callable[[str, Sequence[str]], None] = _to_nobody
) -> list[WindowSource]:
    """The sources that a configuration names. `left_out`: see `CalendarSource`."""
    calendars = (CalendarSource(calendar, clock, left_out) for calendar in planned.calendars)
    return [*calendars, *map(ChangeFileSource, planned.change_files)]


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from None
    return text
