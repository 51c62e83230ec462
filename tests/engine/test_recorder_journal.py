"""While the database does not take what was decided, it waits in memory and in the journal, and no end loses it."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from queue import Queue

import pytest
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.recording import FIRST, SECOND, Bench
from tests.engine.stores import FaultyDatabase, StoreFault, until
from watchkeeper.engine.recorder import FULL, SPILL


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    yield bench
    with capture_logs():
        bench.recorder.end(5)


def test_what_can_not_be_written_before_the_end_is_in_the_journal_and_the_next_start_writes_it(on: Bench) -> None:
    on.database.faults += [StoreFault.REFUSED] * 1_000
    on.recorder.put([made.opened(FIRST), made.create(FIRST)])
    with capture_logs() as logs:
        on.recorder.begin()
        lost = on.recorder.end(5)
        assert (lost, on.recorder.journaled) == (0, 1)
        assert len(on.database.faults) >= 998
        on.database.faults.clear()
        on.replay()

    assert on.events() == ["connection refused"]
    assert on.outbox() == [1]
    told = [entry["event"] for entry in logs]
    assert told == ["store_failing", "journal_begun", "journal_kept", "journal_replayed"]


def test_what_waits_in_one_that_never_began_is_in_the_journal_after_the_end(on: Bench) -> None:
    on.recorder.put([made.status("web")])

    with capture_logs():
        assert on.recorder.end(5) == 0
        assert on.intervals() == 0
        on.replay()
    assert on.intervals() == 1


def test_the_end_says_how_much_neither_the_database_nor_the_journal_has_taken(on: Bench) -> None:
    on.path.mkdir()
    on.recorder.put([made.opened(FIRST), made.create(FIRST)])
    with capture_logs() as logs:
        assert on.recorder.end(5) == 2

    assert [entry["event"] for entry in logs] == ["journal_failing"]


def test_while_the_database_refuses_everything_is_in_the_journal_soon_and_a_kill_loses_nothing(on: Bench) -> None:
    on.database.faults += [StoreFault.REFUSED] * 1_000
    incidents = [made.incident(n) for n in range(1, 6)]
    with capture_logs() as logs:
        on.recorder.begin()
        for incident in incidents:
            on.recorder.put([made.opened(incident), made.create(incident)])
            until(lambda: on.recorder.waiting == 0)
        kept = on.path.read_bytes()
        on.database.faults.clear()
        until(lambda: not on.path.exists())

    assert on.events() == ["connection refused"] * 5
    assert on.outbox() == [1, 2, 3, 4, 5]
    assert not on.path.exists()
    assert [entry["event"] for entry in logs].count("journal_begun") == 1
    on.path.write_bytes(kept)  # as if it had been killed then: what is written meanwhile is not written again
    with capture_logs() as logs:
        on.replay()
    assert logs[-1]["written"] == 0
    assert on.outbox() == [1, 2, 3, 4, 5]


def test_while_the_database_hangs_what_waits_goes_to_the_journal(on: Bench) -> None:
    with closing(sqlite3.connect(on.database.name, isolation_level=None)) as other, capture_logs() as logs:
        other.execute("BEGIN IMMEDIATE")
        on.recorder.begin()
        on.recorder.put([made.opened(FIRST), made.create(FIRST)])
        until(lambda: on.recorder.journaled == 1)
        assert on.recorder.waiting == 0
        assert on.recorder.failing_s is None  # nothing was refused yet
        on.recorder.put([made.opened(SECOND), made.create(SECOND)])
        until(lambda: on.recorder.journaled == 2)
        other.execute("ROLLBACK")

        assert on.committed.get(timeout=5) == {"desk"}
        assert on.committed.get(timeout=5) == {"other"}
        until(lambda: not on.path.exists())
    assert on.outbox() == [1, 2]
    assert [entry["event"] for entry in logs] == ["journal_begun", "journal_emptied"]


def test_much_that_waits_is_moved_into_the_journal_and_written_in_order_from_there(on: Bench) -> None:
    on.database.faults += [StoreFault.REFUSED]
    incidents = [made.incident(n) for n in range(1, SPILL // 2 + 100)]
    with capture_logs() as logs:
        for incident in incidents:
            on.recorder.put([made.opened(incident), made.create(incident)])
        on.recorder.begin()
        until(lambda: on.recorder.journaled > 0)
        assert not on.recorder.is_full()
        until(lambda: logs[-1]["event"] == "journal_emptied")

    assert on.recorder.waiting == on.recorder.journaled == 0
    assert on.outbox() == [incident.id for incident in incidents]
    told = [entry["event"] for entry in logs]
    assert sorted(told) == ["journal_begun", "journal_emptied", "store_failing", "store_recovered"]


def test_a_journal_that_can_not_be_written_is_told_once_and_everything_waits_in_memory(on: Bench) -> None:
    on.path.mkdir()
    on.database.faults += [StoreFault.REFUSED]
    with capture_logs() as logs:
        on.recorder.put([made.status("web")] * FULL)
        on.recorder.begin()
        until(lambda: on.recorder.waiting == 0)

    assert [entry["event"] for entry in logs].count("journal_failing") == 1
    assert on.intervals() == 1


def test_a_thread_that_fails_says_so_and_what_waits_is_in_the_journal_after_the_end(on: Bench) -> None:
    failures: Queue[threading.ExceptHookArgs] = Queue()
    usual = threading.excepthook
    threading.excepthook = failures.put
    try:
        on.database.faults.append(StoreFault.BUG)
        on.recorder.put([made.opened(FIRST), made.create(FIRST)])
        on.recorder.begin()

        failure = failures.get(timeout=5)
        assert isinstance(failure.exc_value, ValueError)
        assert on.recorder.waiting == 2
        with capture_logs():
            assert on.recorder.end(5) == 0
    finally:
        threading.excepthook = usual
    assert on.recorder.journaled == 1
