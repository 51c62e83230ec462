"""Rolls up the numbers of all samples, in a thread of its own, a little at a time.

The event loop only puts a sample's numbers into a list. Every few minutes the thread takes all lists over, makes
pieces of them and writes these; in between it merges pieces whose periods are over.
"""

import threading
from array import array
from collections import deque
from collections.abc import Iterator
from itertools import islice
from math import inf
from typing import Final

import structlog

from watchkeeper.domain.chunk import encode_exactly
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rollup import finite, roll_up
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.window import DURATION, UP
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.rollups import Piece, RollupStore

EVERY_MS: Final = 300_000  # how often numbers are written: what a crash loses
AT_ONCE: Final = 100  # tracks in one step
TAKEN_EARLY: Final = 2_000_000  # numbers (8 bytes each) that are not left to wait for their time
MOST_NUMBERS: Final = 4_000_000  # that may wait; samples beyond are dropped
MOST_PIECES: Final = 200_000  # that may wait for the database (some 500 bytes each); the oldest are dropped
_AT_THE_END: Final = 1_000  # pieces in one transaction
_RETRY_MS: Final = 5_000
_BUSY_S: Final = 0.1  # between two steps, for others
_IDLE_S: Final = 5.0

_log = structlog.get_logger("store")


class _Track:
    """Numbers of one probe while its samples have the same names: of each the time, the duration, whether
    it was up, the values."""

    __slots__ = ("names", "numbers", "series")

    def __init__(self, names: tuple[str, ...], series: tuple[str, ...]) -> None:
        self.names = names
        self.series = series
        self.numbers = array("d")


class Rollups:
    """Takes in samples and keeps rollups of their durations and values. What is unknown says nothing and is left out.

    `add` is for one thread, everything else for another.
    """

    def __init__(self, clock: Clock, database: Database) -> None:
        self._clock = clock
        self._store = RollupStore(database)
        self._lock = threading.Lock()  # guards the next four
        self._tracks: dict[str, _Track] = {}
        self._aside: list[tuple[str, _Track]] = []  # of probes whose names have changed since
        self._numbers = 0
        self._series: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._taken: deque[tuple[str, _Track]] = deque()
        self._pieces: deque[Piece] = deque()
        self._taken_ms = clock()
        self._failed_ms: float = -inf
        self._failing = False
        self._dropping = False
        self._told_dropped = 0  # of `dropped`, how many were told
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="rollups", daemon=True)
        self.dropped = 0
        """Samples that are in no rollup, because the database did not take what came before them, or them."""
        self.errors = 0
        """How often the database did not take what it got."""

    @property
    def waiting(self) -> int:
        """How many pieces wait for the database."""
        return len(self._pieces)

    def add(self, sample: Sample) -> None:
        """Takes in a sample. Costs a microsecond or two, and waits for nobody."""
        if sample.status is Status.UNKNOWN:
            return
        values = sample.values
        names = tuple(values)
        with self._lock:
            if self._numbers >= MOST_NUMBERS:
                self.dropped += 1
                return
            track = self._tracks.get(sample.probe_id)
            if track is None or track.names != names:
                track = self._begin_track(sample.probe_id, names)
            numbers = track.numbers
            numbers.append(sample.at_ms)
            numbers.append(sample.duration_s)
            numbers.append(1.0 if sample.status is Status.UP else 0.0)
            numbers.extend(values.values())
            self._numbers += len(names) + 3

    def begin(self) -> None:
        self._thread.start()

    def end(self, within_s: float) -> int:
        """Writes what is there, and stops. Returns how many pieces could not be written in the time."""
        self._ending.set()
        if self._thread.ident is None:
            self._write_all()
        else:
            self._thread.join(within_s)
        return self.waiting + len(self._taken)

    def _write_all(self) -> None:
        self._take()
        while self._make_pieces() or self._write(_AT_THE_END):
            pass

    def step(self) -> bool:
        """Does a little of what is to be done. False when there is nothing, or the database does not take it."""
        now_ms = self._clock()
        if self._numbers >= TAKEN_EARLY or not 0 <= now_ms - self._taken_ms < EVERY_MS:
            self._taken_ms = now_ms
            self._take()
        made = self._make_pieces()
        self._tell_dropped()
        if 0 <= now_ms - self._failed_ms < _RETRY_MS:
            return made
        return self._write() or self._merge() or made

    def _begin_track(self, probe_id: str, names: tuple[str, ...]) -> _Track:
        if (before := self._tracks.get(probe_id)) is not None:
            self._aside.append((probe_id, before))
        # One tuple for all tracks that have the same: there are few, of many probes.
        series = self._series.setdefault(names, (DURATION, UP, *names))
        made = self._tracks[probe_id] = _Track(names, series)
        return made

    def _take(self) -> None:
        """Takes over what was added."""
        with self._lock:
            tracks, aside = self._tracks, self._aside
            self._tracks, self._aside, self._numbers = {}, [], 0
        together: dict[tuple[str, tuple[str, ...]], _Track] = {}
        for probe_id, track in (*aside, *tracks.items()):
            first = together.setdefault((probe_id, track.names), track)
            if first is not track:
                first.numbers.extend(track.numbers)
        self._taken.extend((probe_id, track) for (probe_id, _), track in together.items())

    def _make_pieces(self) -> bool:
        """Makes pieces of some of what was taken. False when there is nothing."""
        if not self._taken:
            return False
        for _ in range(min(AT_ONCE, len(self._taken))):
            probe_id, track = self._taken.popleft()
            self._pieces.extend(_pieces(probe_id, track))
        if (over := len(self._pieces) - MOST_PIECES) > 0:
            self._drop(over)
        return True

    def _drop(self, count: int) -> None:
        lost = sum(self._pieces.popleft().samples for _ in range(count))
        with self._lock:
            self.dropped += lost

    def _write(self, most: int = AT_ONCE) -> bool:
        """Writes some pieces. False when there are none, or the database does not take them."""
        if not self._pieces:
            return False
        some = list(islice(self._pieces, most))
        try:
            self._store.write(some, self._clock())
        except StoreError as error:
            self._note_failure(error)
            return False
        for _ in some:
            self._pieces.popleft()
        if self._failing:
            _log.info("rollups_recovered", waiting=len(self._pieces))
        self._failing = False
        return True

    def _merge(self) -> bool:
        try:
            return self._store.merge(self._clock())
        except StoreError as error:
            self._note_failure(error)
            return False

    def _note_failure(self, error: StoreError) -> None:
        self.errors += 1
        self._failed_ms = self._clock()
        if not self._failing:
            self._failing = True
            _log.error("rollups_failing", error=str(error), waiting=len(self._pieces))

    def _tell_dropped(self) -> None:
        """Once when it begins, and how many there were when it is over."""
        if self.dropped > self._told_dropped and not self._dropping:
            self._dropping = True
            _log.error("rollups_dropping", waiting=len(self._pieces))
        elif self._dropping and not self._failing:
            self._dropping = False
            _log.warning("rollups_dropped", samples=self.dropped - self._told_dropped)
            self._told_dropped = self.dropped

    def _work(self) -> None:
        while not self._ending.is_set():
            self._ending.wait(_BUSY_S if self.step() else _IDLE_S)
        self._write_all()


def _pieces(probe_id: str, track: _Track) -> Iterator[Piece]:
    """The pieces of a track, one for each hour."""
    for names, numbers in finite(track.series, track.numbers).items():
        for hour, first_ms, chunk in roll_up(len(names), numbers):
            samples = sum(row.samples for row in chunk.values())
            yield Piece(probe_id, names, hour, first_ms, samples, encode_exactly(chunk, deflate=False))
