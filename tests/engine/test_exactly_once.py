"""Whatever sequence of faults and crashes: when they end there is one ticket for each incident, with its history."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import Crash, Fault, MemoryBackend, desk
from tests.engine.stores import FaultyDatabase, StoreFault, opened
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.ticket import TicketState
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.store import outbox
from watchkeeper.store.database import StoreError
from watchkeeper.store.record import record

PASSING = sorted(set(Fault) - {Fault.REJECTED, Fault.DENIED}, key=lambda fault: fault.value)
MEMORY = Path("/dev/shm")  # hundreds of commits, each of which would wait for the disk
STORE_FAULTS = [StoreFault.NONE, StoreFault.NONE, StoreFault.REFUSED, StoreFault.ANSWER_LOST]


class World:
    """A daemon's outbox and a ticket system, both of which fail, and a process that dies."""

    def __init__(self, database: FaultyDatabase, faults: list[Fault], store_faults: list[StoreFault]) -> None:
        self.database = database
        self.backend = MemoryBackend()
        self.backend.faults += faults
        self.now_ms = made.NOW_MS
        self._store_faults = store_faults
        self._delivery = self._new()

    def put(self, number: int, notes: int) -> None:
        incident = made.incident(number)
        texts = [made.note(incident, f"note {n}") for n in range(notes)]
        record(self.database, [made.opened(incident), made.create(incident), *texts, made.resolve(incident)])

    def deliver(self) -> None:
        """Until nothing is left to do."""
        self.database.faults += self._store_faults
        for _ in range(500):
            try:
                if not self._delivery.step():
                    due = outbox.next_due_ms(self.database, "desk")
                    if due is None:
                        return
                    self.now_ms = max(self.now_ms + round(self._delivery.wait_s() * 1000), due)
            except Crash:
                self._restart()
            except StoreError:
                event("the store failed")
        raise AssertionError("it does not come to an end")

    def _new(self) -> Delivery:
        return Delivery(
            desk("desk", self.backend, lambda: self.now_ms),
            self.database,
            lambda: self.now_ms,
            lambda: 0.5,
            Figures("1.2.3"),
        )

    def _restart(self) -> None:
        event("the process died")
        later = list(self.database.faults)
        self.database.faults.clear()
        with self.database.write() as connection:
            outbox.reclaim(connection)
        self.database.faults += later
        self._delivery = self._new()


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    notes=st.lists(st.integers(min_value=0, max_value=2), min_size=1, max_size=3),
    faults=st.lists(st.sampled_from(PASSING), max_size=12),
    store_faults=st.lists(st.sampled_from(STORE_FAULTS), max_size=12),
)
def test_there_is_exactly_one_ticket_for_each_incident_with_all_of_its_history_in_order(
    template: Path, notes: list[int], faults: list[Fault], store_faults: list[StoreFault]
) -> None:
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder,
        opened(template, Path(folder) / "watchkeeper.db") as database,
        capture_logs(),
    ):
        world = World(database, faults, store_faults)
        for number, count in enumerate(notes, 1):
            world.put(number, count)

        world.deliver()

        assert outbox.depths(database) == []
        tickets = {ticket.key: ticket for ticket in world.backend.tickets}
        assert len(tickets) == len(world.backend.tickets) == len(notes)
        for number, count in enumerate(notes, 1):
            incident = made.incident(number)
            ticket = tickets[ticket_key(incident.key, incident.opened_ms)]
            told = "\n".join(world.backend.notes[ticket.ref])
            places = [told.index(text) for text in (*(f"note {n}" for n in range(count)), "over")]
            assert places == sorted(places)
            assert [told.count(text) for text in (*(f"note {n}" for n in range(count)), "over")] == [1] * (count + 1)
            assert ticket.state is TicketState.RESOLVED
