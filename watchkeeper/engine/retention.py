"""Retention: deletes what is too old, in a thread of its own, in steps that others do not notice."""

import threading
from typing import Final

import structlog

from watchkeeper.config.models import RetentionModel
from watchkeeper.domain.rollup import HOUR_MS
from watchkeeper.domain.rule import Clock
from watchkeeper.store import retention
from watchkeeper.store.database import Database, StoreError

MINUTES_KEPT_MS: Final = 48 * HOUR_MS
_BUSY_S: Final = 0.1  # between two steps, for others
_IDLE_S: Final = 60.0

_log = structlog.get_logger("store")


class Retention:
    """Forgets. `step` does the same by hand."""

    def __init__(self, clock: Clock, database: Database, kept: RetentionModel) -> None:
        self._clock = clock
        self._database = database
        self._kept = kept
        self._failing = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="retention", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def revise(self, kept: RetentionModel) -> None:
        """Keeps for other times, from the next look on."""
        self._kept = kept

    def end(self, within_s: float) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def step(self) -> bool:
        """Deletes a little. False when nothing is too old, or the database does not answer."""
        now_ms, kept = self._clock(), self._kept
        for forget, kept_ms in (
            (retention.forget_minutes, MINUTES_KEPT_MS),
            (retention.forget_hours, kept.rollups),
            (retention.forget_intervals, kept.rollups),
            (retention.forget_transitions, kept.rollups),
            (retention.forget_runs, kept.rollups),
            (retention.forget_windows, kept.rollups),
            (retention.forget_tracks, kept.rollups),
            (retention.forget_incidents, kept.incidents),
            (retention.forget_problems, kept.incidents),
        ):
            try:
                forgotten = forget(self._database, now_ms - kept_ms)
            except StoreError as error:
                if not self._failing:
                    _log.error("retention_failing", error=str(error))
                self._failing = True
                return False
            if forgotten:
                self._failing = False
                return True
        self._failing = False
        return False

    def _work(self) -> None:
        while not self._ending.is_set():
            self._ending.wait(_BUSY_S if self.step() else _IDLE_S)
