"""Which windows were in force, and which probes count: kept as they were, whatever is configured later."""

import json
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import delete, select

from watchkeeper.domain.concerned import Concerned
from watchkeeper.domain.condition import ProbeStanding
from watchkeeper.domain.expected import Because
from watchkeeper.domain.inforce import Kept, Key
from watchkeeper.domain.probe import Category
from watchkeeper.store import tables
from watchkeeper.store.database import Database, upsert

_AT_ONCE: Final = 500
_windows, _standings, _runs = tables.windows_in_force, tables.probe_standings, tables.runs


def left_open(database: Database, now_ms: int) -> list[Kept]:
    """Windows that were in force, and end after an instant.

    Raises:
        StoreError: the database does not answer.
    """
    query = select(_windows).where(_windows.c.to_ms > now_ms, _windows.c.from_ms <= now_ms)
    with database.read() as connection:
        return [kept_of(row) for row in connection.execute(query)]


def last_look(database: Database) -> int | None:
    """The last sign of life of the run before this one; `None`: there was none.

    Raises:
        StoreError: the database does not answer.
    """
    with database.read() as connection:
        query = select(_runs.c.alive_ms).order_by(_runs.c.id.desc()).offset(1).limit(1)
        return connection.execute(query).scalar()


def keep(database: Database, windows: Iterable[Kept]) -> None:
    """Writes windows that began, or end otherwise than was written.

    Raises:
        StoreError: the database does not answer.
    """
    rows = [_row(one) for one in windows]
    with database.write() as connection:
        for begin in range(0, len(rows), _AT_ONCE):
            connection.execute(upsert(connection, _windows, ("to_ms",)), rows[begin : begin + _AT_ONCE])


def note_standings(database: Database, probes: Iterable[ProbeStanding], now_ms: int, forget_before_ms: int) -> None:
    """Writes what decides whether probes count. Of those that are gone, what was noted last stays for a while.

    Raises:
        StoreError: the database does not answer.
    """
    rows: list[dict[str, Any]] = [
        {
            "probe_id": one.id,
            "category": one.category.value,
            "critical": one.is_critical,
            "labels": json.dumps(dict(sorted(one.labels.items()))),
            "noted_ms": now_ms,
        }
        for one in probes
    ]
    columns = ("category", "critical", "labels", "noted_ms")
    with database.write() as connection:
        for begin in range(0, len(rows), _AT_ONCE):
            connection.execute(upsert(connection, _standings, columns), rows[begin : begin + _AT_ONCE])
        connection.execute(delete(_standings).where(_standings.c.noted_ms < forget_before_ms))


def standing_of_row(row: Any) -> ProbeStanding:
    return ProbeStanding(row.probe_id, Category(row.category), row.critical, json.loads(row.labels))


def kept_of(row: Any) -> Kept:
    about = Concerned(frozenset(json.loads(row.services)), frozenset(json.loads(row.probes)))
    key = Key(Because(row.because), row.backend, row.ref)
    return Kept(key, row.from_ms, row.to_ms, row.number, row.title, about)


def _row(kept: Kept) -> dict[str, Any]:
    return {
        "because": kept.key.because.value,
        "backend": kept.key.backend,
        "ref": kept.key.ref,
        "from_ms": kept.from_ms,
        "to_ms": kept.to_ms,
        "number": kept.number,
        "title": kept.title,
        "services": json.dumps(sorted(kept.about.services), ensure_ascii=False),
        "probes": json.dumps(sorted(kept.about.probes), ensure_ascii=False),
    }
