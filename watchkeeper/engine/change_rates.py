"""How many changes succeeded and failed lately, for the metrics."""

from math import nan
from typing import Final

from watchkeeper.domain.change_record import rates_of
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.engine.figures import Figures
from watchkeeper.store.change_records import ended_changes
from watchkeeper.store.database import Database, StoreError

WITHIN_MS: Final = parse_duration_ms("30d")
_EVERY_MS: Final = 60_000


class ChangeCounts:
    """Counts once a minute, what is asked of it more often."""

    def __init__(self, database: Database, figures: Figures) -> None:
        self._database = database
        self._figures = figures
        self._due_ms = 0

    def count(self, now_ms: int) -> None:
        """Counts those that ended within the last 30 days. While the database does not answer the figures stay."""
        if self._due_ms - _EVERY_MS <= now_ms < self._due_ms:
            return
        self._due_ms = now_ms + _EVERY_MS
        try:
            rates = rates_of(ended_changes(self._database, now_ms - WITHIN_MS, now_ms))
        except StoreError:
            return  # the pulse tells that
        for outcome, count in rates.counts.items():
            self._figures.changes.labels(outcome.value).set(count)
        self._figures.change_failure_ratio.set(nan if rates.failure is None else rates.failure)
        self._figures.change_success_ratio.set(nan if rates.success is None else rates.success)
