"""How tickets are changed that people work on too: what several changes come to, and what is left to people."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from watchkeeper.domain.phrases import ENGLISH, Phrases
from watchkeeper.domain.ticket import AutoResolve, Command, Ticket, TicketChange, TicketState
from watchkeeper.domain.units import format_time

T = TypeVar("T")

_FIRST: Final = 3  # of many notes, so many of the oldest and so many of the newest are told
_LAST: Final = 17


def coalesce(commands: Sequence[Command], words: Phrases = ENGLISH) -> TicketChange:
    """One change for several that waited, the oldest first: what all of them come to, and what happened meanwhile.

    Raises:
        TypeError: one of them creates the ticket.
    """
    changes = [command.payload for command in commands if isinstance(command.payload, TicketChange)]
    if len(changes) < len(commands):
        raise TypeError("a ticket is created on its own")
    if len(changes) == 1:
        return changes[0]
    return TicketChange(
        note=_summary(commands, changes, words),
        state=_last([change.state for change in changes]),
        key=changes[0].key,
        impact=_last([change.impact for change in changes]),
        urgency=_last([change.urgency for change in changes]),
        problem=_last([change.problem or None for change in changes]) or "",
        problem_id=_last([change.problem_id for change in changes]),
        duplicate_of=_last([change.duplicate_of for change in changes]),
        caused_by=_last([change.caused_by for change in changes]),
    )


def _last(values: Sequence[T | None]) -> T | None:
    return next((value for value in reversed(values) if value is not None), None)


def _summary(commands: Sequence[Command], changes: Sequence[TicketChange], words: Phrases) -> str:
    lines = [
        f"{format_time(command.created_ms)}  {change.note}" for command, change in zip(commands, changes, strict=True)
    ]
    if len(lines) > _FIRST + _LAST:
        left_out = len(lines) - _FIRST - _LAST
        lines = [*lines[:_FIRST], words.left_out.format(count=left_out), *lines[-_LAST:]]
    return "\n".join([words.several.format(count=len(changes)), *lines])


@dataclass(frozen=True, slots=True)
class Handling:
    """What is to be done to a ticket. `change`: `None` where there is nothing to do. `why_not`: what of it is left
    undone, and why, for the log. `refused`: whether the ticket can not be opened again."""

    change: TicketChange | None
    why_not: str = ""
    refused: bool = False


def handle(change: TicketChange, ticket: Ticket, auto_resolve: AutoResolve, words: Phrases = ENGLISH) -> Handling:
    """What of a change is to be made to a ticket, as it is now. What a person has moved is not moved back."""
    if ticket.state in (TicketState.CLOSED, TicketState.CANCELLED):
        why = f"{ticket.number} is {ticket.state}: nothing is added to it"
        return Handling(None, why, refused=change.state is TicketState.OPEN)
    if change.state is TicketState.OPEN and not ticket.state.is_over:
        return Handling(replace(change, state=None))
    if change.state is not TicketState.RESOLVED or ticket.state is TicketState.RESOLVED:
        same = change.state is ticket.state
        return Handling(replace(change, state=None) if same else change)
    if auto_resolve is AutoResolve.NEVER:
        why, remark = "watchkeeper resolves no tickets here", words.never_resolved
    elif auto_resolve is AutoResolve.UNTOUCHED and ticket.is_touched:
        why = f"left to {ticket.assignee or ENGLISH.whoever} to resolve"
        remark = words.left_to.format(who=ticket.assignee or words.whoever)
    else:
        return Handling(change)
    return Handling(replace(change, state=None, note=f"{change.note}\n{words.remark.format(remark=remark)}"), why)
