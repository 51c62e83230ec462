"""Backups of the database."""

import os
import sqlite3
from pathlib import Path

from watchkeeper.domain.units import utc
from watchkeeper.store.database import Database, StoreError


def backup(database: Database, folder: Path, now_ms: int) -> Path:
    """Copies a SQLite database, while it is in use, into a new file of a folder, and checks the copy.

    The file has its name only once it is complete. Returns its path.

    Raises:
        StoreError: PostgreSQL (which has its own tools), no database yet, or the copy failed.
    """
    if database.file is None:
        raise StoreError("this backs up SQLite only; for PostgreSQL use pg_dump or pgBackRest")
    if not database.file.exists():
        raise StoreError(f"there is no database {database.file} yet")
    target = folder / f"watchkeeper-{utc(now_ms):%Y%m%dT%H%M%SZ}.db"
    partial = target.with_suffix(".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        _copy(database.file, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(target)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise StoreError(f"the backup to {target} failed: {error}") from error
    return target


def _copy(source: Path, target: Path) -> None:
    origin = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)
    copy = sqlite3.connect(target)
    try:
        origin.backup(copy, pages=1000)
        # A copy in WAL mode would want two more files beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        [(verdict,)] = copy.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged: {verdict}")
    finally:
        copy.close()
        origin.close()
