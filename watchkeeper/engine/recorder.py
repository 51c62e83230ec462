"""Writes effects to the store, in order, in batches, in a thread of its own.

What was decided is not lost while the database is away: it waits here, and is tried until the database takes it.
Another thread moves what waits into the journal when it is much, or when the database is not heard of.
"""

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

import structlog

from watchkeeper.domain.effect import Effect, IncidentChanged
from watchkeeper.domain.ticket import Command
from watchkeeper.engine.backlog import Backlog
from watchkeeper.engine.figures import Figures
from watchkeeper.store.database import Contradiction, Database, StoreError
from watchkeeper.store.journal import Journal, JournalError
from watchkeeper.store.lock import LockLost
from watchkeeper.store.record import Decision, record_decisions

GATHER_S: Final = 0.25  # how long changes that are not urgent wait for others to share their commit
MAX_BATCH: Final = 5_000  # effects in one transaction, about
SPILL: Final = 20_000  # effects that wait in memory before they are moved into the journal
FULL: Final = 40_000  # effects in memory, where the journal does not take them, before no more samples are taken
SLOW_S: Final = 2.0  # how long one transaction may take before what waits goes to the journal
_LOOK_S: Final = 1.0  # how often that is looked at
_RETRY_S: Final = (0.5, 1, 2, 5, 10)
_JOURNAL_RETRY_S: Final = 5.0

_log = structlog.get_logger("store")


class Recorder:
    """The only writer of effects.

    Args:
        run_id: the daemon's run, which the decisions are numbered in.
        committed: hears which backends have new commands, after they are in the outbox.
        journal: takes what memory can not hold, and what the database does not take before the end.
    """

    def __init__(
        self,
        database: Database,
        run_id: int,
        figures: Figures,
        committed: Callable[[set[str]], None],
        journal: Journal,
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._figures = figures
        self._committed = committed
        lock = threading.RLock()
        self._backlog = Backlog(journal, lock)
        self._journal = journal
        self._urgent = False
        self._ending = False
        self._over = False  # nothing more is begun
        self._changed = threading.Condition(lock)  # there may be something to write
        self._behind = threading.Condition(lock)  # there may be something to spill
        self._failing_since: float | None = None  # monotonic seconds
        self._writing_since: float | None = None
        self._journal_failing = False
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="journal", daemon=True)

    @property
    def waiting(self) -> int:
        """How many effects wait in memory."""
        return self._backlog.in_memory

    @property
    def journaled(self) -> int:
        """How many decisions wait in the journal."""
        return self._backlog.in_journal

    @property
    def newest(self) -> int:
        """The number of the decision that was put last; 0 before the first."""
        return self._backlog.newest

    def is_safe(self, number: int) -> bool:
        """Whether a decision, and all before it, outlive the process: are in the database or in the journal."""
        return self._backlog.is_safe(number)

    @property
    def failing_s(self) -> float | None:
        """For how many seconds the database has refused what it gets; `None` while it takes it."""
        since = self._failing_since
        return None if since is None else monotonic() - since

    def is_full(self) -> bool:
        """Whether so much waits that nothing more should be found out."""
        return self._backlog.in_memory >= FULL

    def begin(self) -> None:
        self._thread.start()
        self._keeper.start()

    def put(self, effects: Sequence[Effect]) -> None:
        """Takes effects. Incidents are written at once, everything else within `GATHER_S`."""
        urgent = any(isinstance(effect, IncidentChanged | Command) for effect in effects)
        with self._changed:
            first = not self._backlog.in_memory
            self._backlog.put(effects)
            self._urgent = self._urgent or urgent
            if first or urgent:
                self._changed.notify()
            if self._must_spill():
                self._behind.notify()

    def end(self, within_s: float) -> int:
        """Writes what waits, into the database or else into the journal, and stops.

        Returns how many effects could be written nowhere.
        """
        with self._changed:
            self._ending = True
            self._changed.notify()
            self._behind.notify()
        if self._thread.ident is not None:
            self._thread.join(within_s)
            self._keeper.join(within_s)
        self._over = True
        if self._backlog.in_memory:
            self._spill()
        if self._backlog.in_journal:
            _log.warning("journal_kept", file=str(self._journal.path), decisions=self._backlog.in_journal)
        return self._backlog.in_memory

    def _work(self) -> None:
        while True:
            self._wait_for_work()
            decisions = self._backlog.take(MAX_BATCH)
            if not decisions or not self._write(decisions):
                return

    def _wait_for_work(self) -> None:
        """Waits until there is something to write, or nothing will come any more."""
        backlog = self._backlog
        with self._changed:
            self._changed.wait_for(lambda: backlog.in_memory or backlog.in_journal or self._ending)
            if not backlog.in_journal:
                self._changed.wait_for(
                    lambda: self._urgent or self._ending or backlog.in_memory >= MAX_BATCH, GATHER_S
                )
            # What is left over may be what was urgent.
            self._urgent = self._urgent and backlog.in_memory > MAX_BATCH

    def _write(self, decisions: Sequence[Decision]) -> bool:
        """Writes decisions in one transaction, as often as it takes. False when it is given up: the daemon ends.

        Raises:
            Contradiction: the database will never take them. The thread ends of it, and the daemon with the thread:
                the next start reads what is there and decides again.
            LockLost: another daemon has decided since. The same follows.
        """
        attempt = 0
        while not self._over:
            began = self._writing_since = monotonic()
            try:
                record_decisions(self._database, self._run_id, decisions)
            except (Contradiction, LockLost):
                raise
            except StoreError as error:
                self._note_failure(error)
                if not self._wait_to_retry(_RETRY_S[min(attempt, len(_RETRY_S) - 1)]):
                    return False
                attempt += 1
                continue
            finally:
                self._writing_since = None
            self._figures.store_writes.observe(monotonic() - began)
            self._note_written(decisions)
            return True
        return False

    def _note_written(self, decisions: Sequence[Decision]) -> None:
        if self._failing_since is not None:
            _log.info("store_recovered", waited_s=round(monotonic() - self._failing_since, 1))
            self._failing_since = None
        journaled = self._backlog.in_journal
        self._backlog.note_written(decisions[-1].number)
        if journaled and not self._backlog.in_journal:
            _log.info("journal_emptied", file=str(self._journal.path))
        commands = (effect for decision in decisions for effect in decision.effects if isinstance(effect, Command))
        if backends := {command.backend for command in commands}:
            self._committed(backends)

    def _note_failure(self, error: StoreError) -> None:
        self._figures.store_errors.inc()
        with self._behind:
            if self._failing_since is None:
                self._failing_since = monotonic()
                _log.error("store_failing", error=str(error), waiting=self._backlog.in_memory)
            self._behind.notify()

    def _wait_to_retry(self, seconds: float) -> bool:
        """Waits. False when the daemon ends: then what is left goes to the journal."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending, seconds)
            return not self._ending

    def _keep(self) -> None:
        """Moves what waits into the journal, as long as there is a reason to."""
        while True:
            with self._behind:
                self._behind.wait_for(lambda: self._ending or self._must_spill(), _LOOK_S)
                if self._ending:
                    return
                if not self._must_spill():
                    continue
            pause_s = GATHER_S if self._spill() else _JOURNAL_RETRY_S
            with self._behind:
                if self._behind.wait_for(lambda: self._ending, pause_s):
                    return

    def _must_spill(self) -> bool:
        if not self._backlog.in_memory:
            return False
        writing = self._writing_since
        stuck = writing is not None and monotonic() - writing > SLOW_S
        return stuck or self._failing_since is not None or self._backlog.in_memory >= SPILL

    def _spill(self) -> bool:
        """Whether the journal has taken what it got."""
        first = not self._backlog.in_journal
        try:
            self._backlog.spill()
        except JournalError as error:
            if not self._journal_failing:
                _log.error("journal_failing", error=str(error), waiting=self._backlog.in_memory)
            self._journal_failing = True
            return False
        self._journal_failing = False
        if first and self._backlog.in_journal:
            _log.warning("journal_begun", file=str(self._journal.path), decisions=self._backlog.in_journal)
        return True
