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
from watchkeeper.domain.storm import STORM_KEY
from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._text import mark

_WORKED_ON: Final = (TicketState.OPEN, TicketState.IN_PROGRESS)
_SHOWN: Final = 20  # so many changes in one note are all told
_MOVES: Final = {Act.ASSIGN, Act.RESOLVE, Act.CANCEL, Act.CLOSE, Act.REOPEN}


Alert = tuple[str, str]
"""A rule and a probe."""


@dataclass(frozen=True, slots=True)
class Decided:
    """An incident of the daemon's database, or a problem. `key`: of its ticket. `firing`, `impacted`: the alerts that
    are part of it, and that it explains. `part_of`: the keys of the tickets that its own is to be linked to."""

    name: str
    incident_key: str
    key: str
    is_open: bool
    firing: frozenset[Alert] = frozenset()
    impacted: frozenset[Alert] = frozenset()
    part_of: frozenset[str] = frozenset()
    is_merged: bool = False


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command of its outbox. `key`: of the ticket. `batch`: the first of those that were done together."""

    id: int
    key: str
    kind: str
    note: str
    state: str
    batch: int
    remark: str
    done_ms: int


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is judged. `in_trouble`: the alerts that must fire, by what is probed, and the key of the
    incident that each must be part of: none where something upstream explains it."""

    incidents: Sequence[Decided]
    commands: Sequence[Ordered]
    tickets: Sequence[Found]
    in_trouble: Mapping[Alert, str]
    deeds: Mapping[str, Sequence[Deed]] = field(default_factory=dict)
    problems: Sequence[Decided] = ()


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
        commands[command.key].append(command)
    twice = {key: found for key, found in tickets.items() if len(found) > 1}
    decided = [*case.incidents, *case.problems]
    lost = [one for one in decided if one.key not in tickets]
    refs = {key: found[0].ref for key, found in tickets.items()}
    wrong = [
        *(f"{len(found)} tickets of {key}: {[one.ref for one in found]}" for key, found in twice.items()),
        *(f"{one.name} ({one.incident_key}) has no ticket {one.key}" for one in lost),
        *(f"{key} is the ticket of nothing" for key in tickets.keys() - {one.key for one in decided}),
        *misjudged(case.incidents, case.in_trouble),
        *_twice_open(case.problems),
        *(f"command {one.id} is {one.state}: {one.remark}" for one in case.commands if one.state != "delivered"),
    ]
    for one in decided:
        for ticket in tickets[one.key][:1]:
            deeds, ordered = case.deeds.get(one.key, ()), commands[one.key]
            found = [*_state(one, ticket, ordered, deeds)]
            found += _notes(one, ticket, ordered, deeds)
            found += _links(one, ticket, ordered, {key: refs[key] for key in one.part_of & refs.keys()})
            wrong += [f"{one.name}, {ticket.ref}: {what}" for what in found]
    return Verdict(sum(len(found) - 1 for found in twice.values()), len(lost), tuple(wrong))


def misjudged(incidents: Sequence[Decided], in_trouble: Mapping[Alert, str]) -> Iterator[str]:
    """What is wrong with the incidents that are open: each alert that nothing explains is part of exactly one, which
    is the one of its key or that of a storm, and each that something explains is told of in exactly one."""
    found = [one for one in incidents if one.is_open]
    for alert, key in in_trouble.items():
        part_of = [one.incident_key for one in found if alert in one.firing]
        told_in = [one.incident_key for one in found if alert in one.impacted]
        if key and (len(part_of) != 1 or part_of[0] not in (key, STORM_KEY) or told_in):
            yield f"{alert} is part of {part_of}, and told of in {told_in}: it must be part of {key}"
        if not key and (part_of or len(told_in) != 1):
            yield f"{alert} is part of {part_of}, and told of in {told_in}: something explains it"
    for one in found:
        if over := (one.firing | one.impacted) - in_trouble.keys():
            yield f"{one.name} ({one.incident_key}) has {sorted(over)}, which are over"
        if not one.firing:
            yield f"{one.name} ({one.incident_key}) is open, and nothing is part of it"
    yield from _twice_open(found)


def _twice_open(decided: Sequence[Decided]) -> Iterator[str]:
    found = [one.incident_key for one in decided if one.is_open]
    yield from (f"{key} is open {found.count(key)} times" for key in set(found) if found.count(key) > 1)


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


def _links(one: Decided, ticket: Found, commands: Sequence[Ordered], wanted: Mapping[str, str]) -> Iterator[str]:
    """`wanted`: the refs of the tickets that it is to be linked to."""
    if ticket.links is None:
        return
    if len(set(ticket.links)) < len(ticket.links):
        yield f"is linked twice: {ticket.links}"
    yield from (f"is linked to {ref}, which nobody decided" for ref in set(ticket.links) - set(wanted.values()))
    was_ended = any("nothing is added" in command.remark for command in commands)
    missing = [key for key, ref in wanted.items() if ref not in ticket.links]
    yield from (f"is not linked to the ticket of {key}" for key in missing if not was_ended)


def _told(some: Sequence[Ordered]) -> str:
    return f"commands {[one.id for one in some]} ({some[-1].note[:60]!r})"
