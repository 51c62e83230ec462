"""Of many tickets only those are read that have changed, and now and then all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from tests.engine import made
from tests.engine.backends import MemoryBackend
from tests.engine.stores import FaultyDatabase
from watchkeeper.domain.ticket import Ticket, TicketPolicy, TicketSeen, TicketState
from watchkeeper.engine.readback import ReadBack
from watchkeeper.itsm.base import Ambiguous, Outcome, Rejected, Unavailable
from watchkeeper.store import tables
from watchkeeper.store.readings import PAGE
from watchkeeper.store.record import record

MINUTE = 60_000
SWEEP = 15 * MINUTE
LAG = 2 * MINUTE
NEVER = 10_000 * MINUTE


@dataclass(eq=False)
class Tickets(MemoryBackend):
    """Tells what has changed, when its search knows it; `late_ms` after it was.

    `trouble`: of the calls to come. `asked`: of each call, what was asked for.
    """

    now_ms: int = 0
    late_ms: int = 0
    can_tell: bool = True
    at_ms: dict[str, int] = field(default_factory=dict)
    trouble: dict[str, Outcome] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        wanted = list(refs)
        self._note("fetch", len(wanted))
        return super().fetch(wanted)

    def changed(self, within_ms: int) -> Sequence[str] | None:
        self._note("changed", within_ms)
        if not self.can_tell:
            return None
        known = range(self.now_ms - within_ms, self.now_ms - self.late_ms + 1)
        found = [ref for ref, at_ms in self.at_ms.items() if at_ms in known]
        return found if len(found) <= PAGE else None

    def by(self, ref: str, state: TicketState) -> None:
        """What somebody does to a ticket."""
        index = int(ref.removeprefix("ref")) - 1
        self.tickets[index] = replace(self.tickets[index], state=state, is_touched=True)
        self.at_ms[ref] = self.now_ms

    def _note(self, call: str, what: int) -> None:
        self.asked.append((call, what))
        if (trouble := self.trouble.pop(call, None)) is not None:
            raise trouble


class Bench:
    """Open incidents with a ticket each."""

    def __init__(self, database: FaultyDatabase, incidents: int, sweep_ms: int = SWEEP) -> None:
        self.database = database
        self.now_ms = made.NOW_MS
        self.told: list[TicketSeen] = []
        self.backend = Tickets(now_ms=self.now_ms)
        self.backend.tickets = [
            Ticket(f"ref{number}", f"T-{number}", f"wk-{number}", TicketState.OPEN, "Web shop is down")
            for number in range(1, incidents + 1)
        ]
        with database.write() as connection:
            connection.execute(delete(tables.incidents))
        record(database, [made.opened(made.incident(number)) for number in range(1, incidents + 1)])
        rows = [
            {"incident_id": number, "backend": "desk", "ref": ticket.ref, "number": ticket.number, "key": ticket.key}
            | {"state": ticket.state.value, "title": ticket.title, "url": "", "updated_ms": self.now_ms}
            for number, ticket in enumerate(self.backend.tickets, 1)
        ]
        with database.write() as connection:
            connection.execute(insert(tables.tickets), rows)
        policy = TicketPolicy(read_every_ms=MINUTE, sweep_every_ms=sweep_ms, index_lag_ms=LAG)
        self.readback = ReadBack("desk", self.backend, database, lambda: self.now_ms, policy, self.told.extend)

    def minute(self) -> list[tuple[str, int]]:
        """Lets a minute pass, reads what is due, and gives what the backend was asked."""
        self.now_ms += MINUTE
        self.backend.now_ms = self.now_ms
        return self.read()

    def read(self) -> list[tuple[str, int]]:
        self.backend.asked.clear()
        while self.readback.wait_ms() == 0:
            self.readback.step()
        return list(self.backend.asked)

    def known(self) -> dict[str, str]:
        """The state of every ticket, as it is written down."""
        rows = tables.tickets
        with self.database.read() as connection:
            found = connection.execute(select(rows.c.ref, rows.c.state))
            return {row.ref: row.state for row in found}

    def hold(self, ref: str = "ref1") -> None:
        self.backend.by(ref, TicketState.ON_HOLD)

    def is_held(self, ref: str = "ref1") -> bool:
        return self.known()[ref] == TicketState.ON_HOLD.value


@pytest.fixture
def on(database: FaultyDatabase) -> Bench:
    return Bench(database, 3 * PAGE // 2)


def calls(asked: Sequence[tuple[str, int]]) -> list[str]:
    return [call for call, _ in asked]


ALL = [("fetch", PAGE), ("fetch", PAGE // 2)]


def test_first_all_tickets_are_read_and_then_what_has_changed(on: Bench) -> None:
    assert on.minute() == ALL
    assert calls(on.minute()) == ["changed"]

    on.hold()

    assert [on.minute()[1:], on.told[-1].state] == [[("fetch", 1)], TicketState.ON_HOLD]


def test_all_are_read_again_when_it_is_time(on: Bench) -> None:
    asked = [on.minute() for _ in range(31)]

    assert [n for n, one in enumerate(asked) if one == ALL] == [0, 15, 30]
    assert {call for n, one in enumerate(asked) if n % 15 for call in calls(one)} == {"changed"}


def test_of_5000_standing_tickets_3000_calls_an_hour_become_less_than_350(database: FaultyDatabase) -> None:
    def hour(*, can_tell: bool) -> int:
        on = Bench(database, 5000)
        on.backend.can_tell = can_tell
        on.minute()
        asked = 0
        for minute in range(60):
            on.hold(f"ref{minute + 1}")
            asked += len(on.minute())
        assert all(on.is_held(f"ref{minute + 1}") for minute in range(60))
        return asked

    before, after = hour(can_tell=False), hour(can_tell=True)

    # 50 pages a minute, after a question that was not answered; then 50 pages four times an hour, else a question and
    # what has changed.
    assert before == 60 * (1 + 50)
    assert after == 4 * 50 + 56 * (1 + 1)


def test_where_the_backend_can_not_tell_all_are_read_each_time(on: Bench) -> None:
    on.backend.can_tell = False
    on.minute()

    assert on.minute()[1:] == ALL
    assert on.minute()[1:] == ALL


def test_when_more_has_changed_than_a_page_all_are_read(on: Bench) -> None:
    on.minute()
    for number in range(PAGE + 1):
        on.hold(f"ref{number + 1}")

    assert on.minute()[1:] == ALL
    assert all(on.is_held(f"ref{number + 1}") for number in range(PAGE + 1))


def test_a_change_that_the_search_knows_late_is_read_when_it_does(on: Bench) -> None:
    on.backend.late_ms = LAG
    on.minute()
    on.hold()

    asked = [on.minute() for _ in range(2)]

    assert calls(asked[0]) == ["changed"]
    assert asked[1][1:] == [("fetch", 1)]
    assert on.is_held()


def test_what_a_backend_never_tells_of_is_found_when_all_are_read(on: Bench) -> None:
    on.minute()
    on.hold()
    on.backend.at_ms["ref1"] -= 60 * MINUTE  # by a clock that is an hour behind

    asked = [on.minute() for _ in range(15)]

    assert [n for n, one in enumerate(asked) if one == ALL] == [14]
    assert on.is_held()


def test_tickets_of_others_are_not_read(on: Bench) -> None:
    on.minute()
    on.backend.at_ms |= dict.fromkeys(("ref900", "ref901"), on.now_ms)

    assert calls(on.minute()) == ["changed"]


def test_a_ticket_that_is_over_as_its_incident_is_not_read_though_it_changes(on: Bench) -> None:
    on.minute()
    with on.database.write() as connection:
        connection.execute(update(tables.tickets).where(tables.tickets.c.ref == "ref1").values(state="resolved"))
        connection.execute(update(tables.incidents).where(tables.incidents.c.id == 1).values(state="resolved"))
    on.hold()

    assert calls(on.minute()) == ["changed"]


def test_that_a_ticket_is_gone_is_noticed_when_all_are_read_and_believed_a_minute_later(on: Bench) -> None:
    on.minute()
    on.backend.tickets = on.backend.tickets[1:]
    for _ in range(14):
        assert calls(on.minute()) == ["changed"]

    assert on.minute() == ALL
    assert on.told == []
    assert on.minute()[1:] == [("fetch", 1)]
    assert [(seen.number, seen.is_gone) for seen in on.told] == [("T-1", True)]
    assert calls(on.minute()) == ["changed"]


def test_a_question_that_fails_is_asked_again_about_all_that_time(on: Bench) -> None:
    on.minute()
    [(_, usual_ms)] = on.minute()
    on.hold()
    for _ in range(10):
        on.backend.trouble["changed"] = Unavailable("connection refused")
        with pytest.raises(Unavailable):
            on.minute()

    assert on.minute() == [("changed", usual_ms + 10 * MINUTE), ("fetch", 1)]
    assert on.is_held()


def test_what_has_changed_is_asked_for_again_when_reading_it_fails(on: Bench) -> None:
    on.minute()
    on.hold()
    on.backend.trouble["fetch"] = Unavailable("connection refused")
    with pytest.raises(Unavailable):
        on.minute()

    assert calls(on.read()) == ["changed", "fetch"]
    assert on.is_held()


@pytest.mark.parametrize("outcome", [Rejected("no such field"), Ambiguous("half an answer")])
def test_where_the_question_is_refused_all_are_read(on: Bench, outcome: Outcome) -> None:
    on.minute()
    on.backend.trouble["changed"] = outcome
    with pytest.raises(type(outcome)):
        on.minute()
    on.readback.skip()

    assert on.read() == ALL


def test_after_a_page_that_was_left_out_all_are_read_the_next_time(on: Bench) -> None:
    on.now_ms += MINUTE
    on.readback.step()
    on.readback.skip()

    assert on.minute() == ALL
    assert calls(on.minute()) == ["changed"]


def test_after_the_clock_was_set_back_all_are_read(on: Bench) -> None:
    on.minute()
    on.now_ms -= 30 * MINUTE

    assert on.readback.wait_ms() == MINUTE
    assert on.minute() == ALL
    assert calls(on.minute()) == ["changed"]


def test_after_a_long_sleep_all_are_read(on: Bench) -> None:
    on.minute()
    on.now_ms += SWEEP

    assert on.minute() == ALL


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(st.tuples(st.integers(1, 20), st.sampled_from(("ref1", "ref2", "ref3"))), max_size=10),
    late_s=st.integers(0, LAG // 1000),
    failing=st.dictionaries(st.integers(1, 20), st.sampled_from(("changed", "fetch"))),
)
def test_whatever_fails_between_every_change_is_read_without_reading_all(
    database: FaultyDatabase, moves: list[tuple[int, str]], late_s: int, failing: dict[int, str]
) -> None:
    on = Bench(database, 3, NEVER)
    on.backend.late_ms = late_s * 1000
    on.minute()
    asked: list[tuple[str, int]] = []
    states = (TicketState.IN_PROGRESS, TicketState.ON_HOLD)
    for minute in range(1, 24):
        on.backend.trouble.clear()
        if minute in failing:
            on.backend.trouble[failing[minute]] = Unavailable("connection refused")
        for number, (at, ref) in enumerate(moves):
            if at == minute:
                on.backend.by(ref, states[number % 2])
        try:
            asked += on.minute()
        except Unavailable:
            continue

    assert on.known() == {ticket.ref: ticket.state.value for ticket in on.backend.tickets}
    assert calls(asked).count("changed") >= 1
