"""How each system is asked what has changed, and what could go wrong there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.itsm import jira_backend, rt_desk, servicenow_backend
from tests.itsm.jira_backend import draft
from tests.peers.requesttracker import Person, RequestTracker
from tests.simulators import jira
from tests.simulators.jira import Jira
from tests.simulators.servicenow import Instance
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.ticket import TicketKind
from watchkeeper.itsm.base import Surroundings, TicketBackend

MINUTE: Final = 60_000
ZONES: Final = ("UTC", "Asia/Shanghai", "America/New_York")
RT: Final = pytest.mark.xdist_group("requesttracker")

# ServiceNow


def asked_of(instance: Instance, backend: TicketBackend) -> list[str]:
    """The tables that one question is about."""
    before = len(instance.requests())
    backend.changed(10 * MINUTE)
    return [each.request.path.rpartition("/")[2] for each in instance.requests()[before:]]


def test_an_instance_is_asked_in_one_call_until_there_are_problems(instance: Instance, snow: TicketBackend) -> None:
    snow.create(draft("wk-1"))
    assert asked_of(instance, snow) == ["incident"]

    problem = snow.create(draft("wk-2", kind=TicketKind.PROBLEM))

    assert asked_of(instance, snow) == ["incident", "problem"]
    assert problem.ref in (snow.changed(10 * MINUTE) or ())


def test_problems_that_were_made_before_a_start_are_asked_for_when_they_have_been_read(
    instance: Instance, snow: TicketBackend, tmp_path: Path
) -> None:
    problem = snow.create(draft("wk-2", kind=TicketKind.PROBLEM))
    with servicenow_backend.made(instance, tmp_path) as again:
        again.fetch([problem.ref])

        assert asked_of(instance, again) == ["incident", "problem"]


def test_tickets_of_others_are_not_told(instance: Instance, snow: TicketBackend) -> None:
    instance.add("incident", short_description="somebody's own")

    assert snow.changed(10 * MINUTE) == []


def test_an_answer_with_records_that_were_not_asked_for_is_none(instance: Instance, snow: TicketBackend) -> None:
    """An instance drops a condition that it does not understand, or that is about a field one may not read."""
    snow.create(draft("wk-1"))
    instance.add("incident", short_description="somebody's own")
    instance.acl.unreadable.add(("incident", "correlation_id"))

    assert snow.changed(10 * MINUTE) is None


def test_an_answer_without_times_is_none(instance: Instance, snow: TicketBackend) -> None:
    snow.create(draft("wk-1"))
    instance.acl.unreadable.add(("incident", "sys_updated_on"))

    assert snow.changed(10 * MINUTE) is None


def test_of_hidden_tickets_it_is_not_known_whether_they_have_changed(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft("wk-1"))
    instance.acl.hidden.add(ticket.ref.removeprefix("incident/"))

    assert snow.changed(10 * MINUTE) is None


@pytest.mark.parametrize("ahead_ms", [0, 30 * MINUTE, -30 * MINUTE])
def test_a_clock_that_differs_from_the_instance_s_hides_no_change(
    instance: Instance, tmp_path: Path, ahead_ms: int
) -> None:
    def clock() -> int:
        return instance.clock() + ahead_ms

    kind = itsm.find("servicenow")
    surroundings = Surroundings(clock, None, Budget(None, clock))
    backend = kind.make("snow", servicenow_backend.options(instance.url, tmp_path), surroundings)

    try:
        ticket = backend.create(draft("wk-1"))  # its answer tells the time

        assert backend.changed(10 * MINUTE) == [ticket.ref]
    finally:
        backend._client._http.forget()  # type: ignore[attr-defined]


# Jira


@pytest.fixture(params=["cloud", "server"])
def site(request: pytest.FixtureRequest) -> Iterator[Jira]:
    with jira.running(request.param) as site:
        yield site


@pytest.mark.parametrize("zone", ZONES)
def test_the_time_zone_of_jiras_user_does_not_matter(site: Jira, tmp_path: Path, zone: str) -> None:
    users = site.site.users
    users["bot"] = replace(users["bot"], timezone=zone)
    with jira_backend.made(site, tmp_path) as backend:
        backend.create(draft("wk-1"))
        site.clock.advance(60 * 60)
        new = backend.create(draft("wk-2"))

        assert backend.changed(10 * MINUTE) == [new.ref]


def test_a_change_that_jiras_search_does_not_know_yet_is_told_when_it_does(site: Jira, tmp_path: Path) -> None:
    site.tracker.index.lag_ms = site.tracker.index.replica_lag_ms = 60_000
    with jira_backend.made(site, tmp_path) as backend:
        ticket = backend.create(draft("wk-1"))
        assert backend.changed(10 * MINUTE) == []
        site.clock.advance(60)

        assert backend.changed(10 * MINUTE) == [ticket.ref]


def test_jira_is_asked_in_one_call_and_for_whole_minutes(site: Jira, tmp_path: Path) -> None:
    with jira_backend.made(site, tmp_path) as backend:
        ticket = backend.create(draft("wk-1"))
        site.clock.advance(90)
        before = len(site.requests())

        assert backend.changed(90_000) == [ticket.ref]
        assert len(site.requests()) == before + 1


def test_issues_that_others_have_made_are_not_told(site: Jira, tmp_path: Path) -> None:
    site.person().creates("OPS", "mine", labels=["wk-1"])
    with jira_backend.made(site, tmp_path) as backend:
        assert backend.changed(10 * MINUTE) == []


def test_a_ticket_that_was_moved_or_has_lost_its_label_is_told(site: Jira, tmp_path: Path) -> None:
    with jira_backend.made(site, tmp_path) as backend:
        moved, bare = backend.create(draft("wk-1")), backend.create(draft("wk-2"))
        site.clock.advance(60 * 60)
        site.person().moves(moved.ref, "ITSM")
        site.person().edits(bare.ref, labels=[])

        assert sorted(backend.changed(10 * MINUTE) or ()) == sorted([moved.ref, bare.ref])


# Request Tracker


def in_database(rt: RequestTracker, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(rt.folder / "rt.db", timeout=10)) as database, database:
        database.execute(statement, values)


def age(rt: RequestTracker) -> None:
    """Whatever there is was done an hour ago."""
    in_database(rt, "UPDATE Tickets SET LastUpdated = datetime(LastUpdated, '-1 hour')")
    in_database(rt, "UPDATE Transactions SET Created = datetime(Created, '-1 hour')")


@RT
@pytest.mark.parametrize("zone", ZONES)
def test_the_time_zone_of_rts_user_does_not_matter(rt: RequestTracker, zone: str) -> None:
    backend = rt_desk.backend(rt)
    in_database(rt, "UPDATE Users SET Timezone = ? WHERE Name = 'watchkeeper'", zone)
    try:
        backend.create(draft("wk-changed-before"))
        age(rt)
        new = backend.create(draft("wk-changed-now"))

        assert backend.changed(10 * MINUTE) == [new.ref]
    finally:
        in_database(rt, "UPDATE Users SET Timezone = NULL WHERE Name = 'watchkeeper'")


@RT
def test_a_ticket_that_is_merged_has_changed(rt: RequestTracker, alice: Person) -> None:
    backend = rt_desk.backend(rt)
    ticket = backend.create(draft("wk-changed-by-a-merge"))
    into = alice.client.create("", Queue="Incidents")
    age(rt)

    alice.merge(ticket.ref, into)

    assert ticket.ref in (backend.changed(10 * MINUTE) or ())


@RT
def test_what_happens_to_the_ticket_that_it_was_merged_into_is_a_change(rt: RequestTracker, alice: Person) -> None:
    backend = rt_desk.backend(rt)
    ticket = backend.create(draft("wk-changed-elsewhere"))
    into = alice.client.create("", Queue="Incidents")
    alice.merge(ticket.ref, into)
    backend.fetch([ticket.ref])
    age(rt)
    assert backend.changed(10 * MINUTE) == []

    alice.resolve(into)

    assert ticket.ref in (backend.changed(10 * MINUTE) or ())


@RT
def test_tickets_without_a_key_are_not_told(rt: RequestTracker, alice: Person) -> None:
    age(rt)
    alice.client.create("somebody's own")

    assert rt_desk.backend(rt).changed(10 * MINUTE) == []
