"""Changes that are over, and the incidents that were attributed to them."""

from typing import Final

from sqlalchemy import Row, Select, func, select

from watchkeeper.domain.change import ChangeOutcome, ChangeState
from watchkeeper.domain.change_record import ChangeRecord
from watchkeeper.domain.expected import Because
from watchkeeper.domain.incident import incident_number
from watchkeeper.store import tables
from watchkeeper.store.database import Database

MOST: Final = 10_000
_MADE: Final = tuple(state.value for state in (ChangeState.APPROVED, ChangeState.UNDER_WAY, ChangeState.DONE))
_changes, _incidents = tables.changes.c, tables.incidents.c


def ended_changes(database: Database, from_ms: int, to_ms: int) -> list[ChangeRecord]:
    """The changes whose last window ended from one instant until before another, by when that was: the last `MOST`.
    Incidents that turned out to be part of another one do not count.

    Raises:
        StoreError: the database does not answer.
    """
    with database.read() as connection:
        found = connection.execute(_ended(from_ms, to_ms)).all()
        numbers = {row.number for row in found}
        begun = connection.execute(
            select(_incidents.id, _incidents.caused_by)
            .where(_incidents.caused_by != "", _incidents.merged_into.is_(None))
            .where(_incidents.opened_ms >= min((row.from_ms for row in found), default=to_ms))
            .order_by(_incidents.id)
        )
        caused: dict[str, list[str]] = {}
        for incident in begun:
            if incident.caused_by in numbers:
                caused.setdefault(incident.caused_by, []).append(incident_number(incident.id))
    return [_record(row, tuple(caused.get(row.number, ()))) for row in reversed(found)]


def _ended(from_ms: int, to_ms: int) -> Select[tuple[str, str, str, int, int, str, str]]:
    """The windows of each change as one."""
    ended = func.max(_changes.to_ms)
    return (
        select(
            _changes.number,
            _changes.backend,
            func.max(_changes.title).label("title"),
            func.min(_changes.from_ms).label("from_ms"),
            ended.label("to_ms"),
            func.min(_changes.outcome).label("least"),
            func.max(_changes.outcome).label("outcome"),
        )
        .where(_changes.because == Because.CHANGE.value, _changes.state.in_(_MADE))
        .group_by(_changes.backend, _changes.number)
        .having((ended >= from_ms) & (ended < to_ms))
        .order_by(ended.desc(), _changes.number.desc())
        .limit(MOST)
    )


def _record(row: Row[tuple[str, str, str, int, int, str, str]], incidents: tuple[str, ...]) -> ChangeRecord:
    told = {ChangeOutcome(row.least), ChangeOutcome(row.outcome)} - {ChangeOutcome.UNKNOWN}
    outcome = max(told, key=list(ChangeOutcome).index, default=ChangeOutcome.UNKNOWN)
    return ChangeRecord(row.number, row.backend, row.title, row.from_ms, row.to_ms, outcome, incidents)
