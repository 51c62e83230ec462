"""The outbox hands each command out once, in order, and forgets none."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.store import made, problems
from watchkeeper.domain.ticket import Command, TicketChange, TicketState
from watchkeeper.store import outbox, tables
from watchkeeper.store.commandrows import ticket_of
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.outbox import Claim, OutboxDepth, OutboxState
from watchkeeper.store.record import begin_run, record

FIRST, SECOND = made.incident(1), made.incident(2)


def add(database: Database, *commands: Command) -> None:
    with database.write() as connection:
        outbox.add(connection, *commands)


def claim(database: Database, now_ms: int = 10_000, backend: str = "desk") -> Claim:
    found = outbox.claim(database, backend, now_ms)
    assert found is not None
    return found


@pytest.fixture
def database(database: Database) -> Database:
    """With two open incidents."""
    record(database, [made.opened(FIRST), made.opened(SECOND)])
    return database


def test_a_command_comes_out_as_it_went_in(database: Database) -> None:
    add(database, made.create(FIRST))

    got = claim(database).command

    assert replace(got, id=0) == made.create(FIRST)


def test_a_change_gets_a_key_of_its_own_that_stays_the_same(database: Database) -> None:
    add(database, made.note(FIRST, "one"), made.note(SECOND, "two"))
    one, two = claim(database).command, claim(database).command
    outbox.settle_retry(database, [one], "timeout", 0, uncertain=True)

    again = claim(database).command.payload

    assert isinstance(one.payload, TicketChange)
    assert isinstance(two.payload, TicketChange)
    assert one.payload.key != two.payload.key
    assert again == one.payload


def test_the_next_command_of_an_incident_waits_and_gets_the_ticket_of_the_one_before(database: Database) -> None:
    add(database, made.create(FIRST), made.resolve(FIRST))
    first = claim(database)
    assert outbox.claim(database, "desk", 10_000) is None

    outbox.settle_delivered(database, [first.command], made.ticket(first.command), 11_000)

    second = claim(database)
    assert second.command.kind == "resolve"
    assert second.ticket == made.ticket(first.command)


def test_a_command_that_is_not_due_is_not_handed_out(database: Database) -> None:
    add(database, made.create(FIRST))
    outbox.settle_retry(database, [claim(database).command], "busy", 60_000, uncertain=False)

    assert outbox.claim(database, "desk", 59_999) is None
    assert claim(database, 60_000).attempts == 2


def test_what_was_once_uncertain_stays_so(database: Database) -> None:
    add(database, made.create(FIRST))
    outbox.settle_retry(database, [claim(database).command], "timeout", 0, uncertain=True)
    outbox.settle_retry(database, [claim(database).command], "too many requests", 0, uncertain=False)

    assert claim(database).uncertain


def test_an_attempt_is_uncertain_since_the_last_one_that_may_have_done_it(database: Database) -> None:
    add(database, made.create(FIRST))
    since = []
    for now_ms in (10_000, 30_000, 70_000, 80_000):  # the third begins when nothing can come of the first any more
        claimed = outbox.claim(database, "desk", now_ms, certain_after_ms=60_000)
        assert claimed is not None
        since.append(claimed.uncertain_since_ms)
        outbox.settle_retry(database, claimed.commands, "timeout", 0, uncertain=True)

    assert since == [0, 10_000, 10_000, 70_000]


def test_changes_that_wait_for_one_ticket_are_handed_out_together(database: Database) -> None:
    add(database, made.create(FIRST), made.note(FIRST, "a"), made.note(SECOND, "x"), made.note(FIRST, "b"))
    create = claim(database)
    assert len(create.commands) == 1
    outbox.settle_delivered(database, create.commands, made.ticket(create.command), 11_000)

    together = claim(database)
    assert [command.payload.note for command in together.commands] == ["a", "b"]  # type: ignore[union-attr]
    outbox.settle_delivered(database, together.commands, made.ticket(create.command), 12_000, "left to alice")
    assert claim(database).command.incident_id == SECOND.id


def test_what_may_have_been_done_together_is_done_again_just_so(database: Database) -> None:
    add(database, made.note(FIRST, "a"), made.note(FIRST, "b"))
    first = claim(database, 10_000)
    outbox.settle_retry(database, first.commands, "timeout", 0, uncertain=True)
    add(database, made.resolve(FIRST))

    again = claim(database, 20_000)
    assert again.commands == first.commands
    assert again.uncertain_since_ms == 10_000
    outbox.settle_retry(database, again.commands, "timeout", 0, uncertain=True)
    assert claim(database, 30_000).uncertain_since_ms == 10_000


def test_what_was_surely_not_done_takes_along_what_came_since(database: Database) -> None:
    add(database, made.note(FIRST, "a"))
    outbox.settle_retry(database, claim(database).commands, "busy", 0, uncertain=False)
    add(database, made.resolve(FIRST))

    assert len(claim(database).commands) == 2


def test_what_was_rejected_is_tried_again_when_somebody_says_so(database: Database) -> None:
    add(database, made.create(FIRST), made.create(SECOND))
    for _ in range(2):
        outbox.settle_rejected(database, claim(database).commands, "no such project", 11_000)
    assert outbox.claim(database, "desk", 12_000) is None

    assert outbox.retry_rejected(database, 12_000, backend="other") == 0
    assert outbox.retry_rejected(database, 12_000, incident_id=SECOND.id) == 1
    assert claim(database, 12_000).command.incident_id == SECOND.id
    assert outbox.retry_rejected(database, 13_000, backend="desk") == 1
    assert claim(database, 13_000).command.incident_id == FIRST.id


def test_a_backend_gets_its_own_commands_only(database: Database) -> None:
    add(database, made.create(replace(FIRST, backend="jira")))

    assert outbox.claim(database, "desk", 10_000) is None
    assert claim(database, backend="jira").command.backend == "jira"


def test_a_rejected_command_holds_back_its_incident_and_no_other(database: Database) -> None:
    add(database, made.create(FIRST), made.note(FIRST), made.create(SECOND))
    outbox.settle_rejected(database, [claim(database).command], "no such project", 11_000)

    assert claim(database).command.incident_id == SECOND.id
    assert outbox.claim(database, "desk", 10**12) is None
    assert outbox.next_due_ms(database, "desk") is None


def test_the_next_due_time_is_of_a_command_that_could_be_done_then(database: Database) -> None:
    """Otherwise a worker would wake up at once, find nothing, and never sleep."""
    add(database, made.create(FIRST), made.note(FIRST))
    assert outbox.next_due_ms(database, "desk") == FIRST.opened_ms

    outbox.settle_retry(database, [claim(database).command], "busy", 60_000, uncertain=False)

    assert outbox.next_due_ms(database, "desk") == 60_000


def test_its_depth_counts_what_is_not_delivered(database: Database) -> None:
    add(database, made.create(FIRST), made.note(FIRST), made.note(FIRST), made.create(SECOND))
    first = claim(database).command
    outbox.settle_delivered(database, [first], made.ticket(first), 11_000)
    outbox.settle_rejected(database, claim(database).commands, "no", 11_000)

    assert outbox.depths(database) == [
        OutboxDepth("desk", OutboxState.REJECTED, 2, 5_000),
        OutboxDepth("desk", OutboxState.WAITING, 1, SECOND.opened_ms),
    ]


def test_a_delivered_command_is_not_taken_back_by_a_worker_that_comes_late(database: Database) -> None:
    add(database, made.create(FIRST))
    command = claim(database).command
    outbox.settle_delivered(database, [command], made.ticket(command), 11_000)

    outbox.settle_retry(database, [command], "timeout", 0, uncertain=True)
    outbox.settle_rejected(database, [command], "no", 12_000)

    assert outbox.depths(database) == []


def test_a_worker_that_the_store_failed_gets_its_command_back_as_uncertain(database: Database) -> None:
    add(database, made.create(FIRST), made.create(replace(SECOND, backend="jira")))
    claim(database)
    claim(database, backend="jira")

    outbox.recover(database, "desk")

    assert claim(database).uncertain
    assert outbox.claim(database, "jira", 10**12) is None


def test_the_ticket_is_kept_as_its_backend_told_last(database: Database) -> None:
    add(database, made.create(FIRST), made.resolve(FIRST))
    for state in (TicketState.OPEN, TicketState.RESOLVED):
        command = claim(database).command
        outbox.settle_delivered(database, [command], made.ticket(command, state), 11_000)

    with database.read() as connection:
        [row] = connection.execute(select(tables.tickets)).all()
    assert ticket_of(row) == made.ticket(made.create(FIRST), TicketState.RESOLVED)


def test_one_ticket_can_not_belong_to_two_incidents(database: Database) -> None:
    add(database, made.create(FIRST), made.create(SECOND))
    first, second = claim(database).command, claim(database).command
    outbox.settle_delivered(database, [first], made.ticket(first), 11_000)

    with pytest.raises(StoreError, match="refuses what contradicts it"):
        outbox.settle_delivered(database, [second], made.ticket(first), 11_000)


def test_workers_at_the_same_time_never_get_the_same_command(database: Database) -> None:
    incidents = [made.incident(number) for number in range(10, 40)]
    record(database, [made.opened(incident) for incident in incidents])
    add(database, *map(made.create, incidents))

    def work(_: int) -> list[int]:
        claims = iter(lambda: outbox.claim(database, "desk", 10_000), None)
        return [got.command.id for got in claims]

    with ThreadPoolExecutor(4) as workers:
        got = [command for part in workers.map(work, range(4)) for command in part]

    assert len(got) == len(set(got)) == len(incidents)


@dataclass
class Row:
    """The model of one command."""

    id: int
    incident: int
    backend: str
    due_ms: int
    state: OutboxState = OutboxState.WAITING
    uncertain: bool = False
    attempts: int = 0
    is_create: bool = False
    batch: int = 0


BACKENDS = {1: "a", 2: "a", 3: "b", 4: "a"}  # of each incident, and of one problem
PROBLEM = 4


class Model:
    """The outbox as a list in memory. Every step is made here and in the database, and must look the same."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now_ms = 100_000
        self.rows: list[Row] = []
        with database.write() as connection:
            connection.execute(tables.incidents.delete())
            connection.execute(tables.problems.delete())
        problems.put_problem(database, PROBLEM)
        self.incidents = {number: made.incident(number, backend=BACKENDS[number]) for number in BACKENDS}
        record(database, [made.opened(incident) for incident in self.incidents.values()])

    def command(self, incident: int, *, is_create: bool, id_: int = 0) -> Command:
        command = (made.create if is_create else made.note)(self.incidents[incident])
        own = {"incident_id": None, "problem_id": PROBLEM} if incident == PROBLEM else {}
        return replace(command, id=id_, created_ms=self.now_ms, **own)  # type: ignore[arg-type]

    def add(self, incident: int, delay_ms: int) -> None:
        fresh = all(row.incident != incident for row in self.rows)
        command = self.command(incident, is_create=fresh)
        due_ms = self.now_ms + (0 if fresh else delay_ms)
        add(self.database, replace(command, due_ms=due_ms))
        with self.database.read() as connection:
            [*_, newest] = connection.execute(select(tables.outbox.c.id).order_by(tables.outbox.c.id)).scalars()
        for row in self.rows:  # it waits for nothing but its time
            if row.incident == incident and row.state is OutboxState.WAITING and row.attempts == 0:
                row.due_ms = min(row.due_ms, due_ms)
        self.rows.append(Row(newest, incident, BACKENDS[incident], due_ms, is_create=fresh))

    def claimable(self, row: Row) -> bool:
        earlier = (other for other in self.rows if other.incident == row.incident and other.id < row.id)
        return row.state is OutboxState.WAITING and all(other.state is OutboxState.DELIVERED for other in earlier)

    def claim(self, backend: str) -> None:
        ready = [row for row in self.rows if row.backend == backend and self.claimable(row)]
        assert outbox.next_due_ms(self.database, backend) == min((row.due_ms for row in ready), default=None)
        expected = next((row for row in ready if row.due_ms <= self.now_ms), None)
        got = outbox.claim(self.database, backend, self.now_ms)
        if expected is None:
            assert got is None
            return
        together = [expected, *(row for row in self.rows if self.belongs(row, expected))]
        assert got is not None
        assert [command.id for command in got.commands] == [row.id for row in together]
        for row in together:
            row.state, row.attempts, row.batch = OutboxState.IN_FLIGHT, expected.attempts + 1, expected.id
        assert (got.uncertain, got.attempts) == (expected.uncertain, expected.attempts)
        delivered = any(r.incident == expected.incident and r.state is OutboxState.DELIVERED for r in self.rows)
        assert (got.ticket is not None) is delivered

    def belongs(self, row: Row, first: Row) -> bool:
        """Whether a row is done together with an earlier one."""
        if row.incident != first.incident or row.id <= first.id or first.is_create:
            return False
        if first.uncertain:
            return row.batch == first.batch
        return row.state is OutboxState.WAITING and row.due_ms <= self.now_ms

    def settle(self, settle: Callable[[list[Row], list[Command]], None]) -> None:
        """What is in flight the longest ends somehow."""
        first = next((row for row in self.rows if row.state is OutboxState.IN_FLIGHT), None)
        if first is not None:
            rows = [row for row in self.rows if row.state is OutboxState.IN_FLIGHT and row.batch == first.batch]
            settle(rows, [self.command(row.incident, is_create=False, id_=row.id) for row in rows])

    def deliver(self, rows: list[Row], commands: list[Command]) -> None:
        ticket = replace(made.ticket(commands[0]), ref=f"r{rows[0].incident}")
        outbox.settle_delivered(self.database, commands, ticket, self.now_ms)
        for row in rows:
            row.state = OutboxState.DELIVERED

    def reject(self, rows: list[Row], commands: list[Command]) -> None:
        outbox.settle_rejected(self.database, commands, "no", self.now_ms)
        for row in rows:
            row.state = OutboxState.REJECTED

    def delay(self, rows: list[Row], commands: list[Command]) -> None:
        due_ms = self.now_ms + 1_000
        outbox.settle_retry(self.database, commands, "busy", due_ms, uncertain=False)
        for row in rows:
            row.state, row.due_ms = OutboxState.WAITING, due_ms

    def lose(self, rows: list[Row], commands: list[Command]) -> None:
        outbox.settle_retry(self.database, commands, "timeout", self.now_ms, uncertain=True)
        for row in rows:
            row.state, row.due_ms, row.uncertain = OutboxState.WAITING, self.now_ms, True

    def crash(self) -> None:
        begin_run(self.database, self.now_ms, "1.0", [])
        for row in self.rows:
            if row.state is OutboxState.IN_FLIGHT:
                row.state, row.uncertain, row.due_ms = OutboxState.WAITING, True, 0

    def wait(self) -> None:
        self.now_ms += 1_500

    def check(self) -> None:
        counted: dict[tuple[Any, ...], int] = {}
        for row in self.rows:
            if row.state is not OutboxState.DELIVERED:
                counted[row.backend, row.state] = counted.get((row.backend, row.state), 0) + 1
        assert {(depth.backend, depth.state): depth.count for depth in outbox.depths(self.database)} == counted


STEPS = st.one_of(
    st.tuples(st.sampled_from(sorted(BACKENDS)), st.sampled_from([0, 0, 1_000, 4_000])).map(
        lambda new: lambda model: model.add(*new)
    ),
    st.sampled_from("ab").map(lambda backend: lambda model: model.claim(backend)),
    st.sampled_from(["deliver", "reject", "delay", "lose"]).map(
        lambda end: lambda model: model.settle(getattr(model, end))
    ),
    st.sampled_from([Model.crash, Model.wait]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=30))
def test_whatever_happens_it_does_what_a_simple_model_does(
    database: Database, steps: list[Callable[[Model], None]]
) -> None:
    model = Model(database)
    for step in steps:
        step(model)
    model.check()
