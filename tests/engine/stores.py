"""Databases for the engine's tests: SQLite on disk, and one that can be told to fail."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from threading import Event
from time import monotonic

from sqlalchemy import Connection

from tests.engine.backends import Crash
from watchkeeper.store.database import Database, StoreError


class StoreFault(Enum):
    """What becomes of a transaction."""

    NONE = auto()
    REFUSED = auto()
    ANSWER_LOST = auto()  # it was committed, and nobody hears of it
    BUG = auto()
    KILLED = auto()  # the process dies before it is committed
    KILLED_AFTER = auto()


class FaultyDatabase(Database):
    """Fails the transactions to come as told; those after them are well."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.faults: deque[StoreFault] = deque()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        fault = self.faults.popleft() if self.faults else StoreFault.NONE
        if fault is StoreFault.REFUSED:
            raise StoreError("the database is told to refuse")
        if fault is StoreFault.KILLED:
            raise Crash
        if fault is StoreFault.BUG:
            raise ValueError("the database is told to have a bug")
        with super().write() as connection:
            yield connection
        if fault is StoreFault.ANSWER_LOST:
            raise StoreError("the database is told to lose its answer")
        if fault is StoreFault.KILLED_AFTER:
            raise Crash


@contextmanager
def opened(template: Path, file: Path) -> Iterator[FaultyDatabase]:
    """A copy of a database that was prepared."""
    shutil.copyfile(template, file)
    database = FaultyDatabase(f"sqlite:///{file}")
    try:
        yield database
    finally:
        database.close()


def until(condition: Callable[[], bool]) -> None:
    """Waits until another thread has made something true."""
    latest, never = monotonic() + 10, Event()
    while not condition():
        assert monotonic() < latest, "it does not come true"
        never.wait(0.001)
