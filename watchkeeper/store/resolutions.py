"""What resolved incidents, as people said in their tickets; and what is known of the problems behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.lessons import MOST_TEXT, KnownError, Resolution
from watchkeeper.domain.ticket import Ticket, TicketState
from watchkeeper.store import tables
from watchkeeper.store.commandrows import ticket_of
from watchkeeper.store.database import Database, upsert

LOOKED_FOR_MS: Final = 30 * 86_400_000
"""For how long after an incident its ticket may be resolved, and still tell what helped."""
MOST_KEPT: Final = 10_000
MOST_OF_A_KEY: Final = 3
_ENDED: Final = (TicketState.RESOLVED.value, TicketState.CLOSED.value)
_rows = tables.resolutions


@dataclass(frozen=True, slots=True)
class Ended:
    """A ticket that somebody ended after its incident was over. `empty`: what is kept if nothing was said."""

    ticket: Ticket
    empty: Resolution


def next_unread(database: Database, backend: str, now_ms: int) -> Ended | None:
    """The next ticket of a backend that somebody had a hand in and that is over, as its incident is, and of which it
    is not known yet what was said in the end.

    Raises:
        StoreError: the database does not answer.
    """
    tickets, incidents = tables.tickets, tables.incidents
    query = (
        select(tickets, incidents.c.key.label("incident_key"), incidents.c.rule_id)
        .add_columns(incidents.c.service, incidents.c.resolved_ms)
        .join_from(incidents, tickets, tickets.c.incident_id == incidents.c.id)
        .outerjoin(_rows, _rows.c.incident_id == incidents.c.id)
        .where(incidents.c.resolved_ms > now_ms - LOOKED_FOR_MS)
        .where(incidents.c.state == IncidentState.RESOLVED.value)
        .where(tickets.c.backend == backend, tickets.c.touched, tickets.c.state.in_(_ENDED))
        .where(_rows.c.incident_id.is_(None))
        .order_by(incidents.c.resolved_ms, incidents.c.id)
        .limit(1)
    )
    with database.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else _ended(row)


def keep(database: Database, resolution: Resolution) -> None:
    """Writes down what was said, or that there was nothing. Of one key the last three are kept, of all the last ten
    thousand.

    Raises:
        StoreError: nothing was written.
    """
    with database.write() as connection:
        values = {
            "incident_id": resolution.incident_id,
            "key": resolution.key,
            "rule_id": resolution.rule,
            "service": resolution.service,
            "resolved_ms": resolution.resolved_ms,
            "text": resolution.text[:MOST_TEXT],
            "ticket_number": resolution.ticket_number,
            "url": resolution.url,
        }
        connection.execute(upsert(connection, _rows, ("text", "ticket_number", "url")), values)
        _forget(connection, resolution)


def all_resolutions(database: Database) -> list[Resolution]:
    """All that was said, the newest first.

    Raises:
        StoreError: the database does not answer.
    """
    newest = _rows.c.resolved_ms.desc(), _rows.c.incident_id.desc()
    query = select(_rows).where(_rows.c.text != "").order_by(*newest).limit(MOST_KEPT)
    with database.read() as connection:
        return [
            Resolution(
                row.incident_id,
                row.key,
                row.rule_id,
                row.service,
                row.resolved_ms,
                row.text,
                row.ticket_number,
                row.url,
            )
            for row in connection.execute(query)
        ]


def known_errors(database: Database) -> list[KnownError]:
    """What is known of problems, of the newest first.

    Raises:
        StoreError: the database does not answer.
    """
    problems, tickets = tables.problems, tables.tickets
    said = problems.c.known_error, problems.c.workaround, problems.c.root_cause
    query = (
        select(problems, tickets.c.url)
        .outerjoin_from(problems, tickets, tickets.c.problem_id == problems.c.id)
        .where((said[0] != "") | (said[1] != "") | (said[2] != ""))
        .order_by(problems.c.id.desc())
        .limit(MOST_KEPT)
    )
    with database.read() as connection:
        return [
            KnownError(
                row.seen_number or f"problem {row.id}",
                row.title,
                row.rule_id,
                row.service,
                row.known_error,
                row.workaround,
                row.root_cause,
                row.url or "",
            )
            for row in connection.execute(query)
        ]


def _forget(connection: Connection, newest: Resolution) -> None:
    """What has become too much. An incident is remembered as looked at as long as its ticket would be read."""
    order = _rows.c.resolved_ms.desc(), _rows.c.incident_id.desc()
    of_key = (_rows.c.key == newest.key) & (_rows.c.text != "")
    kept: Sequence[int] = connection.scalars(
        select(_rows.c.incident_id).where(of_key).order_by(*order).limit(MOST_OF_A_KEY)
    ).all()
    connection.execute(update(_rows).where(of_key, _rows.c.incident_id.not_in(kept)).values(text=""))
    old = _rows.c.resolved_ms < newest.resolved_ms - 2 * LOOKED_FOR_MS
    connection.execute(delete(_rows).where(old, _rows.c.text == ""))
    last = connection.scalar(select(_rows.c.resolved_ms).order_by(*order).offset(MOST_KEPT).limit(1))
    if last is not None:
        connection.execute(delete(_rows).where(old, _rows.c.resolved_ms <= last))


def _ended(row: Any) -> Ended:
    empty = Resolution(
        row.incident_id, row.incident_key, row.rule_id, row.service, row.resolved_ms, "", row.number, row.url
    )
    return Ended(ticket_of(row), empty)
