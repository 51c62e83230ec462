"""Incidents that are over, as far as new ones of the same trouble tell of them."""

from typing import Final

from sqlalchemy import Connection, func, select

from watchkeeper.domain.earlier import MOST_KEYS, MOST_OF_A_KEY, Earlier
from watchkeeper.store import tables

KEPT_MS: Final = 90 * 86_400_000
MOST_ROWS: Final = MOST_KEYS * MOST_OF_A_KEY


def earlier_incidents(connection: Connection, now_ms: int) -> dict[str, tuple[Earlier, ...]]:
    """The last incidents of each key that were resolved in the last ninety days: as `EarlierIncidents` takes them.
    Of very many only the newest are looked at."""
    rows, tickets = tables.incidents.c, tables.tickets
    number = func.coalesce(tickets.c.number, rows.seen_number)
    query = (
        select(rows.key, rows.id, rows.started_ms, rows.resolved_ms, number)
        .outerjoin_from(tables.incidents, tickets)
        .where(rows.resolved_ms > now_ms - KEPT_MS)
        .order_by(rows.resolved_ms.desc(), rows.id.desc())
        .limit(MOST_ROWS)
    )
    found: dict[str, tuple[Earlier, ...]] = {}
    for key, *of_incident in connection.execute(query):
        known = found.get(key, ())
        if len(known) < MOST_OF_A_KEY:
            found[key] = (*known, Earlier(*of_incident))
    return dict(reversed(found.items()))
