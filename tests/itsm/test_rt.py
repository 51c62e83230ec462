"""Tickets in the real Request Tracker: made, found and read as it truly behaves."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_ticket_backend import draft
from tests.itsm import rt_desk
from tests.itsm.rt_desk import as_eve, by_password
from tests.peers.requesttracker import KEY_FIELD, PROBLEMS, Client, Person, RequestTracker, fields_of
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketKind, TicketState
from watchkeeper.itsm.base import Denied, Rejected, TicketBackend, Unavailable

pytestmark = pytest.mark.xdist_group("requesttracker")


@pytest.fixture
def backend(rt: RequestTracker) -> TicketBackend:
    return rt_desk.backend(rt)


def test_a_ticket_says_what_its_draft_says(rt: RequestTracker, watchkeeper: Client, alice: Person) -> None:
    backend = rt_desk.backend(
        rt,
        requestor="monitoring@example.com",
        fields={"CF.{Site}": "Berlin", "Owner": "alice", "Cc": ["a@example.com", "b@example.com"]},
        fields_by=[{"severity": "critical", "fields": {"CF.{Site}": "Lisbon"}}],
    )
    critical = replace(draft("wk-said"), severity=Severity.CRITICAL, impact=Level.HIGH, urgency=Level.HIGH)

    ticket = backend.create(critical)

    record = alice.read(ticket.ref)
    assert (record["Subject"], record["Status"], record["Priority"]) == ("Web shop is down", "new", "100")
    assert fields_of(record) == {KEY_FIELD: ["wk-said"], "Site": ["Lisbon"], "Cause": [], "Asset Tag": []}
    assert [one["id"] for one in record["Requestor"]] == ["monitoring@example.com"]
    assert [one["id"] for one in record["Cc"]] == ["a@example.com", "b@example.com"]
    [attachment] = watchkeeper.get(f"/ticket/{ticket.ref}/attachments", fields="Content").json()["items"]
    assert attachment["Content"] == "Do something."
    assert ticket == Ticket(
        ticket.ref,
        f"RT#{ticket.ref}",
        "wk-said",
        TicketState.OPEN,
        "Web shop is down",
        f"{rt.url}/Ticket/Display.html?id={ticket.ref}",
        "alice",
    )


def test_a_problem_goes_into_its_own_queue(rt: RequestTracker, watchkeeper: Client) -> None:
    backend = rt_desk.backend(rt, problem_queue=PROBLEMS)

    ticket = backend.create(replace(draft("wk-problem"), kind=TicketKind.PROBLEM))

    shown = watchkeeper.get(f"/ticket/{ticket.ref}", **{"fields[Queue]": "Name"}).json()
    assert shown["Queue"]["Name"] == PROBLEMS
    assert list(backend.find("wk-problem")) == [ticket]


@pytest.mark.parametrize("letter", ["x", "网"])
def test_a_title_is_cut_to_one_line_of_200_bytes(backend: TicketBackend, letter: str) -> None:
    ticket = backend.create(replace(draft("wk-long"), title=f"one\ntwo {letter * 300}"))

    assert ticket.title == "one two " + letter * (189 // len(letter.encode())) + "…"


def test_a_key_of_another_case_is_another_key(backend: TicketBackend) -> None:
    lower, upper = backend.create(draft("wk-case")), backend.create(draft("WK-CASE"))

    assert list(backend.find("wk-case")) == [lower]
    assert list(backend.find("WK-CASE")) == [upper]


def test_a_key_is_no_part_of_the_query(backend: TicketBackend, watchkeeper: Client) -> None:
    stranger = watchkeeper.create("a stranger of the backend")

    for key in (f"x' OR id = '{stranger}", "it's", "back\\", "100%"):
        assert list(backend.find(key)) == []


def test_a_field_is_set_that_has_a_namesake_in_another_queue(
    make: Callable[..., TicketBackend], alice: Person
) -> None:
    """By its name RT would take the other one, and say nothing."""
    ticket = make(fields={"CF.{Site}": "Room 4"}).create(draft("wk-namesake"))

    assert fields_of(alice.read(ticket.ref))["Site"] == ["Room 4"]


def test_what_rt_left_out_of_a_ticket_is_told_by_the_self_test(rt: RequestTracker, watchkeeper: Client) -> None:
    backend = rt_desk.backend(rt, fields={"CF.{Site}": "Mars", "CF.{Asset Tag}": "no tag", "CF.{Cause}": "fan"})

    ticket = backend.create(draft("wk-left-out"))

    assert ticket.key == "wk-left-out"
    told = [finding.message for finding in backend.check()]
    assert [message.split(" of ")[0] for message in told] == [
        "the custom field 'Asset Tag'",
        "the custom field 'Site'",
    ]


def test_a_ticket_without_its_key_is_not_left_open(
    make: Callable[..., TicketBackend], alice: Person, tmp_path: Path
) -> None:
    backend = make(auth=as_eve(tmp_path))

    with pytest.raises(
        Rejected, match="was made, and rejected at once: RT did not store 'Watchkeeper Key'"
    ) as refusal:
        backend.create(draft("wk-keyless"))

    assert "SetInitialCustomField" in str(refusal.value)
    assert alice.read(str(refusal.value).split()[0].removeprefix("RT#"))["Status"] == "rejected"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"queue": "Nonsense"}, "there is no queue 'Nonsense', or watchkeeper has no right SeeQueue there"),
        ({"queue": "General"}, "there is no queue 'General', or watchkeeper has no right SeeQueue there"),
        ({"key_field": "Watchkeeper Kay"}, "Incidents has no custom field 'Watchkeeper Kay'"),
    ],
)
def test_nothing_is_made_or_believed_absent_where_keys_are_not_found(
    rt: RequestTracker, wrong: dict[str, Any], why: str
) -> None:
    backend = rt_desk.backend(rt, **wrong)
    before = rt.tickets_by_key()

    with pytest.raises(Denied, match=why):
        backend.create(draft("wk-nowhere"))
    with pytest.raises(Denied, match=why):
        backend.find("wk-nowhere")

    assert rt.tickets_by_key() == before


def test_without_a_queue_of_problems_incidents_go_on(rt: RequestTracker) -> None:
    backend = rt_desk.backend(rt, problem_queue="Nonsense")

    with pytest.raises(Rejected, match="there is no queue 'Nonsense'"):
        backend.create(replace(draft("wk-no-queue"), kind=TicketKind.PROBLEM))
    assert backend.create(draft("wk-no-queue")).state is TicketState.OPEN


def test_a_search_whose_keys_are_hidden_is_not_trusted(
    rt: RequestTracker, watchkeeper: Client, tmp_path: Path
) -> None:
    watchkeeper.create("wk-hidden", Queue=PROBLEMS)

    with pytest.raises(Denied, match="right SeeCustomField"):
        rt_desk.backend(rt, queue=PROBLEMS, auth=as_eve(tmp_path)).find("wk-hidden")


def test_who_is_not_known_is_denied(rt: RequestTracker, tmp_path: Path) -> None:
    backend = rt_desk.backend(rt, auth=by_password(tmp_path, ("watchkeeper", "wrong")))

    for call in (lambda: backend.find("wk-1"), lambda: backend.create(draft()), lambda: backend.fetch(["1"])):
        with pytest.raises(Denied, match="does not know who asks"):
            call()


def test_a_password_lets_in_as_a_token_does(rt: RequestTracker, tmp_path: Path) -> None:
    ticket = rt_desk.backend(rt, auth=by_password(tmp_path)).create(draft("wk-password"))

    assert list(rt_desk.backend(rt).find("wk-password")) == [ticket]


def test_a_secret_that_is_not_there_is_told_by_its_place(rt: RequestTracker) -> None:
    backend = rt_desk.backend(rt, auth={"token": {"env": "NO_SUCH_TOKEN"}})

    with pytest.raises(Unavailable, match="the environment variable NO_SUCH_TOKEN is not set"):
        backend.find("wk-1")


def test_a_ticket_is_found_under_its_own_id_when_people_merged_it_into_another(
    backend: TicketBackend, watchkeeper: Client, alice: Person
) -> None:
    ticket = backend.create(draft("wk-merged"))
    other = watchkeeper.create("the same trouble")
    alice.merge(ticket.ref, other)
    alice.take(other)
    alice.stall(other)

    [found] = backend.find("wk-merged")
    [fetched] = backend.fetch([ticket.ref])
    many = {one.ref: one for one in backend.fetch([ticket.ref, other])}

    assert (found.ref, found.number, found.key) == (ticket.ref, f"RT#{other}", "wk-merged")
    assert (found.state, found.assignee, found.is_touched) == (TicketState.ON_HOLD, "alice", True)
    assert replace(fetched, version="") == found == many[ticket.ref]
    assert many[other].key == "the same trouble"


def test_two_tickets_of_one_key_that_were_merged_are_one(backend: TicketBackend, alice: Person) -> None:
    first, second = backend.create(draft("wk-twice")), backend.create(draft("wk-twice"))
    assert [one.ref for one in backend.find("wk-twice")] == [first.ref, second.ref]

    alice.merge(first.ref, second.ref)

    assert [one.ref for one in backend.find("wk-twice")] == [first.ref]


def test_a_deleted_ticket_is_cancelled_and_not_found(backend: TicketBackend, alice: Person) -> None:
    ticket, other = backend.create(draft("wk-deleted")), backend.create(draft("wk-beside"))
    alice.delete(ticket.ref)

    assert list(backend.find("wk-deleted")) == []
    for refs in ([ticket.ref], [ticket.ref, other.ref]):
        found = {one.ref: one for one in backend.fetch(refs)}
        assert (found[ticket.ref].state, found[ticket.ref].key) == (TicketState.CANCELLED, "wk-deleted")


def test_statuses_come_down_to_states(backend: TicketBackend, alice: Person) -> None:
    ticket = backend.create(draft("wk-status"))
    for status, state in (
        ("open", TicketState.IN_PROGRESS),
        ("stalled", TicketState.ON_HOLD),
        ("resolved", TicketState.RESOLVED),
        ("rejected", TicketState.CANCELLED),
    ):
        alice.move(ticket.ref, status)
        [found] = backend.fetch([ticket.ref])
        assert (found.state, found.is_touched) == (state, True)


def test_a_lifecycle_of_its_own_is_understood(rt: RequestTracker, alice: Person) -> None:
    statuses = {"in_progress": ["Investigating", "known error"], "closed": ["closed"], "resolved": []}
    backend = rt_desk.backend(rt, problem_queue=PROBLEMS, problem_statuses=statuses)
    ticket = backend.create(replace(draft("wk-lifecycle"), kind=TicketKind.PROBLEM))

    for status, state in (("investigating", TicketState.IN_PROGRESS), ("closed", TicketState.CLOSED)):
        alice.move(ticket.ref, status)
        assert [one.state for one in backend.fetch([ticket.ref])] == [state]


def test_a_ticket_is_touched_when_somebody_else_changed_it(backend: TicketBackend, alice: Person) -> None:
    """Whatever watchkeeper did after that: RT's own record tells the last one only."""
    tickets = [backend.create(draft(f"wk-touched-{number}")) for number in range(3)]
    alice.comment(tickets[1].ref, "Mine.")
    for ticket in tickets:
        backend.update(ticket, TicketChange("still down", key="a"))

    found = {one.ref: one.is_touched for one in backend.fetch([one.ref for one in tickets])}

    assert [found[one.ref] for one in tickets] == [False, True, False]


def test_a_ticket_that_was_moved_out_of_sight_is_gone(
    rt: RequestTracker, watchkeeper: Client, make: Callable[..., TicketBackend], tmp_path: Path
) -> None:
    hidden = watchkeeper.create("wk-elsewhere")  # eve sees nothing of Incidents
    backend = make(auth=as_eve(tmp_path))
    with pytest.raises(Denied, match="may not see RT#"):  # she sees no ticket at all yet
        backend.fetch([hidden])
    seen = make().create(draft("wk-in-sight"))

    assert list(backend.fetch([hidden])) == []
    assert [one.ref for one in backend.fetch([hidden, seen.ref])] == [seen.ref]


def test_what_is_no_id_is_not_asked_for(backend: TicketBackend) -> None:
    assert list(backend.fetch(["0", "-1", "²", "1 OR id > 0", "history", "99999999999"])) == []


def test_a_call_that_is_made_is_shown_before(rt: RequestTracker) -> None:
    backend = rt_desk.backend(rt, fields={"CF.{Site}": "Berlin"})

    [create] = backend.preview(draft())
    put, comment = backend.preview(TicketChange("over", TicketState.RESOLVED, key="a"))

    assert (create.method, create.url) == ("POST", f"{rt.url}/REST/2.0/ticket")
    assert create.body["CustomFields"] == {"Site": "Berlin", KEY_FIELD: "wk-1"}
    assert (put.method, put.url, put.body) == ("PUT", f"{rt.url}/REST/2.0/ticket/ID", {"Status": "resolved"})
    assert (comment.url, comment.body["Content"]) == (f"{rt.url}/REST/2.0/ticket/ID/comment", "over")
