"""Opening the database, and saying what is wrong when that fails."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Column, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from watchkeeper.store import _reasons

BUSY_TIMEOUT_S: Final = 15
_ACCEPTED: Final = "accepted is sqlite:///FILE or postgresql://HOST/NAME"

# A server that is gone is noticed within a minute, also where nobody says so.
_PATIENCE: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "application_name": "watchkeeper",
}


class StoreError(Exception):
    """The database can not be used. The text says why and what to do."""


class Contradiction(StoreError):
    """What should be written contradicts what is there: trying again would not help, reading it anew would."""


class Database:
    """A pool of connections to one database. Safe to use from several threads. Connects when it is first used.

    Connecting makes no SQLite file: what is not there yet is made by `migrate.upgrade`.

    Args:
        url: `sqlite:///FILE` or `postgresql://HOST/NAME`.

    Raises:
        StoreError: the URL is none of these, or its folder is not there.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.file = _file(parsed) if parsed.drivername == "sqlite" else None
        self._secret = parsed.password
        if self.file is not None:
            self.name = str(self.file)
            self.engine = _sqlite(self.file)
            self._reading = self.engine
            # Our own threads take turns. Left to SQLite they would poll, and those that are unlucky wait for long.
            self._turn: AbstractContextManager[object] = threading.Lock()
        else:
            self.name = _shown(parsed)
            self.engine = _postgresql(parsed)
            self._turn = nullcontext()
            self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries: one consistent view.

        Raises:
            StoreError: the database does not answer.
        """
        with self.explained(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back when the block raises.

        Raises:
            StoreError: the database does not answer or refuses. Nothing was written, except where the connection
                was lost while committing: then nobody can tell.
        """
        with (
            self._turn,
            self.explained(),
            self.engine.connect().execution_options(write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns the database's own errors into StoreErrors."""
        try:
            yield
        except (IntegrityError, DataError) as error:
            raise Contradiction(self._explain(error.orig or error)) from error
        except DBAPIError as error:
            raise StoreError(self._explain(error.orig or error)) from error
        except SQLAlchemyError as error:
            raise StoreError(f"the database {self.name} failed: {error}") from error

    def _explain(self, error: BaseException) -> str:
        if self.file is not None:
            return _reasons.of_sqlite(self.file, error)
        return _reasons.of_postgresql(self.name, error, self._secret)

    def close(self) -> None:
        self.engine.dispose()


def _parse(url: str) -> URL:
    """Of SQLite with the driver name `sqlite`, of PostgreSQL with the driver that we have."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Neither the URL nor the reason is shown: both may hold a password.
        raise StoreError(f"the database URL is not valid: {_ACCEPTED}") from None
    if parsed.drivername in {"postgresql", "postgresql+psycopg"} and parsed.database:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite":
        if parsed.query or parsed.host or not parsed.database or parsed.database.startswith((":memory:", "file:")):
            raise StoreError(f"the database URL is not valid: a file is expected, {_ACCEPTED}")
        return parsed
    raise StoreError(f"a database URL of the kind {parsed.drivername!r} is not known: {_ACCEPTED}")


def _file(url: URL) -> Path:
    file = Path(url.database or "").absolute()
    try:
        if file.is_dir():
            raise StoreError(f"the database {file} is a directory; a file is expected")
        if not file.parent.is_dir():
            raise StoreError(f"the database {file} can not be made: there is no folder {file.parent}")
    except OSError as error:
        raise StoreError(f"the database {file} can not be reached: {error.strerror}") from None
    return file


def _shown(url: URL) -> str:
    """The URL as it is shown: without password, and of its options only where the server is."""
    place = {name: value for name, value in url.query.items() if name in {"host", "port"}}
    return url.set(drivername="postgresql", query=place).render_as_string(hide_password=True)


def _postgresql(url: URL) -> Engine:
    ours = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=5, connect_args=ours)


def _sqlite(file: Path) -> Engine:
    place = URL.create("sqlite", database=f"file:{quote(str(file))}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(place, connect_args={"timeout": BUSY_TIMEOUT_S}, pool_size=5, max_overflow=5)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        # What is committed survives a power cut: the outbox depends on it.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer that begins as a reader can not wait for its turn: SQLite refuses it at once.
        writes = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def upsert(
    connection: Connection, table: Table, columns: Iterable[str], unique: Iterable[Column[Any]] | None = None
) -> Any:
    """An insert that overwrites some columns where the primary key, or what else is unique, is there already."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # the same methods
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns if unique is None else unique),
        set_={column: statement.excluded[column] for column in columns},
    )
