"""What a ticket backend is, and how its calls end.

A backend type is one module of this package, named as it is named in YAML, with a `KIND`. It speaks one system's
protocol and decides nothing about retries: it only names what happened. A call that returns has happened; otherwise
it raises one of the outcomes below. What follows from them is decided once, in `engine/delivery.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import AutoResolve, Language, Ticket, TicketChange, TicketDraft, TicketPolicy
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import DurationMs, PositiveDurationMs, Rate

_NEVER_MS: Final = 100 * 365 * 86_400_000


class Outcome(Exception):
    """A call to a backend did not end well. Its text says why, for people."""


class Throttled(Outcome):
    """Refused for now, and surely not done. `retry_after_s`: when the backend said to come back, if it did.
    `of_ticket`: it is this ticket that is changed too often, and no other."""

    def __init__(self, message: str, retry_after_s: float | None = None, *, of_ticket: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.of_ticket = of_ticket


class Unavailable(Outcome):
    """Not reached, and surely not done."""


class Denied(Outcome):
    """Refused for who asks, whatever is asked: wrong credentials, no permission at all. Surely not done. To ask again
    soon makes it worse."""


class Conflict(Outcome):
    """The ticket has changed since it was read. Surely not done: it is to be read again."""


class Ambiguous(Outcome):
    """It may or may not have been done: look before doing it again."""


class Rejected(Outcome):
    """Refused for what it says, and surely not done: the same call would be refused again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a backend's self-test found wrong, and what to do about it."""

    message: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call that would be made: `body` is what would be sent, as JSON or text; secrets are left out."""

    method: str
    url: str
    body: Any


class TicketBackend(Protocol):
    """One ticket system. Every method but `check` may raise an Outcome; `tests/contract` holds them all to this."""

    def find(self, key: str) -> Sequence[Ticket]:
        """All tickets of exactly this key, in whatever state, the oldest first."""

    def create(self, draft: TicketDraft) -> Ticket:
        """A new open ticket. A system that keeps keys apart by itself gives the one that is there already."""

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        """The ticket with the change's note, and in its state, impact and urgency, where it names them.

        A change whose key the ticket has already changes nothing, where the system can keep such keys. The ticket is
        as it was read last: what it says about the state is not to be believed without looking.

        Raises:
            Conflict: the ticket has a version, and has changed since.
            Rejected: there is no such ticket any more, or the system refuses what the change says.
        """

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        """The tickets of these refs as they are now, in no order; what is gone or was never there is left out. One
        that was merged into another is told under the ref that was asked for. Raises rather than leave out what it
        could not read."""

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        """The calls that would create a ticket, or change one, without making any."""

    def check(self) -> Sequence[Finding]:
        """The self-test: what would make calls fail."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a backend may use besides its options. `desk` is the store's own table of tickets, `budget` what calls are
    paid from."""

    clock: Clock
    desk: Any
    budget: Budget


class BackendOptions(Model):
    """What every backend has, beside what is its own."""

    auto_resolve: AutoResolve = AutoResolve.UNTOUCHED
    """Whether a ticket is resolved when its trouble is over: `always`, `untouched` (while nobody has taken it up) or
    `never`. What is not resolved gets a note."""
    reopen_after: DurationMs = 600_000
    """How long trouble may go on after a person has resolved its ticket, before something is done about it."""
    reopen_within: DurationMs = 86_400_000
    """For how long such a ticket is opened again. Later, or where the backend does not open tickets again, there will
    be a new one that points at it."""
    language: Language | None = None
    """What its tickets are written in: `en` or `zh`. That of `itsm.language` if this is not set."""
    description: str | None = None
    """The text of its new tickets, a Jinja2 template. That of `itsm.description` if this is not set."""
    rate: Rate | None = None
    """How many calls the backend gets at most, such as `60/m` or `2000/h`. No end if this is not set."""
    sync: PositiveDurationMs = 60_000
    """How often tickets are read back, to see what people did to them."""
    index_lag: DurationMs | None = None
    """How long a new ticket may stay invisible to the backend's own search. Each type has its own time otherwise."""
    certain_after: DurationMs | None = None
    """How long after its beginning a call that had no answer may still be carried out: longer where a proxy, or the
    system itself, holds calls back for long. Each type has its own time otherwise."""


@dataclass(frozen=True, slots=True)
class BackendKind:
    """What there is to know of a backend type before it is made. `index_lag_ms`: where the options say nothing."""

    name: str
    summary: str
    options: type[BackendOptions]
    make: Callable[[str, Any, Surroundings], TicketBackend]
    """Of its name in the configuration, its validated options, and its surroundings."""
    index_lag_ms: int = 0
    certain_after_ms: Callable[[Any], int] = lambda _options: 0
    """Of its options: how long after the beginning of a call that had no answer it is certain whether it was carried
    out. Where the system keeps keys apart by itself it does not matter."""
    reads_back: Callable[[Any], bool] = lambda _options: True
    """Of its options: whether it can tell what became of its tickets. If not, `fetch` is not to be called: a ticket
    is what was last made of it."""

    def policy(self, options: BackendOptions) -> TicketPolicy:
        """How its tickets are dealt with."""
        return TicketPolicy(
            auto_resolve=options.auto_resolve,
            reopen_after_ms=options.reopen_after,
            reopen_within_ms=options.reopen_within,
            index_lag_ms=self.index_lag_ms if options.index_lag is None else options.index_lag,
            rate_per_minute=options.rate,
            read_every_ms=options.sync if self.reads_back(options) else _NEVER_MS,
            language=options.language or Language.ENGLISH,
        )
