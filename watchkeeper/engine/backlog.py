"""What is decided and not in the database yet: the older part in the journal, if it is in use, the rest in memory."""

import threading
from collections import deque
from collections.abc import Sequence
from itertools import count

from watchkeeper.domain.effect import Effect
from watchkeeper.store.journal import Journal
from watchkeeper.store.record import Decision


class Backlog:
    """Decisions in their order. Many may put and spill, one takes.

    Everything that is not written is in memory or in the journal, at every moment; while it is moved, in both.

    Args:
        lock: guards it. Nobody who holds it waits for a disk.
    """

    def __init__(self, journal: Journal, lock: threading.RLock) -> None:
        self.journal = journal
        self._lock = lock
        self._spilling = threading.Lock()
        self._numbers = count(1)
        self._memory: deque[Decision] = deque()
        self._in_memory = 0
        self._newest = 0

    @property
    def in_memory(self) -> int:
        """How many effects wait in memory, those included that are being written."""
        return self._in_memory

    @property
    def in_journal(self) -> int:
        """How many decisions wait in the journal."""
        return self.journal.decisions

    @property
    def newest(self) -> int:
        """The number of the decision that was put last; 0 before the first."""
        return self._newest

    def is_safe(self, number: int) -> bool:
        """Whether a decision, and all before it, are in the database or in the journal."""
        with self._lock:
            return not self._memory or self._memory[0].number > number

    def put(self, effects: Sequence[Effect]) -> None:
        """Adds a decision."""
        with self._lock:
            self._newest = next(self._numbers)
            self._memory.append(Decision(self._newest, effects))
            self._in_memory += len(effects)

    def take(self, most: int) -> list[Decision]:
        """The oldest decisions, in all with `most` effects or a few more. They stay until they are written.

        Raises:
            Corrupt: the journal is not what was written into it.
        """
        taken: list[Decision] = []
        with self._lock:
            if not self.in_journal:
                effects = 0
                for decision in self._memory:
                    taken.append(decision)
                    effects += len(decision.effects)
                    if effects >= most:
                        break
                return taken
        return self.journal.read(most)

    def note_written(self, number: int) -> None:
        """Everything up to this decision is in the database."""
        self.journal.note_written(number)  # first: what the journal gets must follow what is written
        with self._lock:
            self._forget(number)

    def spill(self) -> None:
        """Moves what is in memory into the journal, as far as it fits.

        Raises:
            JournalError: nothing of it is there; everything is still in memory.
        """
        with self._spilling:
            with self._lock:
                decisions = tuple(self._memory)
            safe = self.journal.append(decisions)
            with self._lock:
                self._forget(safe)

    def _forget(self, number: int) -> None:
        while self._memory and self._memory[0].number <= number:
            self._in_memory -= len(self._memory.popleft().effects)
