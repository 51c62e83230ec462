"""Each ticket command is done once, in order, whatever fails on the way."""

import threading
from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import Crash, Fault, MemoryBackend, desk
from tests.engine.stores import FaultyDatabase, StoreFault, until
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.ticket import AutoResolve, TicketPolicy, TicketState
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
        self.policy = TicketPolicy()
        self.certain_after_ms = 0
        self.refusals: list[tuple[int, str]] = []
        self.delivery = self.new()

    def new(self) -> Delivery:
        place = desk("desk", self.backend, lambda: self.now_ms, self.policy, self.certain_after_ms)
        self.budget = place.budget
        return Delivery(place, self.database, lambda: self.now_ms, lambda: 0.0, self.figures, self._refused)

    def _refused(self, incident_id: int, why: str) -> None:
        self.refusals.append((incident_id, why))

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
    on.put(made.opened(FIRST), made.create(FIRST), made.note(FIRST, "api joined"))
    with capture_logs() as logs:
        on.steps()
        on.put(made.resolve(FIRST))
        on.steps()

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
    assert [entry["event"] for entry in logs] == [
        "backend_refusing",
        "ticket_delayed",
        "backend_recovered",
        "ticket_opened",
    ]
    assert logs[1]["retry_in_s"] == 0.5


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


def test_what_waited_for_a_ticket_is_one_change_that_tells_all(on: Bench) -> None:
    notes = [made.note(FIRST, f"thing {n}") for n in range(60)]
    on.put(made.opened(FIRST), made.create(FIRST), *notes, made.resolve(FIRST))
    with capture_logs() as logs:
        assert on.steps() == 2

    [ticket] = on.backend.tickets
    [told] = on.backend.notes[ticket.ref]
    assert ticket.state is TicketState.RESOLVED
    assert told.startswith("61 things happened:\n")
    assert [line.split("  ")[-1] for line in told.splitlines()][1:6] == [
        "thing 0", "thing 1", "thing 2", "(41 more)", "thing 44"
    ]  # fmt: skip
    assert told.endswith("  over")
    assert [(entry["event"], entry.get("changes")) for entry in logs] == [
        ("ticket_opened", None),
        ("ticket_resolved", 61),
    ]


def test_what_delays_one_ticket_holds_up_no_other(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST), made.opened(SECOND), made.create(SECOND))
    on.backend.faults.append(Fault.TOO_OFTEN_FOR_THIS_TICKET)
    with capture_logs():
        on.steps()

    assert on.rows() == [("create", "waiting"), ("create", "delivered")]


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.DENIED, Fault.THROTTLED_FOR_A_MINUTE])
def test_a_backend_that_fails_is_left_alone_and_then_asked_for_one_command(on: Bench, fault: Fault) -> None:
    for incident in map(made.incident, range(1, 11)):
        on.put(made.opened(incident), made.create(incident))
    on.backend.faults += [fault] * 3
    with capture_logs() as logs:
        for _ in range(600):
            on.steps()
            on.now_ms += 500

    assert on.backend.calls == ["create"] * 13
    assert on.rows() == [("create", "delivered")] * 10
    assert [ticket.key for ticket in on.backend.tickets] == [made.create(made.incident(n)).key for n in range(1, 11)]
    events = [entry["event"] for entry in logs]
    assert (events.count("backend_refusing"), events.count("backend_recovered")) == (1, 1)


def test_a_command_that_a_backend_always_fails_at_holds_up_no_other_for_long(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults += [Fault.AMBIGUOUS_BEFORE]
    with capture_logs():
        on.steps()
        on.put(made.opened(SECOND), made.create(SECOND))
        on.now_ms += 250
        on.steps()

    assert on.rows() == [("create", "waiting"), ("create", "delivered")]


def test_that_a_ticket_is_not_there_is_believed_only_when_it_is_certain(on: Bench) -> None:
    on.certain_after_ms, on.policy = 60_000, TicketPolicy(index_lag_ms=120_000)
    on.delivery = on.new()
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(Fault.AMBIGUOUS_BEFORE)
    began = on.now_ms
    with capture_logs() as logs:
        while on.rows() != [("create", "delivered")]:
            on.steps()
            on.now_ms += 500

    assert 180_000 <= on.now_ms - began <= 181_000
    assert on.backend.calls.count("create") == 2
    assert 3 <= on.backend.calls.count("find") <= 12
    assert "ticket_awaited" in [entry["event"] for entry in logs]


def test_a_ticket_that_becomes_visible_late_is_adopted(on: Bench) -> None:
    on.policy = TicketPolicy(index_lag_ms=120_000)
    on.delivery = on.new()
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(Fault.AMBIGUOUS_AFTER)
    with capture_logs():
        on.steps()
        hidden, on.backend.tickets = on.backend.tickets, []
        for _ in range(100):
            on.now_ms += 1_000
            on.steps()
        on.backend.tickets = hidden
        for _ in range(100):
            on.now_ms += 1_000
            on.steps()

    assert on.backend.calls.count("create") == 1
    assert on.rows() == [("create", "delivered")]


def test_a_crash_in_flight_is_waited_out_as_well(on: Bench) -> None:
    on.certain_after_ms = 60_000
    on.delivery = on.new()
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(Fault.CRASH_BEFORE)
    with pytest.raises(Crash):
        on.steps()
    on.now_ms += 1_000
    on.restart()
    with capture_logs():
        on.steps()
        assert on.backend.calls == ["create", "find"]
        on.now_ms += 59_000
        on.steps()

    assert on.backend.calls == ["create", "find", "find", "create"]


def test_a_rate_is_kept_and_what_has_begun_is_finished(on: Bench) -> None:
    on.policy = TicketPolicy(rate_per_minute=6)
    on.delivery = on.new()
    on.backend.spend = on.budget.spend
    for incident in map(made.incident, range(1, 21)):
        on.put(made.opened(incident), made.create(incident))
    counts = []
    with capture_logs():
        for _ in range(4):
            for _ in range(120):
                on.steps()
                on.now_ms += 500
            counts.append(len(on.backend.tickets))

    assert counts == [6, 12, 18, 20]


@pytest.mark.parametrize(
    ("policy", "touched", "state"),
    [
        (AutoResolve.ALWAYS, True, TicketState.RESOLVED),
        (AutoResolve.UNTOUCHED, False, TicketState.RESOLVED),
        (AutoResolve.UNTOUCHED, True, TicketState.IN_PROGRESS),
        (AutoResolve.NEVER, False, TicketState.OPEN),
    ],
)
def test_a_ticket_is_resolved_as_the_policy_says(
    on: Bench, policy: AutoResolve, touched: bool, state: TicketState
) -> None:
    on.policy = TicketPolicy(auto_resolve=policy)
    on.delivery = on.new()
    on.put(made.opened(FIRST), made.create(FIRST))
    with capture_logs() as logs:
        on.steps()
        if touched:
            on.backend.by_person(TicketState.IN_PROGRESS, "alice")
        on.put(made.resolve(FIRST))
        on.steps()

    [ticket] = on.backend.tickets
    assert ticket.state is state
    [told] = on.backend.notes[ticket.ref]
    left = state is not TicketState.RESOLVED
    assert told.startswith("over\n(" if left else "over")
    assert ("ticket_left" in [entry["event"] for entry in logs]) is left


@pytest.mark.parametrize("state", [TicketState.CLOSED, TicketState.CANCELLED])
def test_nothing_is_added_to_a_ticket_that_a_person_ended_for_good(on: Bench, state: TicketState) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    with capture_logs():
        on.steps()
        on.backend.by_person(state, "alice")
        on.put(made.note(FIRST, "more"), made.resolve(FIRST))
        on.steps()

    [ticket] = on.backend.tickets
    assert (ticket.state, on.backend.notes[ticket.ref]) == (state, [])
    assert on.rows() == [("create", "delivered"), ("update", "delivered"), ("resolve", "delivered")]


def test_a_ticket_that_can_not_be_opened_again_is_told(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    with capture_logs():
        on.steps()
        on.backend.by_person(TicketState.CLOSED, "alice")
        on.put(made.reopen(FIRST))
        on.steps()

    assert on.refusals == [(1, "T-1 is closed: nothing is added to it")]
    assert on.rows()[-1] == ("reopen", "delivered")


def test_what_was_rejected_is_tried_again_by_whoever_takes_over(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST))
    on.backend.faults.append(Fault.REJECTED)
    with capture_logs():
        on.steps()
        on.delivery = on.new()
        on.delivery.begin()
        until(lambda: on.rows() == [("create", "delivered")])
        on.delivery.end(5)


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
    on.database.faults += [StoreFault.NONE, StoreFault.NONE, *[StoreFault.REFUSED] * 3]

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
    on.database.faults += [StoreFault.NONE, StoreFault.NONE, StoreFault.REFUSED]
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
