"""Request Tracker 5, by REST 2.

The key stands in a custom field, and of each change there is a mark in the subject of its note. A change sets the
fields first, under the condition that nobody has changed the ticket since it was read, and adds its note last: what
has the note has all of it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import ceil
from re import ASCII, fullmatch
from typing import Any, Final

from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm._closing import last_of, told
from watchkeeper.itsm._left_out import LeftOut
from watchkeeper.itsm._rt_api import PATH, Api, Forbidden, Look, Queue
from watchkeeper.itsm._rt_check import self_test
from watchkeeper.itsm._rt_options import NoteKind, Options, ProblemLink
from watchkeeper.itsm._rt_record import (
    SYSTEM,
    Record,
    changed_fields,
    is_linked,
    links_of,
    new_ticket,
    note_of,
    number_of,
    quoted,
    ticket_of,
)
from watchkeeper.itsm._text import mark
from watchkeeper.itsm.base import (
    Ambiguous,
    BackendKind,
    Call,
    Conflict,
    Denied,
    Finding,
    Outcome,
    Rejected,
    Surroundings,
)

_MAX_ID: Final = 2**31 - 1
_MAX_MERGED: Final = 50  # merged tickets of which it is known where they are
_LATE_MS: Final = 60_000  # so long RT may go on with a call that nobody waits for any more


class RtBackend:
    """A Request Tracker by its name in the configuration."""

    def __init__(self, name: str, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._api = Api(options, surroundings)
        self._left_out = LeftOut(name)
        self._merged: dict[str, str] = {}  # into which ones, by their ids; those that were read last

    def find(self, key: str) -> Sequence[Ticket]:
        if not key:
            return ()
        field = self._options.key_field
        found = self._api.search(f"CF.{{{field}}} = {quoted(key)}")
        if not found:
            self._queue(self._options.queue)  # of a field that is not there nothing is found either
        if any(record.custom is None for record in found):
            raise Denied(f"finds tickets whose {field!r} watchkeeper may not see: it needs the right SeeCustomField")
        oldest: dict[str, Record] = {}  # of those that were merged into one
        for record in found:
            if record.custom is not None and record.custom.get(field) == [key]:
                oldest.setdefault(record.effective, record)
        return self._tickets(list(oldest.values()))

    def create(self, draft: TicketDraft) -> Ticket:
        queue = self._queue(self._options.queue_of(draft.kind))
        body = new_ticket(self._options, draft, queue.fields)
        ref = self._api.create(body)
        try:
            look = self._api.look(ref)
        except Forbidden as refusal:
            raise Rejected(f"a ticket was made, but {refusal}") from None
        except Outcome as outcome:
            raise Ambiguous(f"{number_of(ref)} was made, and could not be read: {outcome}") from None
        if look is None:
            raise Ambiguous(f"{number_of(ref)} was made, and is not there")
        self._check_key(look, draft.key)
        self._note_left_out(look.own, {name: body["CustomFields"].get(id_) for name, id_ in queue.fields.items()})
        return ticket_of(self._options, look.own, look.shown, is_touched=False)

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        look = self._look(ticket.ref)
        if look is None:
            raise Rejected(f"there is no ticket {ticket.number} any more that watchkeeper may see")
        if change.key and self._api.is_noted(look, mark(change.key)):
            return self._ticket(look)
        fields = changed_fields(self._options, change, look.shown)
        if fields:
            look = self._change(ticket, look, fields, change)
        if change.note or change.key:
            note = note_of(look.shown.subject, change)
            if self._options.notes is NoteKind.CORRESPOND:
                note["Status"] = look.shown.status  # a reply would open what is resolved
            self._api.note(ticket.ref, self._options.notes, note)
        return self._ticket(look)

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        wanted = [ref for ref in dict.fromkeys(refs) if _is_id(ref)]
        if len(wanted) == 1:  # it is about to be changed: its version is wanted
            look = self._look(wanted[0])
            return [] if look is None else [replace(self._ticket(look), version=look.version)]
        found = list(self._api.by_ids(wanted))
        missing = [ref for ref in wanted if ref not in {record.id for record in found}]
        # A search shows neither what is deleted nor what may not be seen.
        looks = [look for ref in missing if (look := self._look(ref)) is not None]
        return [*self._tickets(found), *map(self._ticket, looks)]

    def changed(self, within_ms: int) -> Sequence[str] | None:
        """A merged ticket is changed when it is merged, and when the one that it was merged into is."""
        minutes = ceil(within_ms / 60_000)
        into = dict(self._merged)
        found = self._api.changed(self._options.key_field, minutes, set(into.values()))
        merged = self._api.merged(minutes)
        if found is None or merged is None:
            return None
        return [*{*found, *merged, *(own for own, shown in into.items() if shown in found)}]

    def resolution(self, ticket: Ticket) -> str:
        """What whoever resolved it said at about that time, to colleagues or to whom it concerned."""
        look = self._look(ticket.ref)
        if look is None or self._ticket(look).state not in (TicketState.RESOLVED, TicketState.CLOSED):
            return ""
        ending = self._api.ending(look, {look.shown.status.lower()})
        if ending is None or ending.who in (look.own.creator, SYSTEM):
            return ""
        return told(last_of(ending, self._api.remarks(look, ending.who)))

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        """Custom fields are named; a call that is made has their numbers."""
        url = f"{self._options.url}{PATH}/ticket"
        if isinstance(command, TicketDraft):
            return [Call("POST", url, new_ticket(self._options, command, {}))]
        calls = [Call("POST", f"{url}/ID/{self._options.notes}", note_of("SUBJECT", command))]
        if fields := changed_fields(self._options, command):
            calls.insert(0, Call("PUT", f"{url}/ID", fields))
        return calls

    def check(self) -> Sequence[Finding]:
        return list(dict.fromkeys([*self_test(self._api, self._options), *self._left_out.findings()]))

    def _look(self, ref: str) -> Look | None:
        """What is under an id; `None` where there is nothing, or nothing any more that watchkeeper may see.

        Raises:
            Denied: it may see no ticket at all.
        """
        if not _is_id(ref):
            return None
        try:
            return self._api.look(ref)
        except Forbidden as refusal:
            if self._api.search(f"Queue = {quoted(self._options.queue)}", newest=1):
                return None  # somebody moved it to where it is no business of watchkeeper's
            raise Denied(str(refusal)) from None

    def _ticket(self, look: Look) -> Ticket:
        self._merged.pop(look.own.id, None)
        if look.own.is_merged:
            self._merged[look.own.id] = look.shown.id
            if len(self._merged) > _MAX_MERGED:
                self._merged.pop(next(iter(self._merged)), None)
        is_touched = look.own.is_merged or bool(self._api.touched([look.own]))
        return ticket_of(self._options, look.own, look.shown, is_touched=is_touched)

    def _tickets(self, records: Sequence[Record]) -> list[Ticket]:
        """The tickets of what a search found, in its order."""
        touched = self._api.touched([record for record in records if not record.is_merged])
        tickets = []
        for record in records:
            if record.is_merged:  # what it says of itself is of the time when it was merged
                look = self._look(record.id)
                tickets += [] if look is None else [self._ticket(look)]
            else:
                tickets.append(ticket_of(self._options, record, record, is_touched=record.id in touched))
        return tickets

    def _change(self, ticket: Ticket, before: Look, fields: dict[str, Any], change: TicketChange) -> Look:
        """The ticket as it is with these fields."""
        said = self._api.change(ticket.ref, fields, ticket.version or before.version)
        after = self._look(ticket.ref)
        if after is None:
            raise Rejected(f"there is no ticket {ticket.number} any more that watchkeeper may see")
        wanted, status = fields.get("Status"), after.shown.status
        if wanted is not None and status.lower() != wanted.lower():
            if status != before.shown.status:
                raise Conflict(f"{number_of(after.shown.id)} became {status} when it was to become {wanted}")
            raise Rejected(f"{number_of(after.shown.id)} stays {status}: {said or 'RT does not say why'}")
        for link, ref in links_of(self._options, change):
            if self._is_linked(after.shown, link, ref):
                continue
            if ref == change.problem:
                raise Rejected(f"{number_of(after.shown.id)} is not linked to {number_of(ref)}: {said}")
            self._left_out.note("links", f"{number_of(after.shown.id)} is not linked to {number_of(ref)}: {said}")
        self._note_left_out(after.shown, fields.get("CustomFields", {}), fields.get("Priority"))
        return after

    def _is_linked(self, record: Record, link: ProblemLink, ref: str) -> bool:
        if is_linked(record, link, ref):
            return True
        merged = self._look(ref)
        return merged is not None and is_linked(record, link, merged.shown.id)

    def _queue(self, name: str) -> Queue:
        """A queue whose tickets can be found by their keys.

        Raises:
            Denied, Rejected: it is none, as far as watchkeeper may see. Without that of problems incidents go on.
        """
        refusal = Denied if name == self._options.queue else Rejected
        field = self._options.key_field
        if (queue := self._api.queue(name)) is None:
            raise refusal(f"there is no queue {name!r}, or watchkeeper has no right SeeQueue there")
        if field not in queue.fields:
            raise refusal(
                f"{name} has no custom field {field!r}, or watchkeeper has no right SeeCustomField to see it"
            )
        return queue

    def _check_key(self, look: Look, key: str) -> None:
        """A ticket without its key could never be found again: there must be none."""
        field = self._options.key_field
        if look.own.custom and look.own.custom.get(field) == [key]:
            return
        with suppress(Outcome):
            self._api.change(look.own.id, {"CustomFields": {field: key}})
            again = self._api.look(look.own.id)
            if again is not None and again.own.custom and again.own.custom.get(field) == [key]:
                return
        fate = ""
        if cancelled := self._options.statuses_in(look.shown.queue).first(TicketState.CANCELLED):
            with suppress(Outcome):
                self._api.change(look.own.id, {"Status": cancelled})
                fate = f", and {cancelled} at once"
        raise Rejected(
            f"{number_of(look.own.id)} was made{fate}: RT did not store {field!r}. watchkeeper needs the rights "
            "SetInitialCustomField and SeeCustomField"
        )

    def _note_left_out(self, now: Record, custom: dict[str, Any], priority: int | None = None) -> None:
        """Keeps in mind what RT did not store. It says nothing about it, and the ticket is there all the same."""
        for name, value in custom.items():
            wanted = [str(one) for one in (value if isinstance(value, list) else [value]) if value is not None]
            if wanted and sorted((now.custom or {}).get(name, [])) != sorted(wanted):
                self._left_out.note(
                    name,
                    f"the custom field {name!r} of {number_of(now.id)} was not set: see its pattern and choices, and "
                    "the rights SetInitialCustomField and ModifyCustomField",
                )
        if priority is not None and now.priority != priority:
            self._left_out.note("Priority", f"the priority of {number_of(now.id)} was not set: ask for ModifyTicket")


def _is_id(ref: str) -> bool:
    return fullmatch("[1-9][0-9]{0,9}", ref, ASCII) is not None and int(ref) <= _MAX_ID


KIND = BackendKind(
    "rt",
    "Request Tracker 5, by REST 2",
    Options,
    RtBackend,
    certain_after_ms=lambda options: options.timeout + _LATE_MS,
)
