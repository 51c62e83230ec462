"""Tickets that are worth reading again, and what was read of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import or_, select, update

from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.ticket import Ticket, TicketState
from watchkeeper.store import tables
from watchkeeper.store.database import Database

PAGE: Final = 100
_OVER: Final = [state.value for state in TicketState if state.is_over]
_tickets, _incidents = tables.tickets, tables.incidents


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket as it was read last. `seen_state`: what its incident knows of it, `None` while it knows nothing, and
    `is_taken_up`: whether it knows that somebody works on it. `missing`: how often in a row it was not there."""

    incident_id: int
    ticket: Ticket
    missing: int
    incident_is_open: bool
    seen_state: TicketState | None
    is_taken_up: bool


def standings(database: Database, backend: str, after_id: int) -> list[Standing]:
    """The next page of a backend's tickets that are not over, or whose incident is not, by the incident's number.

    Raises:
        StoreError: the database does not answer.
    """
    is_open = _incidents.c.state == IncidentState.OPEN.value
    query = (
        select(_tickets, _incidents.c.seen_state, _incidents.c.acknowledged_ms, is_open.label("is_open"))
        .join_from(_tickets, _incidents)
        .where(_tickets.c.backend == backend, _tickets.c.incident_id > after_id)
        .where(or_(_tickets.c.state.not_in(_OVER), is_open))
        .order_by(_tickets.c.incident_id)
        .limit(PAGE)
    )
    with database.read() as connection:
        return [_standing(row) for row in connection.execute(query)]


def note_reading(database: Database, read: Sequence[tuple[Standing, Ticket | None]], now_ms: int) -> None:
    """Writes down tickets as they are now; `None` of those that were not there.

    Raises:
        StoreError: nothing was written.
    """
    with database.write() as connection:
        for standing, ticket in read:
            values: dict[str, Any] = {"missing": standing.missing + 1}
            if ticket is not None:
                values = {
                    "missing": 0,
                    "number": ticket.number,
                    "state": ticket.state.value,
                    "title": ticket.title,
                    "url": ticket.url,
                    "assignee": ticket.assignee,
                    "touched": ticket.is_touched,
                    "updated_ms": now_ms,
                }
            # A ref that has become another since is another ticket's.
            mine = (_tickets.c.incident_id == standing.incident_id) & (_tickets.c.ref == standing.ticket.ref)
            connection.execute(update(_tickets).where(mine).values(**values))


def _standing(row: Any) -> Standing:
    state = TicketState(row.state)
    return Standing(
        incident_id=row.incident_id,
        ticket=Ticket(row.ref, row.number, row.key, state, row.title, row.url, row.assignee, row.touched),
        missing=row.missing,
        incident_is_open=bool(row.is_open),
        seen_state=None if row.seen_state is None else TicketState(row.seen_state),
        is_taken_up=row.acknowledged_ms is not None,
    )
