"""A change that its backend makes when nobody waits for it any more is made once all the same."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import MemoryBackend
from tests.engine.stores import FaultyDatabase
from tests.engine.test_delivery import FIRST, Bench
from watchkeeper.domain.ticket import Ticket, TicketChange
from watchkeeper.itsm.base import Ambiguous


class SlowBackend(MemoryBackend):
    """A gateway gives up on the first change, which is made when `catch_up` is called. A change that is made twice is
    there twice: who makes it looks before whether it is there, and sees nothing while another one is under way."""

    _late: tuple[Ticket, TicketChange] | None = None
    _is_slow = True

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        if self._is_slow:
            self._late, self._is_slow = (ticket, change), False
            raise Ambiguous("failed (504)")
        return super().update(ticket, change)

    def catch_up(self) -> None:
        assert self._late is not None
        ticket, change = self._late
        self._changes.discard(change.key)
        super().update(ticket, change)


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    bench.backend = SlowBackend()
    bench.certain_after_ms = 60_000
    bench.delivery = bench.new()
    yield bench
    bench.delivery.end(5)


def test_a_change_that_may_be_under_way_is_not_made_a_second_time(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST), made.note(FIRST, "api joined"))
    assert isinstance(on.backend, SlowBackend)
    with capture_logs():
        on.steps()
        on.now_ms += 30_000
        on.steps()
        on.backend.catch_up()
        on.now_ms += 31_000
        on.steps()

    assert on.rows() == [("create", "delivered"), ("update", "delivered")]
    assert on.backend.notes["ref1"] == ["api joined"]


def test_a_change_that_is_not_there_when_it_must_be_is_made_then(on: Bench) -> None:
    on.put(made.opened(FIRST), made.create(FIRST), made.note(FIRST, "api joined"))
    with capture_logs():
        on.steps()
        on.now_ms += 61_000
        on.steps()

    assert on.backend.notes["ref1"] == ["api joined"]


def test_a_ticket_whose_change_is_waited_for_does_not_hold_up_the_others(on: Bench) -> None:
    second = made.incident(2)
    on.put(made.opened(FIRST), made.create(FIRST), made.note(FIRST, "api joined"))
    with capture_logs():
        on.steps()
        on.put(made.opened(second), made.create(second))
        on.now_ms += 2_000
        on.steps()

    assert on.rows() == [("create", "delivered"), ("update", "waiting"), ("create", "delivered")]
