"""Opening the database, and saying what is wrong when that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

BUSY_TIMEOUT_S = 15


class StoreError(Exception):
    """The database can not be used. The text says why and what to do."""


class Database:
    """A pool of connections to one database. Safe to use from several threads.

    Args:
        url: `sqlite:///FILE` or `postgresql://HOST/NAME`.

    Raises:
        StoreError: the URL is none of these.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreError(
                "the database URL is not valid: accepted is sqlite:///FILE or postgresql://HOST/NAME"
            ) from None
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.name = parsed.render_as_string(hide_password=True)
        self.file = Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
        if self.file is not None:
            if not self.file.parent.is_dir():
                raise StoreError(f"the database {self.file} can not be made: there is no folder {self.file.parent}")
            if self.file.is_dir():
                raise StoreError(f"the database {self.file} is a directory; a file is expected")
        self.engine = _sqlite(parsed) if self.file is not None else _postgresql(parsed)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries: one consistent view.

        Raises:
            StoreError: the database does not answer.
        """
        with _told(self.name), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back when the block raises.

        Raises:
            StoreError: the database does not answer or refuses.
        """
        with _told(self.name), self.engine.connect().execution_options(write=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def _postgresql(url: Any) -> Engine:
    return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=5, connect_args={"connect_timeout": 10})


def _sqlite(url: Any) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, pool_size=5, max_overflow=5)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
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


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreError(_explain(name, str(error.orig).strip())) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the database {name} failed: {error}") from error


def _explain(name: str, said: str) -> str:
    first = said.splitlines()[0] if said else "no reason given"
    if "not a database" in said or "malformed" in said:
        return (
            f"the database {name} is damaged ({first}). Nothing was changed. "
            "Move it away and restore a backup, or start with a new one"
        )
    if "readonly" in said or "unable to open" in said:
        return (
            f"the database {name} can not be written ({first}). Check the owner and mode of the file and its folder"
        )
    if "locked" in said:
        return f"the database {name} is locked by another process ({first})"
    if "full" in said:
        return f"there is no room left for the database {name} ({first})"
    return f"the database {name} does not answer: {first}"
