"""ServiceNow: incidents and problems by the Table API, or events for Event Management."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm import _servicenow_records as records
from watchkeeper.itsm._servicenow_check import check
from watchkeeper.itsm._servicenow_client import TABLE, Client, Row
from watchkeeper.itsm._servicenow_events import Events
from watchkeeper.itsm._servicenow_names import TARGETS, Names, Unresolved, is_name, query_of
from watchkeeper.itsm._servicenow_options import Mode, Options
from watchkeeper.itsm._servicenow_records import INCIDENT, KEY, READ, TABLES, ticket_of
from watchkeeper.itsm._text import mark
from watchkeeper.itsm.base import (
    Ambiguous,
    BackendKind,
    Call,
    Conflict,
    Finding,
    Rejected,
    Surroundings,
    TicketBackend,
    Unavailable,
)

_OLDEST: Final = 50  # so many tickets of one key are found
_PAGE: Final = 100
_ENDED: Final = (TicketState.CLOSED, TicketState.CANCELLED)
_WRITTEN: Final = (*READ, "work_notes", "problem_id")
_GONE: Final = "there is no ticket {}: it was deleted, or an access rule hides it"


class Records:
    """Incidents and problems of one instance. A ref is the record's path: `incident/` and its sys_id."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._clock = surroundings.clock
        self._client = Client(options, surroundings)
        self._names = Names(self._client, surroundings.clock)
        self._dropped: dict[str, str] = {}  # fields that the instance did not store, and in words
        self._keyless: dict[str, str] = {}  # tables that keep no keys, and why nothing more is created there

    def find(self, key: str) -> Sequence[Ticket]:
        if KEY.fullmatch(key) is None:
            return ()
        found = [(row, ticket) for table in TABLES for row, ticket in self._of_key(table, key)]
        found.sort(key=lambda pair: (pair[0]["sys_created_on"], pair[1].number))
        return [ticket for _, ticket in found]

    def create(self, draft: TicketDraft) -> Ticket:
        table = records.table_of(draft.kind)
        if table in self._keyless:
            raise Rejected(self._keyless[table])
        if KEY.fullmatch(draft.key) is None:
            raise Rejected(f"{draft.key!r} can not be the key of a ticket")
        begin_by_ms = self._clock() + self._options.timeout
        fields, unresolved = self._resolved(records.wanted_fields(draft, self._options))
        body = records.new_body(draft, fields, unresolved)
        row = self._client.create(table, body, (*_WRITTEN, *body), begin_by_ms)
        ticket = ticket_of(table, row, self._options)
        if ticket.key != draft.key:
            self._keyless[table] = (
                f"{ticket.number} was made, but its {table}.correlation_id does not hold {draft.key!r}: nothing more "
                "is created. Let watchkeeper read and write this field, end the ticket, and reload watchkeeper"
            )
            raise Rejected(self._keyless[table])
        self._note_dropped(table, body, row)
        return ticket

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        missing = _GONE.format(ticket.number)
        if (place := records.place_of(ticket.ref)) is None:
            raise Rejected(missing)
        table, sys_id = place
        row = self._client.read(table, sys_id, _WRITTEN, missing)
        now = self._as_touched(table, row, ticket)
        if change.key and mark(change.key) in row.shown.get("work_notes", ""):
            return now
        _refuse_what_is_over(now, ticket, change)
        body = records.changed_body(table, now, change, self._options)
        if row["problem_id"]:
            body.pop("problem_id", None)  # a link that is there is somebody's
        if not body:
            return now
        written = self._client.update(table, sys_id, body, (*_WRITTEN, *body), missing)
        after = self._as_touched(table, written, now)
        _confirm(after, body, written)
        self._note_dropped(table, body, written)
        return after

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        wanted: dict[str, dict[str, None]] = {table: {} for table in TABLES}
        for place in map(records.place_of, refs):
            if place is not None:
                wanted[place[0]][place[1]] = None
        return [ticket for table, ids in wanted.items() for ticket in self._fetch(table, iter(ids))]

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        if isinstance(command, TicketChange):
            now = Ticket("", "", "", TicketState.OPEN, "")
            body = records.changed_body(INCIDENT, now, command, self._options)
            url = f"{self._client.url}{TABLE}/{INCIDENT}/SYS_ID"
            return [Call("GET", url, None), Call("PATCH", url, body)]
        fields = records.wanted_fields(command, self._options)
        names = {name: value for name, value in fields.items() if is_name(name, value)}
        looks = [
            Call("GET", f"{self._client.url}{TABLE}/{TARGETS[name].table}", {"sysparm_query": query_of(name, value)})
            for name, value in names.items()
        ]
        shown = {**fields, **{name: f"(sys_id of {value})" for name, value in names.items()}}
        url = f"{self._client.url}{TABLE}/{records.table_of(command.kind)}"
        return [*looks, Call("POST", url, records.new_body(command, shown, ()))]

    def check(self) -> Sequence[Finding]:
        return [*check(self._client, self._names, self._options), *map(Finding, self._dropped.values())]

    def _of_key(self, table: str, key: str) -> Iterator[tuple[Row, Ticket]]:
        query = f"correlation_id={key}^ORDERBYsys_created_on^ORDERBYnumber"
        found = self._client.search(table, query, READ, _OLDEST)
        if any(row["correlation_id"].lower() != key.lower() for row in found.rows):
            raise Unavailable(
                f"can not be searched by key: {table}.correlation_id is not shown to watchkeeper, or it is ignored "
                "in queries. Nothing is created as long as nobody knows what is there"
            )
        mine = [row for row in found.rows if row["correlation_id"] == key]
        if found.hidden and not mine:
            raise Ambiguous(f"hides {found.hidden} of the records of the key {key} in {table} from watchkeeper")
        return ((row, ticket_of(table, row, self._options)) for row in mine)

    def _fetch(self, table: str, ids: Iterator[str]) -> Iterator[Ticket]:
        while page := list(islice(ids, _PAGE)):
            found = self._client.search(table, f"sys_idIN{','.join(page)}^ORDERBYsys_id", READ, len(page))
            if not {row["sys_id"] for row in found.rows} <= set(page):
                raise Unavailable(f"answered with other records of {table} than were asked for")
            if found.hidden:
                raise Ambiguous(f"hides {found.hidden} of {len(page)} records of {table} from watchkeeper")
            yield from (ticket_of(table, row, self._options) for row in found.rows)

    def _resolved(self, fields: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """The fields with sys_ids for names, without those whose names mean nothing: a ticket that lacks a group is
        better than none."""
        resolved: dict[str, str] = {}
        unresolved: list[str] = []
        for name, value in fields.items():
            try:
                resolved[name] = self._names.resolve(name, value)
            except Unresolved as error:
                unresolved.append(str(error))
        return resolved, unresolved

    def _as_touched(self, table: str, row: Row, before: Ticket) -> Ticket:
        """The ticket of a record. Who changed it last is all that it tells: what was known of others stays known."""
        ticket = ticket_of(table, row, self._options)
        return replace(ticket, is_touched=ticket.is_touched or before.is_touched)

    def _note_dropped(self, table: str, body: Mapping[str, str], row: Row) -> None:
        """Fields that were sent and are empty. What rules of the instance made of others is their business."""
        for name, sent in body.items():
            if name == "work_notes":  # of which only what is shown can be read
                kept = name not in row.values or sent.rpartition("\n")[2] in row.shown[name]
            else:
                kept = row[name] != "" or sent == ""
            if kept:
                self._dropped.pop(f"{table}.{name}", None)
            else:
                self._dropped[f"{table}.{name}"] = (
                    f"{row['number']} was written without {name}: {table}.{name} does not exist, or watchkeeper may "
                    "not write it"
                )


def _refuse_what_is_over(now: Ticket, ticket: Ticket, change: TicketChange) -> None:
    """An ended incident takes changes with 200 and drops them. What people did since it was read goes first."""
    if now.state in _ENDED:
        if change.state is TicketState.OPEN:
            raise Rejected(f"{now.number} is {now.state}, and ServiceNow does not open it again")
        raise Conflict(f"{now.number} is {now.state} meanwhile")
    if change.state is TicketState.RESOLVED and now.is_touched and not ticket.is_touched:
        raise Conflict(f"somebody has taken up {now.number} meanwhile")


def _confirm(after: Ticket, body: Mapping[str, str], written: Row) -> None:
    """That the state was stored, of a ticket that was not ended before; other fields may be dropped."""
    wanted = body.get("state")
    if wanted is not None and written["state"] == wanted:
        return
    if after.state in _ENDED:
        raise Conflict(f"{after.number} is {after.state} meanwhile")
    if wanted is not None:
        raise Rejected(
            f"{after.number} is still {after.state}: the instance did not store the state {wanted}. Let watchkeeper "
            "write incident.state, or see which business rule keeps it"
        )


def _make(_name: str, options: Any, surroundings: Surroundings) -> TicketBackend:
    return Events(options, surroundings) if options.mode is Mode.EVENTS else Records(options, surroundings)


KIND = BackendKind(
    name="servicenow",
    summary="incidents and problems in ServiceNow, or events for its Event Management",
    options=Options,
    make=_make,
    certain_after_ms=lambda options: int(options.certain_after_ms),
    reads_back=lambda options: options.mode is not Mode.EVENTS,
)
