"""Tickets, and the commands that make them true in an ITSM backend."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from watchkeeper.domain.rule import Level, Named, Severity


class TicketKind(StrEnum):
    INCIDENT = "incident"
    PROBLEM = "problem"


class TicketState(StrEnum):
    """What every backend's states come down to."""

    OPEN = "open"  # nobody has taken it up
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    RESOLVED = "resolved"
    CLOSED = "closed"  # for good: no backend opens it again
    CANCELLED = "cancelled"  # by a person, who did not take it for trouble

    @property
    def is_over(self) -> bool:
        """Whether nobody works on the ticket any more."""
        return self in (TicketState.RESOLVED, TicketState.CLOSED, TicketState.CANCELLED)


class Language(StrEnum):
    """What tickets are written in."""

    ENGLISH = "en"
    CHINESE = "zh"  # Simplified


class AutoResolve(StrEnum):
    """When a ticket is resolved because its trouble is over."""

    ALWAYS = "always"
    UNTOUCHED = "untouched"  # while nobody has taken it up
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class TicketPolicy:
    """How tickets of a backend are dealt with.

    `reopen_after_ms`: how long trouble may go on after a person has resolved its ticket. `reopen_within_ms`: for how
    long after that the ticket is opened again; later, another one is made that points at it. `index_lag_ms`: how
    long a ticket may exist without being found. `rate_per_minute`: how many calls the backend gets; `None`: no end.
    `read_every_ms`: how often it is looked what people did to them, and `sweep_every_ms`: to all of them, also those
    that are not said to have changed. `language`: of what is written into them.
    """

    auto_resolve: AutoResolve = AutoResolve.UNTOUCHED
    reopen_after_ms: int = 600_000
    reopen_within_ms: int = 86_400_000
    index_lag_ms: int = 0
    rate_per_minute: float | None = None
    read_every_ms: int = 60_000
    sweep_every_ms: int = 900_000
    language: Language = Language.ENGLISH


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """What a new ticket shall say. `key` is what it is found by, `correlation` the readable incident key, `ci` the
    service's configuration item. `rule`, `severity` and `labels` are for what a backend sets by them."""

    key: str
    kind: TicketKind
    correlation: str
    title: str
    description: str
    service: str
    impact: Level
    urgency: Level
    ci: str = ""
    rule: str = ""
    severity: Severity = Severity.MAJOR
    labels: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeRef:
    """A change of a backend: `ref` is the backend's own id of it, `number` what people call it."""

    backend: str
    ref: str
    number: str


@dataclass(frozen=True, slots=True)
class TicketChange:
    """What shall be added to a ticket: an internal note, and its new state, impact and urgency where these change.

    `key` is this change's own: a backend that can keep it does nothing when it gets a change for the second time.

    What it shall be linked to is said twice. When it is decided, only watchkeeper's own ids are known: `problem_id`;
    `duplicate_of`, the incident whose ticket takes its place; `caused_by`, the change that is to blame. What backends
    get are refs of theirs: `problem` of the problem's ticket, `duplicate` of the other incident's, `cause` of the
    change. They are found when the change is delivered; empty: there is nothing to link to.
    """

    note: str
    state: TicketState | None = None
    key: str = ""
    impact: Level | None = None
    urgency: Level | None = None
    problem: str = ""
    problem_id: int | None = None
    duplicate_of: int | None = None
    caused_by: ChangeRef | None = None
    duplicate: str = ""
    cause: str = ""


MAX_FINDING: Final = 4000


@dataclass(frozen=True, slots=True)
class ProblemFindings:
    """What people have found out about a problem, as its ticket says: each text of `MAX_FINDING` characters at most.
    `resolution`: how it was cured. `is_known_error`: the backend says so, with or without a text."""

    workaround: str = ""
    root_cause: str = ""
    known_error: str = ""
    resolution: str = ""
    is_known_error: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as its backend has it. `ref` is the backend's own stable id, `number` what people call it.

    `assignee`: who works on it, in the backend's words. `is_touched`: whether somebody else than watchkeeper has
    changed it. `version`: what the backend tells changes apart by, if it can refuse a change of what has moved on.
    `findings`: of a problem's ticket, what people have found out.
    """

    ref: str
    number: str
    key: str
    state: TicketState
    title: str
    url: str = ""
    assignee: str = ""
    is_touched: bool = False
    version: str = ""
    findings: ProblemFindings = ProblemFindings()


@dataclass(frozen=True, slots=True)
class TicketSeen:
    """What was read of the ticket of an incident. `is_gone`: it is not there any more."""

    incident_id: int
    number: str
    state: TicketState
    assignee: str
    at_ms: int
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class ProblemSeen:
    """What was read of the ticket of a problem. `is_gone`: it is not there any more."""

    problem_id: int
    number: str
    state: TicketState
    assignee: str
    at_ms: int
    is_gone: bool = False
    findings: ProblemFindings = ProblemFindings()


class CommandKind(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    RESOLVE = "resolve"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to be done at a backend, for an incident or for a problem, in the order of its commands.

    `id` is the outbox row's. Exactly one of `incident_id` and `problem_id` is given. `due_ms`: it need not be done
    before then; a later one that is due takes it along.
    """

    incident_id: int | None
    backend: str
    key: str
    kind: CommandKind
    payload: TicketDraft | TicketChange
    created_ms: int
    id: int = 0
    problem_id: int | None = None
    due_ms: int = 0
