"""What sources told of their windows, so that a restart knows it while they are away."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, update

from watchkeeper.domain.change import Change, ChangeOutcome, ChangeState
from watchkeeper.domain.expected import Because, Selection, Window
from watchkeeper.store import tables
from watchkeeper.store.database import Database, upsert
from watchkeeper.store.effect_json import codec

_AT_ONCE: Final = 500
_rows = tables.changes
_SELECTION: Final = codec(Selection)
_TOLD: Final = ("because", "number", "title", "state", "outcome", "from_ms", "to_ms", "selection", "read_ms")


@dataclass(frozen=True, slots=True)
class ToldWindow:
    """A window, and when its source told it last."""

    window: Window
    read_ms: int


def told(database: Database, source: str, since_ms: int) -> list[ToldWindow]:
    """What a source told of windows that are not over at an instant, by their beginning.

    Raises:
        StoreError: the database does not answer.
    """
    mine = (_rows.c.backend == source) & (_rows.c.to_ms > since_ms)
    with database.read() as connection:
        return [_told(row) for row in connection.execute(select(_rows).where(mine).order_by(_rows.c.from_ms))]


def list_changes(database: Database, *, from_ms: int, to_ms: int, limit: int) -> list[ToldWindow]:
    """Changes that touch the time from one instant until before another, by their beginning: maintenance is none. Of
    too many, the newest.

    Raises:
        StoreError: the database does not answer.
    """
    within = (_rows.c.from_ms < to_ms) & (_rows.c.to_ms > from_ms) & (_rows.c.because == Because.CHANGE.value)
    query = select(_rows).where(within).order_by(_rows.c.from_ms.desc(), _rows.c.id.desc()).limit(limit)
    with database.read() as connection:
        return [_told(row) for row in connection.execute(query)][::-1]


def replace_told(database: Database, source: str, windows: Iterable[Window], now_ms: int) -> None:
    """Writes what a source tells now. What it told before of windows that are not over, and tells no more, is gone;
    what is over stays, for reports.

    Raises:
        StoreError: the database does not answer.
    """
    rows = [_row(source, window, now_ms) for window in windows]
    with database.write() as connection:
        there = select(_rows.c.ref).where(_rows.c.backend == source, _rows.c.to_ms > now_ms)
        gone = set(connection.execute(there).scalars()) - {row["ref"] for row in rows}
        if gone:
            ref = delete(_rows).where(_rows.c.backend == source, _rows.c.ref == bindparam("gone"))
            connection.execute(ref, [{"gone": one} for one in gone])
        for begin in range(0, len(rows), _AT_ONCE):
            connection.execute(
                upsert(connection, _rows, _TOLD, (_rows.c.backend, _rows.c.ref)), rows[begin : begin + _AT_ONCE]
            )


def note_unchanged(database: Database, source: str, now_ms: int) -> None:
    """Notes that a source tells the same as before.

    Raises:
        StoreError: the database does not answer.
    """
    with database.write() as connection:
        mine = (_rows.c.backend == source) & (_rows.c.to_ms > now_ms)
        connection.execute(update(_rows).where(mine).values(read_ms=now_ms))


def forget_changes(database: Database, before_ms: int) -> int:
    """Deletes what was over before an instant; how many.

    Raises:
        StoreError: the database does not answer.
    """
    with database.write() as connection:
        return connection.execute(delete(_rows).where(_rows.c.to_ms < before_ms)).rowcount


def _row(source: str, window: Window, now_ms: int) -> dict[str, Any]:
    state, outcome = _standing(window)
    return {
        "because": window.because.value,
        "backend": source,
        "ref": window.ref or window.id,
        "number": window.id,
        "title": window.title,
        "state": state,
        "outcome": outcome,
        "from_ms": window.from_ms,
        "to_ms": window.to_ms,
        "selection": json.dumps(_SELECTION.write(window.selection)),
        "read_ms": now_ms,
    }


def _standing(window: Window) -> tuple[str, str]:
    """State and outcome, of a change whose source knows neither as of one that is approved; empty of maintenance."""
    if isinstance(window, Change):
        return window.state.value, window.outcome.value
    is_change = window.because is Because.CHANGE
    return (ChangeState.APPROVED.value, ChangeOutcome.UNKNOWN.value) if is_change else ("", "")


def _told(row: Any) -> ToldWindow:
    window = Window(
        Because(row.because),
        row.number,
        row.title,
        row.from_ms,
        row.to_ms,
        _SELECTION.read(json.loads(row.selection)),
        row.backend,
        row.ref,
    )
    if window.because is Because.CHANGE:
        own = {field.name: getattr(window, field.name) for field in fields(Window)}
        window = Change(**own, state=ChangeState(row.state), outcome=ChangeOutcome(row.outcome))
    return ToldWindow(window, row.read_ms)
