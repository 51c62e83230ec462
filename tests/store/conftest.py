"""Every test of the store runs on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import databases
from watchkeeper.store.database import Database


@pytest.fixture(params=databases.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgresql`."""
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database in which nothing is yet."""
    with databases.empty_url(kind, tmp_path) as url:
        yield url


@pytest.fixture
def database(kind: str, tmp_path: Path) -> Iterator[Database]:
    """A migrated database with nothing in it."""
    with databases.migrated(kind, tmp_path) as made:
        yield made
