"""What other threads find out, told to the evaluation on the event loop that it lives on."""

import asyncio
from collections.abc import Mapping, Sequence

from watchkeeper.domain.article import Source
from watchkeeper.domain.evidence import PastChange
from watchkeeper.domain.expected import Window
from watchkeeper.domain.knowledge import Shelf
from watchkeeper.domain.ticket import ProblemSeen, TicketSeen
from watchkeeper.domain.window import Points
from watchkeeper.engine.evaluation import Evaluation


class Hearing:
    """Each method may be called from any thread. `evaluation` is set before anybody has something to tell."""

    evaluation: Evaluation

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changes: Sequence[PastChange] = ()

    def past_changes(self) -> Sequence[PastChange]:
        """The changes that are known, for evidence."""
        return self._changes

    def fill(self, probe_id: str, history: Mapping[str, Points]) -> None:
        self._loop.call_soon_threadsafe(self.evaluation.fill, probe_id, history)

    def learnt(self, shelves: Mapping[Source, Shelf]) -> None:
        self._loop.call_soon_threadsafe(self.evaluation.learn, shelves)

    def windows(self, windows: Sequence[Window], changes: Sequence[PastChange]) -> None:
        self._changes = changes
        self._loop.call_soon_threadsafe(self.evaluation.expect, windows)

    def tickets_seen(self, seen: Sequence[TicketSeen]) -> None:
        self._loop.call_soon_threadsafe(self.evaluation.tickets_seen, seen)

    def reopening_refused(self, incident_id: int, why: str) -> None:
        self._loop.call_soon_threadsafe(self.evaluation.reopening_refused, incident_id, why)

    def problem_seen(self, seen: ProblemSeen) -> None:
        self._loop.call_soon_threadsafe(self.evaluation.problem_seen, seen)

    def problem_reopening_refused(self, problem_id: int, why: str) -> None:
        self._loop.call_soon_threadsafe(self.evaluation.problem_reopening_refused, problem_id, why)
