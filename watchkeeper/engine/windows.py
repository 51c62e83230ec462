"""The windows in which trouble is expected, from all that plans them: silences, maintenance, and what sources tell.

Whenever they are others than before, whoever expects them hears of it: within seconds of a silence, each hour of what
comes near. A window that is known stays valid until it ends, whatever can not be read; none lasts beyond its end.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from watchkeeper.config.planned import Planned
from watchkeeper.domain.change import expected
from watchkeeper.domain.expected import Because, Window
from watchkeeper.domain.maintenance import Maintenance
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.silence import Silence
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.engine.calendars import BEFORE_MS, WindowSource, sources_of
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.in_force import InForceKeeper
from watchkeeper.engine.told import SourceState, Told
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.silences import StoredSilences

MAX_WINDOWS: Final = 10_000
AHEAD_MS: Final = parse_duration_ms("7d")
_PAST_MS: Final = {  # how long a window is kept when it is over
    Because.SILENCE: parse_duration_ms("1d"),
    Because.MAINTENANCE: parse_duration_ms("1d"),
    Because.CHANGE: BEFORE_MS,  # trouble in its aftermath is attributed to it
}
_HOUR_MS: Final = 3_600_000
_LOOK_S: Final = 2.0  # how often it is looked for new silences

_log = structlog.get_logger("windows")


class Windows:
    """Collects in a thread of its own; sources are read in another, so that one that hangs delays no silence. `step`
    collects by hand.

    Args:
        expect: hears of all windows, by their beginning, whenever they changed. Called from whatever thread.
    """

    def __init__(
        self, database: Database, clock: Clock, expect: Callable[[Sequence[Window]], None], figures: Figures
    ) -> None:
        self._clock = clock
        self._expect = expect
        self._figures = figures
        self._silences_stored = StoredSilences(database)
        self._told = Told(database, clock, figures, self.wake)
        self._in_force = InForceKeeper(database)
        self._maintenance: Sequence[Maintenance] = ()
        self._planned: tuple[Sequence[Maintenance], int, list[Window]] = ((), -1, [])
        self._silences: Sequence[Silence] = ()
        self._last: list[Window] | None = None
        self._failing = False
        self._turn = threading.Lock()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="windows", daemon=True)

    def begin(self) -> None:
        self._thread.start()
        self._told.begin()

    def end(self, within_s: float) -> None:
        self._ending.set()
        self._wake.set()
        self._told.end(within_s)
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def revise(self, planned: Planned, others: Sequence[WindowSource] = (), watched: Plan | None = None) -> None:
        """Takes on what a configuration plans.

        Args:
            others: sources beside those that it names files or URLs of.
            watched: what windows can be about. Without it, nothing is kept of those that are in force.
        """
        self._maintenance = planned.maintenance
        if watched is not None:
            self._in_force.revise(watched)
        self._told.revise([*sources_of(planned, self._clock, _tell_left_out), *others])
        self.wake()

    def load(self) -> None:
        """Remembers what sources told before the start.

        Raises:
            StoreError: the database does not answer.
        """
        self._told.load()

    def read(self) -> None:
        """Reads the sources that are due, by hand."""
        self._told.step()

    def refresh(self, source: str) -> None:
        """A source has something new to tell."""
        self._told.refresh(source)

    def wake(self) -> None:
        """Something is different: looks at once."""
        self._wake.set()

    def states(self) -> list[SourceState]:
        """How each source is."""
        return self._told.states()

    def step(self) -> None:
        """Collects, and tells if there are other windows than before."""
        with self._turn:
            now_ms = self._clock()
            hour_ms = now_ms - now_ms % _HOUR_MS  # so that they change no more often only for the time that passes
            windows = list(_near(self._all(now_ms, hour_ms), hour_ms))
            windows.sort(key=_order)
            if len(windows) > MAX_WINDOWS:
                if self._last is None or len(self._last) < MAX_WINDOWS:
                    _log.error("windows_too_many", source="all", windows=len(windows), most=MAX_WINDOWS)
                windows = _most_urgent(windows, now_ms)
            self._count(windows, now_ms)
            self._in_force.look(windows, now_ms)
            if windows != self._last:
                self._last = windows
                self._expect(windows)

    def _all(self, now_ms: int, hour_ms: int) -> Iterable[Window]:
        yield from (window for silence in self._read_silences(now_ms) if (window := silence.window()) is not None)
        maintenance = self._maintenance
        if self._planned[:2] != (maintenance, hour_ms):
            begin, end = hour_ms - _PAST_MS[Because.MAINTENANCE], hour_ms + _HOUR_MS + AHEAD_MS
            found = [window for one in maintenance for window in one.windows(begin, end)]
            self._planned = (maintenance, hour_ms, found)
        yield from self._planned[2]
        yield from expected(self._told.windows())

    def _read_silences(self, now_ms: int) -> Sequence[Silence]:
        """Those that are stored; those that were, while the database does not answer."""
        try:
            self._silences = self._silences_stored.left(now_ms - _PAST_MS[Because.SILENCE])
        except StoreError as error:
            if not self._failing:
                _log.error("silences_unread", error=str(error), known=len(self._silences))
            self._failing = True
        else:
            self._failing = False
        return self._silences

    def _count(self, windows: Sequence[Window], now_ms: int) -> None:
        now = [window.because for window in windows if window.from_ms <= now_ms < window.to_ms]
        for because in Because:
            self._figures.windows.labels(because.value).set(now.count(because))

    def _work(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            self.step()
            self._wake.wait(_LOOK_S)


def _order(window: Window) -> tuple[int | str, ...]:
    return window.from_ms, window.to_ms, window.because, window.id, window.backend, window.ref


def _tell_left_out(source: str, reasons: Sequence[str]) -> None:
    if reasons:
        _log.warning("calendar_events_left_out", source=source, events=list(reasons))


def _near(windows: Iterable[Window], hour_ms: int) -> Iterable[Window]:
    """Those that begin within the days that are looked ahead, and are not over for too long."""
    for window in windows:
        if window.from_ms < hour_ms + _HOUR_MS + AHEAD_MS and window.to_ms > hour_ms - _PAST_MS[window.because]:
            yield window


def _most_urgent(windows: list[Window], now_ms: int) -> list[Window]:
    """Of too many windows those that are not over and begin first, then those that ended last."""
    ahead = [window for window in windows if window.to_ms > now_ms][:MAX_WINDOWS]
    over = sorted((window for window in windows if window.to_ms <= now_ms), key=lambda window: -window.to_ms)
    kept = [*over[: MAX_WINDOWS - len(ahead)], *ahead]
    return sorted(kept, key=_order)
