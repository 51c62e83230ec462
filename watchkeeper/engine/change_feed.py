"""Changes of ticket systems, read in small steps by the delivery of each, and told as a source of windows.

A backend is asked by one thread alone, which keeps to its rate and leaves it alone while it fails; tickets go first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import structlog

from watchkeeper.config.planned import ChangeBackend
from watchkeeper.domain.announced import Announced, Watched, is_endless, windows_of
from watchkeeper.domain.change import Change
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.service import Service
from watchkeeper.domain.units import format_time, parse_duration_ms
from watchkeeper.engine.calendars import BEFORE_MS, NotYet
from watchkeeper.itsm.base import Outcome, PlansChanges, Throttled, TicketBackend, Unavailable

AHEAD_MS: Final = parse_duration_ms("7d")
_PATIENCE_MS: Final = 60_000
_FIRST_PAUSE_MS: Final = 60_000
_LONGEST_PAUSE_MS: Final = 900_000
_IDLE_MS: Final = 3_600_000
_MOST_TOLD: Final = 20

_log = structlog.get_logger("windows")


class ChangeFeed:
    """What a ticket system told of its changes: see `WindowSource`.

    Args:
        services: those that are watched. Changes that are about none of them are left out.
        changed: hears the source's name when there is something new.
    """

    def __init__(
        self, source: ChangeBackend, services: Iterable[Service], clock: Clock, changed: Callable[[str], None]
    ) -> None:
        self.name = source.backend
        self.every_ms = source.every_ms
        self._watched = Watched(services)
        self._clock = clock
        self._changed = changed
        self._since_ms = clock()
        self._found: Sequence[Announced] | None = None
        self._read_ms: int | None = None
        self._failure = ""  # why it could not be read last; what was raised holds on to much
        self._endless: frozenset[str] = frozenset()

    def follow(self, before: "ChangeFeed") -> None:
        """Takes the place of a feed of the same backend."""
        self._found, self._read_ms, self._since_ms = before._found, before._read_ms, before._since_ms
        self._failure, self._endless = before._failure, before._endless

    def put(self, found: Sequence[Announced]) -> None:
        """The system was read."""
        self._found, self._read_ms, self._failure = found, self._clock(), ""
        self._changed(self.name)

    def fail(self, outcome: Outcome) -> None:
        """The system can not be read now."""
        self._failure = str(outcome) or type(outcome).__name__
        self._changed(self.name)

    def read(self, now_ms: int) -> Sequence[Change]:
        """See `WindowSource`."""
        if self._failure:
            raise Unavailable(self._failure)
        late_ms = now_ms - (self._since_ms if self._read_ms is None else self._read_ms)
        if late_ms > 2 * self.every_ms + _PATIENCE_MS:
            since = f"since {format_time(self._read_ms)}" if self._read_ms is not None else "yet"
            raise Unavailable(f"has not been asked for its changes {since}: tickets go first, see its delivery")
        if self._found is None:
            raise NotYet("is being read")
        self._tell_endless(self._found)
        return [window for change in self._found for window in windows_of(change, self.name, self._watched)]

    def _tell_endless(self, found: Sequence[Announced]) -> None:
        endless = frozenset(
            change.number for change in found if is_endless(change) and self._watched.meant_by(change)
        )
        if endless - self._endless:
            _log.warning(
                "changes_left_out", source=self.name, changes=sorted(endless)[:_MOST_TOLD], reason="over 31d"
            )
        self._endless = endless


class ChangeReading:
    """Reads one page at a time, in the thread of the backend's delivery.

    Args:
        feed: what is to be told of changes now, `None` if nobody wants to hear; it may be another one each time.
    """

    def __init__(self, backend: TicketBackend, clock: Clock, feed: Callable[[], ChangeFeed | None]) -> None:
        self._backend = backend if isinstance(backend, PlansChanges) else None
        self._clock = clock
        self._feed = feed
        self._due_ms = clock()
        self._failures = 0
        self._pages: Iterator[Sequence[Announced]] | None = None  # while they are read
        self._read: list[Announced] = []

    def wait_ms(self) -> int:
        """How long until there is something to read."""
        if self._backend is None or self._feed() is None:
            return _IDLE_MS
        return max(0, self._due_ms - self._clock())

    def step(self) -> None:
        """Reads one page, if any is due."""
        feed, now = self._feed(), self._clock()
        if self._backend is None or feed is None or self._due_ms > now:
            return
        try:
            if self._pages is None:
                self._pages, self._read = self._backend.planned_changes(now - BEFORE_MS, now + AHEAD_MS), []
            page = next(self._pages, None)
        except Outcome as outcome:
            self._fail(feed, outcome, now)
        except Exception as error:  # noqa: BLE001  # a backend's bug: what is known stays
            _log.error("backend_failed", backend=feed.name, key="", exc_info=error)
            self._fail(feed, Unavailable(f"the backend's code failed: {error!r}"), now)
        else:
            self._take(feed, page, now)

    def _take(self, feed: ChangeFeed, page: Sequence[Announced] | None, now_ms: int) -> None:
        if page is not None:
            self._read += page
            return
        self._pages, self._failures, self._due_ms = None, 0, now_ms + feed.every_ms
        feed.put(self._read)
        self._read = []

    def _fail(self, feed: ChangeFeed, outcome: Outcome, now_ms: int) -> None:
        self._pages, self._read = None, []
        pause_ms = min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS * 2 ** min(self._failures, 10))
        if isinstance(outcome, Throttled) and outcome.retry_after_s is not None:
            pause_ms = min(_LONGEST_PAUSE_MS, max(pause_ms, round(outcome.retry_after_s * 1000)))
        self._failures += 1
        self._due_ms = now_ms + pause_ms
        feed.fail(outcome)


def feeds_of(
    sources: Iterable[ChangeBackend],
    services: Iterable[Service],
    clock: Clock,
    changed: Callable[[str], None],
    before: Mapping[str, ChangeFeed] | None = None,
) -> dict[str, ChangeFeed]:
    """A feed for each backend, by its name. `before`: those whose place they take."""
    services = list(services)
    feeds = {source.backend: ChangeFeed(source, services, clock, changed) for source in sources}
    for name in feeds.keys() & (before or {}).keys():
        feeds[name].follow((before or {})[name])
    return feeds
