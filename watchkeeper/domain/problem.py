"""The problem: the cause behind repeats of incidents, from the day it is seen until people have resolved it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from watchkeeper.domain.owner import problem_number
from watchkeeper.domain.ticket import ProblemFindings, TicketState


class ProblemState(StrEnum):
    OPEN = "open"
    KNOWN_ERROR = "known_error"  # people know why, or what to do until it is cured
    RESOLVED = "resolved"  # by people: watchkeeper resolves no problems


_NOTHING: Final = ProblemFindings()


@dataclass(frozen=True, slots=True)
class Problem:
    """`fingerprint`: what its incidents share, readable; of those that are not resolved, each has another one.
    `failure`: the class of what the probes said. `recurrences`: how often it happened, those times included that were
    before it was opened. `downtime_ms`: how long its incidents lasted that are over, added up. `successor_of`: the
    problem with the same fingerprint that was resolved before.

    `ticket_state`, `ticket_number`, `findings`: of its ticket, as it was seen last. They belong to people.
    """

    id: int
    fingerprint: str
    title: str
    rule_id: str
    service: str
    ci: str
    failure: str
    backend: str
    opened_ms: int
    updated_ms: int
    state: ProblemState = ProblemState.OPEN
    resolved_ms: int | None = None
    recurrences: int = 0
    downtime_ms: int = 0
    successor_of: int | None = None
    ticket_state: TicketState | None = None
    ticket_number: str = ""
    findings: ProblemFindings = _NOTHING

    @property
    def number(self) -> str:
        """What people call it: `PRB-3`."""
        return problem_number(self.id)

    @property
    def ended_ms(self) -> int:
        """When people resolved it; else when something was last heard of it."""
        return self.updated_ms if self.resolved_ms is None else self.resolved_ms

    @property
    def is_resolved(self) -> bool:
        """Whether people take it for cured."""
        return self.state is ProblemState.RESOLVED


@dataclass(frozen=True, slots=True)
class Recurred:
    """One more incident of it begins. `is_repeat`: another time, and not the same trouble elsewhere."""

    at_ms: int
    is_repeat: bool = True


@dataclass(frozen=True, slots=True)
class Lasted:
    """One of its incidents is over."""

    at_ms: int
    downtime_ms: int


@dataclass(frozen=True, slots=True)
class Reopened:
    """Its ticket is opened again, because it recurred."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What is seen of its ticket."""

    state: TicketState
    number: str
    findings: ProblemFindings
    at_ms: int


Event = Recurred | Lasted | Reopened | Moved


def step(problem: Problem, event: Event) -> Problem:
    """The problem after an event. The same object when the event changes nothing."""
    if isinstance(event, Recurred):
        return replace(problem, recurrences=problem.recurrences + event.is_repeat, updated_ms=event.at_ms)
    if isinstance(event, Lasted):
        return replace(problem, downtime_ms=problem.downtime_ms + event.downtime_ms, updated_ms=event.at_ms)
    if isinstance(event, Reopened):
        if not problem.is_resolved:
            return problem
        state = _unresolved(problem.findings)
        return replace(problem, state=state, resolved_ms=None, updated_ms=event.at_ms)
    return _move(problem, event)


def _move(problem: Problem, event: Moved) -> Problem:
    """What was seen before says nothing new: a ticket that is to be opened again is read as resolved until it is."""
    state, resolved_ms = problem.state, problem.resolved_ms
    is_new = event.state is not problem.ticket_state
    if is_new and event.state.is_over:
        state, resolved_ms = ProblemState.RESOLVED, event.at_ms if resolved_ms is None else resolved_ms
    elif not problem.is_resolved or (is_new and not event.state.is_over):
        state, resolved_ms = _unresolved(event.findings), None
    after = replace(
        problem,
        state=state,
        resolved_ms=resolved_ms,
        ticket_state=event.state,
        ticket_number=event.number,
        findings=event.findings,
    )
    return problem if after == problem else replace(after, updated_ms=event.at_ms)


def _unresolved(findings: ProblemFindings) -> ProblemState:
    knows = findings.is_known_error or findings.known_error
    return ProblemState.KNOWN_ERROR if knows else ProblemState.OPEN
