"""Forgetting: what is too old is deleted, a little at a time, so that nobody waits for it.

Every function here deletes a few rows of what was over before a time (ms since the epoch), and returns how many:
none when nothing is left. They raise StoreError when the database does not answer.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, exists, func, select

from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.rollup import HOUR_MS
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.outbox import OutboxState
from watchkeeper.store.rollups import Tier, period_bounds

AT_ONCE: Final = 500  # rows in one transaction
INCIDENTS_AT_ONCE: Final = 20  # each has rows in six more tables


def forget_minutes(database: Database, before_ms: int) -> int:
    """Chunks of minutes."""
    return _forget_chunks(database, Tier.MINUTES, before_ms)


def forget_hours(database: Database, before_ms: int) -> int:
    """Chunks of hours."""
    return _forget_chunks(database, Tier.HOURS, before_ms)


def forget_tracks(database: Database, before_ms: int) -> int:
    """The names of series that no chunk has any more."""
    tracks = tables.rollup_tracks
    # Their use is noted once a day, and a chunk may be of some hours after.
    return _forget(database, tracks, tracks.c.seen_ms < before_ms - 48 * HOUR_MS)


def forget_intervals(database: Database, before_ms: int) -> int:
    """What status probes had; not what they still have."""
    intervals = tables.probe_intervals
    return _forget(database, intervals, intervals.c.to_ms < before_ms)


def forget_transitions(database: Database, before_ms: int) -> int:
    """Changes of alerts."""
    changes = tables.alert_transitions
    # They were written in about the order of their times: the oldest are looked at, without an index on time.
    oldest = select(changes.c.id, changes.c.at_ms).order_by(changes.c.id).limit(AT_ONCE).subquery()
    return _forget(database, changes, changes.c.id.in_(select(oldest.c.id).where(oldest.c.at_ms < before_ms)))


def forget_runs(database: Database, before_ms: int) -> int:
    """When the daemon ran; not the newest run."""
    runs = tables.runs
    newest = select(func.max(runs.c.id)).scalar_subquery()
    return _forget(database, runs, (runs.c.alive_ms < before_ms) & (runs.c.id < newest))


def forget_windows(database: Database, before_ms: int) -> int:
    """Which windows were in force."""
    windows = tables.windows_in_force
    return _forget(database, windows, windows.c.to_ms < before_ms)


def forget_incidents(database: Database, before_ms: int) -> int:
    """Incidents that are resolved and whose commands are all delivered, with all that belongs to them, their tickets
    at the local desk too. The newest incident and the newest ticket of the desk stay: numbers go on from there."""
    incidents = tables.incidents
    is_over = incidents.c.state == IncidentState.RESOLVED.value
    return _forget_owners(database, incidents, "incident_id", is_over, before_ms)


def forget_problems(database: Database, before_ms: int) -> int:
    """Likewise problems that are resolved, with what belongs to them; not one whose successor is there still."""
    problems, successors = tables.problems, tables.problems.alias("successors")
    is_over = problems.c.state == "resolved"
    is_followed = exists().where(successors.c.successor_of == problems.c.id)
    return _forget_owners(database, problems, "problem_id", is_over & ~is_followed, before_ms)


def _forget_owners(
    database: Database, owners: Table, owner: str, is_over: ColumnElement[bool], before_ms: int
) -> int:
    """Those of a table of incidents or problems that are over. `owner`: what other tables call their ids."""
    tickets, desk, outbox = tables.tickets, tables.desk_tickets, tables.outbox
    undelivered = exists().where(outbox.c[owner] == owners.c.id, outbox.c.state != OutboxState.DELIVERED.value)
    at_desk = (desk.c.desk == tickets.c.backend) & (desk.c.key == tickets.c.key)
    newest_ticket = select(func.max(desk.c.id)).scalar_subquery()
    has_newest = exists().where(tickets.c[owner] == owners.c.id, at_desk, desk.c.id == newest_ticket)
    over = (
        select(owners.c.id)
        .where(
            owners.c.resolved_ms < before_ms,
            is_over,
            owners.c.id < select(func.max(owners.c.id)).scalar_subquery(),
            ~undelivered,
            ~has_newest,
        )
        .order_by(owners.c.resolved_ms)
        .limit(INCIDENTS_AT_ONCE)
    )
    with database.read() as connection:
        found = connection.execute(over).scalars().all()
        theirs = select(desk.c.id).join(tickets, at_desk).where(tickets.c[owner].in_(found))
        desk_tickets = connection.execute(theirs).scalars().all() if found else []
    if not found:
        return 0
    with database.write() as connection:
        if desk_tickets:
            connection.execute(delete(desk).where(desk.c.id.in_(desk_tickets)))
        connection.execute(delete(owners).where(owners.c.id.in_(found)))
    return len(found)


def _forget_chunks(database: Database, tier: Tier, before_ms: int) -> int:
    begin, end = period_bounds(tier, before_ms)
    return _forget(database, tables.rollups, (tables.rollups.c.key >= begin) & (tables.rollups.c.key < end))


def _forget(database: Database, table: Table, over: ColumnElement[bool]) -> int:
    """Finds some rows, and deletes them by their keys: whoever else writes waits only for that."""
    keys = list(table.primary_key.columns)
    with database.read() as connection:
        found = connection.execute(select(*keys).where(over).limit(AT_ONCE)).all()
    if found:
        this_one = and_(*(column == bindparam(f"key_{n}") for n, column in enumerate(keys)))
        rows: list[dict[str, Any]] = [{f"key_{n}": value for n, value in enumerate(row)} for row in found]
        with database.write() as connection:
            connection.execute(delete(table).where(this_one), rows)
    return len(found)
