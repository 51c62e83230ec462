"""What has time waits in the outbox, and what behind it has none takes it along."""

from dataclasses import replace

import pytest

from tests.store import made, problems
from watchkeeper.domain.ticket import ChangeRef, Command, TicketChange
from watchkeeper.store import outbox
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.record import record

INCIDENT = made.incident(1)


@pytest.fixture
def database(database: Database) -> Database:
    """With an incident and a problem of the same number, whose tickets are there."""
    record(database, [made.opened(INCIDENT)])
    problems.put_problem(database, 1)
    add(database, made.create(INCIDENT), problems.create(1))
    for _ in range(2):
        claimed = outbox.claim(database, "desk", 10_000)
        assert claimed is not None
        ref = f"r{claimed.command.key}"
        ticket = replace(made.ticket(made.create(INCIDENT)), ref=ref, number=ref, key=claimed.command.key)
        outbox.settle_delivered(database, claimed.commands, ticket, 10_000)
    return database


def add(database: Database, *commands: Command) -> None:
    with database.write() as connection:
        outbox.add(connection, *commands)


def claimed(database: Database, now_ms: int) -> list[str]:
    """The notes of what is handed out."""
    found = outbox.claim(database, "desk", now_ms)
    notes = [one.payload.note for one in found.commands if isinstance(one.payload, TicketChange)] if found else []
    if found is not None:
        outbox.settle_delivered(database, found.commands, None, now_ms)
    return notes


def note(text: str, due_ms: int = 0) -> Command:
    return replace(made.note(INCIDENT, text, at_ms=20_000), due_ms=due_ms)


def test_what_has_time_is_not_handed_out_before_it_is_due(database: Database) -> None:
    add(database, note("grew", 60_000))

    assert outbox.next_due_ms(database, "desk") == 60_000
    assert claimed(database, 59_999) == []
    assert claimed(database, 60_000) == ["grew"]


def test_what_has_none_takes_along_what_waits_before_it_and_nothing_behind_it(database: Database) -> None:
    add(database, note("grew", 60_000), note("grew more", 90_000))
    add(database, note("over"), note("and more", 120_000))

    assert outbox.next_due_ms(database, "desk") == 20_000
    assert claimed(database, 20_000) == ["grew", "grew more", "over"]
    assert claimed(database, 119_999) == []
    assert claimed(database, 120_000) == ["and more"]


def test_what_is_added_at_once_takes_along_what_stands_before_it(database: Database) -> None:
    add(database, note("grew", 60_000), note("over"), note("later", 90_000))

    assert claimed(database, 20_000) == ["grew", "over"]


def test_what_waits_for_a_reason_is_not_hurried(database: Database) -> None:
    add(database, note("busy"))
    busy = outbox.claim(database, "desk", 20_000)
    assert busy is not None
    outbox.settle_retry(database, busy.commands, "too many requests", 80_000, uncertain=False)
    add(database, note("over"))

    assert claimed(database, 79_999) == []
    assert claimed(database, 80_000) == ["busy", "over"]


def test_what_was_not_even_tried_is_no_attempt(database: Database) -> None:
    add(database, note("linked"))
    first = outbox.claim(database, "desk", 20_000)
    assert first is not None
    outbox.settle_retry(database, first.commands, "waits", 30_000, uncertain=False, counts=False)

    again = outbox.claim(database, "desk", 30_000)
    assert again is not None
    assert (again.attempts, again.uncertain) == (1, False)


def test_an_incident_and_a_problem_of_one_number_do_not_wait_for_each_other(database: Database) -> None:
    add(database, note("of the incident", 60_000), problems.note(1, "of the problem"))

    assert claimed(database, 10_000) == ["of the problem"]
    assert claimed(database, 60_000) == ["of the incident"]


def test_commands_of_a_problem_are_done_in_their_order_and_get_its_ticket(database: Database) -> None:
    add(database, problems.note(1, "first"), problems.note(1, "second"))

    found = outbox.claim(database, "desk", 10_000)

    assert found is not None
    assert [one.problem_id for one in found.commands] == [1, 1]
    assert found.ticket is not None
    assert found.ticket.key == "wk-problem-1"


def test_what_was_rejected_of_a_problem_is_tried_again_when_somebody_says_so(database: Database) -> None:
    add(database, note("of the incident"), problems.note(1))
    while (found := outbox.claim(database, "desk", 30_000)) is not None:
        outbox.settle_rejected(database, found.commands, "no", 30_000)

    assert outbox.retry_rejected(database, 40_000, problem_id=1) == 1

    again = outbox.claim(database, "desk", 40_000)
    assert again is not None
    assert again.command.problem_id == 1


def test_a_link_comes_out_as_it_went_in(database: Database) -> None:
    change = TicketChange("linked", problem_id=1, duplicate_of=7, caused_by=ChangeRef("snow", "abc", "CHG1"))
    add(database, replace(note(""), payload=change))

    found = outbox.claim(database, "desk", 30_000)

    assert found is not None
    got = found.command.payload
    assert isinstance(got, TicketChange)
    assert replace(got, key="") == change


@pytest.mark.parametrize(("incident", "problem"), [(None, None), (1, 1)])
def test_a_command_belongs_to_an_incident_or_a_problem_and_never_to_both(
    database: Database, incident: int | None, problem: int | None
) -> None:
    with pytest.raises(StoreError, match="refuses what contradicts it"):
        add(database, replace(note("whose?"), incident_id=incident, problem_id=problem))
