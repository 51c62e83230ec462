"""One daemon for one database: a lock that the system lets go of when its holder dies, however it dies."""

import fcntl
import os
from contextlib import suppress
from typing import Protocol

from sqlalchemy import Connection, text

from watchkeeper.store.database import Database, StoreError

_ADVISORY_KEY = 0x77617463686B70  # "watchkp"


class LockLost(StoreError):
    """Another daemon may work on the database by now: this one has to end."""


class DaemonLock(Protocol):
    """Held until it is released or the process ends."""

    def verify(self) -> None:
        """Looks whether the lock is still held, and on the same database; also keeps its connection in use.

        A lock whose connection broke is taken again, where nobody else has it.

        Raises:
            LockLost: it is not held, and can not be taken again.
            StoreError: the database does not answer, so nobody can tell.
        """

    def release(self) -> None:
        """Lets go. A second time does nothing."""


def acquire(database: Database) -> DaemonLock:
    """The right to be the daemon of a database.

    Raises:
        StoreError: another daemon has it.
    """
    return _FileLock(database) if database.file is not None else _AdvisoryLock(database)


class _FileLock:
    def __init__(self, database: Database) -> None:
        assert database.file is not None
        # Of the file itself: one database may be known by several names.
        self._database = database.file.resolve()
        self._path = f"{self._database}.lock"
        try:
            self._file: int | None = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"the lock file {self._path} can not be made: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreError(_taken(database, f" (process {holder})" if holder else "")) from None
        except OSError as error:
            os.close(self._file)
            raise StoreError(f"the file {self._path} can not be locked: {error.strerror}") from None
        with suppress(OSError):  # a courtesy to the next one, that a full disk may refuse
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)
        self._locked = _stat(self._database)  # the database's file, as it was seen first

    def verify(self) -> None:
        there = _stat(self._path)
        if self._file is None or there is None or not os.path.samestat(there, os.fstat(self._file)):
            raise LockLost(f"the lock file {self._path} was removed or replaced: another watchkeeper may run")
        # SQLite would go on writing into a file that has no name any more.
        found = _stat(self._database)
        self._locked = self._locked or found
        if self._locked is not None and (found is None or not os.path.samestat(self._locked, found)):
            raise LockLost(
                f"the database {self._database} was removed or replaced while it was in use. Start watchkeeper again"
            )

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _stat(path: str | os.PathLike[str]) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


class _AdvisoryLock:
    """PostgreSQL's advisory lock, which lasts as long as the session that took it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection = _take(database, StoreError)

    def verify(self) -> None:
        with suppress(StoreError), self._database.explained():
            if not self._connection.closed and _holder(self._connection, mine=True) is not None:
                return
        with suppress(Exception):  # it is broken already
            self._connection.close()
        self._connection = _take(self._database, LockLost)

    def release(self) -> None:
        self._connection.close()


def _take(database: Database, taken_error: type[StoreError]) -> Connection:
    """A connection of its own that holds the lock.

    Raises:
        taken_error: somebody else holds it.
        StoreError: the database does not answer.
    """
    with database.explained():
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            query = text("SELECT pg_try_advisory_lock(:key)")
            taken = connection.execute(query, {"key": _ADVISORY_KEY}).scalar()
            holder = None if taken else _holder(connection)
        except BaseException:
            connection.close()
            raise
    if not taken:
        connection.close()
        raise taken_error(_taken(database, f" (database session {holder})" if holder else ""))
    # Given back to the pool, the session would live on, and the lock with it.
    connection.detach()
    return connection


def _holder(connection: Connection, *, mine: bool = False) -> int | None:
    query = (
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND ((classid::bigint << 32) | objid::bigint) = :key"
    )
    if mine:
        query += " AND pid = pg_backend_pid()"
    found = connection.execute(text(query), {"key": _ADVISORY_KEY}).scalar()
    return None if found is None else int(found)


def _taken(database: Database, holder: str) -> str:
    return (
        f"another watchkeeper{holder} already runs on the database {database.name}. "
        "Stop it first, or give this one a database of its own in `state`"
    )
