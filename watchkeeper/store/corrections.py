"""What people said of the availability of services. It is taken back, never deleted: who said what can be asked."""

import re
from typing import Any, Final

from sqlalchemy import func, insert, select, update

from watchkeeper.domain.availability import Correction, CorrectionKind
from watchkeeper.domain.correction import MAX_OF_SERVICE, CorrectionDraft, WrongCorrection
from watchkeeper.store import tables
from watchkeeper.store.database import Database

_NUMBER: Final = re.compile(r"COR-(\d{1,18})", re.ASCII | re.IGNORECASE)
_rows = tables.corrections


def add_correction(database: Database, draft: CorrectionDraft, now_ms: int) -> Correction:
    """A new one. What it says was looked at before.

    Raises:
        WrongCorrection: there are too many of the service.
        StoreError: the database does not answer.
    """
    with database.write() as connection:
        mine = (_rows.c.service == draft.service) & _rows.c.undone_ms.is_(None)
        if connection.execute(select(func.count()).select_from(_rows).where(mine)).scalar_one() >= MAX_OF_SERVICE:
            raise WrongCorrection(f"{draft.service} has {MAX_OF_SERVICE:,} corrections already: take some back")
        values = {
            "service": draft.service,
            "kind": draft.kind.value,
            "from_ms": draft.from_ms,
            "to_ms": draft.to_ms,
            "author": draft.author,
            "reason": draft.reason,
            "made_ms": now_ms,
        }
        return correction_of(connection.execute(insert(_rows).values(**values).returning(_rows)).one())


def undo_correction(database: Database, number: str, by: str, reason: str, now_ms: int) -> Correction | None:
    """Takes one back. `None`: there is none of this number.

    Raises:
        WrongCorrection: it was taken back before.
        StoreError: the database does not answer.
    """
    found = _NUMBER.fullmatch(number.strip())
    mine = _rows.c.id == (int(found[1]) if found else None)
    with database.write() as connection:
        row = connection.execute(select(_rows).where(mine).with_for_update()).first()
        if row is None:
            return None
        if row.undone_ms is not None:
            raise WrongCorrection(f"{correction_of(row).number} was taken back already, by {row.undone_by}")
        undone = {"undone_ms": now_ms, "undone_by": by, "undone_reason": reason}
        return correction_of(connection.execute(update(_rows).where(mine).values(**undone).returning(_rows)).one())


def list_corrections(database: Database, service: str | None, limit: int) -> list[Correction]:
    """Those of a service, or all, taken back or not: the newest first.

    Raises:
        StoreError: the database does not answer.
    """
    query = select(_rows).order_by(_rows.c.id.desc()).limit(limit)
    if service is not None:
        query = query.where(_rows.c.service == service)
    with database.read() as connection:
        return [correction_of(row) for row in connection.execute(query)]


def correction_of(row: Any) -> Correction:
    """The correction of a row."""
    return Correction(
        row.id,
        row.service,
        CorrectionKind(row.kind),
        row.from_ms,
        row.to_ms,
        row.author,
        row.reason,
        row.made_ms,
        row.undone_ms,
        row.undone_by,
        row.undone_reason,
    )
