"""What is too old is forgotten, a little at a time; what is still needed, never."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Table, func, insert, select, update

from tests.store import made, problems, rolled
from tests.store.rolled import BEGIN_MS, DAY_MS, merge_all, write
from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.effect import ProbeGone
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rollup import HOUR_MS
from watchkeeper.domain.ticket import TicketDraft
from watchkeeper.store import outbox, retention, tables
from watchkeeper.store.database import Database
from watchkeeper.store.desk import StoredDesk
from watchkeeper.store.record import begin_run, record, remember
from watchkeeper.store.rollups import RollupStore
from watchkeeper.store.series import read_series

ALWAYS_MS = 2**60


def count(database: Database, table: Table) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def ids(database: Database, table: Table) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(select(table.c.id).order_by(table.c.id)).scalars())


def all_of(forget: Callable[[Database, int], int], database: Database, before_ms: int) -> list[int]:
    """Forgets in steps. Returns how many each forgot."""
    steps = []
    while forgotten := forget(database, before_ms):
        steps.append(forgotten)
        assert len(steps) < 100
    return steps


def resolved(database: Database, *some: Incident, at_ms: int = 9_000) -> None:
    """Incidents with a ticket at the desk, all of it delivered and over."""
    desk = StoredDesk(database)
    for one in some:
        record(database, [made.opened(one), made.create(one), made.over(one, at_ms=at_ms), made.resolve(one)])
        while (claim := outbox.claim(database, "desk", ALWAYS_MS)) is not None:
            if isinstance(claim.command.payload, TicketDraft):
                ticket = desk.create("desk", claim.command.payload, at_ms)
            else:
                assert claim.ticket is not None
                updated = desk.update("desk", claim.ticket.ref, claim.command.payload, at_ms)
                assert updated is not None
                ticket = updated
            outbox.settle_delivered(database, [claim.command], ticket, at_ms)


def test_minutes_and_hours_are_forgotten_when_their_whole_period_is_too_old(database: Database) -> None:
    store = RollupStore(database)
    write(store, "web", {n * HOUR_MS: 1.0 for n in range(12)})
    merge_all(store, DAY_MS)

    def spans() -> list[int]:
        found = read_series(database, "web", "duration", BEGIN_MS, BEGIN_MS + DAY_MS)
        return [(entry.from_ms - BEGIN_MS) // HOUR_MS for entry in found if entry.span_ms == HOUR_MS]

    assert all_of(retention.forget_minutes, database, BEGIN_MS + 2 * HOUR_MS - 1) == [1]
    assert spans() == [0]
    assert all_of(retention.forget_minutes, database, BEGIN_MS + DAY_MS) == [11]
    assert spans() == list(range(12))
    assert all_of(retention.forget_hours, database, BEGIN_MS + 12 * HOUR_MS - 1) == [1]
    assert spans() == list(range(6, 12))
    assert all_of(retention.forget_hours, database, BEGIN_MS + 12 * HOUR_MS) == [1]
    assert count(database, tables.rollups) == 0


def test_pieces_that_are_not_merged_yet_are_not_forgotten(database: Database) -> None:
    write(RollupStore(database), "web", {0: 1.0})

    assert not retention.forget_minutes(database, BEGIN_MS + DAY_MS)
    assert not retention.forget_hours(database, BEGIN_MS + DAY_MS)
    assert count(database, tables.rollups) == 1


def test_much_is_forgotten_in_small_steps(database: Database) -> None:
    store = RollupStore(database)
    some = [piece for n in range(1_100) for piece in rolled.pieces(f"probe-{n}", ("duration",), {0: (1.0,)})]
    store.write(some, BEGIN_MS)
    merge_all(store, 2 * HOUR_MS)

    assert all_of(retention.forget_minutes, database, BEGIN_MS + HOUR_MS) == [500, 500, 100]


def test_a_track_is_forgotten_after_all_that_was_on_it(database: Database) -> None:
    write(RollupStore(database), "web", {0: 1.0}, BEGIN_MS)

    assert not retention.forget_tracks(database, BEGIN_MS + 2 * DAY_MS)
    assert retention.forget_tracks(database, BEGIN_MS + 2 * DAY_MS + 1) == 1
    assert count(database, tables.rollup_tracks) == 0


def test_a_status_is_forgotten_when_it_was_over_and_the_one_that_lasts_is_not(database: Database) -> None:
    changes = [Status.UP, Status.DOWN, Status.UP]
    record(database, [made.status("web", status, at_ms) for at_ms, status in enumerate(changes, 1)])
    record(database, [made.status("gone", Status.UP, 1), ProbeGone("gone", 2)])

    assert all_of(retention.forget_intervals, database, 3) == [2]
    assert all_of(retention.forget_intervals, database, ALWAYS_MS) == [1]
    with database.read() as connection:
        assert connection.execute(select(tables.probe_intervals.c.from_ms)).scalars().all() == [3]


def test_changes_of_alerts_are_forgotten_by_their_time(database: Database) -> None:
    record(database, [made.fired(AlertRef("down", f"p{at_ms}"), at_ms) for at_ms in (10, 20, 30)])

    assert all_of(retention.forget_transitions, database, 30) == [2]
    assert all_of(retention.forget_transitions, database, ALWAYS_MS) == [1]


def test_the_newest_run_is_remembered(database: Database) -> None:
    for at_ms in (100, 200, 300):
        newest = begin_run(database, at_ms, "1.0", [])

    assert all_of(retention.forget_runs, database, 200) == [1]
    assert all_of(retention.forget_runs, database, ALWAYS_MS) == [1]
    assert ids(database, tables.runs) == [newest]


def test_an_incident_is_forgotten_with_all_that_belongs_to_it(database: Database) -> None:
    resolved(database, made.incident(1), made.incident(2))
    assert all_of(retention.forget_incidents, database, 9_000) == []

    assert all_of(retention.forget_incidents, database, 9_001) == [1]
    assert ids(database, tables.incidents) == [2]
    for table in (tables.incident_alerts, tables.tickets):
        assert count(database, table) == 1
    for table in (tables.incident_events, tables.outbox):
        assert count(database, table) == 2
    assert ids(database, tables.desk_tickets) == [2]
    assert count(database, tables.desk_notes) == 1


def test_numbers_go_on_where_they_were_when_everything_is_forgotten(database: Database) -> None:
    resolved(database, *map(made.incident, range(1, 4)))
    all_of(retention.forget_incidents, database, ALWAYS_MS)

    assert ids(database, tables.incidents) == [3]
    assert remember(database).next_incident_id == 4
    resolved(database, made.incident(4))
    assert ids(database, tables.desk_tickets) == [3, 4]


def test_the_incident_of_the_newest_desk_ticket_stays_with_it(database: Database) -> None:
    resolved(database, made.incident(1))
    elsewhere = made.incident(2, backend="other")
    record(database, [made.opened(elsewhere), made.over(elsewhere)])

    assert all_of(retention.forget_incidents, database, ALWAYS_MS) == []
    assert ids(database, tables.desk_tickets) == [1]


@pytest.mark.parametrize(
    "state", [outbox.OutboxState.WAITING, outbox.OutboxState.IN_FLIGHT, outbox.OutboxState.REJECTED]
)
def test_an_incident_whose_commands_are_not_all_delivered_is_not_forgotten(
    database: Database, state: outbox.OutboxState
) -> None:
    resolved(database, made.incident(1), made.incident(2))
    with database.write() as connection:
        first = tables.outbox.c.incident_id == 1
        connection.execute(update(tables.outbox).where(first).values(state=state.value))

    assert all_of(retention.forget_incidents, database, ALWAYS_MS) == []


def test_an_open_incident_is_not_forgotten(database: Database) -> None:
    record(database, [made.opened(made.incident(1)), made.opened(made.incident(2))])

    assert all_of(retention.forget_incidents, database, ALWAYS_MS) == []


def test_many_incidents_are_forgotten_in_small_steps(database: Database) -> None:
    some = [made.incident(number) for number in range(1, 52)]
    record(database, [effect for one in some for effect in (made.opened(one), made.over(one))])

    assert all_of(retention.forget_incidents, database, ALWAYS_MS) == [20, 20, 10]


def resolved_problems(database: Database, *numbers: int, **given: Any) -> None:
    """Problems with a ticket at the desk, all of it delivered and over."""
    for number in numbers:
        problems.put_problem(database, number, state="resolved", resolved_ms=9_000, **given)
        with database.write() as connection:
            outbox.add(connection, problems.create(number))
        claim = outbox.claim(database, "desk", ALWAYS_MS)
        assert claim is not None
        assert isinstance(claim.command.payload, TicketDraft)
        ticket = StoredDesk(database).create("desk", claim.command.payload, 9_000)
        outbox.settle_delivered(database, claim.commands, ticket, 9_000)


def test_a_resolved_problem_is_forgotten_with_all_that_belongs_to_it(database: Database) -> None:
    resolved_problems(database, 1)
    problems.put_problem(database, 2)  # the newest, which keeps the count
    incident = made.incident(1)
    record(database, [made.opened(incident)])
    StoredDesk(database).create("desk", made.draft(incident), 9_000)  # likewise
    with database.write() as connection:
        connection.execute(insert(tables.problem_incidents).values(problem_id=1, incident_id=1, at_ms=5_000))

    assert retention.forget_problems(database, 9_000) == 0
    assert retention.forget_problems(database, 9_001) == 1

    assert ids(database, tables.problems) == [2]
    assert [count(database, table) for table in (tables.tickets, tables.outbox, tables.problem_incidents)] == [
        0,
        0,
        0,
    ]
    assert ids(database, tables.desk_tickets) == [2]
    assert ids(database, tables.incidents) == [1]


def test_a_problem_is_kept_as_long_as_its_successor(database: Database) -> None:
    resolved_problems(database, 1)
    resolved_problems(database, 2, successor_of=1)
    problems.put_problem(database, 3)
    StoredDesk(database).create("desk", made.draft(made.incident(1)), 9_000)

    assert all_of(retention.forget_problems, database, 9_001) == [1, 1]
    assert ids(database, tables.problems) == [3]


def test_a_problem_with_an_undelivered_command_is_kept(database: Database) -> None:
    resolved_problems(database, 1)
    problems.put_problem(database, 2)
    with database.write() as connection:
        outbox.add(connection, problems.note(1))

    assert retention.forget_problems(database, ALWAYS_MS) == 0
