"""A ticket backend in memory that fails as it is told."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum, auto

from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketPolicy, TicketState
from watchkeeper.engine.attempt import Desk
from watchkeeper.itsm.base import (
    Ambiguous,
    Call,
    Conflict,
    Denied,
    Finding,
    Rejected,
    Throttled,
    TicketBackend,
    Unavailable,
)


class Crash(BaseException):
    """The process ends here: nothing that is written after it is done."""


class Fault(Enum):
    """What becomes of a call."""

    NONE = auto()
    THROTTLED = auto()
    THROTTLED_FOR_A_MINUTE = auto()
    UNAVAILABLE = auto()
    AMBIGUOUS_BEFORE = auto()  # not done, and nobody can tell
    AMBIGUOUS_AFTER = auto()  # done, and nobody can tell
    BUG_BEFORE = auto()
    BUG_AFTER = auto()
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()
    REJECTED = auto()
    DENIED = auto()
    CONFLICT = auto()
    TOO_OFTEN_FOR_THIS_TICKET = auto()


_BEFORE = {
    Fault.THROTTLED: Throttled("too many requests"),
    Fault.THROTTLED_FOR_A_MINUTE: Throttled("too many requests", 60),
    Fault.UNAVAILABLE: Unavailable("connection refused"),
    Fault.AMBIGUOUS_BEFORE: Ambiguous("no answer in time"),
    Fault.BUG_BEFORE: KeyError("number"),
    Fault.CRASH_BEFORE: Crash(),
    Fault.REJECTED: Rejected("no such category"),
    Fault.DENIED: Denied("wrong password"),
    Fault.CONFLICT: Conflict("changed meanwhile"),
    Fault.TOO_OFTEN_FOR_THIS_TICKET: Throttled("too often", 60, of_ticket=True),
}
_AFTER = {
    Fault.AMBIGUOUS_AFTER: Ambiguous("the answer was lost"),
    Fault.BUG_AFTER: KeyError("number"),
    Fault.CRASH_AFTER: Crash(),
}


USUAL = TicketPolicy()


def desk(
    name: str,
    backend: TicketBackend,
    clock: Clock,
    policy: TicketPolicy = USUAL,
    certain_after_ms: int = 0,
) -> Desk:
    """A backend with as much budget as it likes."""
    return Desk(name, backend, policy, Budget(policy.rate_per_minute, clock), certain_after_ms)


@dataclass(eq=False)
class MemoryBackend:
    """Its tickets and what was noted on each. Keeps the keys of changes, and makes none of them twice.

    `faults`: of the calls to come; those after them are well.
    """

    tickets: list[Ticket] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    calls: list[str] = field(default_factory=list)
    spend: Callable[[], None] = lambda: None
    _changes: set[str] = field(default_factory=set)

    def find(self, key: str) -> Sequence[Ticket]:
        fault = self._begin("find")
        found = [ticket for ticket in self.tickets if ticket.key == key]
        self._end(fault)
        return found

    def create(self, draft: TicketDraft) -> Ticket:
        fault = self._begin("create")
        number = len(self.tickets) + 1
        ticket = Ticket(f"ref{number}", f"T-{number}", draft.key, TicketState.OPEN, draft.title)
        self.tickets.append(ticket)
        self.notes[ticket.ref] = []
        self._end(fault)
        return ticket

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        fault = self._begin("update")
        index = next(n for n, mine in enumerate(self.tickets) if mine.ref == ticket.ref)
        if change.key not in self._changes:
            self._changes.add(change.key)
            self.notes[ticket.ref].append(change.note)
            self.tickets[index] = replace(self.tickets[index], state=change.state or self.tickets[index].state)
        self._end(fault)
        return self.tickets[index]

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        wanted = set(refs)
        return [ticket for ticket in self.tickets if ticket.ref in wanted]

    def changed(self, within_ms: int) -> Sequence[str] | None:
        """Can not tell."""
        return None

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        return [Call("put", "memory:", asdict(command))]

    def by_person(self, state: TicketState, assignee: str) -> None:
        """What somebody does to the newest ticket."""
        self.tickets[-1] = replace(self.tickets[-1], state=state, assignee=assignee, is_touched=True)

    def check(self) -> Sequence[Finding]:
        return ()

    def _begin(self, call: str) -> Fault:
        self.calls.append(call)
        self.spend()
        fault = self.faults.popleft() if self.faults else Fault.NONE
        if fault in _BEFORE:
            raise _BEFORE[fault]
        return fault

    def _end(self, fault: Fault) -> None:
        if fault in _AFTER:
            raise _AFTER[fault]
