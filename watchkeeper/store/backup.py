"""Backups of the database."""

import os
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import quote

from watchkeeper.domain.units import utc
from watchkeeper.store import migrate
from watchkeeper.store.database import BUSY_TIMEOUT_S, Database, StoreError


def backup(database: Database, folder: Path, now_ms: int) -> Path:
    """Copies a SQLite database, while it is in use, into a new file of a folder, and checks the copy.

    The file has its name only once it is complete and on the disk. Only its owner can read it. Returns its path.

    Raises:
        StoreError: PostgreSQL (which has its own tools), no database of watchkeeper's yet, or the copy failed.
    """
    if database.file is None:
        raise StoreError("this backs up SQLite only; for PostgreSQL use pg_dump or pgBackRest")
    if migrate.revision(database) is None:
        raise StoreError(f"there is nothing in the database {database.file} yet")
    target = folder / f"watchkeeper-{utc(now_ms):%Y%m%dT%H%M%SZ}.db"
    partial: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own: two backups at once do not write into each other's file.
        opened, name = tempfile.mkstemp(prefix=f"{target.stem}-", suffix=".partial", dir=folder)
        os.close(opened)
        partial = Path(name)
        _copy(database.file, partial)
        _sync(partial)
        partial.rename(target)
        _sync(folder)
    except (OSError, sqlite3.Error) as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        raise StoreError(f"the backup to {target} failed: {error}") from error
    return target


def _copy(source: Path, target: Path) -> None:
    origin = sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
    copy = sqlite3.connect(target)
    try:
        # In one step: between steps a writer would make it begin anew, again and again. Writers do not wait for it.
        origin.backup(copy, pages=-1)
        # A copy in WAL mode would want two more files beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        [(verdict,)] = copy.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged: {verdict}")
    finally:
        copy.close()
        origin.close()


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
