"""What was decided is written: in order, each decision as a whole, and whatever the database does meanwhile."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from time import monotonic

import pytest
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.recording import FIRST, SECOND, Bench
from tests.engine.stores import FaultyDatabase, StoreFault, until
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.probe import Status
from watchkeeper.engine.recorder import FULL, GATHER_S, MAX_BATCH


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    yield bench
    with capture_logs():
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
    assert (on.batches() or 9) <= 2


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

    assert on.outbox() == [incident.id for incident in incidents]


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
        assert on.recorder.end(5) == 0
        assert on.intervals() == 2 * size
        assert on.recorder.journaled == 1
        on.database.faults.clear()
        on.replay()
    assert on.intervals() == 3 * size


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
            on.recorder.put([made.opened(SECOND), made.create(SECOND)])
            vandal.execute("ALTER TABLE away RENAME TO incident_events")

            assert on.committed.get(timeout=5) == {"desk"}
            assert on.committed.get(timeout=5) == {"other"}

    assert on.recorder.failing_s is None
    assert on.recorder.waiting == 0
    assert on.events() == ["connection refused"] * 2
    told = [entry["event"] for entry in logs if entry["event"].startswith("store_")]
    assert told == ["store_failing", "store_recovered"]
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
