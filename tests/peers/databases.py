"""Databases for tests, of both kinds that watchkeeper keeps things in."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.peers import postgres
from watchkeeper.store import migrate
from watchkeeper.store.database import Database

# PostgreSQL's tests share one worker, and with it one server.
KINDS: Final = ("sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres")))


@contextmanager
def empty_url(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a database in which nothing is yet."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'watchkeeper.db'}"
    else:
        with postgres.cluster().new_database() as url:
            yield url


@contextmanager
def migrated(kind: str, folder: Path) -> Iterator[Database]:
    """A database with the schema and nothing in it."""
    if kind == "sqlite":
        database = Database(f"sqlite:///{folder / 'watchkeeper.db'}")
        migrate.upgrade(database)
        yield from _closing(database)
    else:
        with postgres.cluster().new_database(_template()) as url:
            yield from _closing(Database(url))


def _closing(database: Database) -> Iterator[Database]:
    try:
        yield database
    finally:
        database.close()


@cache
def _template() -> str:
    def prepare(url: str) -> None:
        database = Database(url)
        migrate.upgrade(database)
        database.close()

    return postgres.cluster().make_template(prepare)
