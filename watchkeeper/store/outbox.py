"""The outbox: ticket commands that were decided, until they are done.

A command is `waiting`, then `in_flight` while somebody does it, then `delivered`, or `rejected` by its backend.
Commands of one incident are done in their order: the next is handed out when all before it are delivered.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, exists, func, insert, select, update

from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import Command, CommandKind, Ticket, TicketChange, TicketDraft, TicketKind, TicketState
from watchkeeper.store import tables
from watchkeeper.store.database import Database


class OutboxState(StrEnum):
    WAITING = "waiting"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Claim:
    """A command to be done now. `uncertain`: it may have been done already. `ticket`: the incident's, if known."""

    command: Command
    attempts: int
    uncertain: bool
    ticket: Ticket | None


@dataclass(frozen=True, slots=True)
class OutboxDepth:
    """How much waits for one backend, and since when the oldest does."""

    backend: str
    state: OutboxState
    count: int
    oldest_ms: int


def add(connection: Connection, command: Command) -> None:
    """Adds a command, in the transaction of what caused it."""
    connection.execute(
        insert(tables.outbox).values(
            incident_id=command.incident_id,
            backend=command.backend,
            key=command.key,
            kind=command.kind.value,
            payload=json.dumps(asdict(command.payload), ensure_ascii=False),
            state=OutboxState.WAITING.value,
            uncertain=False,
            attempts=0,
            next_attempt_ms=command.created_ms,
            created_ms=command.created_ms,
            last_error="",
        )
    )


def reclaim(connection: Connection) -> None:
    """At start: what was in flight when the last run ended may or may not have been done."""
    rows = tables.outbox
    connection.execute(
        update(rows)
        .where(rows.c.state == OutboxState.IN_FLIGHT.value)
        .values(state=OutboxState.WAITING.value, uncertain=True, next_attempt_ms=0)
    )


def claim(database: Database, backend: str, now_ms: int) -> Claim | None:
    """The next command that is due at a backend, marked as in flight; `None` when there is none."""
    rows, earlier = tables.outbox, tables.outbox.alias("earlier")
    blocked = exists().where(
        and_(
            earlier.c.incident_id == rows.c.incident_id,
            earlier.c.id < rows.c.id,
            earlier.c.state != OutboxState.DELIVERED.value,
        )
    )
    due = (
        select(rows)
        .where(
            rows.c.state == OutboxState.WAITING.value,
            rows.c.backend == backend,
            rows.c.next_attempt_ms <= now_ms,
            ~blocked,
        )
        .order_by(rows.c.id)
        .limit(1)
    )
    with database.read() as connection:
        if connection.execute(due).first() is None:
            return None  # most looks find nothing: they do not take the write lock
    with database.write() as connection:
        row = connection.execute(due).first()
        if row is None:
            return None
        connection.execute(
            update(rows)
            .where(rows.c.id == row.id)
            .values(state=OutboxState.IN_FLIGHT.value, attempts=row.attempts + 1)
        )
        ticket = connection.execute(
            select(tables.tickets).where(tables.tickets.c.incident_id == row.incident_id)
        ).first()
    return Claim(_command(row), row.attempts + 1, row.uncertain, ticket_of(ticket) if ticket else None)


def settle_delivered(database: Database, command: Command, ticket: Ticket, now_ms: int) -> None:
    """The command is done; the ticket is as its backend told."""
    row = {
        "incident_id": command.incident_id,
        "backend": command.backend,
        "ref": ticket.ref,
        "number": ticket.number,
        "key": ticket.key,
        "state": ticket.state.value,
        "title": ticket.title,
        "url": ticket.url,
        "updated_ms": now_ms,
    }
    with database.write() as connection:
        _settle(connection, command.id, state=OutboxState.DELIVERED.value, done_ms=now_ms, last_error="")
        known = tables.tickets.c.incident_id == command.incident_id
        if connection.execute(update(tables.tickets).where(known).values(**row)).rowcount == 0:
            connection.execute(insert(tables.tickets).values(**row))


def settle_retry(database: Database, command: Command, error: str, next_attempt_ms: int, *, uncertain: bool) -> None:
    """The command is to be tried again. `uncertain`: it may have been done; once so, it stays so."""
    values: dict[str, Any] = {"next_attempt_ms": next_attempt_ms, "last_error": error}
    if uncertain:
        values["uncertain"] = True
    with database.write() as connection:
        _settle(connection, command.id, state=OutboxState.WAITING.value, **values)


def settle_rejected(database: Database, command: Command, error: str, now_ms: int) -> None:
    """The backend refuses the command for what it says."""
    with database.write() as connection:
        _settle(connection, command.id, state=OutboxState.REJECTED.value, done_ms=now_ms, last_error=error)


def next_due_ms(database: Database, backend: str) -> int | None:
    """When a waiting command becomes due at a backend."""
    rows = tables.outbox
    query = select(func.min(rows.c.next_attempt_ms)).where(
        rows.c.state == OutboxState.WAITING.value, rows.c.backend == backend
    )
    with database.read() as connection:
        found = connection.execute(query).scalar()
    return None if found is None else int(found)


def depths(database: Database) -> list[OutboxDepth]:
    """What is not delivered, by backend and state."""
    rows = tables.outbox
    query = (
        select(rows.c.backend, rows.c.state, func.count(), func.min(rows.c.created_ms))
        .where(rows.c.state != OutboxState.DELIVERED.value)
        .group_by(rows.c.backend, rows.c.state)
    )
    with database.read() as connection:
        found = connection.execute(query).all()
    return [OutboxDepth(backend, OutboxState(state), count, oldest) for backend, state, count, oldest in found]


def _settle(connection: Connection, command_id: int, **values: Any) -> None:
    connection.execute(update(tables.outbox).where(tables.outbox.c.id == command_id).values(**values))


def ticket_of(row: Any) -> Ticket:
    """The ticket of a row of `tickets`."""
    return Ticket(row.ref, row.number, row.key, TicketState(row.state), row.title, row.url)


def _command(row: Any) -> Command:
    kind = CommandKind(row.kind)
    data = json.loads(row.payload)
    payload = _draft(data) if kind is CommandKind.CREATE else _change(data, f"{row.key}-{row.id}")
    return Command(row.incident_id, row.backend, row.key, kind, payload, row.created_ms, row.id)


def _draft(data: Mapping[str, Any]) -> TicketDraft:
    draft = TicketDraft(**data)
    return replace(draft, kind=TicketKind(draft.kind), impact=Level(draft.impact), urgency=Level(draft.urgency))


def _change(data: Mapping[str, Any], key: str) -> TicketChange:
    state = data["state"]
    return TicketChange(data["note"], None if state is None else TicketState(state), key)
