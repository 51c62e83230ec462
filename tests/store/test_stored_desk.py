"""What people do to tickets of the local desk, as it is kept."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.peers import databases
from tests.store import made
from watchkeeper.domain.desk import Act, Insight, Move, WrongMove
from watchkeeper.domain.ticket import ProblemFindings, Ticket, TicketChange, TicketKind, TicketState
from watchkeeper.store import ticketlist
from watchkeeper.store.database import Database
from watchkeeper.store.desk import StoredDesk
from watchkeeper.store.outbox import settle_delivered
from watchkeeper.store.record import record
from watchkeeper.store.ticketlist import Note

TAKE, RESOLVE = Act(Move.TAKE, "alice"), Act(Move.RESOLVE, "alice")


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with databases.migrated(request.param, tmp_path) as migrated:
        yield migrated


@pytest.fixture
def ticket(database: Database) -> Ticket:
    """The ticket DESK-1 of INC-1."""
    incident = made.incident(1)
    record(database, [made.opened(incident), made.create(incident)])
    created = StoredDesk(database).create("desk", made.draft(incident), 100)
    settle_delivered(database, [made.create(incident)], created, 100)
    return created


def test_what_a_person_did_is_read_back(database: Database, ticket: Ticket) -> None:
    desk = StoredDesk(database)
    assert not ticket.is_touched

    told = desk.act("desk-1", TAKE, 200)

    [read] = desk.fetch("desk", [ticket.ref])
    assert told == ("desk", read)
    assert (read.state, read.assignee, read.is_touched) == (TicketState.IN_PROGRESS, "alice", True)


def test_it_shows_at_once_wherever_tickets_are_listed(database: Database, ticket: Ticket) -> None:
    StoredDesk(database).act(ticket.number, TAKE, 200)

    [row] = ticketlist.list_tickets(database)
    assert (row.state, row.assignee, row.updated_ms) == (TicketState.IN_PROGRESS, "alice", 200)
    shown = ticketlist.show_ticket(database, ticket.number)
    assert shown is not None
    assert shown.notes == (Note(200, "alice took it up"),)


def test_a_change_of_watchkeepers_own_touches_nothing(database: Database, ticket: Ticket) -> None:
    desk = StoredDesk(database)
    changed = desk.update("desk", ticket.ref, TicketChange("worse", key="a"), 200)
    assert changed is not None
    assert not changed.is_touched

    desk.act(ticket.number, TAKE, 300)
    resolved = desk.update("desk", ticket.ref, TicketChange("over", TicketState.RESOLVED, key="b"), 400)

    assert resolved is not None
    assert (resolved.state, resolved.assignee, resolved.is_touched) == (TicketState.RESOLVED, "alice", True)


def test_a_wrong_move_changes_nothing(database: Database, ticket: Ticket) -> None:
    desk = StoredDesk(database)
    desk.act(ticket.number, RESOLVE, 200)

    with pytest.raises(WrongMove):
        desk.act(ticket.number, TAKE, 300)

    shown = ticketlist.show_ticket(database, ticket.number)
    assert shown is not None
    assert (shown.ticket.state, [note.text for note in shown.notes]) == (TicketState.RESOLVED, ["alice resolved it"])


@pytest.mark.parametrize("number", ["DESK-2", "DESK-", "1", "", "INC-1", "DESK-1 ", "DESK-" + "9" * 30, "desk-²"])
def test_what_is_no_ticket_of_a_desk_is_not_found(database: Database, ticket: Ticket, number: str) -> None:
    assert StoredDesk(database).act(number, TAKE, 200) is None


def test_what_was_found_out_about_a_problem_is_read_back(database: Database, ticket: Ticket) -> None:
    desk = StoredDesk(database)
    problem = desk.create("desk", replace(made.draft(made.incident(2)), kind=TicketKind.PROBLEM), 100)
    for insight in Insight:
        desk.act(problem.number, Act(Move.NOTE, "alice", text=f"the {insight}", insight=insight), 200)

    [read] = desk.fetch("desk", [problem.ref])

    assert read.findings == ProblemFindings(
        "the workaround", "the root-cause", "the known-error", is_known_error=True
    )
    with pytest.raises(WrongMove, match="DESK-1 is no problem: only a problem has a root cause"):
        desk.act(ticket.number, Act(Move.NOTE, "alice", text="why", insight=Insight.ROOT_CAUSE), 300)
