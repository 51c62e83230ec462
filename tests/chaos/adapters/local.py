"""The local desk: tickets in the daemon's own database, which is locked by somebody else now and then."""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import time_ns
from typing import Final

from tests.chaos.adapters import Act, Found, Note
from tests.chaos.mischief import Mischief
from watchkeeper.domain import desk
from watchkeeper.domain.desk import Move
from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._text import mark
from watchkeeper.store.database import Database
from watchkeeper.store.desk import StoredDesk

FAULTS: Final = ()
ACTS: Final = tuple(Act)
_TICKETS: Final = "SELECT id, key, state, assignee, problem, duplicate FROM desk_tickets ORDER BY id"
_MOVES: Final = {
    Act.ASSIGN: Move.TAKE,
    Act.RESOLVE: Move.RESOLVE,
    Act.CANCEL: Move.CANCEL,
    Act.CLOSE: Move.CLOSE,
    Act.REOPEN: Move.REOPEN,
    Act.COMMENT: Move.NOTE,
}


class LocalDesk:
    has_wire = False

    def __init__(self, database: Path) -> None:
        self._database = database
        self._disturbances: list[threading.Thread] = []

    def settings(self) -> str:
        return "{type: local, sync: 1s, reopen_after: 2s}"

    def tickets(self) -> list[Found]:
        if not self._database.exists() or self._database.stat().st_size == 0:
            return []
        with closing(sqlite3.connect(self._database)) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'desk_notes'").fetchone():
                return []  # the daemon was killed before it had made its tables
            notes = defaultdict(list)
            for ticket, key, text in database.execute("SELECT ticket_id, key, text FROM desk_notes ORDER BY id"):
                notes[ticket].append(Note(mark(key or ""), text))
            rows = database.execute(_TICKETS).fetchall()
        return [
            Found(str(row), key, TicketState(state), tuple(notes[row]), who, tuple(filter(None, links)))
            for row, key, state, who, *links in rows
        ]

    def act(self, act: Act, ref: str, text: str) -> bool:
        database = Database(f"sqlite:///{self._database}")
        try:
            done = StoredDesk(database).act(
                f"DESK-{ref}", desk.Act(_MOVES[act], "ann", text=text), time_ns() // 10**6
            )
        except desk.WrongMove:
            return False
        finally:
            database.close()
        return done is not None

    def disturb(self, seconds: float) -> None:
        thread = threading.Thread(target=self._lock, args=(seconds,), daemon=True)
        self._disturbances.append(thread)
        thread.start()

    def close(self) -> None:
        for thread in self._disturbances:
            thread.join()

    def _lock(self, seconds: float) -> None:
        if not self._database.exists():
            return
        with (
            suppress(sqlite3.OperationalError),  # somebody else has it
            closing(sqlite3.connect(self._database, timeout=0.2, isolation_level=None)) as database,
        ):
            database.execute("BEGIN EXCLUSIVE")
            threading.Event().wait(seconds)


@contextmanager
def open_desk(folder: Path, _mischief: Mischief) -> Iterator[LocalDesk]:
    local = LocalDesk(folder / "watchkeeper.db")
    try:
        yield local
    finally:
        local.close()
