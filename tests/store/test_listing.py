"""What people see of what is stored."""

from dataclasses import replace

import pytest

from tests.store import made, problems
from watchkeeper.domain.desk import Act, Insight, Move
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged
from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.ticket import ProblemFindings, TicketChange, TicketDraft, TicketState
from watchkeeper.store import listing, outbox, ticketlist
from watchkeeper.store.database import Database
from watchkeeper.store.desk import StoredDesk
from watchkeeper.store.listing import AffectedAlert, ImpactedAlert
from watchkeeper.store.record import record
from watchkeeper.store.ticketlist import Note


def deliver(database: Database, backend: str = "desk", state: TicketState = TicketState.OPEN) -> None:
    claim = outbox.claim(database, backend, 10**12)
    assert claim is not None
    outbox.settle_delivered(database, [claim.command], made.ticket(claim.command, state), 70_000)


@pytest.fixture
def database(database: Database) -> Database:
    """With three incidents: INC-1 is over, and INC-3 has no ticket yet."""
    one, two, three = made.incident(1), made.incident(2, service="mail"), made.incident(3, backend="jira")
    effects: list[Effect] = [made.opened(one), made.create(one), made.over(one), made.resolve(one)]
    record(database, [*effects, made.opened(two), made.create(two), made.opened(three), made.create(three)])
    deliver(database)
    deliver(database, state=TicketState.RESOLVED)
    deliver(database)
    return database


def test_the_newest_incidents_come_first_with_their_tickets(database: Database) -> None:
    found = listing.list_incidents(database, state=None, service=None, limit=10)

    assert [(row.number, row.ticket_number, row.ticket_state) for row in found] == [
        ("INC-3", None, None),
        ("INC-2", "T-2", TicketState.OPEN),
        ("INC-1", "T-1", TicketState.RESOLVED),
    ]
    assert found[0].backend == "jira"
    assert found[0].priority == 2


def test_incidents_are_filtered_by_state_and_service(database: Database) -> None:
    def ids(state: IncidentState | None = None, service: str | None = None, limit: int = 10) -> list[int]:
        return [row.id for row in listing.list_incidents(database, state=state, service=service, limit=limit)]

    assert ids(state=IncidentState.OPEN) == [3, 2]
    assert ids(service="shop") == [3, 1]
    assert ids(state=IncidentState.RESOLVED, service="shop") == [1]
    assert ids(service="nothing") == []
    assert ids(limit=1) == [3]


def test_an_incident_is_shown_with_all_that_belongs_to_it(database: Database) -> None:
    two = made.incident(2, service="mail")
    record(database, [made.joined(two), made.note(two)])
    claim = outbox.claim(database, "desk", 10**12)
    assert claim is not None
    outbox.settle_retry(database, [claim.command], "connection refused", 80_000, uncertain=False)

    shown = listing.show_incident(database, 2)

    assert shown is not None
    assert shown.incident in listing.list_incidents(database)
    assert shown.runbook == two.runbook
    assert shown.alerts == (AffectedAlert(made.WEB, True, False), AffectedAlert(made.API, True, False))
    assert [(entry.happening, entry.at_ms) for entry in shown.timeline] == [("opened", 2_002), ("joined", 5_000)]
    assert [(row.kind, row.state, row.attempts, row.last_error) for row in shown.commands] == [
        ("create", "delivered", 1, ""),
        ("update", "waiting", 1, "connection refused"),
    ]
    assert shown.ticket is not None
    assert (shown.ticket.number, shown.ticket.service) == ("T-2", "mail")


def test_an_incident_without_a_ticket_is_shown_too(database: Database) -> None:
    shown = listing.show_incident(database, 3)

    assert shown is not None
    assert shown.ticket is None
    assert [row.state for row in shown.commands] == ["waiting"]


def test_an_incident_whose_ticket_is_refused_says_why(database: Database) -> None:
    four = made.incident(4)
    record(database, [made.opened(four), made.create(four), made.note(four)])
    claim = outbox.claim(database, "desk", 10**12)
    assert claim is not None
    outbox.settle_rejected(database, [claim.command], "no such category", 80_000)

    found = listing.list_incidents(database)

    assert [(row.number, row.rejection) for row in found[:2]] == [("INC-4", "no such category"), ("INC-3", None)]


def test_there_is_no_incident_of_an_unknown_number(database: Database) -> None:
    assert listing.show_incident(database, 99) is None


def test_tickets_are_listed_and_filtered(database: Database) -> None:
    def numbers(state: TicketState | None = None, backend: str | None = None, limit: int = 10) -> list[str]:
        return [row.number for row in ticketlist.list_tickets(database, state=state, backend=backend, limit=limit)]

    assert numbers() == ["T-2", "T-1"]
    assert numbers(state=TicketState.RESOLVED) == ["T-1"]
    assert numbers(backend="jira") == []
    assert numbers(limit=1) == ["T-2"]


def test_a_ticket_is_found_by_its_number_and_by_its_ref(database: Database) -> None:
    by_number, by_ref = ticketlist.show_ticket(database, "T-1"), ticketlist.show_ticket(database, "r1")

    assert by_number is not None
    assert by_number == by_ref
    assert (by_number.description, by_number.notes) == (None, ())
    assert ticketlist.show_ticket(database, "T-9") is None
    assert ticketlist.show_ticket(database, "T-1", backend="jira") is None


def test_a_ticket_of_the_local_desk_is_shown_with_what_it_says(database: Database) -> None:
    four = made.incident(4)
    record(database, [made.opened(four), made.create(four)])
    claim = outbox.claim(database, "desk", 10**12)
    assert claim is not None
    desk = StoredDesk(database)
    ticket = desk.create("desk", made.draft(four), 100)
    outbox.settle_delivered(database, [claim.command], ticket, 100)

    bare = ticketlist.show_ticket(database, ticket.number)
    desk.update("desk", ticket.ref, TicketChange("first", key="a"), 200)
    desk.update("desk", ticket.ref, TicketChange("second", key="b"), 300)
    noted = ticketlist.show_ticket(database, ticket.number)

    assert bare is not None
    assert noted is not None
    assert (bare.description, bare.notes) == ("Do something.\nSoon.", ())
    assert noted.notes == (Note(200, "first"), Note(300, "second"))


def test_the_ticket_of_a_problem_is_listed_and_shown_with_what_was_found_out(database: Database) -> None:
    problems.put_problem(database, 1, service="mail")
    desk = StoredDesk(database)
    with database.write() as connection:
        outbox.add(connection, problems.create(1))
    claim = outbox.claim(database, "desk", 10**12)
    assert claim is not None
    assert isinstance(claim.command.payload, TicketDraft)
    ticket = desk.create("desk", claim.command.payload, 100)
    outbox.settle_delivered(database, claim.commands, ticket, 100)
    desk.update("desk", ticket.ref, TicketChange("linked", duplicate="7", problem="8"), 200)
    desk.act(ticket.number, Act(Move.NOTE, "alice", text="restart it", insight=Insight.WORKAROUND), 300)

    [newest, *_] = ticketlist.list_tickets(database)
    shown = ticketlist.show_ticket(database, ticket.number)

    assert (newest.owner, newest.service, newest.opened_ms) == ("PRB-1", "mail", 3_001)
    assert shown is not None
    assert (shown.problem, shown.duplicate_of, shown.findings) == ("DESK-8", "DESK-7", ProblemFindings("restart it"))
    assert shown.notes[-1] == Note(300, "alice (workaround): restart it")


def test_an_incident_tells_what_it_explains_and_what_turned_out_to_be_part_of_it(database: Database) -> None:
    cause, part = made.incident(2, service="mail"), made.incident(3, backend="jira")
    explains = replace(cause, impacted=frozenset({made.API}), caused_by="CHG1")
    merged = replace(part, firing=frozenset(), state=IncidentState.RESOLVED, resolved_ms=9_000, merged_into=2)
    told = IncidentChanged(explains, Happening.IMPACTED, 9_000, made.WEB, "it spreads", (made.API,))
    record(database, [IncidentChanged(merged, Happening.MERGED, 9_000, made.WEB, "it is INC-2"), told])

    shown = listing.show_incident(database, 2)

    assert shown is not None
    assert (shown.merged, shown.incident.caused_by) == (("INC-3",), "CHG1")
    assert shown.impacted == (ImpactedAlert(made.API, True),)
    assert shown.alerts == (AffectedAlert(made.WEB, True, False),)
    assert [one.merged_into for one in listing.list_incidents(database)] == ["INC-2", "", ""]

    record(database, [replace(told, incident=replace(explains, impacted=frozenset()))])
    shown = listing.show_incident(database, 2)
    assert shown is not None
    assert shown.impacted == (ImpactedAlert(made.API, False),)
