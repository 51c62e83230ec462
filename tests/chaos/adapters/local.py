"""The local desk: tickets in the daemon's own database, which is locked by somebody else now and then."""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.chaos.adapters import Act, Found, Note
from tests.chaos.mischief import Mischief
from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._text import mark

FAULTS: Final = ()
ACTS: Final = ()


class LocalDesk:
    has_wire = False

    def __init__(self, database: Path) -> None:
        self._database = database
        self._disturbances: list[threading.Thread] = []

    def settings(self) -> str:
        return "{type: local, sync: 1s, reopen_after: 2s}"

    def tickets(self) -> list[Found]:
        with closing(sqlite3.connect(self._database)) as database:
            notes = defaultdict(list)
            for ticket, key, text in database.execute("SELECT ticket_id, key, text FROM desk_notes ORDER BY id"):
                notes[ticket].append(Note(mark(key or ""), text))
            rows = database.execute("SELECT id, key, state FROM desk_tickets ORDER BY id").fetchall()
        return [Found(str(row), key, TicketState(state), tuple(notes[row])) for row, key, state in rows]

    def act(self, act: Act, ref: str, text: str) -> bool:
        raise NotImplementedError("people do nothing to the local desk's tickets")

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
    desk = LocalDesk(folder / "watchkeeper.db")
    try:
        yield desk
    finally:
        desk.close()
