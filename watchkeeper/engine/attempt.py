"""One attempt to do what ticket commands ask for, at their backend."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from watchkeeper.domain.budget import Budget
from watchkeeper.domain.handling import coalesce, handle
from watchkeeper.domain.links import Other, link
from watchkeeper.domain.phrases import phrases_in
from watchkeeper.domain.ticket import CommandKind, Ticket, TicketChange, TicketDraft, TicketPolicy
from watchkeeper.itsm.base import Rejected, TicketBackend
from watchkeeper.store.outbox import Claim

_LOOKS: Final = 8  # so often a ticket is looked for that may appear yet
_MAX_WAIT_S: Final = 60.0
_PATIENCE_MS: Final = 6 * 3_600_000  # so long a change waits for a ticket that it is to be linked to

Look = Callable[[int | None, int | None], Other]
"""Gives the ticket that another one is to be linked to: of an incident's id, or of a problem's."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A backend, and how it is dealt with.

    `certain_after_ms`: how long after the beginning of a call it is certain whether it was carried out.
    `reads_back`: whether the backend can tell what became of its tickets.
    """

    name: str
    backend: TicketBackend
    policy: TicketPolicy
    budget: Budget
    certain_after_ms: int = 0
    reads_back: bool = True


class TooEarly(Exception):
    """What may have been done is not to be seen, which means nothing yet. `after_s`: when to look again."""

    def __init__(self, after_s: float) -> None:
        super().__init__("may have been done, and is not to be seen yet")
        self.after_s = after_s


class Awaited(Exception):
    """Another ticket must be there first, to be linked to. `after_s`: when to look again."""

    def __init__(self, number: str, waited_ms: int) -> None:
        super().__init__(f"waits for the ticket of {number}, to be linked to it")
        self.after_s = max(1.0, min(_MAX_WAIT_S, waited_ms / 4000))


class Done(NamedTuple):
    """What came of commands. `ticket`: `None` when it is gone. `remark`: what was left undone, and why. `others`:
    tickets of the same key beside the one that was adopted, `None` when none was. `refused`: it was to be opened
    again, and can not be."""

    ticket: Ticket | None
    remark: str = ""
    others: Sequence[Ticket] | None = None
    refused: bool = False


def attempt(desk: Desk, claim: Claim, now_ms: int, look: Look) -> Done:
    """Does what was claimed.

    Raises:
        Outcome: it did not end well.
        TooEarly: it may have been done already, or be done yet by an attempt that nobody waits for any more.
        Awaited: it was not tried, since what it is to be linked to is not there yet.
    """
    if isinstance(claim.command.payload, TicketDraft):
        return _create(desk, claim, claim.command.payload, now_ms)
    return _change(desk, claim, coalesce(claim.commands, phrases_in(desk.policy.language)), now_ms, look)


def _create(desk: Desk, claim: Claim, draft: TicketDraft, now_ms: int) -> Done:
    if claim.uncertain:
        if there := desk.backend.find(draft.key):
            return Done(there[0], others=there[1:])
        certain_ms = desk.certain_after_ms + desk.policy.index_lag_ms
        if (left_ms := claim.uncertain_since_ms + certain_ms - now_ms) > 0:
            raise TooEarly(max(1.0, min(left_ms, certain_ms / _LOOKS) / 1000))
    return Done(desk.backend.create(draft))


def _change(desk: Desk, claim: Claim, change: TicketChange, now_ms: int, look: Look) -> Done:
    # What a slow system is still working on has left no mark yet: it would be made a second time.
    if claim.uncertain and (left_ms := claim.uncertain_since_ms + desk.certain_after_ms - now_ms) > 0:
        raise TooEarly(max(1.0, left_ms / 1000))
    change = _linked(desk, claim, change, now_ms, look)
    known = claim.ticket or next(iter(desk.backend.find(claim.command.key)), None)
    if known is None:
        raise Rejected("its ticket is gone")
    found = desk.backend.fetch([known.ref]) if desk.reads_back else [known]
    if not found:
        return Done(None, f"{known.number} is gone", refused=claim.command.kind is CommandKind.REOPEN)
    # Some systems tell only who changed a ticket last, which watchkeeper's own changes cover up.
    ticket = replace(found[0], is_touched=found[0].is_touched or known.is_touched)
    handling = handle(change, ticket, desk.policy.auto_resolve, phrases_in(desk.policy.language))
    if handling.change is None:
        return Done(ticket, handling.why_not, refused=handling.refused)
    return Done(desk.backend.update(ticket, handling.change), handling.why_not)


def _linked(desk: Desk, claim: Claim, change: TicketChange, now_ms: int, look: Look) -> TicketChange:
    """The change with what it links to as the backend knows it."""
    problem = None if change.problem_id is None else look(None, change.problem_id)
    original = None if change.duplicate_of is None else look(change.duplicate_of, None)
    waited_ms = now_ms - claim.command.created_ms
    words = phrases_in(desk.policy.language)
    linked = link(change, desk.name, problem, original, words, may_wait=waited_ms < _PATIENCE_MS)
    if linked.awaits:
        raise Awaited(linked.awaits, waited_ms)
    return linked.change
