"""Tickets are read back, and their incidents hear what people did to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import MemoryBackend
from tests.engine.stores import FaultyDatabase
from tests.store import problems
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged
from watchkeeper.domain.incident import Superseded, step
from watchkeeper.domain.ticket import (
    ProblemFindings,
    ProblemSeen,
    Ticket,
    TicketDraft,
    TicketPolicy,
    TicketSeen,
    TicketState,
)
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.engine.readback import ReadBack
from watchkeeper.itsm.base import Ambiguous, Outcome, Unavailable
from watchkeeper.store import outbox, tables
from watchkeeper.store.readings import PAGE
from watchkeeper.store.record import record, remember

MINUTE = 60_000
SWEEP = 15 * MINUTE
LAG = 2 * MINUTE
NOBODY = Plan({}, {}, {}, "desk")


@dataclass(eq=False)
class Tickets(MemoryBackend):
    """Notes whom it is asked for, and fails once when it is told to."""

    trouble: Outcome | None = None
    asked: Sequence[int] = ()
    """Of each call, how many tickets it was asked for."""

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        wanted = list(refs)
        self.asked = [*self.asked, len(wanted)]
        if (trouble := self.trouble) is not None:
            self.trouble = None
            raise trouble
        return super().fetch(wanted)


class Bench:
    """Open incidents with a ticket each, read back once a minute of a clock that is moved by hand."""

    def __init__(self, database: FaultyDatabase, incidents: int = 1) -> None:
        self.database = database
        self.backend = Tickets()
        self.now_ms = made.NOW_MS
        self.told: list[TicketSeen] = []
        self.told_of_problems: list[ProblemSeen] = []
        for incident in map(made.incident, range(1, incidents + 1)):
            record(database, [made.opened(incident), made.create(incident)])
            self.deliver()
        self.start()

    def start(self) -> None:
        """As after a restart: what is not in the database is forgotten."""
        policy = TicketPolicy(read_every_ms=MINUTE, sweep_every_ms=SWEEP, index_lag_ms=LAG)
        clock = lambda: self.now_ms  # noqa: E731
        tell, tell_problem = self.told.extend, self.told_of_problems.append
        self.readback = ReadBack("desk", self.backend, self.database, clock, policy, tell, tell_problem)

    def deliver(self) -> None:
        claim = outbox.claim(self.database, "desk", self.now_ms)
        assert claim is not None
        assert isinstance(claim.command.payload, TicketDraft)
        ticket = self.backend.create(claim.command.payload)
        outbox.settle_delivered(self.database, claim.commands, ticket, self.now_ms)

    def read(self) -> list[TicketSeen]:
        """Lets a minute pass, reads what is due, and gives what incidents are told."""
        self.now_ms += MINUTE
        self.told.clear()
        self.told_of_problems.clear()
        while self.readback.wait_ms() == 0:
            self.readback.step()
        return list(self.told)

    def take_in(self, seen: Iterable[TicketSeen]) -> list[Effect]:
        """Has the incidents, as they are stored, hear of it."""
        remembered = remember(self.database)
        watch = Watch(NOBODY, open_incidents=remembered.incidents)
        effects = [effect for one in seen for effect in watch.ticket_seen(one)]
        record(self.database, effects)
        return effects

    def stored(self, incident: int = 1) -> tuple[str, str, bool, int]:
        """State, assignee, whether it is touched, and how often it was missing."""
        rows = tables.tickets
        with self.database.read() as connection:
            row = connection.execute(select(rows).where(rows.c.incident_id == incident)).one()
        return row.state, row.assignee, row.touched, row.missing


@pytest.fixture
def on(database: FaultyDatabase) -> Bench:
    return Bench(database)


def test_what_nobody_has_touched_is_no_news(on: Bench) -> None:
    assert on.read() == []
    assert on.stored() == ("open", "", False, 0)


def test_nothing_is_read_before_its_time(on: Bench) -> None:
    on.now_ms += MINUTE - 1
    assert on.readback.wait_ms() == 1


def test_what_a_person_did_is_told_and_written_down(on: Bench) -> None:
    on.backend.by_person(TicketState.IN_PROGRESS, "alice")

    assert on.read() == [TicketSeen(1, "T-1", TicketState.IN_PROGRESS, "alice", on.now_ms)]
    assert on.stored() == ("in_progress", "alice", True, 0)


def test_a_ticket_that_was_assigned_and_not_begun_is_news_as_well(on: Bench) -> None:
    on.backend.by_person(TicketState.OPEN, "alice")

    assert [one.assignee for one in on.read()] == ["alice"]


def test_it_is_told_until_the_incident_knows_and_then_no_more(on: Bench) -> None:
    on.backend.by_person(TicketState.ON_HOLD, "alice")
    first = on.read()
    on.start()
    again = on.read()
    assert [replace(one, at_ms=0) for one in again] == [replace(one, at_ms=0) for one in first]

    [effect] = on.take_in(again)
    assert isinstance(effect, IncidentChanged)
    assert effect.incident.acknowledged_ms == on.now_ms

    assert on.read() == []
    on.start()
    assert on.read() == []


def test_what_is_done_after_that_is_news_again(on: Bench) -> None:
    on.backend.by_person(TicketState.IN_PROGRESS, "alice")
    on.take_in(on.read())

    on.backend.by_person(TicketState.RESOLVED, "alice")

    assert [one.state for one in on.read()] == [TicketState.RESOLVED]


def test_a_touch_is_remembered_though_the_system_tells_only_of_the_last(on: Bench) -> None:
    on.backend.by_person(TicketState.IN_PROGRESS, "alice")
    on.read()
    on.backend.tickets[-1] = replace(on.backend.tickets[-1], is_touched=False)
    on.read()

    assert on.stored() == ("in_progress", "alice", True, 0)


def test_that_a_ticket_is_gone_is_believed_the_second_time(on: Bench) -> None:
    gone = on.backend.tickets.pop()
    with capture_logs() as logs:
        assert on.read() == []
        assert on.stored() == ("open", "", False, 1)
        assert logs == []

        [seen] = on.read()
        assert (seen.state, seen.is_gone, seen.number) == (TicketState.CANCELLED, True, gone.number)
        on.take_in([seen])
        assert on.read() == []

    assert [entry["event"] for entry in logs] == ["ticket_gone"]


def test_a_ticket_that_comes_back_was_never_gone(on: Bench) -> None:
    kept = on.backend.tickets.pop()
    on.read()
    on.backend.tickets.append(kept)

    assert on.read() == []
    assert on.stored() == ("open", "", False, 0)


def test_a_page_that_can_not_be_read_is_read_again_and_nothing_counts_as_missing(on: Bench) -> None:
    on.backend.by_person(TicketState.IN_PROGRESS, "alice")
    on.backend.trouble = Unavailable("connection refused")
    with pytest.raises(Unavailable):
        on.read()
    assert on.told == []
    assert on.stored() == ("open", "", False, 0)

    on.readback.step()

    assert [one.state for one in on.told] == [TicketState.IN_PROGRESS]


def test_more_than_a_page_is_read_page_by_page(database: FaultyDatabase) -> None:
    on = Bench(database, incidents=PAGE + 1)
    on.backend.by_person(TicketState.RESOLVED, "alice")

    assert [one.incident_id for one in on.read()] == [PAGE + 1]
    assert on.backend.asked == [PAGE, 1]
    on.read()
    assert on.backend.asked == [PAGE, 1] * 2


def test_after_a_page_that_failed_reading_goes_on_where_it_was(database: FaultyDatabase) -> None:
    on = Bench(database, incidents=PAGE + 1)
    on.now_ms += MINUTE
    on.readback.step()
    on.backend.trouble = Unavailable("connection refused")
    with pytest.raises(Unavailable):
        on.readback.step()

    on.readback.step()

    assert on.backend.asked == [PAGE, 1, 1]
    assert on.readback.wait_ms() == MINUTE


def test_tickets_that_are_over_as_their_incidents_are_read_no_more(on: Bench) -> None:
    on.backend.by_person(TicketState.RESOLVED, "alice")
    on.read()
    assert on.backend.asked == [1]

    over = step(made.incident(1), Superseded(on.now_ms))
    record(on.database, [IncidentChanged(over, Happening.RESOLVED, on.now_ms, over.affected[0], "over")])
    on.read()

    assert on.backend.asked == [1]


@dataclass(eq=False)
class OneHidden(Tickets):
    """Can not read one of its tickets, and says nothing at all when that is among those it is asked for."""

    hidden: str = "ref7"

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        wanted = list(refs)
        self.asked = [*self.asked, len(wanted)]
        if self.hidden in wanted:
            raise Ambiguous("one of them may not be seen")
        return MemoryBackend.fetch(self, wanted)


def test_one_ticket_that_can_not_be_read_does_not_hide_the_others(database: FaultyDatabase) -> None:
    on = Bench(database, incidents=20)
    on.backend = OneHidden(tickets=on.backend.tickets, notes=on.backend.notes)
    on.start()
    on.backend.tickets = [replace(ticket, state=TicketState.IN_PROGRESS) for ticket in on.backend.tickets]
    on.now_ms += MINUTE
    with capture_logs() as logs:
        on.readback.step()

    assert sorted(seen.incident_id for seen in on.told) == [n for n in range(1, 21) if n != 7]
    assert [entry["event"] for entry in logs] == ["ticket_unreadable"]
    assert len(on.backend.asked) <= 2 * 20
    assert on.readback.wait_ms() == MINUTE


def with_problem(on: Bench) -> None:
    problems.put_problem(on.database, 1)
    with on.database.write() as connection:
        outbox.add(connection, problems.create(1))
    on.deliver()


def know(on: Bench, **values: object) -> None:
    """Writes down what the problem knows."""
    with on.database.write() as connection:
        connection.execute(update(tables.problems).values(**values))


def test_what_people_found_out_about_a_problem_is_told_until_it_knows(on: Bench) -> None:
    with_problem(on)
    assert on.read() == []
    assert on.told_of_problems == []
    found = ProblemFindings("restart it", "it leaks", "KE-1", "version 7", is_known_error=True)
    on.backend.by_person(TicketState.IN_PROGRESS, "alice")
    on.backend.tickets[-1] = replace(on.backend.tickets[-1], findings=found)

    assert on.read() == []
    seen = ProblemSeen(1, "T-2", TicketState.IN_PROGRESS, "alice", on.now_ms, findings=found)
    assert on.told_of_problems == [seen]

    texts = {"workaround": "restart it", "root_cause": "it leaks", "known_error": "KE-1", "resolution": "version 7"}
    know(on, seen_state="in_progress", is_known_error=True, **texts)
    on.read()
    assert on.told_of_problems == []


def test_the_ticket_of_a_resolved_problem_is_read_until_it_is_closed(on: Bench) -> None:
    with_problem(on)
    know(on, state="resolved", seen_state="resolved")
    on.backend.by_person(TicketState.RESOLVED, "alice")
    on.read()
    assert on.told_of_problems == []

    on.backend.by_person(TicketState.IN_PROGRESS, "alice")
    on.read()
    assert [seen.state for seen in on.told_of_problems] == [TicketState.IN_PROGRESS]

    on.backend.by_person(TicketState.CLOSED, "alice")
    know(on, seen_state="closed")
    on.read()
    asked = len(on.backend.asked)
    on.read()
    assert list(on.backend.asked)[asked:] == [1]


def test_a_problem_whose_ticket_is_gone_hears_it_and_keeps_what_was_found_out(on: Bench) -> None:
    with_problem(on)
    know(on, workaround="restart it")
    del on.backend.tickets[-1]

    on.read()
    assert on.told_of_problems == []
    on.read()

    [seen] = on.told_of_problems
    assert (seen.problem_id, seen.is_gone, seen.findings.workaround) == (1, True, "restart it")
