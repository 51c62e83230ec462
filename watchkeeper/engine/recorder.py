"""Writes effects to the store, in order, in batches, in a thread of its own.

What was decided is not lost while the database is away: it waits here, and is tried until the database takes it.
"""

import threading
from collections.abc import Callable, Sequence
from itertools import accumulate, count
from time import monotonic
from typing import Final

import structlog

from watchkeeper.domain.effect import Effect, IncidentChanged
from watchkeeper.domain.ticket import Command
from watchkeeper.engine.figures import Figures
from watchkeeper.store.database import Contradiction, Database, StoreError
from watchkeeper.store.record import record

GATHER_S: Final = 0.25  # how long changes that are not urgent wait for others to share their commit
MAX_BATCH: Final = 5_000  # effects in one transaction, about
FULL: Final = 100_000  # effects that may wait before no more samples are taken
_RETRY_S: Final = (0.5, 1, 2, 5, 10)

_log = structlog.get_logger("store")


class Recorder:
    """The only writer of effects.

    Args:
        run_id: the daemon's run. Its batches are numbered in it, so that one whose commit had no answer is not
            written twice.
        committed: hears which backends have new commands, after they are in the outbox.
    """

    def __init__(
        self,
        database: Database,
        run_id: int,
        figures: Figures,
        committed: Callable[[set[str]], None],
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._figures = figures
        self._committed = committed
        self._decisions: list[Sequence[Effect]] = []  # what was decided together is written together
        self._waiting = 0
        self._urgent = False
        self._ending = False
        self._changed = threading.Condition()
        self._failing_since: float | None = None  # monotonic seconds
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    @property
    def waiting(self) -> int:
        """How many effects are not written yet."""
        return self._waiting

    @property
    def failing_s(self) -> float | None:
        """For how many seconds the database has refused what it gets; `None` while it takes it."""
        since = self._failing_since
        return None if since is None else monotonic() - since

    def is_full(self) -> bool:
        """Whether so much waits that nothing more should be found out."""
        return self._waiting >= FULL

    def begin(self) -> None:
        self._thread.start()

    def put(self, effects: Sequence[Effect]) -> None:
        """Takes effects. Incidents are written at once, everything else within `GATHER_S`."""
        urgent = any(isinstance(effect, IncidentChanged | Command) for effect in effects)
        with self._changed:
            first = not self._decisions
            self._decisions.append(effects)
            self._waiting += len(effects)
            self._urgent = self._urgent or urgent
            if first or urgent:
                self._changed.notify()

    def end(self, within_s: float) -> int:
        """Writes what waits, and stops. Returns how many effects could not be written in the time."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(within_s)
        return self._waiting

    def _work(self) -> None:
        for batch in count(1):
            decisions = self._gather()
            if not decisions or not self._write(batch, decisions):
                return

    def _gather(self) -> Sequence[Sequence[Effect]]:
        """Waits until there is something to write, and says what. Nothing when nothing will come any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._decisions or self._ending)
            self._changed.wait_for(lambda: self._urgent or self._ending or self._waiting >= MAX_BATCH, GATHER_S)
            sizes = accumulate(map(len, self._decisions))
            end = next((n for n, size in enumerate(sizes, 1) if size >= MAX_BATCH), len(self._decisions))
            # What is left over may be what was urgent.
            self._urgent = self._urgent and end < len(self._decisions)
            return self._decisions[:end]

    def _write(self, batch: int, decisions: Sequence[Sequence[Effect]]) -> bool:
        """Writes decisions in one transaction, as often as it takes. False when it is given up: the daemon ends.

        Raises:
            Contradiction: the database will never take them. The thread ends of it, and the daemon with the thread:
                the next start reads what is there and decides again.
        """
        effects = [effect for decided in decisions for effect in decided]
        attempt = 0
        while True:
            began = monotonic()
            try:
                record(self._database, effects, run_id=self._run_id, batch=batch)
            except Contradiction:
                raise
            except StoreError as error:
                self._note_failure(error)
                if not self._wait_to_retry(_RETRY_S[min(attempt, len(_RETRY_S) - 1)]):
                    return False
                attempt += 1
                continue
            break
        self._figures.store_writes.observe(monotonic() - began)
        self._note_success()
        with self._changed:
            del self._decisions[: len(decisions)]
            self._waiting -= len(effects)
        if backends := {effect.backend for effect in effects if isinstance(effect, Command)}:
            self._committed(backends)
        return True

    def _note_failure(self, error: StoreError) -> None:
        self._figures.store_errors.inc()
        if self._failing_since is None:
            self._failing_since = monotonic()
            _log.error("store_failing", error=str(error), waiting=self._waiting)

    def _note_success(self) -> None:
        if self._failing_since is not None:
            _log.info("store_recovered", waited_s=round(monotonic() - self._failing_since, 1))
            self._failing_since = None

    def _wait_to_retry(self, seconds: float) -> bool:
        """Waits. False when the daemon ends: then what is left is given up, and decided again after the start."""
        with self._changed:
            if self._ending:
                return False
            self._changed.wait_for(lambda: self._ending, seconds)
            return True
