"""One daemon for one database: a lock that the system lets go of when its holder dies, however it dies."""

import fcntl
import os
from typing import Any, Protocol

from sqlalchemy import Connection, text

from watchkeeper.store.database import Database, StoreError

_ADVISORY_KEY = 0x77617463686B70  # "watchkp"


class DaemonLock(Protocol):
    """Held until it is released or the process ends."""

    def release(self) -> None: ...


def acquire(database: Database) -> DaemonLock:
    """The right to be the daemon of a database.

    Raises:
        StoreError: another daemon has it.
    """
    return _FileLock(database) if database.file is not None else _AdvisoryLock(database)


class _FileLock:
    def __init__(self, database: Database) -> None:
        path = f"{database.file}.lock"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"the lock file {path} can not be made: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreError(_taken(database, f" (process {holder})" if holder else "")) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._file)


class _AdvisoryLock:
    """PostgreSQL's advisory lock, which lasts as long as the session that took it."""

    def __init__(self, database: Database) -> None:
        with database.read() as probe:
            holder = _holder(probe)
        self._connection: Any = database.engine.connect()
        taken = self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY}).scalar()
        self._connection.commit()
        if not taken:
            self._connection.close()
            raise StoreError(_taken(database, f" (database session {holder})" if holder else ""))

    def release(self) -> None:
        self._connection.close()


def _holder(connection: Connection) -> int | None:
    query = text(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND ((classid::bigint << 32) | objid::bigint) = :key"
    )
    found = connection.execute(query, {"key": _ADVISORY_KEY}).scalar()
    return None if found is None else int(found)


def _taken(database: Database, holder: str) -> str:
    return (
        f"another watchkeeper{holder} already runs on the database {database.name}. "
        "Stop it first, or give this one a database of its own in `state`"
    )
