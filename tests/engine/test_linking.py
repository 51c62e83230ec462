"""Tickets are linked to others when these are there; a link that can not be made is told, and holds up nothing."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import Crash, Fault, MemoryBackend, desk
from tests.engine.stores import FaultyDatabase, opened
from tests.store import problems
from watchkeeper.domain.ticket import ChangeRef, Command, Ticket, TicketChange, TicketState
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.store import outbox
from watchkeeper.store.record import record

FIRST, SECOND = made.incident(1), made.incident(2)
HOUR_MS = 3_600_000


@dataclass(eq=False)
class Linking(MemoryBackend):
    """Keeps each link that it is told to make, whatever is there already; a change of one key it makes once."""

    links: list[tuple[str, str, str]] = field(default_factory=list)

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        fresh = change.key not in self._changes
        try:
            return super().update(ticket, change)
        finally:
            if fresh and change.key in self._changes:
                targets = {"problem": change.problem, "duplicate": change.duplicate, "cause": change.cause}
                self.links += [(ticket.ref, kind, ref) for kind, ref in targets.items() if ref]


class Bench:
    """Deliveries to two backends in memory, whose clock is moved by hand."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.now_ms = made.NOW_MS
        self.backends = {"desk": Linking(), "other": Linking()}
        self.refusals: list[tuple[int, str]] = []
        self.start()

    def start(self) -> None:
        self.deliveries = {name: self._delivery(name) for name in self.backends}

    def _delivery(self, name: str) -> Delivery:
        return Delivery(
            desk(name, self.backends[name], lambda: self.now_ms),
            self.database,
            lambda: self.now_ms,
            lambda: 0.5,
            Figures("1.2.3"),
            problem_refused=lambda problem, why: self.refusals.append((problem, why)),
        )

    @property
    def desk(self) -> Linking:
        return self.backends["desk"]

    def add(self, *commands: Command) -> None:
        with self.database.write() as connection:
            outbox.add(connection, *commands)

    def steps(self, name: str = "desk") -> None:
        while self.deliveries[name].step():
            pass

    def waiting(self) -> int:
        return sum(depth.count for depth in outbox.depths(self.database))

    def notes(self, key: str) -> list[str]:
        [ticket] = [one for one in self.desk.tickets if one.key == key]
        return self.desk.notes[ticket.ref]


@pytest.fixture
def bench(database: FaultyDatabase) -> Bench:
    record(database, [made.opened(FIRST), made.opened(SECOND)])
    problems.put_problem(database, 1)
    return Bench(database)


def linked(incident: int = 2, **links: object) -> Command:
    change = replace(TicketChange("linked"), **links)  # type: ignore[arg-type]
    return replace(made.note(made.incident(incident), ""), payload=change)


def problem(backend: str = "desk") -> Command:
    return problems.create(1, backend=backend, at_ms=made.NOW_MS)


def test_an_incident_is_linked_to_its_problem_and_to_what_it_is_a_duplicate_of(bench: Bench) -> None:
    bench.add(made.create(FIRST), made.create(SECOND), problem(), linked(problem_id=1, duplicate_of=1))

    bench.steps()

    assert bench.desk.links == [("ref2", "problem", "ref3"), ("ref2", "duplicate", "ref1")]
    assert bench.notes(made.create(SECOND).key) == ["linked"]


def test_a_link_waits_until_the_other_ticket_is_there_and_that_is_no_attempt(bench: Bench) -> None:
    bench.add(made.create(SECOND), linked(problem_id=1), problem())
    bench.desk.faults += [Fault.NONE, Fault.AMBIGUOUS_BEFORE]
    with capture_logs() as logs:
        bench.steps()
    assert [ticket.number for ticket in bench.desk.tickets] == ["T-1"]
    assert {"reason": "waits for the ticket of PRB-1, to be linked to it"}.items() <= next(
        entry for entry in logs if entry["event"] == "ticket_awaited"
    ).items()

    bench.now_ms += 60_000
    bench.steps()
    bench.now_ms += 60_000
    bench.steps()

    assert bench.desk.links == [("ref1", "problem", "ref2")]
    assert bench.waiting() == 0


def test_what_comes_behind_a_link_waits_with_it(bench: Bench) -> None:
    bench.add(made.create(SECOND), linked(problem_id=1), problem(), made.resolve(SECOND))
    bench.desk.faults += [Fault.NONE, Fault.AMBIGUOUS_BEFORE]
    bench.steps()
    assert [one.state.value for one in bench.desk.tickets] == ["open"]

    bench.now_ms += 60_000
    bench.steps()
    bench.now_ms += 60_000
    bench.steps()

    assert bench.desk.tickets[0].state is TicketState.RESOLVED
    assert bench.desk.links == [("ref1", "problem", "ref2")]


def test_a_link_to_what_was_rejected_is_left_out_and_told(bench: Bench) -> None:
    bench.add(made.create(SECOND), problem(), linked(problem_id=1))
    bench.desk.faults += [Fault.NONE, Fault.REJECTED]

    bench.steps()

    assert bench.desk.links == []
    assert bench.notes(made.create(SECOND).key) == ["linked\n(Part of the problem PRB-1.)"]


def test_a_link_to_a_ticket_of_another_backend_is_told_with_its_number(bench: Bench) -> None:
    bench.add(made.create(SECOND), problem("other"))
    bench.steps("other")
    bench.add(linked(problem_id=1))
    bench.steps()

    assert bench.desk.links == []
    assert bench.notes(made.create(SECOND).key) == ["linked\n(Part of the problem T-1.)"]


def test_a_link_to_what_nobody_knows_is_told_and_holds_up_nothing(bench: Bench) -> None:
    bench.add(made.create(SECOND), linked(duplicate_of=77))

    bench.steps()

    assert bench.notes(made.create(SECOND).key) == ["linked\n(Duplicate of INC-77.)"]


def test_nobody_waits_for_a_ticket_for_ever(bench: Bench) -> None:
    never = replace(problem(), due_ms=2**50)
    bench.add(made.create(SECOND), linked(problem_id=1), never)
    bench.steps()
    assert bench.notes(made.create(SECOND).key) == []

    bench.now_ms += 7 * HOUR_MS
    bench.steps()

    assert bench.notes(made.create(SECOND).key) == ["linked\n(Part of the problem PRB-1.)"]


@pytest.mark.parametrize(("backend", "links", "note"), [
    ("desk", [("ref1", "cause", "chg-7")], "linked"),
    ("snow", [], "linked\n(Caused by the change CHG0007.)"),
])  # fmt: skip
def test_a_change_is_linked_where_it_is_one_of_the_same_system(
    bench: Bench, backend: str, links: list[tuple[str, str, str]], note: str
) -> None:
    bench.add(made.create(SECOND), linked(caused_by=ChangeRef(backend, "chg-7", "CHG0007")))

    bench.steps()

    assert bench.desk.links == links
    assert bench.notes(made.create(SECOND).key) == [note]


def test_a_problem_whose_ticket_can_not_be_opened_again_hears_of_it(bench: Bench) -> None:
    bench.add(problem())
    bench.steps()
    bench.desk.by_person(TicketState.CLOSED, "alice")
    again = replace(made.reopen(FIRST), incident_id=None, problem_id=1, key=problem().key)
    bench.add(again)

    with capture_logs() as logs:
        bench.steps()

    assert bench.refusals == [(1, "T-1 is closed: nothing is added to it")]
    assert [entry["problem"] for entry in logs if entry["event"] == "ticket_left"] == ["PRB-1"]


PASSING = sorted(set(Fault) - {Fault.REJECTED, Fault.DENIED}, key=lambda fault: fault.value)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    order=st.permutations(["first", "second", "problem", "link"]),
    faults=st.lists(st.sampled_from(PASSING), max_size=8),
)
def test_however_calls_end_and_whatever_comes_first_a_link_is_made_once(
    template: Path, tmp_path: Path, order: list[str], faults: list[Fault]
) -> None:
    with opened(template, tmp_path / "linked.db") as database, capture_logs():
        record(database, [made.opened(FIRST), made.opened(SECOND)])
        problems.put_problem(database, 1)
        bench = Bench(database)
        bench.desk.faults += faults
        commands = {
            "first": made.create(FIRST),
            "second": made.create(SECOND),
            "problem": problem(),
            "link": linked(problem_id=1, duplicate_of=1),
        }
        if order.index("link") < order.index("second"):
            order.remove("link")
            order.insert(order.index("second") + 1, "link")
        bench.add(*(commands[name] for name in order))

        _run(bench)

        refs = {ticket.key: ticket.ref for ticket in bench.desk.tickets}
        own = refs[commands["second"].key]
        expected = [("problem", refs[commands["problem"].key]), ("duplicate", refs[commands["first"].key])]
        assert bench.desk.links == [(own, kind, ref) for kind, ref in expected]
        assert len(bench.desk.tickets) == 3


def _run(bench: Bench) -> None:
    """Until nothing is left to do; a process that dies is started again."""
    for _ in range(300):
        try:
            while bench.deliveries["desk"].step():
                pass
        except Crash:
            with bench.database.write() as connection:
                outbox.reclaim(connection)
            bench.start()
            continue
        if bench.waiting() == 0:
            return
        bench.now_ms += 30_000
    raise AssertionError("it does not come to an end")
