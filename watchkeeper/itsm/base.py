"""What a ticket backend is, and how its calls end.

A backend type is one module of this package, named as it is named in YAML, with a `KIND`. It speaks one system's
protocol and decides nothing about retries: it only names what happened. A call that returns has happened; otherwise
it raises one of the outcomes below. What follows from them is decided once, in `engine/delivery.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft
from watchkeeper.schema.base import Model


class Outcome(Exception):
    """A call to a backend did not end well. Its text says why, for people."""


class Throttled(Outcome):
    """Refused for now, and surely not done. `retry_after_s`: when the backend said to come back, if it did."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(Outcome):
    """Not reached, and surely not done."""


class Ambiguous(Outcome):
    """It may or may not have been done: look before doing it again."""


class Rejected(Outcome):
    """Refused for what it says, and surely not done: the same call would be refused again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a backend's self-test found wrong, and what to do about it."""

    message: str


class TicketBackend(Protocol):
    """One ticket system. Every method but `check` may raise an Outcome; `tests/contract` holds them all to this."""

    def find(self, key: str) -> Sequence[Ticket]:
        """All tickets of exactly this key, in whatever state, the oldest first."""

    def create(self, draft: TicketDraft) -> Ticket:
        """A new open ticket. A system that keeps keys apart by itself gives the one that is there already."""

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        """The ticket with the change's note, and in its state, where it names one.

        A change whose key the ticket has already changes nothing, where the system can keep such keys.

        Raises:
            Rejected: there is no such ticket any more, or the system refuses what the change says.
        """

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        """The tickets of these refs as they are now, in no order; what is gone or was never there is left out."""

    def check(self) -> Sequence[Finding]:
        """The self-test: what would make calls fail."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a backend may use besides its options. `desk` is the store's own table of tickets."""

    clock: Clock
    desk: Any


@dataclass(frozen=True, slots=True)
class BackendKind:
    """What there is to know of a backend type before it is made."""

    name: str
    summary: str
    options: type[Model]
    make: Callable[[str, Any, Surroundings], TicketBackend]
    """Of its name in the configuration, its validated options, and its surroundings."""
