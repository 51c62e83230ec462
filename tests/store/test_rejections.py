"""Which ticket commands are refused, and why."""

from tests.store import made, problems
from watchkeeper.domain.ticket import CommandKind
from watchkeeper.store import outbox
from watchkeeper.store.database import Database
from watchkeeper.store.record import record
from watchkeeper.store.rejections import Rejection, is_there, list_rejected


def refuse(database: Database, backend: str, reason: str) -> None:
    claim = outbox.claim(database, backend, 10**12)
    assert claim is not None
    outbox.settle_rejected(database, claim.commands, reason, 80_000)


def test_what_is_refused_is_listed_with_its_reason_and_what_waits_for_it(database: Database) -> None:
    one, two = made.incident(1), made.incident(2, backend="jira")
    record(database, [made.opened(one), made.create(one), made.note(one), made.note(one)])
    record(database, [made.opened(two), made.create(two)])
    refuse(database, "desk", "no such category")
    refuse(database, "jira", "no such project")

    first, second = list_rejected(database)

    assert first == Rejection(
        1, "desk", CommandKind.CREATE, None, "Web shop is down (1)", 80_000, "no such category", 2
    )
    assert (first.owner, second.owner, second.behind) == ("INC-1", "INC-2", 0)
    assert list_rejected(database, backend="jira") == [second]
    assert list_rejected(database, limit=1) == [first]


def test_a_refused_change_names_its_ticket(database: Database) -> None:
    one = made.incident(1)
    record(database, [made.opened(one), made.create(one), made.note(one)])
    claim = outbox.claim(database, "desk", 10**12)
    assert claim is not None
    outbox.settle_delivered(database, claim.commands, made.ticket(claim.command), 70_000)
    refuse(database, "desk", "too long")

    [found] = list_rejected(database)

    assert (found.ticket, found.kind) == ("T-1", CommandKind.UPDATE)


def test_what_waits_again_is_refused_no_more(database: Database) -> None:
    one = made.incident(1)
    record(database, [made.opened(one), made.create(one)])
    refuse(database, "desk", "no such category")

    assert outbox.retry_rejected(database, 90_000, incident_id=2) == 0
    assert outbox.retry_rejected(database, 90_000, incident_id=1) == 1
    assert list_rejected(database) == []


def test_what_is_refused_of_a_problem_is_listed_as_its(database: Database) -> None:
    problems.put_problem(database, 3)
    with database.write() as connection:
        outbox.add(connection, problems.create(3), problems.note(3))
    claim = outbox.claim(database, "desk", 10**12)
    assert claim is not None
    outbox.settle_rejected(database, claim.commands, "no such type", 80_000)

    [found] = list_rejected(database)

    assert (found.owner, found.title, found.behind) == ("PRB-3", "The web shop keeps failing (3)", 1)
    assert is_there(database, None, 3)
    assert not is_there(database, 3, None)
