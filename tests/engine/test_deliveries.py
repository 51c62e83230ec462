"""Deliveries follow the configuration; each command is in one hand only, whatever changes meanwhile."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import Fault, MemoryBackend, desk
from tests.engine.stores import FaultyDatabase, until
from watchkeeper.domain.ticket import Ticket, TicketDraft
from watchkeeper.engine.deliveries import Deliveries
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.store import outbox, tables
from watchkeeper.store.record import record

FIRST, SECOND = made.incident(1), made.incident(2)


@dataclass(eq=False)
class HangingBackend(MemoryBackend):
    """Creates nothing before it is released."""

    asked: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def create(self, draft: TicketDraft) -> Ticket:
        self.asked.set()
        assert self.released.wait(20)
        return super().create(draft)


def same_desk(other: MemoryBackend) -> MemoryBackend:
    """Another way to the tickets of a backend."""
    return MemoryBackend(tickets=other.tickets, notes=other.notes)


class Bench:
    """Deliveries whose backends are the settings themselves."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.figures = Figures("1.2.3")
        self.deliveries = Deliveries(self._make)

    def _make(self, name: str, backend: MemoryBackend) -> Delivery:
        return Delivery(
            desk(name, backend, lambda: made.NOW_MS), self.database, lambda: made.NOW_MS, lambda: 0.0, self.figures
        )

    def states(self) -> list[str]:
        with self.database.read() as connection:
            return list(connection.scalars(select(tables.outbox.c.state).order_by(tables.outbox.c.id)))


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    with capture_logs():
        yield bench
        bench.deliveries.revise({})


def test_who_takes_a_backends_place_waits_for_the_command_under_way(on: Bench) -> None:
    hanging = HangingBackend()
    middle, last = same_desk(hanging), same_desk(hanging)
    record(on.database, [made.opened(FIRST), made.create(FIRST)])
    on.deliveries.revise({"desk": hanging})
    assert hanging.asked.wait(10)

    on.deliveries.revise({"desk": middle})  # does not wait
    on.deliveries.revise({"desk": last})
    record(on.database, [made.opened(SECOND), made.create(SECOND)])
    on.deliveries.wake({"desk"})
    assert on.states() == ["in_flight", "waiting"]
    assert [middle.calls, last.calls] == [[], []]

    hanging.released.set()
    until(lambda: on.states() == ["delivered", "delivered"])
    assert [hanging.calls, middle.calls, last.calls] == [["create"], [], ["create"]]


def test_a_backend_that_comes_back_waits_for_its_own_command_too(on: Bench) -> None:
    hanging = HangingBackend()
    again = same_desk(hanging)
    record(on.database, [made.opened(FIRST), made.create(FIRST)])
    on.deliveries.revise({"desk": hanging})
    assert hanging.asked.wait(10)

    on.deliveries.revise({})
    on.deliveries.revise({"desk": again})
    record(on.database, [made.opened(SECOND), made.create(SECOND)])
    on.deliveries.wake({"desk"})
    assert again.calls == []

    hanging.released.set()
    until(lambda: on.states() == ["delivered", "delivered"])
    assert again.calls == ["create"]


def test_a_backend_that_can_not_be_made_changes_nothing(on: Bench) -> None:
    first = MemoryBackend()
    on.deliveries.revise({"desk": first})

    def refuse(name: str, _: MemoryBackend) -> Delivery:
        raise RuntimeError(name)

    deliveries = Deliveries(refuse)
    with pytest.raises(RuntimeError):
        deliveries.revise({"desk": first})
    assert list(deliveries) == []
    assert list(on.deliveries) == ["desk"]


def test_which_backends_do_not_answer_is_known_until_they_do(on: Bench) -> None:
    backend = MemoryBackend(faults=deque([Fault.UNAVAILABLE]))
    record(on.database, [made.opened(FIRST), made.create(FIRST)])
    on.deliveries.revise({"desk": backend, "other": MemoryBackend()})
    until(lambda: bool(on.deliveries.refusing))
    assert on.deliveries.refusing == {"desk": "connection refused"}

    on.deliveries.revise({"desk": MemoryBackend()})
    assert on.deliveries.refusing == {}


def test_what_waits_for_a_backend_that_is_not_there_is_told(on: Bench) -> None:
    stranded = made.incident(3, backend="jira")
    record(on.database, [made.opened(stranded), made.create(stranded), made.note(stranded, "more")])
    on.deliveries.revise({"desk": MemoryBackend()})
    with capture_logs() as logs:
        on.deliveries.tell_missing(outbox.depths(on.database), [FIRST, stranded])

    [entry] = logs
    assert (entry["event"], entry["log_level"]) == ("backend_missing", "warning")
    assert (entry["backend"], entry["commands"], entry["open_incidents"]) == ("jira", 2, 1)
    assert "itsm.backends" in entry["advice"]
