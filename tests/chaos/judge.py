"""The judge: what was decided, what was done by people, and what tickets there are; and what of it does not agree.

It is pure: a test shows that it sees what is wrong.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from tests.chaos.adapters import Act, Found
from tests.chaos.people import Deed
from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._text import mark

_WORKED_ON: Final = (TicketState.OPEN, TicketState.IN_PROGRESS)
_SHOWN: Final = 20  # so many changes in one note are all told
_MOVES: Final = {Act.ASSIGN, Act.RESOLVE, Act.CANCEL, Act.CLOSE, Act.REOPEN}


@dataclass(frozen=True, slots=True)
class Decided:
    """An incident of the daemon's database."""

    id: int
    incident_key: str
    key: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command of its outbox. `batch`: the first of those that were done together."""

    id: int
    incident_id: int
    kind: str
    note: str
    state: str
    batch: int
    remark: str
    done_ms: int


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is judged. `in_trouble`: the keys of the incidents that must be open, by what is probed."""

    incidents: Sequence[Decided]
    commands: Sequence[Ordered]
    tickets: Sequence[Found]
    in_trouble: frozenset[str]
    deeds: Mapping[str, Sequence[Deed]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong`: what is, in words, duplicates and losses among it."""

    duplicates: int
    lost: int
    wrong: tuple[str, ...]


def judge(case: Case) -> Verdict:
    """What is wrong in the end."""
    tickets = defaultdict(list)
    for ticket in case.tickets:
        tickets[ticket.key].append(ticket)
    commands = defaultdict(list)
    for command in case.commands:
        commands[command.incident_id].append(command)
    twice = {key: found for key, found in tickets.items() if len(found) > 1}
    lost = [one for one in case.incidents if one.key not in tickets]
    wrong = [
        *(f"{len(found)} tickets of {key}: {[one.ref for one in found]}" for key, found in twice.items()),
        *(f"INC-{one.id} ({one.incident_key}) has no ticket {one.key}" for one in lost),
        *(f"{key} is the ticket of no incident" for key in tickets.keys() - {one.key for one in case.incidents}),
        *_misjudged(case),
    ]
    for incident in case.incidents:
        for ticket in tickets[incident.key][:1]:
            deeds = case.deeds.get(incident.key, ())
            found = [*_state(incident, ticket, commands[incident.id], deeds)]
            found += _notes(incident, ticket, commands[incident.id], deeds)
            wrong += [f"INC-{incident.id}, {ticket.ref}: {what}" for what in found]
    return Verdict(sum(len(found) - 1 for found in twice.values()), len(lost), tuple(wrong))


def _misjudged(case: Case) -> Iterator[str]:
    found = [one.incident_key for one in case.incidents if one.is_open]
    yield from (f"{key} is down, and has no open incident" for key in case.in_trouble - set(found))
    yield from (f"{key} is up, and has an open incident" for key in set(found) - case.in_trouble)
    yield from (f"{key} has {found.count(key)} open incidents" for key in set(found) if found.count(key) > 1)
    yield from (f"command {one.id} is {one.state}: {one.remark}" for one in case.commands if one.state != "delivered")


def _state(incident: Decided, ticket: Found, commands: Sequence[Ordered], deeds: Sequence[Deed]) -> Iterator[str]:
    moves = [deed for deed in deeds if deed.act in _MOVES]
    if not moves:
        wanted = _WORKED_ON if incident.is_open else (TicketState.RESOLVED,)
        # Whether a remark makes a ticket touched depends on the system, and on who wrote last.
        if ticket.state not in (wanted if not deeds else (*wanted, *_WORKED_ON)):
            yield f"is {ticket.state}, and its incident is {'open' if incident.is_open else 'over'}"
        return
    last = moves[-1]
    reopened = any(one.kind == "reopen" and not one.remark and one.done_ms > last.at_ms for one in commands)
    allowed = {
        Act.CANCEL: (TicketState.CANCELLED,),
        Act.CLOSE: (TicketState.CLOSED,),
        Act.RESOLVE: _WORKED_ON if reopened else (TicketState.RESOLVED,),
        Act.ASSIGN: _WORKED_ON,
        Act.REOPEN: _WORKED_ON,
    }[last.act]
    if ticket.state not in allowed:
        yield f"is {ticket.state} after {[deed.act.value for deed in moves]} by people"
    if any(deed.act is Act.ASSIGN for deed in moves) and not ticket.assignee:
        yield "was assigned to somebody, and is not any more"


def _notes(incident: Decided, ticket: Found, commands: Sequence[Ordered], deeds: Sequence[Deed]) -> Iterator[str]:
    texts = [note.text for note in ticket.notes]
    for deed in deeds:
        if deed.act is Act.COMMENT and sum(deed.text in text for text in texts) != 1:
            yield f"the remark {deed.text!r} is not there once"
    changes = [one for one in commands if one.kind != "create" and one.state == "delivered"]
    batches = [list(some) for _, some in groupby(changes, key=lambda one: one.batch)]
    by_mark = {mark(f"{incident.key}-{some[0].batch}"): some for some in batches}
    # A ticket that a person has ended gets no notes any more: a change that was left undone may have come before.
    open_to_doubt = {sign for sign, some in by_mark.items() if "nothing is added" in some[0].remark}
    found = [note.mark for note in ticket.notes if note.mark]
    missing = [sign for sign in by_mark if sign not in found and sign not in open_to_doubt]
    yield from (f"lacks the note of {_told(by_mark[sign])}" for sign in missing)
    yield from (
        f"has {found.count(sign)} notes of {_told(by_mark[sign])}" for sign in by_mark if found.count(sign) > 1
    )
    yield from (f"has a note that nobody decided: {sign}" for sign in set(found) - by_mark.keys())
    if not missing and [sign for sign in by_mark if sign in found] != list(dict.fromkeys(found)):
        yield f"has its notes in another order: {texts}"
    for note in ticket.notes:
        some = by_mark.get(note.mark, [])
        if len(some) <= _SHOWN and (left_out := [one.id for one in some if one.note not in note.text]):
            yield f"does not tell of {left_out} in {note.text!r}"


def _told(some: Sequence[Ordered]) -> str:
    return f"commands {[one.id for one in some]} ({some[-1].note[:60]!r})"
