"""Ticket commands and tickets as rows, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, insert, or_, update

from watchkeeper.domain.rule import Level, Named, Severity
from watchkeeper.domain.ticket import (
    ChangeRef,
    Command,
    CommandKind,
    Ticket,
    TicketChange,
    TicketDraft,
    TicketKind,
    TicketState,
)
from watchkeeper.store import tables


def row_of(command: Command, due_ms: int) -> dict[str, Any]:
    """A command as a new row of `outbox`, except for its state."""
    return {
        "incident_id": command.incident_id,
        "problem_id": command.problem_id,
        "backend": command.backend,
        "key": command.key,
        "kind": command.kind.value,
        "payload": json.dumps(asdict(command.payload), ensure_ascii=False),
        "uncertain": False,
        "attempts": 0,
        "next_attempt_ms": due_ms,
        "created_ms": command.created_ms,
        "last_error": "",
    }


def of_owner(table: FromClause, row: Any) -> ColumnElement[bool]:
    """What in a table belongs to the owner of a command, of a ticket, or of a row of either."""
    column, owner = ("incident_id", row.incident_id) if row.problem_id is None else ("problem_id", row.problem_id)
    is_theirs: ColumnElement[bool] = table.c[column] == owner
    return is_theirs


def same_owner(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Whether rows of two tables belong to the same."""
    return or_(one.c.incident_id == other.c.incident_id, one.c.problem_id == other.c.problem_id)


def ticket_of(row: Any) -> Ticket:
    """The ticket of a row of `tickets`."""
    state = TicketState(row.state)
    return Ticket(row.ref, row.number, row.key, state, row.title, row.url, row.assignee, row.touched)


def keep_ticket(connection: Connection, command: Command, ticket: Ticket, now_ms: int) -> None:
    """Writes down the ticket of a command's owner as its backend told it."""
    row = {
        "incident_id": command.incident_id,
        "problem_id": command.problem_id,
        "backend": command.backend,
        "ref": ticket.ref,
        "number": ticket.number,
        "key": ticket.key,
        "state": ticket.state.value,
        "title": ticket.title,
        "url": ticket.url,
        "assignee": ticket.assignee,
        "touched": ticket.is_touched,
        "missing": 0,
        "updated_ms": now_ms,
    }
    known = of_owner(tables.tickets, command)
    if connection.execute(update(tables.tickets).where(known).values(**row)).rowcount == 0:
        connection.execute(insert(tables.tickets).values(**row))


def command_of(row: Any) -> Command:
    """The command of a row of `outbox`. What it waited for is over."""
    kind = CommandKind(row.kind)
    data = json.loads(row.payload)
    payload = _draft(data) if kind is CommandKind.CREATE else _change(data, f"{row.key}-{row.id}")
    owner = row.incident_id, row.problem_id
    return Command(owner[0], row.backend, row.key, kind, payload, row.created_ms, row.id, owner[1])


def _draft(data: Mapping[str, Any]) -> TicketDraft:
    draft = TicketDraft(**data)
    return replace(
        draft,
        kind=TicketKind(draft.kind),
        impact=Level(draft.impact),
        urgency=Level(draft.urgency),
        severity=Severity(draft.severity),
        labels=tuple(Named(*label) for label in draft.labels),
    )


def _change(data: Mapping[str, Any], key: str) -> TicketChange:
    change = TicketChange(**data)
    return replace(
        change,
        key=key,
        state=None if change.state is None else TicketState(change.state),
        impact=None if change.impact is None else Level(change.impact),
        urgency=None if change.urgency is None else Level(change.urgency),
        caused_by=None if data.get("caused_by") is None else ChangeRef(**data["caused_by"]),
    )
