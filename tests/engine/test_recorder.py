"""What was decided is written: in order, each decision as a whole, and whatever the database does meanwhile."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from queue import Queue
from time import monotonic

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.stores import FaultyDatabase, StoreFault, until
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.probe import Status
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.recorder import FULL, GATHER_S, MAX_BATCH, Recorder
from watchkeeper.store import tables
from watchkeeper.store.record import begin_run

FIRST, SECOND = made.incident(1), made.incident(2, backend="other")


class Bench:
    """A recorder and what it says to deliveries."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.figures = Figures("1.2.3")
        self.run_id = begin_run(database, made.NOW_MS, "1.2.3", ())
        self.committed: Queue[set[str]] = Queue()
        self.recorder = Recorder(database, self.run_id, self.figures, self.committed.put)

    def batches(self) -> int:
        """How many transactions were needed."""
        with self.database.read() as connection:
            return int(connection.execute(select(tables.runs.c.last_batch)).scalar_one())

    def intervals(self) -> int:
        with self.database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(tables.probe_intervals)).scalar_one())

    def events(self) -> list[str]:
        with self.database.read() as connection:
            query = select(tables.incident_events.c.text).order_by(tables.incident_events.c.id)
            return list(connection.execute(query).scalars())

    def errors(self) -> float | None:
        return self.figures.registry.get_sample_value("watchkeeper_store_errors_total")


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    yield bench
    bench.recorder.end(5)


def statuses(begin: int, count: int) -> Sequence[Effect]:
    return [made.status(f"probe-{n}") for n in range(begin, begin + count)]


def test_an_incident_is_written_at_once_and_its_delivery_hears_of_it(on: Bench) -> None:
    on.recorder.begin()
    on.recorder.put([made.opened(FIRST), made.create(FIRST)])

    assert on.committed.get(timeout=5) == {"desk"}
    assert on.events() == ["connection refused"]
    assert on.recorder.waiting == 0


def test_what_is_urgent_does_not_wait_for_others_and_what_is_not_does(on: Bench) -> None:
    on.recorder.begin()

    def takes_s(*effects: Effect) -> float:
        began = monotonic()
        on.recorder.put(effects)
        until(lambda: on.recorder.waiting == 0)
        return monotonic() - began

    incidents = [made.incident(n) for n in range(1, 6)]
    assert min(takes_s(made.opened(incident), made.create(incident)) for incident in incidents) < GATHER_S
    assert takes_s(made.status("web")) >= GATHER_S


def test_deliveries_hear_of_commands_of_their_backend_only(on: Bench) -> None:
    on.recorder.put([made.status("web")])
    on.recorder.put([made.opened(FIRST), made.create(FIRST), made.note(FIRST, "more")])
    on.recorder.put([made.opened(SECOND), made.create(SECOND)])
    on.recorder.begin()

    assert on.committed.get(timeout=5) == {"desk", "other"}
    on.recorder.end(5)
    assert on.committed.empty()


def test_changes_that_are_not_urgent_share_a_transaction(on: Bench) -> None:
    on.recorder.begin()
    for n in range(200):
        on.recorder.put([made.status(f"probe-{n}")])
    on.recorder.put([made.opened(FIRST), made.create(FIRST)])

    on.committed.get(timeout=5)
    assert on.intervals() == 200
    assert on.batches() <= 2


def test_changes_are_written_without_anything_urgent(on: Bench) -> None:
    on.recorder.begin()
    on.recorder.put([made.status("web")])

    assert on.recorder.end(5) == 0
    assert on.intervals() == 1


def test_effects_are_written_in_the_order_of_their_decisions(on: Bench) -> None:
    on.recorder.begin()
    incidents = [made.incident(n) for n in range(1, 60)]
    for incident in incidents:
        on.recorder.put([made.opened(incident), made.create(incident)])
    on.recorder.end(5)

    with on.database.read() as connection:
        written = list(connection.execute(select(tables.outbox.c.incident_id).order_by(tables.outbox.c.id)).scalars())
    assert written == [incident.id for incident in incidents]


def test_two_changes_of_one_probe_in_one_batch_are_both_kept(on: Bench) -> None:
    on.recorder.put([made.status("web", Status.DOWN, made.NOW_MS)])
    on.recorder.put([made.status("web", Status.UP, made.NOW_MS + 100)])
    on.recorder.begin()
    on.recorder.end(5)

    assert on.intervals() == 2


def test_a_decision_is_never_split_over_two_transactions(on: Bench) -> None:
    size = MAX_BATCH * 3 // 5
    for n in range(3):
        on.recorder.put(statuses(n * size, size))
    on.database.faults += [StoreFault.NONE, *[StoreFault.REFUSED] * 10]
    on.recorder.begin()

    with capture_logs():
        assert on.recorder.end(5) == size
    assert on.intervals() == 2 * size


def test_a_decision_larger_than_a_batch_is_written_as_a_whole(on: Bench) -> None:
    on.recorder.put(statuses(0, MAX_BATCH + 1))
    on.recorder.put([made.status("last")])
    on.recorder.begin()
    on.recorder.end(5)

    assert on.intervals() == MAX_BATCH + 2
    assert on.batches() == 2


def test_a_database_that_refuses_for_a_while_loses_nothing(on: Bench) -> None:
    with closing(sqlite3.connect(on.database.name)) as vandal:
        vandal.execute("ALTER TABLE incident_events RENAME TO away")
        with capture_logs() as logs:
            on.recorder.begin()
            on.recorder.put([made.opened(FIRST), made.create(FIRST)])
            until(lambda: on.recorder.failing_s is not None)
            assert on.recorder.waiting == 2
            on.recorder.put([made.opened(SECOND), made.create(SECOND)])
            vandal.execute("ALTER TABLE away RENAME TO incident_events")

            assert on.committed.get(timeout=5) == {"desk"}
            assert on.committed.get(timeout=5) == {"other"}

    assert on.recorder.failing_s is None
    assert on.recorder.waiting == 0
    assert on.events() == ["connection refused"] * 2
    assert [entry["event"] for entry in logs] == ["store_failing", "store_recovered"]
    assert "incident_events" in logs[0]["error"]
    assert on.errors() == 1


def test_a_batch_whose_answer_was_lost_is_not_written_twice(on: Bench) -> None:
    on.database.faults.append(StoreFault.ANSWER_LOST)
    with capture_logs():
        on.recorder.begin()
        on.recorder.put([made.opened(FIRST), made.create(FIRST)])

        assert on.committed.get(timeout=5) == {"desk"}
    assert on.events() == ["connection refused"]
    assert on.batches() == 1


def test_while_much_waits_it_is_full(on: Bench) -> None:
    effect = made.status("web")
    on.recorder.put([effect] * (FULL - 1))
    assert not on.recorder.is_full()

    on.recorder.put([effect])

    assert on.recorder.is_full()
    assert on.recorder.waiting == FULL


def test_the_end_says_how_much_could_not_be_written_and_tries_no_longer(on: Bench) -> None:
    on.database.faults += [StoreFault.REFUSED] * 1_000
    on.recorder.put([made.opened(FIRST), made.create(FIRST)])
    with capture_logs() as logs:
        on.recorder.begin()
        lost = on.recorder.end(5)

    assert lost == 2
    assert on.events() == []
    assert [entry["event"] for entry in logs] == ["store_failing"]
    assert len(on.database.faults) >= 998


def test_the_end_of_one_that_never_began_says_what_waits(on: Bench) -> None:
    on.recorder.put([made.status("web")])

    assert on.recorder.end(5) == 1


def test_a_thread_that_fails_says_so_and_what_waits_stays_counted(on: Bench) -> None:
    failures: Queue[threading.ExceptHookArgs] = Queue()
    usual = threading.excepthook
    threading.excepthook = failures.put
    try:
        on.database.faults.append(StoreFault.BUG)
        on.recorder.put([made.opened(FIRST), made.create(FIRST)])
        on.recorder.begin()

        failure = failures.get(timeout=5)
        assert isinstance(failure.exc_value, ValueError)
        assert on.recorder.end(5) == 2
    finally:
        threading.excepthook = usual
