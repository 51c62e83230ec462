"""A recorder at work, and what can be seen of it."""

from pathlib import Path
from queue import Queue

from sqlalchemy import func, select

from tests.engine import made
from tests.engine.stores import FaultyDatabase
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.recorder import Recorder
from watchkeeper.store import tables
from watchkeeper.store.journal import Journal
from watchkeeper.store.record import Run, begin_run
from watchkeeper.store.replay import replay

FIRST, SECOND = made.incident(1), made.incident(2, backend="other")


class Bench:
    """A recorder and what it says to deliveries."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.figures = Figures("1.2.3")
        self.run_id = begin_run(database, made.NOW_MS, "1.2.3", ())
        self.committed: Queue[set[str]] = Queue()
        self.path = Path(f"{database.name}.journal")
        self.journal = Journal(self.path, Run(self.run_id, made.NOW_MS))
        self.recorder = Recorder(database, self.run_id, self.figures, self.committed.put, self.journal)

    def batches(self) -> float | None:
        """How many transactions were needed."""
        return self.figures.registry.get_sample_value("watchkeeper_store_write_seconds_count")

    def replay(self) -> None:
        """What the next start does."""
        replay(self.path, self.database)

    def outbox(self) -> list[int]:
        with self.database.read() as connection:
            query = select(tables.outbox.c.incident_id).order_by(tables.outbox.c.id)
            return list(connection.execute(query).scalars())

    def intervals(self) -> int:
        with self.database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(tables.probe_intervals)).scalar_one())

    def events(self) -> list[str]:
        with self.database.read() as connection:
            query = select(tables.incident_events.c.text).order_by(tables.incident_events.c.id)
            return list(connection.execute(query).scalars())

    def errors(self) -> float | None:
        return self.figures.registry.get_sample_value("watchkeeper_store_errors_total")
