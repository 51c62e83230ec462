"""Ticket commands that their backends refuse for what they say: what is to be mended before they are tried again."""

from dataclasses import dataclass

from sqlalchemy import func, select

from watchkeeper.domain.owner import owner_number
from watchkeeper.domain.ticket import CommandKind
from watchkeeper.store import tables
from watchkeeper.store.commandrows import same_owner
from watchkeeper.store.database import Database
from watchkeeper.store.outbox import OutboxState

_outbox, _incidents, _problems, _tickets = tables.outbox, tables.incidents, tables.problems, tables.tickets
_behind = tables.outbox.alias("behind")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A command that was refused at `at_ms`, and why. `ticket`: its number, `None` while there is none. `behind`: how
    many commands of its owner wait for it."""

    incident_id: int | None
    backend: str
    kind: CommandKind
    ticket: str | None
    title: str
    at_ms: int
    reason: str
    behind: int
    problem_id: int | None = None

    @property
    def owner(self) -> str:
        """What people call whose it is: `INC-12`, or `PRB-3`."""
        return owner_number(self.incident_id, self.problem_id)


def list_rejected(database: Database, *, backend: str | None = None, limit: int = 50) -> list[Rejection]:
    """What is refused now, the oldest first.

    Raises:
        StoreError: the database does not answer.
    """
    behind = (
        select(func.count())
        .where(same_owner(_behind, _outbox), _behind.c.id > _outbox.c.id)
        .where(_behind.c.state == OutboxState.WAITING.value)
        .scalar_subquery()
    )
    query = (
        select(
            _outbox,
            func.coalesce(_incidents.c.title, _problems.c.title).label("title"),
            _tickets.c.number.label("ticket"),
            behind.label("waiting_behind"),
        )
        .outerjoin_from(_outbox, _incidents, _incidents.c.id == _outbox.c.incident_id)
        .outerjoin(_problems, _problems.c.id == _outbox.c.problem_id)
        .outerjoin(_tickets, same_owner(_tickets, _outbox))
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
                problem_id=row.problem_id,
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


def is_there(database: Database, incident_id: int | None, problem_id: int | None) -> bool:
    """Whether there is such an incident, or such a problem.

    Raises:
        StoreError: the database does not answer.
    """
    table, wanted = (_incidents, incident_id) if problem_id is None else (_problems, problem_id)
    with database.read() as connection:
        return connection.execute(select(table.c.id).where(table.c.id == wanted)).first() is not None
