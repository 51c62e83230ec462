"""ServiceNow: incidents and problems by the Table API, or events for Event Management."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from watchkeeper.domain.announced import Announced
from watchkeeper.domain.article import Article
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm import _servicenow_records as records
from watchkeeper.itsm._left_out import LeftOut
from watchkeeper.itsm._servicenow_changes import Changes
from watchkeeper.itsm._servicenow_check import check, choices_of
from watchkeeper.itsm._servicenow_client import TABLE, Client, Row
from watchkeeper.itsm._servicenow_events import Events
from watchkeeper.itsm._servicenow_knowledge import published
from watchkeeper.itsm._servicenow_names import TARGETS, Names, Unresolved, is_name, query_of
from watchkeeper.itsm._servicenow_options import Mode, Options
from watchkeeper.itsm._servicenow_records import INCIDENT, KEY, LINKS, OURS, TABLES, read_of, ticket_of, time_of
from watchkeeper.itsm._text import mark
from watchkeeper.itsm.base import (
    Ambiguous,
    BackendKind,
    Call,
    Conflict,
    Denied,
    Finding,
    Rejected,
    Surroundings,
    TicketBackend,
    Unavailable,
)

_OLDEST: Final = 50  # so many tickets of one key are found
_PAGE: Final = 100
_ENDED: Final = (TicketState.CLOSED, TicketState.CANCELLED)
_DUPLICATE: Final = "Duplicate"
_CODES_KEPT_MS: Final = 3_600_000
_GONE: Final = "there is no ticket {}: it was deleted, or an access rule hides it"


class Records:
    """Incidents and problems of one instance. A ref is the record's path: `incident/` and its sys_id."""

    def __init__(self, name: str, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._clock = surroundings.clock
        self._client = Client(options, surroundings)
        self._names = Names(self._client, surroundings.clock)
        self._tables = {INCIDENT}  # in which there are tickets; problems may be none of watchkeeper's business
        self._dropped = LeftOut(name)  # fields that the instance did not store
        self._changes = Changes(self._client, LeftOut(name, "changes_incomplete"))
        self._codes: tuple[int, bool] | None = (
            None  # whether there is a code for duplicates, and until when that holds
        )
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
        row = self._client.create(table, body, (*_written(table), *body), begin_by_ms)
        self._tables.add(table)
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
        row = self._client.read(table, sys_id, _written(table), missing)
        now = self._as_touched(table, row, ticket)
        if change.key and mark(change.key) in row.shown.get("work_notes", ""):
            return now
        _refuse_what_is_over(now, ticket, change)
        body = records.changed_body(table, now, change, self._options, self._close_code(change))
        for name in LINKS:
            if table == INCIDENT and row[name]:
                body.pop(name, None)  # a link that is there is somebody's
        if not body:
            return now
        written = self._client.update(table, sys_id, body, (*_written(table), *body), missing)
        after = self._as_touched(table, written, now)
        _confirm(after, body, written)
        self._note_dropped(table, body, written)
        return after

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        wanted: dict[str, dict[str, None]] = {table: {} for table in TABLES}
        for place in map(records.place_of, refs):
            if place is not None:
                wanted[place[0]][place[1]] = None
        self._tables |= {table for table, ids in wanted.items() if ids}
        return [ticket for table, ids in wanted.items() for ticket in self._fetch(table, iter(ids))]

    def changed(self, within_ms: int) -> Sequence[str] | None:
        since = time_of(self._clock() - self._client.behind_ms - within_ms)
        found: list[str] = []
        for table in sorted(self._tables):
            some = self._changed(table, since)
            if some is None:
                return None
            found += some
        return None if len(found) > _PAGE else found

    def resolution(self, ticket: Ticket) -> str:
        """The close notes, with the close code in front. Who resolved it must be known: watchkeeper's own notes are
        not worth keeping."""
        if (place := records.place_of(ticket.ref)) is None or place[0] != INCIDENT:
            return ""
        row = self._client.read(*place, records.CLOSING, _GONE.format(ticket.number))
        return records.resolution_of(row, self._options)

    def articles(self, query: str, most: int) -> Iterator[Sequence[Article]]:
        return published(self._client, query, most)

    def planned_changes(self, from_ms: int, to_ms: int) -> Iterator[Sequence[Announced]]:
        return self._changes.planned(from_ms, to_ms)

    def check_changes(self) -> Sequence[Finding]:
        return list(self._changes.check())

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        if isinstance(command, TicketChange):
            now = Ticket("", "", "", TicketState.OPEN, "")
            body = records.changed_body(INCIDENT, now, command, self._options, self._options.close_code)
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
        found = check(self._client, self._names, self._options)
        return list(dict.fromkeys([*found, *self._dropped.findings()]))

    def _of_key(self, table: str, key: str) -> Iterator[tuple[Row, Ticket]]:
        query = f"correlation_id={key}^ORDERBYsys_created_on^ORDERBYnumber"
        found = self._client.search(table, query, read_of(table), _OLDEST)
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
            found = self._client.search(table, f"sys_idIN{','.join(page)}^ORDERBYsys_id", read_of(table), len(page))
            if not {row["sys_id"] for row in found.rows} <= set(page):
                raise Unavailable(f"answered with other records of {table} than were asked for")
            if found.hidden:
                raise Ambiguous(f"hides {found.hidden} of {len(page)} records of {table} from watchkeeper")
            yield from (ticket_of(table, row, self._options) for row in found.rows)

    def _changed(self, table: str, since: str) -> list[str] | None:
        """What was changed in a table; `None` where that is not what the instance has answered."""
        query = f"sys_updated_on>={since}^correlation_idSTARTSWITH{OURS}^ORDERBYsys_id"
        found = self._client.search(table, query, ("sys_id", "correlation_id", "sys_updated_on"), _PAGE)
        is_asked_for = all(
            row["sys_updated_on"] >= since and row["correlation_id"].lower().startswith(OURS) for row in found.rows
        )
        if found.hidden or len(found.rows) == _PAGE or not is_asked_for:
            return None
        return [f"{table}/{row['sys_id']}" for row in found.rows]

    def _close_code(self, change: TicketChange) -> str:
        """What an incident is resolved with: a duplicate as one, if the instance knows how."""
        if change.state is not TicketState.RESOLVED or not change.duplicate:
            return self._options.close_code
        if self._options.duplicate_close_code:
            return self._options.duplicate_close_code
        now = self._clock()
        if self._codes is None or now >= self._codes[0]:
            try:
                codes = choices_of(self._client, "close_code")
            except (Denied, Rejected):  # who may not read choices goes without
                codes = {}
            self._codes = now + _CODES_KEPT_MS, _DUPLICATE in codes
        return _DUPLICATE if self._codes[1] else self._options.close_code

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
                self._dropped.note(str(error), str(error))
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
                self._dropped.clear(f"{table}.{name}")
            else:
                self._dropped.note(
                    f"{table}.{name}",
                    f"{row['number']} was written without {name}: {table}.{name} does not exist, or watchkeeper may "
                    "not write it. Ask for an access rule that lets its user",
                )


def _written(table: str) -> tuple[str, ...]:
    """The fields that are read of what is written."""
    return (*read_of(table), "work_notes", *(LINKS if table == INCIDENT else ()))


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


def _make(name: str, options: Any, surroundings: Surroundings) -> TicketBackend:
    return Events(options, surroundings) if options.mode is Mode.EVENTS else Records(name, options, surroundings)


KIND = BackendKind(
    name="servicenow",
    summary="incidents and problems in ServiceNow, or events for its Event Management",
    options=Options,
    make=_make,
    certain_after_ms=lambda options: int(options.certain_after_ms),
    publishes=lambda options: options.mode is not Mode.EVENTS,
    plans_changes=lambda options: options.mode is not Mode.EVENTS,
    reads_back=lambda options: options.mode is not Mode.EVENTS,
)
