"""Bringing the database to this version's schema."""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from watchkeeper.store._reasons import MAKING
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.tables import metadata

SCHEMA: Final = "0010"
"""The newest revision in migrations/versions."""

VERSION_TABLE: Final = "watchkeeper_schema"
"""Holds the schema's revision, and marks the database as watchkeeper's."""

_MIGRATING: Final = 0x77617463686D67  # "watchmg", the advisory lock of whoever migrates
_TURNS: Final = 20


def revision(database: Database) -> str | None:
    """The schema's revision in the database; `None` of an empty database.

    Raises:
        StoreError: it is not there, does not answer, or holds somebody else's tables.
    """
    with database.read() as connection:
        return _revision(database, connection)


def require_current(database: Database) -> None:
    """For those who only look: the database is there and has this version's schema.

    Raises:
        StoreError: it is not so. The text says what to do.
    """
    found = revision(database)
    if found is None:
        raise StoreError(f"there is nothing in the database {database.name} yet: {MAKING}")
    _refuse_newer(database, found)
    if found < SCHEMA:
        raise StoreError(
            f"the database {database.name} was written by an older watchkeeper: its schema is {found}, this version "
            f"needs {SCHEMA}. Bring it to this version with `watchkeeper db upgrade`"
        )


def upgrade(database: Database) -> str | None:
    """Migrates to the newest schema, all or nothing; makes what is not there yet. Returns the revision before.

    Several processes may do so at once: one migrates, the others find nothing left to do.

    Raises:
        StoreError: the database is newer than this version, or it can not be used. It is as it was.
    """
    if database.file is not None:
        _make(database.file)
    before = revision(database)
    if before is not None:
        _refuse_newer(database, before)
    if database.file is not None:
        _keep_a_log(database)
    if before == SCHEMA:
        return before
    with database.write() as connection:
        if database.file is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        # Somebody else may have been here while we waited for our turn.
        before = _revision(database, connection)
        if before is not None:
            _refuse_newer(database, before)
        if before is None:
            _create(connection)
        elif before != SCHEMA:
            run_migrations(database, connection)
    return before


def _revision(database: Database, connection: Connection) -> str | None:
    found = set(inspect(connection).get_table_names())
    if not found:
        return None
    if VERSION_TABLE not in found:
        raise StoreError(
            f"the database {database.name} holds tables that are not watchkeeper's. Nothing was changed. "
            "Give watchkeeper a database of its own in `state`"
        )
    held = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    if held is None:
        raise StoreError(
            f"the database {database.name} does not say which schema it has: its table {VERSION_TABLE} is empty. "
            "Nothing was changed. Restore a backup"
        )
    return str(held)


def _refuse_newer(database: Database, found: str) -> None:
    if found > SCHEMA:
        raise StoreError(
            f"the database {database.name} was written by a newer watchkeeper: its schema is {found}, this version "
            f"knows {SCHEMA}. Nothing was changed. Install the newer version, or restore an older backup"
        )


def _make(file: Path) -> None:
    try:
        file.touch(mode=0o640)
    except OSError as error:
        # What is there and can not be touched may still be read: the database says more.
        if not file.exists():
            raise StoreError(f"the database {file} can not be made: {error.strerror}") from None


def _keep_a_log(database: Database) -> None:
    """SQLite's write-ahead log: readers and the writer do not wait for each other. The file remembers it."""
    with database.explained(), database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        for turn in range(_TURNS):
            try:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError as error:
                busy = isinstance(error.orig, sqlite3.Error) and error.orig.sqlite_errorcode == sqlite3.SQLITE_BUSY
                if not busy or turn == _TURNS - 1:
                    raise
                # SQLite does not wait its turn for this by itself; for the right to write it does.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                connection.exec_driver_sql("COMMIT")
            else:
                return


def _create(connection: Connection) -> None:
    """Makes the newest schema at once. A test holds it to what the migrations make, one after the other: Alembic
    takes a third of a second and 10 MB, for the life of the process."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('{SCHEMA}')"))  # noqa: S608


def run_migrations(database: Database, connection: Connection) -> None:
    """Runs the migrations that the database has not had yet, in the connection's transaction.

    Raises:
        StoreError: one failed.
    """
    # Late: Alembic is only needed when there is something to migrate.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"the database {database.name} can not be migrated: {error}. Nothing was changed") from error
