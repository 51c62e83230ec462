"""What every ticket backend does, whatever system it speaks to."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.memory import MemoryBackend
from tests.contract.subjects import SUBJECTS, Subject, local
from tests.peers import databases
from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketKind, TicketState
from watchkeeper.itsm.base import Ambiguous, Finding, Rejected, TicketBackend
from watchkeeper.store.database import Database, StoreError

RT = pytest.param("rt", marks=pytest.mark.xdist_group("requesttracker"))
CLIENTS = ("pysnc", "jira-client-cloud", "jira-client-server")


@pytest.fixture(params=["memory", "servicenow", "cloud", "server", *CLIENTS, RT, *databases.KINDS])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    with SUBJECTS[request.param](tmp_path) as subject:
        yield subject


@pytest.fixture
def backend(subject: Subject) -> TicketBackend:
    return subject.backend


def draft(key: str = "wk-1", kind: TicketKind = TicketKind.INCIDENT) -> TicketDraft:
    return TicketDraft(
        key,
        kind,
        "service-down/p1",
        "Web shop is down",
        "Do something.",
        "shop",
        Level.HIGH,
        Level.LOW,
    )


def test_a_ticket_that_was_created_is_found_by_its_key(backend: TicketBackend) -> None:
    created = backend.create(draft())

    assert (created.key, created.title, created.state) == ("wk-1", "Web shop is down", TicketState.OPEN)
    assert list(backend.find("wk-1")) == [created]


@pytest.mark.parametrize("key", ["wk", "wk-", "wk-11", "WK-1", "wk-%", "wk_1", "", "wk-1 "])
def test_a_key_finds_nothing_but_itself(backend: TicketBackend, key: str) -> None:
    backend.create(draft("wk-1"))

    assert list(backend.find(key)) == []


def test_tickets_of_different_keys_are_different_tickets(backend: TicketBackend) -> None:
    one, two = backend.create(draft("wk-1")), backend.create(draft("wk-2"))

    assert one.ref != two.ref
    assert one.number != two.number


def test_of_one_key_the_oldest_ticket_is_found_first(backend: TicketBackend) -> None:
    first = backend.create(draft())
    backend.create(draft())

    assert backend.find("wk-1")[0] == first


def test_a_change_adds_its_note_and_moves_the_state(subject: Subject) -> None:
    created = subject.backend.create(draft())

    noted = subject.backend.update(created, TicketChange("still down", key="a"))
    resolved = subject.backend.update(noted, TicketChange("over", TicketState.RESOLVED, key="b"))

    assert (noted.state, resolved.state) == (TicketState.OPEN, TicketState.RESOLVED)
    assert resolved.ref == created.ref
    assert subject.notes(created) == ["still down", "over"]
    assert list(subject.backend.find("wk-1")) == [resolved]


def test_a_change_moves_impact_and_urgency(subject: Subject) -> None:
    created = subject.backend.create(draft())
    worse = TicketChange("worse", impact=Level.MEDIUM, urgency=Level.HIGH, key="a")
    subject.backend.update(created, worse)
    subject.backend.update(created, TicketChange("noted", key="b"))

    assert subject.levels(created) == (Level.MEDIUM, Level.HIGH)


def test_a_change_that_comes_twice_is_made_once(subject: Subject) -> None:
    created = subject.backend.create(draft())
    change = TicketChange("over", TicketState.RESOLVED, key="a")
    subject.backend.update(created, change)
    reopened = subject.backend.update(created, TicketChange("no it is not", TicketState.OPEN, key="b"))

    again = subject.backend.update(created, change)

    assert again == reopened
    assert subject.notes(created) == ["over", "no it is not"]


def test_changes_without_a_key_are_all_made(subject: Subject) -> None:
    created = subject.backend.create(draft())

    subject.backend.update(created, TicketChange("one"))
    subject.backend.update(created, TicketChange("one"))

    assert subject.notes(created) == ["one", "one"]


def test_one_key_on_two_tickets_is_two_changes(subject: Subject) -> None:
    one, two = subject.backend.create(draft("wk-1")), subject.backend.create(draft("wk-2"))
    for ticket in (one, two):
        subject.backend.update(ticket, TicketChange("seen", key="a"))

    assert subject.notes(one) == subject.notes(two) == ["seen"]


def test_a_ticket_is_linked_to_its_problem_and_to_the_one_that_takes_its_place(subject: Subject) -> None:
    backend = subject.backend
    problem, first = backend.create(draft("wk-p", TicketKind.PROBLEM)), backend.create(draft("wk-1"))
    second = backend.create(draft("wk-2"))
    change = TicketChange("part of it", TicketState.RESOLVED, "a", problem=problem.ref, duplicate=first.ref)

    resolved = backend.update(second, change)

    assert resolved.state is TicketState.RESOLVED
    assert sorted(subject.links(second)) == sorted([problem.ref, first.ref])
    assert subject.notes(second) == ["part of it"]


def test_links_that_are_asked_for_again_are_made_once(subject: Subject) -> None:
    backend = subject.backend
    problem, first = backend.create(draft("wk-p", TicketKind.PROBLEM)), backend.create(draft("wk-1"))
    second = backend.create(draft("wk-2"))
    change = TicketChange("part of it", key="a", problem=problem.ref, duplicate=first.ref)

    for again in (change, change, replace(change, key="b")):
        backend.update(second, again)

    assert sorted(subject.links(second)) == sorted([problem.ref, first.ref])
    assert subject.notes(second) == ["part of it", "part of it"]


def test_a_change_of_a_ticket_that_is_gone_is_rejected(backend: TicketBackend) -> None:
    for ref in ("4711", "no-such-ref", "9" * 40):
        gone = Ticket(ref, f"GONE-{ref}", "wk-1", TicketState.OPEN, "gone")
        with pytest.raises(Rejected, match=f"no ticket GONE-{ref}"):
            backend.update(gone, TicketChange("hello?", key="a"))


def test_tickets_are_fetched_as_they_are_now_and_unknown_ones_left_out(backend: TicketBackend) -> None:
    one, two = backend.create(draft("wk-1")), backend.create(draft("wk-2"))
    moved = backend.update(two, TicketChange("over", TicketState.RESOLVED, key="a"))

    fetched = backend.fetch([two.ref, "4711", "no-such-ref", "²", "9" * 40, one.ref])

    assert {ticket.ref: ticket for ticket in fetched} == {one.ref: one, two.ref: moved}
    assert list(backend.fetch([])) == []


def test_many_tickets_are_fetched_in_one_call(subject: Subject) -> None:
    created = [subject.backend.create(draft(f"wk-{number}")) for number in range(subject.crowd)]
    unknown = [str(number) for number in range(100_000, 100_000 + subject.strangers)]

    fetched = subject.backend.fetch([*(ticket.ref for ticket in created), *unknown])

    assert {ticket.ref for ticket in fetched} == {ticket.ref for ticket in created}


def test_a_backend_that_is_well_has_no_findings(backend: TicketBackend) -> None:
    assert list(backend.check()) == []


def test_text_of_any_kind_is_taken(subject: Subject) -> None:
    created = subject.backend.create(draft())

    subject.backend.update(created, TicketChange("größer als 5 €\n'; DROP TABLE desk_notes; --", key="a"))

    assert subject.notes(created) == ["größer als 5 €\n'; DROP TABLE desk_notes; --"]


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with databases.migrated(request.param, tmp_path) as migrated:
        yield migrated


def test_the_local_desk_makes_one_ticket_of_a_draft_that_comes_twice(database: Database) -> None:
    desk = local(database)

    assert desk.create(draft()) == desk.create(draft())
    assert len(desk.find("wk-1")) == 1


def test_local_desks_of_one_database_do_not_see_each_others_tickets(database: Database) -> None:
    first, second = local(database, "first"), local(database, "second")
    ticket = first.create(draft())

    assert list(second.find("wk-1")) == []
    assert list(second.fetch([ticket.ref])) == []
    with pytest.raises(Rejected):
        second.update(ticket, TicketChange("mine", key="a"))
    assert second.create(draft()).ref != ticket.ref


def test_a_local_desk_whose_store_fails_lets_its_reason_through(tmp_path: Path) -> None:
    desk = local(Database(f"sqlite:///{tmp_path / 'gone.db'}"))

    with pytest.raises(StoreError, match="there is no database"):
        desk.create(draft())


def test_the_twin_in_memory_can_do_something_and_then_lose_the_answer() -> None:
    lost = MemoryBackend(trouble=lambda _method, done: Ambiguous("timeout") if done else None)

    with pytest.raises(Ambiguous):
        lost.create(draft())

    assert [ticket.key for ticket in lost.find("wk-1")] == ["wk-1"]


def test_the_twin_in_memory_tells_what_it_is_told_to_find() -> None:
    assert MemoryBackend(findings=[Finding("no permission")]).check() == [Finding("no permission")]
