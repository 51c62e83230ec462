"""Samples are rolled up: written within minutes, by whatever way the daemon ends, and however the database fails."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.stores import FaultyDatabase, StoreFault
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rollup import RollupEntry
from watchkeeper.engine import rollups
from watchkeeper.engine.rollups import AT_ONCE, EVERY_MS, Rollups
from watchkeeper.store import tables
from watchkeeper.store.series import read_series

HOUR_MS = 3_600_000
BEGIN_MS = made.NOW_MS // (6 * HOUR_MS) * (6 * HOUR_MS)
SECOND_MS = 1000


class Bench:
    """Rollups, and a clock that is moved by hand."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.now_ms = BEGIN_MS
        self.rollups = Rollups(lambda: self.now_ms, database)

    def add(self, *values: float, probe: str = "web", every_ms: int = 30 * SECOND_MS) -> None:
        """Adds samples with a value `size`, while time goes by."""
        for value in values:
            self.rollups.add(Sample(probe, self.now_ms, Status.UP, 0.25, {"size": value}))
            self.now_ms += every_ms

    def run(self) -> None:
        """Everything that is to be done now."""
        while self.rollups.step():
            pass

    def sizes(self, probe: str = "web") -> list[tuple[int, float, float, float]]:
        return [
            (entry.samples, entry.min, entry.max, entry.mean)
            for entry in read_series(self.database, probe, "size", BEGIN_MS, BEGIN_MS + 1000 * HOUR_MS)
        ]

    def samples(self, series: str = "duration", probe: str = "web") -> int:
        found = read_series(self.database, probe, series, BEGIN_MS - HOUR_MS, BEGIN_MS + 1000 * HOUR_MS)
        return sum(entry.samples for entry in found)

    def rows(self) -> int:
        with self.database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(tables.rollups)).scalar_one())


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    yield bench
    bench.database.faults.clear()
    bench.rollups.end(5)


def test_numbers_are_written_every_five_minutes(on: Bench) -> None:
    on.add(1, 2, 3)
    on.run()
    assert on.rows() == 0

    on.now_ms = BEGIN_MS + EVERY_MS
    on.run()

    assert on.sizes() == [(2, 1.0, 2.0, 1.5), (1, 3.0, 3.0, 3.0)]
    assert on.samples("duration") == 3


def test_what_could_not_be_told_is_left_out(on: Bench) -> None:
    on.rollups.add(Sample("web", BEGIN_MS, Status.UNKNOWN, 1.0, {"size": 1.0}))
    on.rollups.add(Sample("web", BEGIN_MS, Status.DOWN, 3.0))
    on.rollups.end(5)

    found = read_series(on.database, "web", "duration", BEGIN_MS, BEGIN_MS + HOUR_MS)
    assert found == [RollupEntry(BEGIN_MS, 60_000, 1, 3.0, 3.0, 3.0)]


def test_numbers_that_are_not_finite_are_left_out(on: Bench) -> None:
    on.add(1, float("nan"), float("inf"), 4)
    on.rollups.end(5)

    assert on.sizes() == [(1, 1.0, 1.0, 1.0), (1, 4.0, 4.0, 4.0)]
    assert on.samples("duration") == 4


def test_values_that_come_and_go_are_all_there(on: Bench) -> None:
    for number in range(6):
        values = {"size": 1.0} if number % 2 else {}
        on.rollups.add(Sample("web", BEGIN_MS + number * SECOND_MS, Status.UP, 0.5, values))
    on.rollups.end(5)

    assert on.samples("size") == 3
    assert on.samples("duration") == 6
    assert on.rows() == 2


def test_an_end_writes_what_is_there(on: Bench) -> None:
    on.rollups.begin()
    on.add(1, 2)

    assert on.rollups.end(5) == 0
    assert on.sizes() == [(2, 1.0, 2.0, 1.5)]


def test_the_next_daemon_goes_on_in_the_same_hour_and_minute(on: Bench) -> None:
    on.add(1)
    on.rollups.end(5)
    on.rollups = Rollups(lambda: on.now_ms, on.database)
    on.add(3)
    on.now_ms += 2 * HOUR_MS
    on.run()

    assert on.sizes() == [(2, 1.0, 3.0, 2.0)]


def test_a_crash_loses_no_more_than_what_was_not_written(on: Bench) -> None:
    on.add(*range(10))
    on.run()
    on.add(99)
    on.rollups = Rollups(lambda: on.now_ms, on.database)
    on.now_ms += 2 * HOUR_MS
    on.run()

    assert on.samples() == 10


def test_hours_are_merged_while_time_goes_by(on: Bench) -> None:
    for _ in range(8 * 12):
        on.add(*[5.0] * 10)
        on.run()
    on.now_ms += EVERY_MS
    on.run()
    on.now_ms += HOUR_MS
    on.run()

    assert on.samples() == 960
    assert on.rows() == 8 + 1 + 2  # hours of minutes, a quarter day of hours, two hours more


def test_a_database_that_fails_for_a_while_gets_everything_later(on: Bench) -> None:
    on.add(1, 2)
    on.now_ms += EVERY_MS
    on.database.faults += [StoreFault.REFUSED] * 3
    with capture_logs() as logs:
        for _ in range(4):
            on.run()
            on.add(3, every_ms=10 * SECOND_MS)
        on.now_ms += EVERY_MS
        on.run()

    assert on.rollups.errors == 3
    assert [entry["event"] for entry in logs] == ["rollups_failing", "rollups_recovered"]
    assert on.samples() == 6
    assert on.rollups.dropped == on.rollups.waiting == 0


def test_a_database_that_fails_is_left_alone_for_a_while(on: Bench) -> None:
    on.add(1)
    on.now_ms += EVERY_MS
    on.database.faults += [StoreFault.REFUSED] * 2
    for _ in range(10):
        on.run()

    assert on.rollups.errors == 1


@pytest.mark.parametrize("transaction", range(2))
def test_what_was_written_without_an_answer_counts_once(on: Bench, transaction: int) -> None:
    on.add(1, 2)
    on.now_ms += EVERY_MS
    on.database.faults += [*[StoreFault.NONE] * transaction, StoreFault.ANSWER_LOST]
    on.run()
    on.now_ms += 10 * SECOND_MS
    on.run()

    assert on.rollups.errors == 1
    assert on.samples() == 2


def test_what_was_merged_without_an_answer_counts_once(on: Bench) -> None:
    on.add(1, 2)
    on.now_ms += EVERY_MS
    on.run()
    on.now_ms += 2 * HOUR_MS
    on.database.faults.append(StoreFault.ANSWER_LOST)
    on.run()
    on.now_ms += 10 * SECOND_MS
    on.run()

    assert on.rollups.errors == 1
    assert on.samples() == 2


def test_beyond_a_bound_the_oldest_is_dropped_counted_and_told_once(
    on: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "MOST_PIECES", 3)
    on.database.faults += [StoreFault.REFUSED] * 1000
    with capture_logs() as logs:
        for _ in range(6):
            on.add(1, 2)
            on.now_ms += EVERY_MS
            on.run()
        assert (on.rollups.waiting, on.rollups.dropped) == (3, 6)
        on.database.faults.clear()
        on.now_ms += EVERY_MS
        on.run()
        on.run()

    assert on.samples() == 6
    assert [entry["event"] for entry in logs] == [
        "rollups_failing",
        "rollups_dropping",
        "rollups_recovered",
        "rollups_dropped",
    ]


def test_samples_that_nobody_takes_over_are_dropped_beyond_a_bound(
    on: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "MOST_NUMBERS", 9)
    on.add(1, 2, 3, 4, 5)
    on.rollups.end(5)

    assert (on.samples(), on.rollups.dropped) == (3, 2)


def test_many_numbers_do_not_wait_for_their_time(on: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "TAKEN_EARLY", 9)
    on.add(1, 2, every_ms=1)
    on.run()
    assert on.rows() == 0
    on.add(3, every_ms=1)
    on.run()

    assert on.samples() == 3


def test_a_step_does_a_part_of_the_probes(on: Bench) -> None:
    for number in range(2 * AT_ONCE + 1):
        on.rollups.add(Sample(f"probe-{number}", BEGIN_MS, Status.UP, 0.1))
    on.now_ms += EVERY_MS

    written = []
    while on.rollups.step():
        written.append(on.rows())
    assert written == [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1]


def test_a_clock_that_is_set_back_stops_nothing(on: Bench) -> None:
    on.add(1, 2)
    on.now_ms = BEGIN_MS - 30 * SECOND_MS
    on.add(3, 4)
    on.run()
    on.rollups.end(5)

    assert on.samples() == 4


def test_no_sample_is_lost_or_doubled_between_two_threads(on: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "TAKEN_EARLY", 1)
    done = threading.Event()

    def take() -> None:
        while not done.is_set():
            on.rollups.step()

    taker = threading.Thread(target=take)
    taker.start()
    probes = [f"probe-{number}" for number in range(7)]
    for number in range(7_000):
        # Two samples of a probe are two seconds apart or more: no two pieces begin in one place.
        values = {"size": 1.0} if number % 3 else {}
        on.rollups.add(Sample(probes[number % 7], BEGIN_MS + number // 7 * 2 * SECOND_MS, Status.UP, 0.5, values))
    done.set()
    taker.join()
    on.rollups.end(5)

    assert [on.samples(probe=probe) for probe in probes] == [1000] * 7
