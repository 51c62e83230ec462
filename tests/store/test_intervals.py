"""A probe's intervals are a partition of the time in which it is watched."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.store import made
from watchkeeper.domain.effect import ProbeGone
from watchkeeper.domain.probe import Status
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.record import begin_run, note_alive, record

Interval = tuple[int, int | None, str]


def intervals(database: Database, probe: str = "web") -> list[Interval]:
    rows = tables.probe_intervals
    query = select(rows.c.from_ms, rows.c.to_ms, rows.c.status).where(rows.c.probe_id == probe)
    with database.read() as connection:
        return [(row.from_ms, row.to_ms, row.status) for row in connection.execute(query.order_by(rows.c.from_ms))]


def test_each_change_ends_the_interval_before(database: Database) -> None:
    record(database, [made.status("web", Status.UP, 100), made.status("web", Status.DOWN, 200)])
    record(database, [made.status("web", Status.UP, 300)])

    assert intervals(database) == [(100, 200, "up"), (200, 300, "down"), (300, None, "up")]


def test_time_in_which_nobody_watched_is_unknown(database: Database) -> None:
    run = begin_run(database, 50, "1.0", [])
    record(database, [made.status("web", Status.UP, 100), made.status("old", Status.UP, 100)])
    note_alive(database, run, 500)

    begin_run(database, 900, "1.0", [("web", "shop"), ("new", "shop")])
    record(database, [made.status("web", Status.UP, 910)])

    assert intervals(database) == [(100, 500, "up"), (500, 910, "unknown"), (910, None, "up")]
    assert intervals(database, "old") == [(100, 500, "up")]
    assert intervals(database, "new") == []


def test_a_change_after_the_last_sign_of_life_was_seen_and_counts(database: Database) -> None:
    run = begin_run(database, 50, "1.0", [])
    record(database, [made.status("web", Status.UP, 100)])
    note_alive(database, run, 300)
    record(database, [made.status("web", Status.DOWN, 400), made.status("web", Status.UP, 450)])

    begin_run(database, 900, "1.0", [("web", "shop")])

    assert intervals(database) == [(100, 400, "up"), (400, 450, "down"), (450, 451, "up"), (451, None, "unknown")]


def test_a_clock_that_is_set_back_makes_no_overlap(database: Database) -> None:
    record(database, [made.status("web", Status.UP, 1_000)])
    record(database, [made.status("web", Status.DOWN, 2_000)])
    record(database, [made.status("web", Status.UP, 1_500)])
    record(database, [made.status("web", Status.DOWN, 2_500)])

    assert intervals(database) == [(1_000, 2_000, "up"), (2_000, 2_500, "up"), (2_500, None, "down")]


class Change(NamedTuple):
    """A new status of a probe, or the end of its watch."""

    probe: str
    status: Status | None
    after_ms: int


class Restart(NamedTuple):
    """A sign of life, then a crash, then a start with these probes."""

    alive_after_ms: int
    down_ms: int
    probes: frozenset[str]


PROBES = ("web", "api")
# Time stands still at times, and is set back at times.
PASSING = st.integers(-30, 60)
CHANGES = st.builds(Change, st.sampled_from(PROBES), st.sampled_from([*Status, None]), PASSING)
RESTARTS = st.builds(Restart, PASSING, PASSING, st.frozensets(st.sampled_from(PROBES)))
BATCHES = st.lists(CHANGES, min_size=1, max_size=6)


class Model:
    """The intervals of probes, one change at a time."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[int, tuple[int | None, str]]] = {probe: {} for probe in PROBES}

    def end(self, probe: str, at_ms: int) -> int:
        """Ends what is open, not before it began. Returns from when on something else may be."""
        kept = self.kept[probe]
        if not kept:
            return at_ms
        begin, (end, status) = max(kept.items())
        at_ms = max(at_ms, begin if end is None else end)
        if end is None:
            kept[begin] = (at_ms, status)
        return at_ms

    def change(self, probe: str, at_ms: int, status: str | None) -> None:
        at_ms = self.end(probe, at_ms)
        if status is not None:
            self.kept[probe][at_ms] = (None, status)

    def restart(self, seen_ms: int, probes: frozenset[str]) -> None:
        for probe in PROBES:
            still = [begin for begin, (end, _) in self.kept[probe].items() if end is None]
            if still:
                self.change(probe, max(seen_ms, still[0] + 1), "unknown" if probe in probes else None)

    def intervals(self, probe: str) -> list[Interval]:
        return [(begin, end, status) for begin, (end, status) in sorted(self.kept[probe].items())]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(BATCHES, RESTARTS), max_size=10))
def test_whatever_happens_time_is_partitioned(database: Database, steps: Sequence[list[Change] | Restart]) -> None:
    with database.write() as connection:
        connection.execute(tables.probe_intervals.delete())
    model, now_ms = Model(), 1_000
    run = begin_run(database, now_ms, "1.0", [])
    for step in steps:
        if isinstance(step, Restart):
            alive_ms = now_ms + step.alive_after_ms
            note_alive(database, run, alive_ms)
            now_ms = alive_ms + step.down_ms
            run = begin_run(database, now_ms, "1.0", [(probe, "shop") for probe in step.probes])
            model.restart(min(alive_ms, now_ms), step.probes)
            continue
        batch = []
        for change in step:
            now_ms += change.after_ms
            gone = ProbeGone(change.probe, now_ms)
            batch.append(gone if change.status is None else made.status(change.probe, change.status, now_ms))
            model.change(change.probe, now_ms, None if change.status is None else change.status.value)
        record(database, batch)
    for probe in PROBES:
        written = intervals(database, probe)
        assert written == model.intervals(probe)
        for (begin, end, _), (following, _, _) in pairwise(written):
            assert end is not None
            assert begin <= end <= following
