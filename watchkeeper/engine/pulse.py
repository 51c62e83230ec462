"""The pulse: every few seconds the store hears that the daemon lives, and tells how deep the outbox is."""

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

import structlog

from watchkeeper.domain.rule import Clock
from watchkeeper.store import outbox
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.lock import DaemonLock, LockLost
from watchkeeper.store.outbox import OutboxDepth, OutboxState
from watchkeeper.store.record import note_alive

EVERY_S: Final = 5.0
STALE_S: Final = 30.0  # after so long without an answer the store counts as gone

_log = structlog.get_logger("store")


class Pulse:
    """Beats in a thread of its own, so that a database that hangs hangs nothing else.

    The thread ends with LockLost when another daemon has the database: two must not decide.

    Args:
        wake: hears at which backends something waits: people have rejected commands wait again, from elsewhere.
    """

    def __init__(
        self,
        database: Database,
        held: DaemonLock,
        run_id: int,
        clock: Clock,
        wake: Callable[[set[str]], None] = lambda _backends: None,
    ) -> None:
        self._wake = wake
        self._database = database
        self._held = held
        self._run_id = run_id
        self._clock = clock
        self._ending = threading.Event()
        self._answered = monotonic()
        self._failing = False
        self._thread = threading.Thread(target=self._work, name="pulse", daemon=True)
        self.depths: Sequence[OutboxDepth] = ()
        self.depths_ms = clock()  # when they were so

    def begin(self) -> None:
        self._thread.start()

    def end(self, within_s: float) -> None:
        """Stops. Its thread notes a clean stop at last; whoever waits for that does so `within_s` at most."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    @property
    def silent_s(self) -> float:
        """Seconds since the store answered last."""
        return monotonic() - self._answered

    def beat(self) -> None:
        """One beat.

        Raises:
            LockLost: another daemon may work on the database.
        """
        try:
            self._held.verify()
            note_alive(self._database, self._run_id, self._clock())
            self.depths, self.depths_ms = outbox.depths(self._database), self._clock()
        except LockLost:
            raise
        except StoreError as error:
            if not self._failing:
                _log.error("store_silent", error=str(error))
            self._failing = True
            return
        self._failing = False
        self._answered = monotonic()
        self._wake({depth.backend for depth in self.depths if depth.state is OutboxState.WAITING})

    def _work(self) -> None:
        while not self._ending.is_set():
            self.beat()
            self._ending.wait(EVERY_S)
        try:
            note_alive(self._database, self._run_id, self._clock(), stopped=True)
        except StoreError as error:
            _log.error("store_silent", error=str(error))
