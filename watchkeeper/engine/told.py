"""What sources of windows told last. A source that can not be read any more keeps what it told, until it ends."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from watchkeeper.domain.expected import Window
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_time, parse_duration_ms
from watchkeeper.engine.calendars import BEFORE_MS, NotYet, WindowSource
from watchkeeper.engine.change_rates import ChangeCounts
from watchkeeper.engine.figures import Figures
from watchkeeper.itsm.base import Outcome
from watchkeeper.store.changes import forget_changes, note_unchanged, replace_told, told
from watchkeeper.store.database import Database, StoreError

EVERY_MS: Final = 300_000  # how often a source is read
AGAIN_MS: Final = 60_000  # how soon again when that failed
MAX_OF_SOURCE: Final = 5000
_KEPT_MS: Final = parse_duration_ms("400d")
_LOOK_S: Final = 5.0

_log = structlog.get_logger("windows")


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is. `read_ms`: when it was read last, also before a restart. `failure`: why it could not be read
    since then; empty: it was."""

    name: str
    windows: int
    read_ms: int | None
    failure: str


@dataclass
class _Source:
    source: WindowSource
    windows: tuple[Window, ...] = ()
    read_ms: int | None = None
    failure: str = ""
    due_ms: int = 0
    is_loaded: bool = False  # whether what it told before the start was looked for
    is_written: bool = False  # whether the database has its windows


class Told:
    """Reads sources, one after the other, in a thread of its own. `step` does the same by hand.

    Args:
        changed: called when other windows are known than before.
    """

    def __init__(self, database: Database, clock: Clock, figures: Figures, changed: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._figures = figures
        self._changed = changed
        self._counts = ChangeCounts(database, figures)
        self._sources: dict[str, _Source] = {}
        self._forgot_ms = 0
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="window-sources", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self, within_s: float) -> None:
        self._ending.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def revise(self, sources: Sequence[WindowSource]) -> None:
        """Reads these from now on. What one of a known name told stays valid until it was read again."""
        before = self._sources
        after: dict[str, _Source] = {}
        for source in sources:
            known = before.get(source.name)
            after[source.name] = _Source(source) if known is None else _continued(known, source)
        self._sources = after
        for gone in before.keys() - after.keys():
            self._figures.forget_window_source(gone)
        self._wake.set()

    def refresh(self, name: str) -> None:
        """A source has something new to tell: reads it at once."""
        if (one := self._sources.get(name)) is not None:
            one.due_ms = 0
            self._wake.set()

    def load(self) -> None:
        """Remembers what sources told before the start.

        Raises:
            StoreError: the database does not answer.
        """
        for one in self._sources.values():
            self._load(one, self._clock())

    def windows(self) -> list[Window]:
        """All that is known."""
        return [window for one in self._sources.values() for window in one.windows]

    def states(self) -> list[SourceState]:
        """How each source is."""
        return [
            SourceState(one.source.name, len(one.windows), one.read_ms, one.failure) for one in self._sources.values()
        ]

    def step(self) -> None:
        """Reads the sources that are due."""
        now_ms = self._clock()
        for one in list(self._sources.values()):
            if self._ending.is_set():
                return
            if one.due_ms <= now_ms:
                self._read(one)
        self._counts.count(now_ms)
        if now_ms - self._forgot_ms > parse_duration_ms("1d"):
            self._forgot_ms = now_ms
            self._write("forget", lambda: forget_changes(self._database, now_ms - _KEPT_MS))

    def _read(self, one: _Source) -> None:
        now_ms = self._clock()
        if not one.is_loaded and not self._write("load", lambda: self._load(one, now_ms)):
            one.due_ms = now_ms + AGAIN_MS
        name = one.source.name
        try:
            found = tuple(one.source.read(now_ms))
        except NotYet:
            one.due_ms = now_ms + AGAIN_MS
            return
        except Outcome as outcome:
            one.due_ms = now_ms + AGAIN_MS
            if not one.failure:
                since = None if one.read_ms is None else format_time(one.read_ms)
                _log.error(
                    "window_source_failing", source=name, error=str(outcome), windows=len(one.windows), read=since
                )
            one.failure = str(outcome) or type(outcome).__name__
        else:
            self._take(one, found, now_ms)
        self._figures.window_source_stale.labels(name).set(bool(one.failure))
        self._figures.window_source_read.labels(name).set((one.read_ms or 0) / 1000)

    def _take(self, one: _Source, found: tuple[Window, ...], now_ms: int) -> None:
        name = one.source.name
        if len(found) > MAX_OF_SOURCE:
            _log.error("windows_too_many", source=name, windows=len(found), most=MAX_OF_SOURCE)
            found = tuple(sorted(found, key=lambda window: window.from_ms)[:MAX_OF_SOURCE])
        if one.failure:
            _log.info("window_source_back", source=name, windows=len(found))
        one.is_loaded = True  # what it told before is of no use any more
        is_other = found != one.windows
        one.windows, one.read_ms, one.failure, one.due_ms = found, now_ms, "", now_ms + EVERY_MS
        if is_other:
            self._changed()
        if is_other or not one.is_written:
            one.is_written = self._write(name, lambda: replace_told(self._database, name, found, now_ms))
        else:
            self._write(name, lambda: note_unchanged(self._database, name, now_ms))

    def _load(self, one: _Source, now_ms: int) -> None:
        if one.is_loaded:
            return
        before = told(self._database, one.source.name, now_ms - BEFORE_MS)
        one.is_loaded = True
        if before and not one.windows:
            one.windows = tuple(known.window for known in before)
            one.read_ms = max(known.read_ms for known in before)
            self._changed()

    def _write(self, what: str, act: Callable[[], object]) -> bool:
        try:
            act()
        except StoreError as error:  # the windows are known all the same, and are written with the next answer
            _log.warning("windows_not_written", source=what, error=str(error))
            return False
        return True

    def _work(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            self.step()
            self._wake.wait(_LOOK_S)


def _continued(known: _Source, source: WindowSource) -> _Source:
    """A source after a reload: it is read at once, for it may be another by the same name."""
    return _Source(source, known.windows, known.read_ms, known.failure, is_loaded=known.is_loaded)
