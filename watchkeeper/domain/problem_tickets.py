"""The commands that make a problem's ticket true, and link those of its incidents to it."""

from collections.abc import Sequence
from typing import Final

from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.problem import Problem
from watchkeeper.domain.recurrence import Occurrence
from watchkeeper.domain.ticket import Command, CommandKind, TicketChange, TicketDraft, TicketKind, TicketState

MOST_LINKED: Final = 50  # tickets of incidents that a new problem is linked to; the newest


def create(problem: Problem, description: str, one: Occurrence, at_ms: int) -> Command:
    """Makes the ticket. It weighs as much as the incident that was the reason."""
    draft = TicketDraft(
        key=_key(problem),
        kind=TicketKind.PROBLEM,
        correlation=problem.fingerprint,
        title=problem.title,
        description=description,
        service=problem.service,
        impact=one.impact,
        urgency=one.urgency,
        ci=problem.ci,
        rule=problem.rule_id,
        severity=one.severity,
    )
    return Command(None, problem.backend, _key(problem), CommandKind.CREATE, draft, at_ms, problem_id=problem.id)


def change(problem: Problem, what: TicketChange, at_ms: int) -> Command:
    """Adds to the ticket, or opens it again."""
    kind = CommandKind.REOPEN if what.state is TicketState.OPEN else CommandKind.UPDATE
    return Command(None, problem.backend, _key(problem), kind, what, at_ms, problem_id=problem.id)


def link(problem: Problem, found: Sequence[Occurrence], note: str, at_ms: int) -> list[Command]:
    """Links the tickets of incidents, as far as they are where the problem's is."""
    what = TicketChange(note, problem_id=problem.id)
    return [
        Command(one.id, one.backend, ticket_key(one.key, one.opened_ms), CommandKind.UPDATE, what, at_ms)
        for one in found[-MOST_LINKED:]
        if one.backend == problem.backend
    ]


def _key(problem: Problem) -> str:
    return ticket_key(f"problem/{problem.fingerprint}", problem.opened_ms)
