"""Tickets as people read them: the command line's lists. Nothing here writes."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, func, or_, select

from watchkeeper.domain.owner import owner_number
from watchkeeper.domain.ticket import ProblemFindings, TicketState
from watchkeeper.store import tables
from watchkeeper.store.database import Database

_NOTHING: Final = ProblemFindings()


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket as its backend last told, at `updated_ms`. It is an incident's or a problem's, and `service` and
    `opened_ms` are of that."""

    incident_id: int | None
    problem_id: int | None
    service: str
    opened_ms: int
    backend: str
    ref: str
    number: str
    key: str
    state: TicketState
    title: str
    url: str
    assignee: str
    updated_ms: int

    @property
    def owner(self) -> str:
        """What people call whose it is: `INC-12`, or `PRB-3`."""
        return owner_number(self.incident_id, self.problem_id)


@dataclass(frozen=True, slots=True)
class Note:
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class TicketDetail:
    """A ticket. What it says is known of a local desk's only: elsewhere `description` is `None`, the rest empty.
    `problem`, `duplicate_of`: the numbers of the tickets that it is linked to."""

    ticket: TicketRow
    description: str | None
    notes: tuple[Note, ...]
    problem: str = ""
    duplicate_of: str = ""
    findings: ProblemFindings = _NOTHING


_incidents, _problems, _tickets = tables.incidents, tables.problems, tables.tickets

TICKETS: Final = (
    select(
        _tickets,
        func.coalesce(_incidents.c.service, _problems.c.service).label("service"),
        func.coalesce(_incidents.c.opened_ms, _problems.c.opened_ms).label("opened_ms"),
    )
    .outerjoin_from(_tickets, _incidents, _incidents.c.id == _tickets.c.incident_id)
    .outerjoin(_problems, _problems.c.id == _tickets.c.problem_id)
)


def list_tickets(
    database: Database, *, state: TicketState | None = None, backend: str | None = None, limit: int = 50
) -> list[TicketRow]:
    """The newest tickets first; `None` filters nothing.

    Raises:
        StoreError: the database does not answer.
    """
    query = TICKETS.order_by(_tickets.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_tickets.c.state == state.value)
    if backend is not None:
        query = query.where(_tickets.c.backend == backend)
    with database.read() as connection:
        return [ticket_row(row) for row in connection.execute(query)]


def show_ticket(database: Database, ref_or_number: str, *, backend: str | None = None) -> TicketDetail | None:
    """One ticket, by what people call it or by its backend's own id; `None` when there is none.

    Where several backends have one, a number goes before an id, and the newest before the others.

    Raises:
        StoreError: the database does not answer.
    """
    called = _tickets.c.number == ref_or_number
    query = TICKETS.where(or_(called, _tickets.c.ref == ref_or_number))
    if backend is not None:
        query = query.where(_tickets.c.backend == backend)
    query = query.order_by(called.desc(), _tickets.c.id.desc()).limit(1)
    desk, notes = tables.desk_tickets, tables.desk_notes
    with database.read() as connection:
        row = connection.execute(query).first()
        if row is None:
            return None
        own = and_(desk.c.desk == row.backend, desk.c.key == row.key)
        told = select(desk, notes.c.at_ms, notes.c.text).outerjoin_from(desk, notes).where(own).order_by(notes.c.id)
        said = connection.execute(told).all()
    if not said:
        return TicketDetail(ticket_row(row), None, ())
    of = said[0]
    return TicketDetail(
        ticket=ticket_row(row),
        description=of.description,
        notes=tuple(Note(line.at_ms, line.text) for line in said if line.at_ms is not None),
        problem=f"DESK-{of.problem}" if of.problem else "",
        duplicate_of=f"DESK-{of.duplicate}" if of.duplicate else "",
        findings=ProblemFindings(of.workaround, of.root_cause, of.known_error),
    )


def ticket_row(row: Any) -> TicketRow:
    """Of a row of `TICKETS`."""
    owner = ("incident_id", "problem_id", "service", "opened_ms")
    same = ("backend", "ref", "number", "key", "title", "url", "assignee", "updated_ms")
    fields = {name: getattr(row, name) for name in (*owner, *same)}
    return TicketRow(**fields, state=TicketState(row.state))
