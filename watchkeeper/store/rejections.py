"""Ticket commands that their backends refuse for what they say: what is to be mended before they are tried again."""

from dataclasses import dataclass

from sqlalchemy import func, select

from watchkeeper.domain.incident import incident_number
from watchkeeper.domain.ticket import CommandKind
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.outbox import OutboxState

_outbox, _incidents, _tickets = tables.outbox, tables.incidents, tables.tickets
_behind = tables.outbox.alias("behind")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A command that was refused at `at_ms`, and why. `ticket`: its number, `None` while there is none. `behind`: how
    many commands of the incident wait for it."""

    incident_id: int
    backend: str
    kind: CommandKind
    ticket: str | None
    title: str
    at_ms: int
    reason: str
    behind: int

    @property
    def incident(self) -> str:
        """What people call it: `INC-12`."""
        return incident_number(self.incident_id)


def list_rejected(database: Database, *, backend: str | None = None, limit: int = 50) -> list[Rejection]:
    """What is refused now, the oldest first.

    Raises:
        StoreError: the database does not answer.
    """
    behind = (
        select(func.count())
        .where(_behind.c.incident_id == _outbox.c.incident_id, _behind.c.id > _outbox.c.id)
        .where(_behind.c.state == OutboxState.WAITING.value)
        .scalar_subquery()
    )
    query = (
        select(_outbox, _incidents.c.title, _tickets.c.number.label("ticket"), behind.label("waiting_behind"))
        .join_from(_outbox, _incidents)
        .outerjoin(_tickets, _tickets.c.incident_id == _outbox.c.incident_id)
        .where(_outbox.c.state == OutboxState.REJECTED.value)
        .order_by(_outbox.c.id)
        .limit(limit)
    )
    if backend is not None:
        query = query.where(_outbox.c.backend == backend)
    with database.read() as connection:
        return [
            Rejection(
                incident_id=row.incident_id,
                backend=row.backend,
                kind=CommandKind(row.kind),
                ticket=row.ticket,
                title=row.title,
                at_ms=row.done_ms,
                reason=row.last_error,
                behind=row.waiting_behind,
            )
            for row in connection.execute(query)
        ]
