"""The pulse tells the store that the daemon lives, and hears whether the store does."""

from collections.abc import Iterator
from time import monotonic

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.stores import FaultyDatabase, StoreFault, until
from watchkeeper.engine.pulse import Pulse
from watchkeeper.store import outbox, tables
from watchkeeper.store.lock import LockLost
from watchkeeper.store.outbox import OutboxDepth, OutboxState
from watchkeeper.store.record import begin_run, record


class Held:
    """A lock that is held until it is told otherwise."""

    lost: LockLost | None = None

    def verify(self) -> None:
        if self.lost is not None:
            raise self.lost

    def release(self) -> None:
        pass


class Bench:
    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.now_ms = made.NOW_MS
        run_id = begin_run(database, self.now_ms, "1.2.3", ())
        self.held = Held()
        self.woken: list[set[str]] = []
        self.pulse = Pulse(database, self.held, run_id, lambda: self.now_ms, self.woken.append)

    def signs(self) -> tuple[int, int | None]:
        """The last sign of life, and when the run stopped."""
        with self.database.read() as connection:
            alive, stopped = connection.execute(select(tables.runs.c.alive_ms, tables.runs.c.stopped_ms)).one()
        return alive, stopped


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    yield bench
    bench.pulse.end(5)


def test_a_beat_is_a_sign_of_life(on: Bench) -> None:
    on.now_ms += 5_000
    on.pulse.beat()

    assert on.signs() == (made.NOW_MS + 5_000, None)


def test_a_beat_tells_how_deep_the_outbox_is(on: Bench) -> None:
    incident = made.incident()
    record(on.database, [made.opened(incident), made.create(incident), made.note(incident, "more")])

    on.pulse.beat()

    assert on.pulse.depths == [OutboxDepth("desk", OutboxState.WAITING, 2, made.NOW_MS)]


def test_who_delivers_is_woken_for_what_waits_and_for_nothing_else(on: Bench) -> None:
    incident = made.incident()
    record(on.database, [made.opened(incident), made.create(incident)])
    on.pulse.beat()
    claim = outbox.claim(on.database, "desk", on.now_ms)
    assert claim is not None
    outbox.settle_rejected(on.database, claim.commands, "no such category", on.now_ms)
    on.pulse.beat()
    outbox.retry_rejected(on.database, on.now_ms)
    on.pulse.beat()

    assert on.woken == [{"desk"}, set(), {"desk"}]


def test_how_deep_the_outbox_was_when_it_was_read_last_is_known_while_the_store_does_not_answer(on: Bench) -> None:
    on.now_ms += 5_000
    on.pulse.beat()
    on.now_ms += 5_000
    on.database.faults.append(StoreFault.REFUSED)
    with capture_logs():
        on.pulse.beat()

    assert on.pulse.depths_ms == made.NOW_MS + 5_000


def test_a_store_that_does_not_answer_is_told_once_and_counts_as_silent(on: Bench) -> None:
    on.pulse.beat()
    on.database.faults += [StoreFault.REFUSED] * 2
    silent_s = on.pulse.silent_s
    with capture_logs() as logs:
        on.pulse.beat()
        on.pulse.beat()

    assert on.pulse.silent_s > silent_s
    assert [entry["event"] for entry in logs] == ["store_silent"]
    silent_s = on.pulse.silent_s
    on.pulse.beat()
    assert on.pulse.silent_s < silent_s


def test_the_end_notes_a_clean_stop(on: Bench) -> None:
    on.pulse.begin()
    on.now_ms += 7_000

    on.pulse.end(5)

    assert on.signs() == (made.NOW_MS + 7_000, made.NOW_MS + 7_000)


def test_an_end_without_a_store_is_told(on: Bench) -> None:
    on.pulse.begin()
    until(lambda: bool(on.signs()))
    with capture_logs() as logs:
        on.database.faults += [StoreFault.REFUSED] * 2
        on.pulse.end(5)

    assert "store_silent" in [entry["event"] for entry in logs]


def test_an_end_waits_no_longer_than_it_is_given_for_a_store_that_hangs(on: Bench) -> None:
    on.pulse.begin()
    until(lambda: on.pulse.silent_s < 5)
    with on.database.write():  # nobody else writes meanwhile
        began = monotonic()
        on.pulse.end(0.1)
        assert monotonic() - began < 5

    until(lambda: on.signs()[1] is not None)


def test_a_lock_that_is_lost_ends_the_pulse(on: Bench) -> None:
    on.held.lost = LockLost("another watchkeeper may run")

    with pytest.raises(LockLost):
        on.pulse.beat()
