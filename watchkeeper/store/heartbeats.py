"""What jobs have told, in the database, by a digest of their secret."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import insert, select, update

from watchkeeper.domain.heartbeat import Beat, Told, hear
from watchkeeper.store import tables
from watchkeeper.store.database import Database

_rows: Final = tables.heartbeats


@dataclass(frozen=True, slots=True)
class StoredHeartbeats:
    """The heartbeats of one database. Every method raises StoreError when it does not answer; whether a change was
    made is then not known. Told again it changes nothing but the time."""

    database: Database

    def read(self, key: str, now_ms: int) -> Told:
        """What a job has told. One that is asked about for the first time is waited for from now on."""
        with self.database.read() as connection:
            found = connection.execute(select(_rows).where(_rows.c.key == key)).first()
        if found is not None:
            return _told(found)
        with self.database.write() as connection:
            found = connection.execute(select(_rows).where(_rows.c.key == key)).first()
            if found is None:
                connection.execute(insert(_rows).values(key=key, **asdict(Told(now_ms))))
                return Told(now_ms)
            return _told(found)

    def note(self, key: str, beat: Beat, now_ms: int, exit_code: int | None, output: str) -> Told:
        """Keeps what a job tells now. When this returns, it is durable."""
        mine = _rows.c.key == key
        with self.database.write() as connection:
            found = connection.execute(select(_rows).where(mine).with_for_update()).first()
            told = hear(Told(now_ms) if found is None else _told(found), beat, now_ms, exit_code, output)
            if found is None:
                connection.execute(insert(_rows).values(key=key, **asdict(told)))
            else:
                connection.execute(update(_rows).where(mine).values(**asdict(told)))
            return told


def _told(row: Any) -> Told:
    return Told(
        row.since_ms, row.started_ms, row.succeeded_ms, row.failed_ms, row.exit_code, row.output, row.duration_ms
    )
