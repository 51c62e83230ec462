"""Fills windows from what is stored, after a start and when rules ask for more than before.

Reads in a thread of its own, a probe at a time. Until a window is filled its functions have no answers; what rules
decide does not depend on how quickly this goes.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog

from watchkeeper.domain.history import last_run, points_of, runs_of, statuses_of
from watchkeeper.domain.probe import Every, Probe, Status
from watchkeeper.domain.rollup import HOUR_MS
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.streak import LOOK_BACK_MS, MOST, STATUS, changing, lasting
from watchkeeper.domain.window import UP, Points
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.series import read_series, read_statuses

PAUSE_S: Final = 0.002  # between two probes, for others
_RETRY_S: Final = 5.0

_log = structlog.get_logger("store")

Wanted = Mapping[str, int]
"""How far back each of what a window remembers of a probe is wanted, in ms."""


class History:
    """Reads what is wanted.

    Args:
        fill: hears, in the thread, what the series of a probe were.
    """

    def __init__(self, database: Database, clock: Clock, fill: Callable[[str, Mapping[str, Points]], None]) -> None:
        self._database = database
        self._clock = clock
        self._fill = fill
        self._wanted: dict[str, tuple[Probe, Wanted]] = {}
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="history", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def want(self, probes: Iterable[tuple[Probe, Wanted]]) -> None:
        """Wants the series of these probes, in this order."""
        with self._changed:
            self._wanted.update((probe.id, (probe, wanted)) for probe, wanted in probes)
            self._changed.notify()

    def end(self, within_s: float) -> None:
        self._ending.set()
        with self._changed:
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def read(self, probe: Probe, wanted: Wanted) -> None:
        """Reads what is wanted of one probe and tells it.

        Raises:
            StoreError: the database does not answer.
        """
        now = self._clock()
        found = {name: self._points(probe, name, now - span_ms, now) for name, span_ms in wanted.items()}
        self._fill(probe.id, found)

    def _points(self, probe: Probe, name: str, from_ms: int, now: int) -> Points:
        if (status := lasting(name)) is not None:
            return self._runs(probe, status, now)
        changed = changing(name)
        if changed == STATUS:
            return statuses_of(read_statuses(self._database, probe.id, from_ms, now))
        return points_of(read_series(self._database, probe.id, changed or name, from_ms, now + 1))

    def _runs(self, probe: Probe, status: Status, now: int) -> Points:
        """The runs that had a status, up to the last one."""
        spans = last_run(status, read_statuses(self._database, probe.id, now - LOOK_BACK_MS, now))
        if not spans:
            return runs_of((), (), None)
        every_ms = probe.schedule.interval_ms if isinstance(probe.schedule, Every) else None
        begin = spans[0].from_ms if every_ms is None else max(spans[0].from_ms, now - MOST * every_ms)
        # The minute or the hour in which it begins as well.
        entries = read_series(self._database, probe.id, UP, begin - HOUR_MS, now + 1)
        return runs_of(spans, entries, every_ms)

    def _work(self) -> None:
        while not self._ending.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._ending.is_set())
                wanted = next(iter(self._wanted.values()), None)
            if wanted is None:
                return
            probe_id = wanted[0].id
            try:
                self.read(*wanted)
            except StoreError as error:
                _log.warning("history_delayed", probe=probe_id, error=str(error))
                self._ending.wait(_RETRY_S)
                continue
            with self._changed:
                if self._wanted.get(probe_id) is wanted:
                    del self._wanted[probe_id]
            self._ending.wait(PAUSE_S)
