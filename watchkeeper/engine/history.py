"""Fills windows from what is stored, after a start and when rules ask for more than before.

Reads in a thread of its own, a probe at a time. Until a window is filled its functions have no answers; what rules
decide does not depend on how quickly this goes.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog

from watchkeeper.domain.history import points_of
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.window import Points
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.series import read_series

PAUSE_S: Final = 0.002  # between two probes, for others
_RETRY_S: Final = 5.0

_log = structlog.get_logger("store")

Wanted = Mapping[str, int]
"""How far back each series of a probe is wanted, in ms."""


class History:
    """Reads what is wanted.

    Args:
        fill: hears, in the thread, what the series of a probe were.
    """

    def __init__(self, database: Database, clock: Clock, fill: Callable[[str, Mapping[str, Points]], None]) -> None:
        self._database = database
        self._clock = clock
        self._fill = fill
        self._wanted: dict[str, Wanted] = {}
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="history", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def want(self, probes: Iterable[tuple[str, Wanted]]) -> None:
        """Wants the series of these probes, in this order."""
        with self._changed:
            self._wanted.update(probes)
            self._changed.notify()

    def end(self, within_s: float) -> None:
        self._ending.set()
        with self._changed:
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def read(self, probe_id: str, wanted: Wanted) -> None:
        """Reads the series of one probe and tells them.

        Raises:
            StoreError: the database does not answer.
        """
        now = self._clock()
        found = {
            name: points_of(read_series(self._database, probe_id, name, now - span_ms, now + 1))
            for name, span_ms in wanted.items()
        }
        self._fill(probe_id, found)

    def _work(self) -> None:
        while not self._ending.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._ending.is_set())
                probe_id, wanted = next(iter(self._wanted.items()), ("", {}))
            if not probe_id:
                return
            try:
                self.read(probe_id, wanted)
            except StoreError as error:
                _log.warning("history_delayed", probe=probe_id, error=str(error))
                self._ending.wait(_RETRY_S)
                continue
            with self._changed:
                if self._wanted.get(probe_id) is wanted:
                    del self._wanted[probe_id]
            self._ending.wait(PAUSE_S)
