"""Thirty days of a thousand probes that fail at random, under a clock moved by hand.

Nothing is missed, nothing grows, and everything adds up.
"""

import gc
import logging
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
import structlog
from sqlalchemy import func, select

from tests.engine import made
from tests.engine.backends import desk
from tests.engine.hand_loop import START_MS, hand_loop, on_hand_loop
from tests.engine.soak import (
    COUNT,
    DAY_MS,
    DAYS,
    END_MS,
    EVERY_MS,
    MINUTE_MS,
    PROBES,
    RULES,
    Chance,
    Segment,
    incidents,
    segments,
)
from tests.engine.stores import opened, until
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.probe import Status
from watchkeeper.domain.watch import Watch
from watchkeeper.domain.window import DURATION
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.evaluation import Evaluation
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.recorder import Recorder
from watchkeeper.engine.runner import Runner
from watchkeeper.engine.schedule import Schedule
from watchkeeper.engine.slots import Slot, slot_of
from watchkeeper.itsm.base import Surroundings
from watchkeeper.store import outbox, tables
from watchkeeper.store.database import Database
from watchkeeper.store.desk import StoredDesk
from watchkeeper.store.journal import Journal
from watchkeeper.store.record import Run, begin_run

GROWTH_MAX: Final = 4 * 2**20  # bytes, from the fifth day to the last
MEMORY: Final = Path("/dev/shm")  # thousands of commits, each of which would wait for the disk


class World:
    """The engine, with a prober of our own, a real database and a desk."""

    def __init__(self, database: Database) -> None:
        self.loop = hand_loop()
        self.database = database
        clock = self.loop.clock
        figures = Figures("1.2.3")
        plan = made.plan(PROBES, *RULES)
        run = Run(begin_run(database, clock(), "1.2.3", ()), clock())
        self.prober = Chance(self.loop)
        self.watch = Watch(plan)
        self.watch.revise(plan, clock())
        self.recorder = Recorder(
            database, run.id, figures, lambda backends: None, Journal(Path(f"{database.name}.journal"), run)
        )
        self.evaluation = Evaluation(self.watch, clock, self.recorder.put, figures)
        self.runner = Runner(clock, lambda name: self.prober, self.evaluation.observe, self.recorder.is_full)
        self.lags: Counter[float] = Counter()
        self.schedule = Schedule(clock, self.runner.start, self.runner.miss, lambda lag_s: self.lags.update([lag_s]))
        local = itsm.find("local")
        backend = local.make("desk", local.options(), Surroundings(clock, StoredDesk(database), Budget(None, clock)))
        self.delivery = Delivery(desk("desk", backend, clock), database, clock, lambda: 0.5, figures)

    async def run(self) -> list[int]:
        """All days. How much memory the process had after each."""
        self.recorder.begin()
        self.schedule.revise(self.watch.plan.probes)
        slots = sorted({slot_of(probe.id, EVERY_MS) for probe in PROBES}, key=lambda slot: slot.next_due(START_MS))
        memory = []
        for day in range(DAYS):
            for begin_ms in range(START_MS + day * DAY_MS, START_MS + (day + 1) * DAY_MS, EVERY_MS):
                await self._fire(slots, begin_ms)
            await self.loop.until((day + 1) * DAY_MS / 1000)
            self.evaluation.advance()
            until(lambda: self.recorder.waiting == 0 and self.recorder.journaled == 0)
            while self.delivery.step():
                pass
            gc.collect()
            memory.append(psutil.Process(os.getpid()).memory_info().rss)
        return memory

    async def _fire(self, slots: list[Slot], begin_ms: int) -> None:
        """One interval."""
        for slot in slots:
            due_ms = slot.next_due(begin_ms)
            if due_ms < END_MS - MINUTE_MS:
                await self.loop.until((due_ms - START_MS) / 1000)
                self.schedule.fire(slot)

    def rows(self, table: Any, *order: Any) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(table).order_by(*order)))


@contextmanager
def quiet_log() -> Iterator[None]:
    """Tens of thousands of events are told; here nobody reads them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.reset_defaults()


@pytest.mark.xdist_group("soak")
@on_hand_loop
async def test_after_thirty_days_nothing_is_missed_nothing_grows_and_everything_adds_up(template: Path) -> None:
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder,
        opened(template, Path(folder) / "watchkeeper.db") as database,
        quiet_log(),
    ):
        world = World(database)
        memory = await world.run()
        assert world.recorder.end(5) == 0

        check_that_nothing_was_missed(world)
        check_that_nothing_grew(world, memory)
        check_the_intervals(world)
        check_the_incidents(world)


def check_that_nothing_was_missed(world: World) -> None:
    due = {}
    for probe in PROBES:
        slot = slot_of(probe.id, EVERY_MS)
        first = slot.next_due(START_MS)
        early = slot.first_delay(probe.id, START_MS) is not None
        due[probe.id] = early + len(range(first, END_MS - MINUTE_MS, EVERY_MS))
    assert world.prober.runs == due
    assert sum(world.runner.samples.values()) == sum(due.values())
    assert not world.runner.missed
    assert set(world.lags) == {0.0}
    assert (world.runner.in_flight, world.runner.waiting) == (0, 0)


def check_that_nothing_grew(world: World, memory: list[int]) -> None:
    assert memory[-1] - memory[4] < GROWTH_MAX, [f"{used / 2**20:.1f}" for used in memory]
    for subject in world.watch.subjects.values():
        if subject.probe.id.endswith("1"):
            points = subject.window.points(DURATION, END_MS, END_MS)
            assert len(points.times) <= DAY_MS // EVERY_MS + 1
    assert len(world.watch.incidents) < 200
    assert not Path(f"{world.database.name}.journal").exists()


def check_the_intervals(world: World) -> None:
    """They follow each other without a gap, they are what the prober told, and their lengths add up."""
    intervals = tables.probe_intervals.c
    found: dict[str, list[Any]] = defaultdict(list)
    for row in world.rows(tables.probe_intervals, intervals.probe_id, intervals.from_ms):
        found[row.probe_id].append(row)
    assert found.keys() == {probe.id for probe in PROBES}
    for probe_id, rows in found.items():
        assert all(one.to_ms == other.from_ms for one, other in pairwise(rows))
        stored = [Segment(Status(row.status), row.from_ms, row.to_ms or END_MS) for row in rows]
        assert stored == segments(world.prober, probe_id)
        assert sum(one.to_ms - one.from_ms for one in stored) == END_MS - stored[0].from_ms
    assert sum(len(rows) for rows in found.values()) > 5 * COUNT, "too little has happened"


def check_the_incidents(world: World) -> None:
    rows = world.rows(tables.incidents, tables.incidents.c.id)
    stored = [(row.key, row.started_ms, row.opened_ms, row.resolved_ms) for row in rows]
    expected = incidents(world.prober)
    assert len(stored) == len(set(stored))
    assert set(stored) == expected
    assert len(expected) > 400, "too little has happened"
    assert [row.opened_ms for row in rows] == sorted(row.opened_ms for row in rows)

    assert outbox.depths(world.database) == []
    tickets = world.rows(tables.desk_tickets, tables.desk_tickets.c.id)
    assert Counter(ticket.correlation for ticket in tickets) == Counter(row.key for row in rows)
    assert Counter(ticket.state for ticket in tickets) == Counter(row.state for row in rows)
    with world.database.read() as connection:
        known = tables.tickets
        assert connection.execute(select(func.count(known.c.ref.distinct())).select_from(known)).scalar() == len(rows)
