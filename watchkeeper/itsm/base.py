"""What a ticket backend is, and how its calls end.

A backend type is one module of this package, named as it is named in YAML, with a `KIND`. It speaks one system's
protocol and decides nothing about retries: it only names what happened. A call that returns has happened; otherwise
it raises one of the outcomes below. What follows from them is decided once, in `engine/delivery.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from pydantic import model_validator

from watchkeeper.domain.announced import Announced
from watchkeeper.domain.article import Article
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.lessons import MOST_TEXT
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import AutoResolve, Language, Ticket, TicketChange, TicketDraft, TicketPolicy
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import DurationMs, PositiveDurationMs, Rate

MOST_RESOLUTION: Final = MOST_TEXT
MOST_CHANGES: Final = 5000
_NEVER_MS: Final = 100 * 365 * 86_400_000
_SWEEP_MS: Final = 900_000


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

    def changed(self, within_ms: int) -> Sequence[str] | None:
        """The refs of watchkeeper's own tickets that were changed in the last so many milliseconds, in no order, some
        hundred at most; others among them do no harm. `None`: there are more, or the system can not tell, and all
        tickets are to be read. What was deleted may be missing. Tells by the system's own clock, as far as it can,
        and in a call or two."""

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        """The calls that would create a ticket, or change one, without making any."""

    def check(self) -> Sequence[Finding]:
        """The self-test: what would make calls fail."""


@runtime_checkable
class TellsResolution(Protocol):
    """A ticket system that keeps what people say when they resolve a ticket."""

    def resolution(self, ticket: Ticket) -> str:
        """What a person said that resolved a ticket which is over; empty where nobody said anything, or where it was
        watchkeeper that resolved it. `MOST_RESOLUTION` characters at most. May raise an Outcome."""


@runtime_checkable
class Publishes(Protocol):
    """A ticket system in which people publish articles."""

    def articles(self, query: str, most: int) -> Iterator[Sequence[Article]]:
        """The articles that are published, the newest first, `most` at most; of long ones the end may be missing.
        They come page by page, and nothing is asked for a page before it is wanted. `query`: which of them, in the
        system's own words; all where it is empty. The iterator may raise an Outcome."""


@runtime_checkable
class PlansChanges(Protocol):
    """A ticket system in which changes are planned and approved."""

    def planned_changes(self, from_ms: int, to_ms: int) -> Iterator[Sequence[Announced]]:
        """The changes that were approved and have a window which touches the time from one instant until another:
        those that are yet to come or under way, and those that are done with what came of them. What is on hold or
        cancelled is none of them. `MOST_CHANGES` at most.

        They come page by page, and nothing is asked for a page before it is wanted; a page may be empty. The iterator
        may raise an Outcome: then what it gave is not all, and tells nothing."""

    def check_changes(self) -> Sequence[Finding]:
        """The self-test: what would keep changes from being read."""


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
    """How often tickets are read back, to see what people did to them: those that have changed, where the backend can
    tell."""
    sweep: PositiveDurationMs = _SWEEP_MS
    """How often all tickets are read back, changed or not: so a deleted one is noticed, and what was missed. Not more
    often than `sync`, whose time counts where it is longer than this default."""
    index_lag: DurationMs | None = None
    """How long a new ticket may stay invisible to the backend's own search. Each type has its own time otherwise."""
    certain_after: DurationMs | None = None
    """How long after its beginning a call that had no answer may still be carried out: longer where a proxy, or the
    system itself, holds calls back for long. Each type has its own time otherwise."""

    @model_validator(mode="after")
    def _sweeps_no_more_often_than_it_reads(self) -> "BackendOptions":
        if "sweep" in self.model_fields_set and self.sweep < self.sync:
            raise ValueError("`sweep` must be at least as long as `sync`")
        return self


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
    publishes: Callable[[Any], bool] = lambda _options: False
    """Of its options: whether it is a `Publishes`, which has articles to read."""
    plans_changes: Callable[[Any], bool] = lambda _options: False
    """Of its options: whether it is a `PlansChanges`, which has changes to read."""
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
            sweep_every_ms=max(options.sweep, options.sync),
            language=options.language or Language.ENGLISH,
        )
