"""What people said that resolved incidents is kept, the last of each trouble."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from tests.peers import databases
from tests.store import made
from watchkeeper.domain.lessons import MOST_TEXT, KnownError, Resolution
from watchkeeper.domain.ticket import Ticket, TicketState
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.outbox import settle_delivered
from watchkeeper.store.record import record
from watchkeeper.store.resolutions import LOOKED_FOR_MS, all_resolutions, keep, known_errors, next_unread


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with databases.migrated(request.param, tmp_path) as migrated:
        yield migrated


def ended(
    database: Database, number: int, *, touched: bool = True, state: TicketState = TicketState.RESOLVED
) -> Ticket:
    """An incident that is over, and its ticket."""
    incident = made.incident(number)
    record(database, [made.opened(incident), made.create(incident), made.over(incident)])
    ticket = Ticket(str(number), f"T-{number}", "wk", state, "title", "https://t", "alice", touched)
    settle_delivered(database, [made.create(incident)], ticket, 9_000)
    return ticket


def said(number: int, text: str = "restarted", key: str = "k") -> Resolution:
    return Resolution(number, key, "service-down", "shop", 1_000 * number, text, f"T-{number}", "https://t")


def test_a_ticket_that_a_person_resolved_is_looked_at_once(database: Database) -> None:
    ticket = ended(database, 1)

    found = next_unread(database, "desk", 10_000)

    assert found is not None
    assert found.ticket == ticket
    assert found.empty == Resolution(
        1, "service-down/probe=p1", "service-down", "shop", 9_000, "", "T-1", "https://t"
    )
    keep(database, found.empty)
    assert next_unread(database, "desk", 10_000) is None
    assert all_resolutions(database) == []


@pytest.mark.parametrize(
    ("touched", "state"),
    [(False, TicketState.RESOLVED), (True, TicketState.IN_PROGRESS), (True, TicketState.CANCELLED)],
)
def test_a_ticket_that_nobody_resolved_is_not_looked_at(
    database: Database, touched: bool, state: TicketState
) -> None:
    ended(database, 1, touched=touched, state=state)

    assert next_unread(database, "desk", 10_000) is None


def test_what_goes_on_was_not_resolved(database: Database) -> None:
    ended(database, 1)
    with database.write() as connection:
        connection.execute(update(tables.incidents).values(state="open", resolved_ms=None))

    assert next_unread(database, "desk", 10_000) is None


def test_tickets_of_another_backend_and_of_long_ago_are_left_alone(database: Database) -> None:
    ended(database, 1)

    assert next_unread(database, "other", 10_000) is None
    assert next_unread(database, "desk", 9_000 + LOOKED_FOR_MS) is None


def test_the_oldest_is_looked_at_first(database: Database) -> None:
    for number in (2, 1):
        ended(database, number)

    found = next_unread(database, "desk", 10_000)

    assert found is not None
    assert found.empty.incident_id == 1


def test_of_one_key_the_last_three_are_kept(database: Database) -> None:
    for number in (1, 2, 3, 4, 5):
        keep(database, said(number))
    keep(database, said(6, key="other"))

    assert [one.incident_id for one in all_resolutions(database)] == [6, 5, 4, 3]


def test_that_there_was_nothing_to_say_pushes_nothing_out(database: Database) -> None:
    for number in (1, 2, 3):
        keep(database, said(number))
    keep(database, said(4, ""))

    assert [one.incident_id for one in all_resolutions(database)] == [3, 2, 1]


def test_a_long_story_is_kept_in_part_and_whatever_it_holds(database: Database) -> None:
    keep(database, said(1, "\0\ud800größer" + "x" * MOST_TEXT))

    [kept] = all_resolutions(database)
    assert len(kept.text) == MOST_TEXT
    assert kept.text.startswith("\ufffd\ufffdgrößer")


def test_what_is_written_twice_is_there_once(database: Database) -> None:
    keep(database, said(1))
    keep(database, said(1, "the disk was full"))

    assert all_resolutions(database) == [replace(said(1), text="the disk was full")]


def test_that_somebody_looked_is_forgotten_when_nobody_would_look_any_more(database: Database) -> None:
    keep(database, said(1, ""))
    keep(database, replace(said(2), resolved_ms=1_001 + 2 * LOOKED_FOR_MS))

    with database.read() as connection:
        assert list(connection.scalars(select(tables.resolutions.c.incident_id))) == [2]


def test_problems_of_which_something_is_known_are_known_errors(database: Database) -> None:
    row = {
        "title": "It fills", "rule_id": "disk-full", "service": "shop", "ci": "", "failure": "", "backend": "desk",
        "state": "open", "opened_ms": 1, "updated_ms": 1,
    }  # fmt: skip
    with database.write() as connection:
        connection.execute(insert(tables.problems).values(id=1, fingerprint="a", **row))
        connection.execute(
            insert(tables.problems).values(id=2, fingerprint="b", workaround="wait", seen_number="PRB2", **row)
        )

    assert known_errors(database) == [KnownError("PRB2", "It fills", "disk-full", "shop", workaround="wait")]
