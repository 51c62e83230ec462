"""Each ticket command is done once, in order, whatever fails on the way."""

import threading
from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import Crash, Fault, MemoryBackend
from tests.engine.stores import FaultyDatabase, StoreFault, until
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.ticket import TicketState
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.store import outbox, tables
from watchkeeper.store.database import StoreError
from watchkeeper.store.record import record

FIRST, SECOND = made.incident(1), made.incident(2)


class Bench:
    """A delivery to a backend in memory, whose clock is moved by hand."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.backend = MemoryBackend()
        self.figures = Figures("1.2.3")
        self.now_ms = made.NOW_MS
        self.delivery = self.new()

    def new(self) -> Delivery:
        return Delivery("desk", self.backend, self.database, lambda: self.now_ms, lambda: 0.0, self.figures)

    def put(self, *effects: Effect) -> None:
        record(self.database, effects)

    def steps(self) -> int:
        """Does what is due. Returns how much that was."""
        done = 0
        while self.delivery.step():
            done += 1
        return done

    def restart(self) -> None:
        with self.database.write() as connection:
            outbox.reclaim(connection)
        self.delivery = self.new()

    def rows(self) -> list[tuple[str, str]]:
        """Kind and state of each command."""
        query = select(tables.outbox.c.kind, tables.outbox.c.state).order_by(tables.outbox.c.id)
        with self.database.read() as connection:
            return [(row.kind, row.state) for row in connection.execute(query)]

    def tried(self, outcome: str) -> float | None:
        labels = {"backend": "desk", "outcome": outcome}
        return self.figures.registry.get_sample_value("watchkeeper_delivery_attempts_total", labels)


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    yield bench
    bench.delivery.end(5)


def test_an_incident_becomes_a_ticket_with_its_history(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST), made.note(FIRST, "api joined"), made.resolve(FIRST))
    with capture_logs() as logs:
        assert on.steps() == 3

    [ticket] = on.backend.tickets
    assert (ticket.title, ticket.state) == (FIRST.title, TicketState.RESOLVED)
    assert on.backend.notes[ticket.ref] == ["api joined", "over"]
    assert on.tried("delivered") == 3
    assert [(entry["event"], entry["ticket"], entry["incident"]) for entry in logs] == [
        ("ticket_opened", "T-1", "INC-1"),
        ("ticket_updated", "T-1", "INC-1"),
        ("ticket_resolved", "T-1", "INC-1"),
    ]


def test_commands_of_other_backends_are_left_alone(on: Bench) -> None:
    other = made.incident(2, backend="other")
    on.put(made.opened(other), made.create(other))

    assert on.steps() == 0


@pytest.mark.parametrize("fault", [Fault.AMBIGUOUS_AFTER, Fault.BUG_AFTER])
def test_a_ticket_that_may_be_there_is_looked_for_and_adopted(on: Bench, fault: Fault) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(fault)
    with capture_logs() as logs:
        on.steps()
        on.now_ms += 1_000
        on.steps()

    assert on.backend.calls == ["create", "find"]
    assert len(on.backend.tickets) == 1
    assert on.rows() == [("create", "delivered")]
    assert "ticket_adopted" in [entry["event"] for entry in logs]


def test_a_ticket_that_is_not_there_after_all_is_created(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(Fault.AMBIGUOUS_BEFORE)
    with capture_logs():
        on.steps()
        on.now_ms += 1_000
        on.steps()

    assert on.backend.calls == ["create", "find", "create"]
    assert on.rows() == [("create", "delivered")]


def test_of_several_tickets_the_oldest_is_adopted_and_the_others_are_told(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(Fault.AMBIGUOUS_AFTER)
    with capture_logs() as logs:
        on.steps()
        on.backend.create(made.create(FIRST).payload)  # type: ignore[arg-type]  # a draft: it is a create command
        on.now_ms += 1_000
        on.steps()

    [adopted] = [entry for entry in logs if entry["event"] == "ticket_adopted"]
    assert (adopted["ticket"], adopted["duplicates"]) == ("T-1", ["T-2"])


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.UNAVAILABLE])
def test_what_was_surely_not_done_is_done_again_without_looking(on: Bench, fault: Fault) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(fault)
    with capture_logs() as logs:
        assert on.steps() == 1
        assert on.steps() == 0
        on.now_ms += 500
        assert on.steps() == 1

    assert on.backend.calls == ["create", "create"]
    assert [(entry["event"], entry["retry_in_s"]) for entry in logs[:1]] == [("ticket_delayed", 0.5)]


def test_what_came_of_the_last_command_is_known(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(Fault.UNAVAILABLE)
    assert on.delivery.last_outcome == ""
    with capture_logs():
        on.steps()
        assert on.delivery.last_outcome == "unavailable"
        on.now_ms += 500
        on.steps()

    assert on.delivery.last_outcome == "delivered"


def test_a_backend_that_says_when_to_come_back_is_left_alone_until_then(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(Fault.THROTTLED_FOR_A_MINUTE)
    with capture_logs():
        on.steps()
        on.now_ms += 59_999
        assert on.steps() == 0
        on.now_ms += 1
        assert on.steps() == 1


def test_a_rejected_command_blocks_its_incident_and_no_other(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST), made.resolve(FIRST))
    on.put(made.opened(SECOND), made.create(SECOND), made.resolve(SECOND))
    on.backend.faults.append(Fault.REJECTED)
    with capture_logs() as logs:
        on.steps()
        on.now_ms += 86_400_000
        on.steps()

    assert on.rows() == [
        ("create", "rejected"),
        ("resolve", "waiting"),
        ("create", "delivered"),
        ("resolve", "delivered"),
    ]
    [rejected] = [entry for entry in logs if entry["event"] == "ticket_rejected"]
    assert (rejected["log_level"], rejected["reason"]) == ("error", "no such category")
    assert on.tried("rejected") == 1


def test_a_delayed_command_holds_up_no_other_incident(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST), made.opened(SECOND), made.create(SECOND))
    on.backend.faults.append(Fault.THROTTLED_FOR_A_MINUTE)
    with capture_logs():
        on.steps()

    assert on.rows() == [("create", "waiting"), ("create", "delivered")]


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_after_a_crash_there_is_one_ticket(on: Bench, fault: Fault) -> None:
    on.put(made.opened(FIRST), made.create(FIRST), made.note(FIRST, "more"))
    on.backend.faults.append(fault)
    with pytest.raises(Crash):
        on.steps()

    on.restart()
    with capture_logs():
        on.steps()

    [ticket] = on.backend.tickets
    assert on.backend.notes[ticket.ref] == ["more"]


def test_what_was_done_while_the_store_refused_is_written_down_with_the_next_step(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST), made.note(FIRST, "more"))
    on.database.faults += [StoreFault.NONE, StoreFault.REFUSED]
    with pytest.raises(StoreError):
        on.steps()
    assert on.rows() == [("create", "in_flight"), ("update", "waiting")]

    on.steps()

    assert on.rows() == [("create", "delivered"), ("update", "delivered")]
    assert on.backend.calls == ["create", "update"]


def test_a_log_that_fails_does_not_lose_what_was_done(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))

    def refuse(*_: object) -> structlog.typing.EventDict:
        raise OSError("no space left on device")

    structlog.configure(processors=[refuse])
    try:
        with pytest.raises(OSError, match="no space"):
            on.steps()
    finally:
        structlog.reset_defaults()

    assert on.rows() == [("create", "delivered")]


def test_a_command_whose_claim_had_no_answer_is_not_left_in_flight(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.database.faults.append(StoreFault.ANSWER_LOST)
    with pytest.raises(StoreError):
        on.steps()
    assert on.rows() == [("create", "in_flight")]

    on.steps()

    assert on.rows() == [("create", "delivered")]
    assert len(on.backend.tickets) == 1


def test_the_worker_delivers_what_is_there_and_what_it_is_woken_for(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    with capture_logs():
        on.delivery.begin()
        until(lambda: on.rows() == [("create", "delivered")])

        on.put(made.resolve(FIRST))
        on.delivery.wake()
        until(lambda: on.rows()[-1] == ("resolve", "delivered"))
        on.delivery.end(5)


def test_the_worker_comes_back_by_itself_when_a_command_is_due(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults += [Fault.UNAVAILABLE]
    with capture_logs():
        on.delivery.begin()
        until(lambda: bool(on.backend.calls))
        on.now_ms += 500
        until(lambda: on.rows() == [("create", "delivered")])
        on.delivery.end(5)


def test_the_worker_outlives_a_store_that_refuses_and_says_so_once(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.database.faults += [StoreFault.NONE, *[StoreFault.REFUSED] * 3]

    def woken() -> bool:
        on.delivery.wake()
        return on.rows() == [("create", "delivered")]

    with capture_logs() as logs:
        on.delivery.begin()
        until(woken)
        on.delivery.end(5)

    events = [entry["event"] for entry in logs]
    assert events.count("outbox_failing") == 1
    assert on.backend.calls == ["create"]


def test_an_end_writes_down_what_was_done_before(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.database.faults += [StoreFault.NONE, StoreFault.REFUSED]
    with capture_logs() as logs:
        on.delivery.begin()
        until(lambda: "outbox_failing" in [entry["event"] for entry in logs])
        on.delivery.end(5)

    assert on.rows() == [("create", "delivered")]
    assert "delivery-desk" not in {thread.name for thread in threading.enumerate()}


def test_an_end_finishes_what_is_under_way_and_begins_nothing_else(on: Bench) -> None:
    for incident in map(made.incident, range(1, 30)):
        on.put(made.opened(incident), made.create(incident))
    with capture_logs():
        on.delivery.begin()
        until(lambda: bool(on.backend.calls))
        on.delivery.end(5)

    assert "in_flight" not in {state for _, state in on.rows()}
    assert len(on.backend.tickets) == on.rows().count(("create", "delivered"))


def test_an_end_in_the_very_beginning_is_not_overheard(on: Bench) -> None:
    for _ in range(50):
        delivery = on.new()
        delivery.begin()
        delivery.end(5)
