"""Tickets that are worth reading again, and what was read of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, and_, func, or_, select, update

from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.ticket import ProblemFindings, Ticket, TicketState
from watchkeeper.store import tables
from watchkeeper.store.commandrows import ticket_of
from watchkeeper.store.database import Database

PAGE: Final = 100
_OVER: Final = [state.value for state in TicketState if state.is_over]
_tickets, _incidents, _problems = tables.tickets, tables.incidents, tables.problems
_FOUND: Final = (
    *(_problems.c.workaround, _problems.c.root_cause, _problems.c.known_error, _problems.c.resolution),
    _problems.c.is_known_error,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket as it was read last, of an incident or of a problem. `seen_state`: what that knows of it, `None` while
    it knows nothing; `is_taken_up`: whether an incident knows that somebody works on it; `findings`: what a problem
    knows of what people found out. `missing`: how often in a row the ticket was not there. `id` is for paging."""

    id: int
    incident_id: int | None
    problem_id: int | None
    ticket: Ticket
    missing: int
    is_open: bool
    seen_state: TicketState | None
    is_taken_up: bool
    findings: ProblemFindings


def standings(database: Database, backend: str, after_id: int) -> list[Standing]:
    """The next page of a backend's tickets that are not over, or whose incident or problem is not, by their ids; of
    problems also those that are resolved, but not closed: people open them again.

    Raises:
        StoreError: the database does not answer.
    """
    query = _all_standings(backend).where(_tickets.c.id > after_id)
    with database.read() as connection:
        return [_standing(row) for row in connection.execute(query.limit(PAGE))]


def standings_of(database: Database, backend: str, refs: Collection[str]) -> list[Standing]:
    """Those of the same that have these refs, in the same order.

    Raises:
        StoreError: the database does not answer.
    """
    query = _all_standings(backend).where(_tickets.c.ref.in_(refs))
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
            mine = (_tickets.c.id == standing.id) & (_tickets.c.ref == standing.ticket.ref)
            connection.execute(update(_tickets).where(mine).values(**values))


def _all_standings(backend: str) -> Select[Any]:
    is_open = or_(_incidents.c.state == IncidentState.OPEN.value, _problems.c.state != "resolved")
    may_return = and_(_tickets.c.problem_id.is_not(None), _tickets.c.state == TicketState.RESOLVED.value)
    return (
        select(_tickets, _incidents.c.acknowledged_ms, *_FOUND, is_open.label("is_open"))
        .add_columns(func.coalesce(_incidents.c.seen_state, _problems.c.seen_state).label("seen_state"))
        .outerjoin_from(_tickets, _incidents, _incidents.c.id == _tickets.c.incident_id)
        .outerjoin(_problems, _problems.c.id == _tickets.c.problem_id)
        .where(_tickets.c.backend == backend, or_(_tickets.c.state.not_in(_OVER), is_open, may_return))
        .order_by(_tickets.c.id)
    )


def _standing(row: Any) -> Standing:
    findings = ProblemFindings()
    if row.problem_id is not None:
        texts = row.workaround, row.root_cause, row.known_error, row.resolution
        findings = ProblemFindings(*texts, is_known_error=row.is_known_error)
    return Standing(
        id=row.id,
        incident_id=row.incident_id,
        problem_id=row.problem_id,
        ticket=ticket_of(row),
        missing=row.missing,
        is_open=bool(row.is_open),
        seen_state=None if row.seen_state is None else TicketState(row.seen_state),
        is_taken_up=row.acknowledged_ms is not None,
        findings=findings,
    )
