"""Which tickets have changed: what every ticket backend tells, if it can."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract import by_jira, by_pysnc
from tests.contract.memory import MemoryBackend
from tests.contract.test_ticket_backend import CLIENTS, draft
from tests.itsm import jira_backend, rt_desk, servicenow_backend
from tests.peers import databases, requesttracker
from tests.peers.requesttracker import RequestTracker
from tests.probers.servers import certificate, tls_by
from tests.simulators import jira, servicenow
from tests.simulators.clock import HandClock
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.desk import Act, Move
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketState
from watchkeeper.engine.dry import DryBackend
from watchkeeper.itsm.base import Surroundings, TicketBackend
from watchkeeper.store.database import Database
from watchkeeper.store.desk import StoredDesk

MINUTE = 60_000
PAGE = 100


@dataclass
class Subject:
    """A backend, a way to let time pass for its tickets, by minutes, and what a person does to one of them."""

    backend: TicketBackend
    later: Callable[[int], None]
    take: Callable[[Ticket], None]
    multiply: Callable[[Ticket, int], None] | None = None
    """Makes so many more of a ticket, where to create them takes long."""


def desk_of(database: Database, clock: HandClock) -> TicketBackend:
    kind = itsm.find("local")
    return kind.make("desk", kind.options(), Surroundings(clock, StoredDesk(database), Budget(None, clock)))


def on_desk(database: Database, clock: HandClock, backend: TicketBackend) -> Subject:
    def take(ticket: Ticket) -> None:
        StoredDesk(database).act(f"DESK-{ticket.ref}", Act(Move.TAKE, "alice"), clock())

    return Subject(backend, lambda minutes: clock.advance(60 * minutes), take)


def on_instance(instance: servicenow.Instance, backend: TicketBackend) -> Subject:
    def take(ticket: Ticket) -> None:
        instance.person().assign(ticket.ref.partition("/")[2], "Network")

    return Subject(backend, lambda minutes: instance.clock.advance(60 * minutes), take)


def on_site(site: jira.Jira, backend: TicketBackend) -> Subject:
    return Subject(
        backend,
        lambda minutes: site.clock.advance(60 * minutes),
        lambda ticket: site.person().edits(ticket.ref, assignee="alice"),
    )


def age(rt: RequestTracker, minutes: int) -> None:
    with closing(sqlite3.connect(rt.folder / "rt.db", timeout=10)) as database, database:
        older = f"-{minutes} minutes"
        database.execute("UPDATE Tickets SET LastUpdated = datetime(LastUpdated, ?)", [older])
        database.execute("UPDATE Transactions SET Created = datetime(Created, ?)", [older])


def copy(rt: RequestTracker, ticket: Ticket, number: int) -> None:
    """Rows like those of a ticket: RT itself takes its time to make one."""
    with closing(sqlite3.connect(rt.folder / "rt.db", timeout=10)) as database, database:
        database.row_factory = sqlite3.Row
        [row] = database.execute("SELECT * FROM Tickets WHERE id = ?", [ticket.ref])
        of_ticket = "ObjectType = 'RT::Ticket' AND ObjectId = ?"
        values = list(database.execute(f"SELECT * FROM ObjectCustomFieldValues WHERE {of_ticket}", [ticket.ref]))
        for _ in range(number):
            new = _insert(database, "Tickets", dict(row))
            database.execute("UPDATE Tickets SET EffectiveId = id WHERE id = ?", [new])
            for value in values:
                _insert(database, "ObjectCustomFieldValues", dict(value) | {"ObjectId": new})


def _insert(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    """The id of a new row."""
    names = [name for name in row if name != "id"]
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    made = database.execute(statement, [row[name] for name in names])
    assert made.lastrowid is not None
    return made.lastrowid


RT = pytest.param("rt", marks=pytest.mark.xdist_group("requesttracker"))


@pytest.fixture(params=["servicenow", "cloud", "server", *CLIENTS, RT, "dry", *databases.KINDS])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "servicenow":
        with servicenow.running() as instance, servicenow_backend.made(instance, tmp_path) as backend:
            yield on_instance(instance, backend)
        return
    if request.param in ("cloud", "server"):
        with jira.running(request.param) as site, jira_backend.made(site, tmp_path) as backend:
            yield on_site(site, backend)
        return
    if request.param == "pysnc":
        ca = certificate(tmp_path)
        with servicenow.running(tls=tls_by(ca)) as instance, by_pysnc.made(instance, ca) as backend:
            yield on_instance(instance, backend)
        return
    if request.param in CLIENTS:
        deployment = request.param.removeprefix("jira-client-")
        with jira.running(deployment) as site, by_jira.made(site) as backend:
            yield on_site(site, backend)
        return
    if request.param == "rt":
        rt = requesttracker.shared()
        yield Subject(
            rt_desk.backend(rt, **rt_desk.WITH_LEVELS),
            lambda minutes: age(rt, minutes),
            lambda ticket: rt.person.take(ticket.ref),
            lambda ticket, number: copy(rt, ticket, number),
        )
        rt_desk.empty(rt)
        return
    clock = HandClock()
    with databases.migrated("sqlite" if request.param == "dry" else request.param, tmp_path) as database:
        desk = desk_of(database, clock)
        yield on_desk(database, clock, DryBackend("desk", MemoryBackend(), desk) if request.param == "dry" else desk)


def test_a_new_ticket_has_changed_and_one_that_nobody_touches_has_not(subject: Subject) -> None:
    old = subject.backend.create(draft("wk-1"))
    subject.later(30)
    new = subject.backend.create(draft("wk-2"))

    changed = subject.backend.changed(10 * MINUTE)

    assert changed is not None
    assert new.ref in changed
    assert old.ref not in changed
    assert {old.ref, new.ref} <= set(subject.backend.changed(60 * MINUTE) or ())


def test_a_ticket_that_a_person_took_up_has_changed(subject: Subject) -> None:
    one, other = subject.backend.create(draft("wk-1")), subject.backend.create(draft("wk-2"))
    subject.later(30)

    subject.take(one)

    changed = subject.backend.changed(10 * MINUTE)
    assert changed is not None
    assert one.ref in changed
    assert other.ref not in changed


def test_a_note_and_an_end_are_changes(subject: Subject) -> None:
    noted, over = subject.backend.create(draft("wk-1")), subject.backend.create(draft("wk-2"))
    subject.later(30)

    subject.backend.update(noted, TicketChange("still down", key="a"))
    subject.backend.update(over, TicketChange("over", TicketState.RESOLVED, key="b"))

    assert {noted.ref, over.ref} <= set(subject.backend.changed(10 * MINUTE) or ())


def test_where_nothing_has_changed_nothing_is_told(subject: Subject) -> None:
    subject.backend.create(draft("wk-1"))
    subject.later(12 * 60)

    assert subject.backend.changed(10 * MINUTE) == []


def test_a_long_time_is_a_time_as_well(subject: Subject) -> None:
    old = subject.backend.create(draft("wk-1"))
    subject.later(33 * 60)
    new = subject.backend.create(draft("wk-2"))

    changed = subject.backend.changed(2000 * MINUTE)
    before = subject.backend.changed(1900 * MINUTE)

    assert {old.ref, new.ref} <= set(changed or ())
    assert before is not None
    assert old.ref not in before


def test_of_more_than_a_page_all_are_to_be_read(subject: Subject) -> None:
    first = subject.backend.create(draft("wk-1"))
    if subject.multiply is not None:
        subject.multiply(first, PAGE)
    else:
        for number in range(PAGE):
            subject.backend.create(draft(f"wk-more-{number}"))

    assert subject.backend.changed(10 * MINUTE) is None


def test_local_desks_do_not_tell_of_each_others_tickets(tmp_path: Path) -> None:
    clock = HandClock()
    with databases.migrated("sqlite", tmp_path) as database:
        kind = itsm.find("local")
        surroundings = Surroundings(clock, StoredDesk(database), Budget(None, clock))
        kind.make("other", kind.options(), surroundings).create(draft("wk-1"))

        assert desk_of(database, clock).changed(10 * MINUTE) == []


def test_a_receiver_of_calls_can_not_tell(tmp_path: Path) -> None:
    surroundings = Surroundings(HandClock(), None, Budget(None, HandClock()))
    kind = itsm.find("webhook")
    webhook = kind.make("hook", kind.options.model_validate({"url": "http://127.0.0.1:9/"}), surroundings)
    events = itsm.find("servicenow").make(
        "events", servicenow_backend.options("http://127.0.0.1:9", tmp_path, mode="events"), surroundings
    )

    assert webhook.changed(10 * MINUTE) is None
    assert events.changed(10 * MINUTE) is None
