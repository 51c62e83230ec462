"""The outbox: ticket commands that were decided, until they are done.

A command is `waiting`, then `in_flight` while somebody does it, then `delivered`, or `rejected` by its backend.
Commands of one owner, an incident or a problem, are done in their order: the next is handed out when all before it
are delivered. What has time waits for it, unless something behind it has not: nobody is due later than who waits for
them. Changes that wait for one ticket and are due are handed out together, and what was tried together is tried
together again as long as it may have been done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    false,
    func,
    insert,
    select,
    update,
)

from watchkeeper.domain.ticket import Command, CommandKind, Ticket
from watchkeeper.store import tables
from watchkeeper.store.commandrows import command_of, keep_ticket, of_owner, row_of, ticket_of
from watchkeeper.store.database import Database

MOST_AT_ONCE: Final = 500
_NEVER_MS: Final = 2**62


_rows, _earlier = tables.outbox, tables.outbox.alias("earlier")


class OutboxState(StrEnum):
    WAITING = "waiting"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Claim:
    """Commands of one ticket to be done now, as one. `uncertain`: they may have been done already, by an attempt that
    began at `uncertain_since_ms`. `ticket`: the owner's, if known."""

    commands: tuple[Command, ...]
    attempts: int
    uncertain: bool
    ticket: Ticket | None
    uncertain_since_ms: int = 0

    @property
    def command(self) -> Command:
        """The first."""
        return self.commands[0]


@dataclass(frozen=True, slots=True)
class OutboxDepth:
    """How much waits for one backend, and since when the oldest does."""

    backend: str
    state: OutboxState
    count: int
    oldest_ms: int


def add(connection: Connection, *commands: Command) -> None:
    """Adds commands, in their order, in the transaction of what caused them."""
    if not commands:
        return
    due: dict[tuple[int | None, int | None], int] = {}  # of each owner, when what comes behind is due
    rows = []
    for command in reversed(commands):
        owner = command.incident_id, command.problem_id
        due[owner] = min(due.get(owner, _NEVER_MS), max(command.created_ms, command.due_ms))
        rows.append({**row_of(command, due[owner]), "state": OutboxState.WAITING.value})
    _take_along(connection, {(command.incident_id, command.problem_id): command for command in commands}, due)
    connection.execute(insert(tables.outbox), rows[::-1])


def _take_along(
    connection: Connection,
    newest: Mapping[tuple[int | None, int | None], Command],
    due: Mapping[tuple[int | None, int | None], int],
) -> None:
    """Has what waits only because it has time wait no longer than what comes behind it. A ticket's creation comes
    behind nothing."""
    for column, at in ((_rows.c.incident_id, 0), (_rows.c.problem_id, 1)):
        wanted = [
            {"owner": owner[at], "due": due[owner]}
            for owner, command in newest.items()
            if owner[at] is not None and command.kind is not CommandKind.CREATE
        ]
        if wanted:
            held = (
                _rows.c.state == OutboxState.WAITING.value,
                _rows.c.attempts == 0,  # else it waits for a reason
                _rows.c.next_attempt_ms > bindparam("due"),
            )
            sooner = update(_rows).where(column == bindparam("owner"), *held)
            connection.execute(sooner.values(next_attempt_ms=bindparam("due")), wanted)


def reclaim(connection: Connection, backend: str | None = None) -> None:
    """What is in flight, but in nobody's hands any more, may or may not have been done: it waits again, uncertain.

    At start that is everything; later, what is in flight at a backend while its only worker has nothing to do.
    """
    rows = tables.outbox
    orphans = rows.c.state == OutboxState.IN_FLIGHT.value
    if backend is not None:
        orphans &= rows.c.backend == backend
    connection.execute(
        update(rows).where(orphans).values(state=OutboxState.WAITING.value, uncertain=True, next_attempt_ms=0)
    )


def recover(database: Database, backend: str) -> None:
    """For a backend's only worker, before it claims again, when the store failed it while claiming or settling.

    Raises:
        StoreError: the database does not answer.
    """
    with database.write() as connection:
        reclaim(connection, backend)


def _is_blocked(owner: str) -> ColumnElement[bool]:
    """Whether something of the same owner comes first. For each kind of owner by itself: each has its index."""
    earlier = _earlier.c[owner] == _rows.c[owner], _earlier.c.id < _rows.c.id
    return exists().where(*earlier, _earlier.c.state != OutboxState.DELIVERED.value)


_IS_FREE = and_(~_is_blocked("incident_id"), ~_is_blocked("problem_id"))


def _claimable(backend: str) -> ColumnElement[bool]:
    return and_(_rows.c.state == OutboxState.WAITING.value, _rows.c.backend == backend, _IS_FREE)


def claim(database: Database, backend: str, now_ms: int, certain_after_ms: int | None = None) -> Claim | None:
    """The next command that is due at a backend, marked as in flight; `None` when there is none.

    Args:
        certain_after_ms: how long after an attempt began it is certain what came of it. One that begins later may do
            it anew, and counts from now on.

    Raises:
        StoreError: the database does not answer. The command may be in flight now: see `recover`.
    """
    due = select(_rows).where(_claimable(backend), _rows.c.next_attempt_ms <= now_ms).order_by(_rows.c.id).limit(1)
    with database.read() as connection:
        if connection.execute(due).first() is None:
            return None  # most looks find nothing: they do not take the write lock
    with database.write() as connection:
        row = connection.execute(due.with_for_update(of=_rows, skip_locked=True)).first()
        if row is None:
            return None
        taken = [row, *connection.execute(_belonging(row, now_ms)).all()]
        goes_on = row.uncertain and (certain_after_ms is None or now_ms < (row.claimed_ms or 0) + certain_after_ms)
        in_flight = {
            "state": OutboxState.IN_FLIGHT.value,
            "attempts": row.attempts + 1,
            "batch": row.id,
            # Of an attempt that may have done it, when it began must not be forgotten by trying again.
            "claimed_ms": row.claimed_ms if goes_on else now_ms,
        }
        connection.execute(update(_rows).where(_rows.c.id.in_([one.id for one in taken])).values(**in_flight))
        ticket = connection.execute(select(tables.tickets).where(of_owner(tables.tickets, row))).first()
    return Claim(
        tuple(map(command_of, taken)),
        row.attempts + 1,
        row.uncertain,
        ticket_of(ticket) if ticket else None,
        (row.claimed_ms or 0) if row.uncertain else 0,
    )


def _belonging(row: Any, now_ms: int) -> Select[Any]:
    """What is done together with a command: the changes of its ticket that wait behind it and are due."""
    behind = and_(of_owner(_rows, row), _rows.c.id > row.id)
    if row.uncertain:
        together = _rows.c.batch == row.batch  # it must be the very same change
    elif row.kind == CommandKind.CREATE.value:
        together = false()
    else:
        together = and_(_rows.c.state == OutboxState.WAITING.value, _rows.c.next_attempt_ms <= now_ms)
    return select(_rows).where(behind, together).order_by(_rows.c.id).limit(MOST_AT_ONCE - 1)


def settle_delivered(
    database: Database, commands: Sequence[Command], ticket: Ticket | None, now_ms: int, remark: str = ""
) -> None:
    """The commands of one ticket are done; the ticket is as its backend told, `None` when it is gone.

    Args:
        remark: what of it was left undone, and why.
    """
    done = {"state": OutboxState.DELIVERED.value, "done_ms": now_ms, "last_error": remark}
    command = commands[0]
    with database.write() as connection:
        # Whatever became of the rows meanwhile: what is done is done.
        connection.execute(update(_rows).where(_rows.c.id.in_([one.id for one in commands])).values(**done))
        if ticket is not None:
            keep_ticket(connection, command, ticket, now_ms)


def settle_retry(
    database: Database,
    commands: Sequence[Command],
    error: str,
    next_attempt_ms: int,
    *,
    uncertain: bool,
    counts: bool = True,
) -> None:
    """The commands are to be tried again. `uncertain`: they may have been done; once so, they stay so. `counts`:
    whether it was an attempt at all."""
    values: dict[str, Any] = {"next_attempt_ms": next_attempt_ms, "last_error": error}
    if not counts:
        values["attempts"] = _rows.c.attempts - 1
    if uncertain:
        values["uncertain"] = True
    with database.write() as connection:
        _settle(connection, commands, state=OutboxState.WAITING.value, **values)


def settle_rejected(database: Database, commands: Sequence[Command], error: str, now_ms: int) -> None:
    """The backend refuses the commands for what they say."""
    with database.write() as connection:
        _settle(connection, commands, state=OutboxState.REJECTED.value, done_ms=now_ms, last_error=error)


def retry_rejected(
    database: Database,
    now_ms: int,
    *,
    backend: str | None = None,
    incident_id: int | None = None,
    problem_id: int | None = None,
) -> int:
    """What was rejected waits again, to be tried at once: everything, or a backend's, or an owner's.

    Returns:
        How many commands there were.

    Raises:
        StoreError: the database does not answer.
    """
    chosen = _rows.c.state == OutboxState.REJECTED.value
    if backend is not None:
        chosen &= _rows.c.backend == backend
    if incident_id is not None:
        chosen &= _rows.c.incident_id == incident_id
    if problem_id is not None:
        chosen &= _rows.c.problem_id == problem_id
    again = {"state": OutboxState.WAITING.value, "next_attempt_ms": now_ms, "done_ms": None, "attempts": 0}
    with database.write() as connection:
        return connection.execute(update(_rows).where(chosen).values(**again)).rowcount


def next_due_ms(database: Database, backend: str) -> int | None:
    """When the next command becomes due at a backend, of those that wait for no earlier one.

    Raises:
        StoreError: the database does not answer.
    """
    query = select(func.min(_rows.c.next_attempt_ms)).where(_claimable(backend))
    with database.read() as connection:
        found = connection.execute(query).scalar()
    return None if found is None else int(found)


def depths(database: Database) -> list[OutboxDepth]:
    """What is not delivered, by backend and state.

    Raises:
        StoreError: the database does not answer.
    """
    undelivered = [state.value for state in OutboxState if state is not OutboxState.DELIVERED]
    query = (
        select(_rows.c.backend, _rows.c.state, func.count(), func.min(_rows.c.created_ms))
        .where(_rows.c.state.in_(undelivered))  # not `!=`: the index serves this one
        .group_by(_rows.c.backend, _rows.c.state)
        .order_by(_rows.c.backend, _rows.c.state)
    )
    with database.read() as connection:
        found = connection.execute(query).all()
    return [OutboxDepth(backend, OutboxState(state), count, oldest) for backend, state, count, oldest in found]


def _settle(connection: Connection, commands: Sequence[Command], **values: Any) -> None:
    """Only what is in flight: what was delivered or reclaimed meanwhile is not undone."""
    mine = _rows.c.id.in_([one.id for one in commands]) & (_rows.c.state == OutboxState.IN_FLIGHT.value)
    connection.execute(update(_rows).where(mine).values(**values))
