"""What people do to tickets of watchkeeper's own desk, and when they may."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from watchkeeper.domain.ticket import Ticket, TicketState


class Move(StrEnum):
    """What a person does, by the name of the command that does it."""

    TAKE = "take"
    ASSIGN = "assign"
    HOLD = "hold"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    CANCEL = "cancel"
    NOTE = "note"


class Insight(StrEnum):
    """What a note may be, on the ticket of a problem."""

    WORKAROUND = "workaround"
    ROOT_CAUSE = "root-cause"
    KNOWN_ERROR = "known-error"


class WrongMove(Exception):
    """A ticket that is as it is can not be moved so. The text says why, and what can be done."""


@dataclass(frozen=True, slots=True)
class Act:
    """`by`: who does it. `to`: whom a ticket is assigned to. `text`: what there is to say, which may be nothing
    unless it is a note. `insight`: what the note is, beside a note."""

    move: Move
    by: str
    to: str = ""
    text: str = ""
    insight: Insight | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a ticket is after a move, and the note that tells of it."""

    state: TicketState
    assignee: str
    note: str


_WORKED_ON: Final = frozenset((TicketState.OPEN, TicketState.IN_PROGRESS, TicketState.ON_HOLD))
_FROM: Final[Mapping[Move, frozenset[TicketState]]] = {
    Move.TAKE: _WORKED_ON,
    Move.ASSIGN: _WORKED_ON,
    Move.HOLD: _WORKED_ON - {TicketState.ON_HOLD},
    Move.RESOLVE: _WORKED_ON,
    Move.REOPEN: frozenset((TicketState.RESOLVED,)),
    Move.CLOSE: _WORKED_ON | {TicketState.RESOLVED},
    Move.CANCEL: _WORKED_ON,
    Move.NOTE: _WORKED_ON | {TicketState.RESOLVED},
}
_BECOMES: Final[Mapping[Move, TicketState]] = {
    Move.TAKE: TicketState.IN_PROGRESS,
    Move.HOLD: TicketState.ON_HOLD,
    Move.RESOLVE: TicketState.RESOLVED,
    Move.REOPEN: TicketState.OPEN,
    Move.CLOSE: TicketState.CLOSED,
    Move.CANCEL: TicketState.CANCELLED,
}
_DID: Final[Mapping[Move, str]] = {
    Move.TAKE: "took it up",
    Move.HOLD: "put it on hold",
    Move.RESOLVE: "resolved it",
    Move.REOPEN: "opened it again",
    Move.CLOSE: "closed it",
    Move.CANCEL: "cancelled it",
}


def possible(state: TicketState) -> list[Move]:
    """What can be done to a ticket in this state. Closed and cancelled are for good."""
    return [move for move in Move if state in _FROM[move]]


def act_on(ticket: Ticket, act: Act) -> Moved:
    """What comes of a move.

    Raises:
        WrongMove: it can not be made.
    """
    if ticket.state not in _FROM[act.move]:
        moves = ", ".join(possible(ticket.state))
        left = f"possible is {moves}" if moves else "that is for good, and nothing more can be done to it"
        raise WrongMove(f"{ticket.number} is {in_words(ticket.state)}: {left}")
    state = _BECOMES.get(act.move, ticket.state)
    assignee = {Move.TAKE: act.by, Move.ASSIGN: act.to}.get(act.move, ticket.assignee)
    if act.move in (Move.TAKE, Move.ASSIGN) and (state, assignee) == (ticket.state, ticket.assignee):
        raise WrongMove(f"{ticket.number} is with {assignee} already")
    return Moved(state, assignee, _note(act))


def said_at_the_end(notes: Iterable[str]) -> str:
    """What there was to say when a ticket was resolved or closed. `notes`: those of people, the newest first."""
    for note in notes:
        did, _, said = note.partition(": ")
        if did.endswith(f" {_DID[Move.REOPEN]}"):
            return ""
        if did.endswith((f" {_DID[Move.RESOLVE]}", f" {_DID[Move.CLOSE]}")) and said.strip():
            return said.strip()
    return ""


def in_words(state: TicketState | Insight) -> str:
    """Such as `on hold`."""
    return state.value.replace("_", " ").replace("-", " ")


def _note(act: Act) -> str:
    if act.move is Move.NOTE:
        what = "" if act.insight is None else f" ({in_words(act.insight)})"
        return f"{act.by}{what}: {act.text}"
    did = f"assigned it to {act.to}" if act.move is Move.ASSIGN else _DID[act.move]
    return f"{act.by} {did}" + (f": {act.text}" if act.text else "")
