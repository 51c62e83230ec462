"""Wherever the daemon is killed: of each run the database has the first decisions, in order, each once, and all that
were safe."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import Crash
from tests.engine.stores import FaultyDatabase, StoreFault, opened
from watchkeeper.engine.backlog import Backlog
from watchkeeper.store import tables
from watchkeeper.store.database import StoreError
from watchkeeper.store.journal import Journal
from watchkeeper.store.record import Decision, Run, begin_run, record_decisions, remember
from watchkeeper.store.replay import replay

MEMORY = Path("/dev/shm")  # hundreds of commits, each of which would wait for the disk


@dataclass(frozen=True, slots=True)
class Put:
    count: int


@dataclass(frozen=True, slots=True)
class Write:
    most: int
    fault: StoreFault


@dataclass(frozen=True, slots=True)
class Spill:
    """`cut`: the process dies while it writes, when so much of the new text is in the file; `None`: it does not."""

    cut: float | None


@dataclass(frozen=True, slots=True)
class Restart:
    """`clean`: what waits is put into the journal before. `faults`: of each start that follows, which of its
    transactions fails, and how."""

    clean: bool
    most: int
    faults: tuple[tuple[int, StoreFault], ...]


LIVE = (StoreFault.NONE, StoreFault.NONE, StoreFault.REFUSED, StoreFault.ANSWER_LOST, *list(StoreFault)[-2:])
STARTING = (StoreFault.REFUSED, StoreFault.ANSWER_LOST, *list(StoreFault)[-2:])
SIZES = st.integers(1, 9)
FAULTS = st.tuples(st.integers(0, 3), st.sampled_from(STARTING))
RESTARTS = st.builds(Restart, st.booleans(), SIZES, st.lists(FAULTS, max_size=6).map(tuple))
STEPS = st.one_of(
    st.builds(Put, st.integers(1, 5)),
    st.builds(Write, SIZES, st.sampled_from(LIVE)),
    st.builds(Spill, st.none() | st.none() | st.floats(0, 1)),
    RESTARTS,
)


class World:
    """A daemon that decides, writes, spills and dies."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.path = Path(f"{database.name}.journal")
        self.runs: list[list[str]] = []  # what each run has decided
        self.safe: list[int] = []  # how much of it must be there
        self._begin()

    def do(self, step: Put | Write | Spill | Restart) -> None:
        match step:
            case Put(count):
                for _ in range(count):
                    self._decide()
            case Write(most, fault):
                self._write(most, fault)
            case Spill(cut):
                self._spill(cut)
            case Restart(clean, most, faults):
                if clean:
                    self.backlog.spill()
                    self.safe[-1] = len(self.runs[-1])
                self._restart(most, faults)

    def written(self) -> list[list[str]]:
        """What is in the timelines, by run, in its order."""
        events = tables.incident_events
        with self.database.read() as connection:
            texts = list(connection.execute(select(events.c.text).order_by(events.c.id)).scalars())
        return [[text for text in texts if text.startswith(f"{number}:")] for number in range(len(self.runs))]

    def commands(self) -> list[int]:
        with self.database.read() as connection:
            rows = tables.outbox
            return list(connection.execute(select(rows.c.incident_id).order_by(rows.c.id)).scalars())

    def _begin(self) -> None:
        self._next_id = remember(self.database).next_incident_id
        run = Run(begin_run(self.database, made.NOW_MS, "1.2.3", ()), made.NOW_MS)
        self.run_id = run.id
        self.backlog = Backlog(Journal(self.path, run), RLock())
        self.pending: list[Decision] = []
        self.runs.append([])
        self.safe.append(0)

    def _decide(self) -> None:
        incident = made.incident(self._next_id)
        self._next_id += 1
        text = f"{len(self.runs) - 1}:{len(self.runs[-1]) + 1}"
        self.runs[-1].append(text)
        self.backlog.put([replace(made.opened(incident), text=text), made.create(incident)])

    def _write(self, most: int, fault: StoreFault) -> None:
        self.pending = self.pending or self.backlog.take(most)
        if not self.pending:
            return
        self.database.faults.append(fault)
        try:
            record_decisions(self.database, self.run_id, self.pending)
        except StoreError:
            return
        except Crash:
            event("killed while writing")
            self._restart(9, ())
            return
        self.backlog.note_written(self.pending[-1].number)
        self.safe[-1] = max(self.safe[-1], self.pending[-1].number)
        self.pending = []

    def _spill(self, cut: float | None) -> None:
        before = self.path.stat().st_size if self.path.exists() else 0
        self.backlog.spill()
        assert self.backlog.in_memory == 0
        if cut is None:
            self.safe[-1] = len(self.runs[-1])
            return
        event("killed while spilling")
        if self.path.exists():
            os.truncate(self.path, before + round((self.path.stat().st_size - before) * cut))
        self._restart(9, ())

    def _restart(self, most: int, faults: tuple[tuple[int, StoreFault], ...]) -> None:
        """Each start may die or fail, and is followed by another one."""
        for place, fault in faults:
            self.database.faults.clear()
            self.database.faults += [*[StoreFault.NONE] * place, fault]
            try:
                replay(self.path, self.database, most=most)
            except (StoreError, Crash):
                event("a start failed")
        self.database.faults.clear()
        replay(self.path, self.database, most=most)
        assert not self.path.exists()
        self._begin()


@contextmanager
def world(template: Path) -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder,
        opened(template, Path(folder) / "watchkeeper.db") as database,
    ):
        yield World(database)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=3, max_size=25), RESTARTS)
def test_of_each_run_the_first_decisions_are_there_once_in_order_and_all_that_were_safe(
    template: Path, steps: list[Put | Write | Spill | Restart], end: Restart
) -> None:
    with world(template) as daemon, capture_logs() as logs:
        for step in [*steps, end]:
            daemon.do(step)

        for decided, safe, written in zip(daemon.runs, daemon.safe, daemon.written(), strict=True):
            assert written == decided[: len(written)]
            assert len(written) >= safe
        assert daemon.commands() == list(range(1, sum(map(len, daemon.written())) + 1))
        assert {entry["event"] for entry in logs} <= {"journal_replayed", "journal_torn"}
