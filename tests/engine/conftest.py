"""A database with the schema and nothing in it, made once and copied."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.stores import FaultyDatabase, opened
from watchkeeper.engine.figures import Figures
from watchkeeper.store import migrate
from watchkeeper.store.database import Database


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "watchkeeper.db"
    database = Database(f"sqlite:///{file}")
    migrate.upgrade(database)
    database.close()
    return file


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Iterator[FaultyDatabase]:
    with opened(template, tmp_path / "watchkeeper.db") as database:
        yield database


@pytest.fixture
def figures() -> Figures:
    return Figures("1.2.3")
