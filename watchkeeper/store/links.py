"""Which tickets others are to be linked to."""

from sqlalchemy import select

from watchkeeper.domain.links import Other
from watchkeeper.domain.owner import owner_number
from watchkeeper.domain.ticket import CommandKind
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.outbox import OutboxState

_COMING = (OutboxState.WAITING.value, OutboxState.IN_FLIGHT.value)


def ticket_to_link(database: Database, incident_id: int | None, problem_id: int | None) -> Other:
    """The ticket of an incident or of a problem, or what is known about it as long as there is none.

    Raises:
        StoreError: the database does not answer.
    """
    column, owner = ("incident_id", incident_id) if problem_id is None else ("problem_id", problem_id)
    tickets, outbox = tables.tickets, tables.outbox
    made = select(tickets.c.number, tickets.c.backend, tickets.c.ref).where(tickets.c[column] == owner)
    creation = (
        select(outbox.c.backend, outbox.c.state)
        .where(outbox.c[column] == owner, outbox.c.kind == CommandKind.CREATE.value)
        .order_by(outbox.c.id.desc())
        .limit(1)
    )
    with database.read() as connection:
        if (ticket := connection.execute(made).first()) is not None:
            return Other(ticket.number, ticket.backend, ticket.ref)
        command = connection.execute(creation).first()
    number = owner_number(incident_id, problem_id)
    if command is None:
        return Other(number)
    return Other(number, command.backend, is_coming=command.state in _COMING)
