"""Tickets in the real Request Tracker are changed: once, whole, and never over somebody's head."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.contract.test_ticket_backend import draft
from tests.itsm import rt_desk
from tests.itsm.rt_desk import notes
from tests.peers.requesttracker import PROBLEMS, Client, Person, RequestTracker, fields_of
from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import TicketChange, TicketKind, TicketState
from watchkeeper.itsm.base import Conflict, Rejected, TicketBackend

pytestmark = pytest.mark.xdist_group("requesttracker")

OVER = TicketChange("over", TicketState.RESOLVED, key="wk-1-7")


@pytest.fixture
def backend(rt: RequestTracker) -> TicketBackend:
    return rt_desk.backend(rt)


def test_a_note_is_a_comment_whose_subject_holds_the_mark(backend: TicketBackend, watchkeeper: Client) -> None:
    ticket = backend.create(draft("wk-marked"))
    backend.update(ticket, OVER)

    [comment] = [
        item
        for item in watchkeeper.get(f"/ticket/{ticket.ref}/attachments", fields="Subject,Content").json()["items"]
        if item["Content"] == "over"
    ]

    assert comment["Subject"].startswith("Web shop is down [wk-")


def test_a_change_whose_note_was_lost_is_made_whole_by_the_next_attempt(
    backend: TicketBackend, watchkeeper: Client, alice: Person
) -> None:
    ticket = backend.create(draft("wk-half"))
    watchkeeper.put(f"/ticket/{ticket.ref}", {"Status": "resolved"})  # as far as the first attempt came

    backend.update(ticket, OVER)

    assert notes(watchkeeper, ticket.ref) == ["over"]
    assert alice.read(ticket.ref)["Status"] == "resolved"


def test_a_change_is_known_again_after_the_ticket_was_merged(
    backend: TicketBackend, watchkeeper: Client, alice: Person
) -> None:
    ticket, other = backend.create(draft("wk-merge-1")), watchkeeper.create("wk-merge-2")
    backend.update(ticket, OVER)
    alice.merge(ticket.ref, other)

    again = backend.update(ticket, OVER)
    backend.update(ticket, TicketChange("after that", key="wk-1-8"))

    assert (again.ref, again.number, again.state) == (ticket.ref, f"RT#{other}", TicketState.OPEN)
    assert notes(watchkeeper, other) == ["over", "after that"]


def test_a_change_of_a_state_that_was_decided_on_an_old_version_is_not_made(
    backend: TicketBackend, watchkeeper: Client, alice: Person
) -> None:
    [read] = backend.fetch([backend.create(draft("wk-conflict")).ref])
    alice.take(read.ref)

    with pytest.raises(Conflict, match="was changed by somebody meanwhile"):
        backend.update(read, OVER)
    assert alice.read(read.ref)["Status"] == "new"
    assert notes(watchkeeper, read.ref) == []

    [again] = backend.fetch([read.ref])
    assert backend.update(again, OVER).state is TicketState.RESOLVED


def test_a_note_alone_is_made_whoever_changed_the_ticket(
    backend: TicketBackend, watchkeeper: Client, alice: Person
) -> None:
    [read] = backend.fetch([backend.create(draft("wk-note")).ref])
    alice.take(read.ref)

    noted = backend.update(read, TicketChange("still down", key="a"))

    assert (noted.assignee, noted.is_touched) == ("alice", True)
    assert notes(watchkeeper, read.ref) == ["still down"]


def test_a_status_that_rt_does_not_take_is_rejected_with_its_words(
    rt: RequestTracker, backend: TicketBackend, watchkeeper: Client
) -> None:
    ticket = backend.create(draft("wk-refused"))

    with pytest.raises(Rejected, match=f"RT#{ticket.ref} stays new: .*'done' isn't a valid status"):
        rt_desk.backend(rt, statuses={"resolved": ["done"]}).update(ticket, OVER)
    assert notes(watchkeeper, ticket.ref) == []


def test_a_way_that_the_lifecycle_does_not_have_is_rejected_with_its_words(rt: RequestTracker, alice: Person) -> None:
    statuses = {"resolved": ["closed"], "in_progress": ["investigating"], "reopened": "investigating"}
    backend = rt_desk.backend(rt, problem_queue=PROBLEMS, problem_statuses=statuses)
    ticket = backend.create(replace(draft("wk-way"), kind=TicketKind.PROBLEM))
    assert backend.update(ticket, OVER).state is TicketState.RESOLVED
    assert alice.read(ticket.ref)["Status"] == "closed"

    with pytest.raises(Rejected, match="can't change status from 'closed' to 'investigating'"):
        backend.update(ticket, TicketChange("again", TicketState.OPEN, key="b"))


def test_a_state_without_a_status_is_rejected(backend: TicketBackend) -> None:
    ticket = backend.create(draft("wk-stateless"))

    with pytest.raises(Rejected, match="no status of RT is named for closed: name one in `statuses`"):
        backend.update(ticket, TicketChange("over", TicketState.CLOSED, key="a"))


def test_what_was_resolved_is_opened_again(backend: TicketBackend, alice: Person) -> None:
    ticket = backend.create(draft("wk-again"))
    backend.update(ticket, OVER)

    backend.update(ticket, TicketChange("it is back", TicketState.OPEN, key="b"))

    assert alice.read(ticket.ref)["Status"] == "open"


def test_a_reply_leaves_the_status_as_it_is_to_be(rt: RequestTracker, watchkeeper: Client, alice: Person) -> None:
    """By RT's own rule a reply opens a ticket."""
    backend = rt_desk.backend(rt, notes="correspond", requestor="alice@example.com")
    ticket = backend.create(draft("wk-reply"))
    changes = (TicketChange("worse", key="a"), OVER, TicketChange("still over", key="b"))

    for change, status in zip(changes, ("new", "resolved", "resolved"), strict=True):
        backend.update(ticket, change)
        assert alice.read(ticket.ref)["Status"] == status

    assert notes(watchkeeper, ticket.ref) == ["worse", "over", "still over"]
    assert "Web shop is down [wk-" in rt.mail()


def test_priority_follows_impact_and_urgency(make: Callable[..., TicketBackend], alice: Person) -> None:
    backend = make(priority=[9, 8, 7, 6, 5])
    ticket = backend.create(draft("wk-levels"))

    def shown() -> tuple[str, Mapping[str, list[str]]]:
        record = alice.read(ticket.ref)
        return record["Priority"], {name: fields_of(record)[name] for name in ("Impact", "Urgency")}

    assert shown() == ("7", {"Impact": ["1 - High"], "Urgency": ["3 - Low"]})
    backend.update(ticket, TicketChange("worse", key="a", impact=Level.HIGH, urgency=Level.HIGH))
    assert shown() == ("9", {"Impact": ["1 - High"], "Urgency": ["1 - High"]})


def test_priority_is_left_to_rt_where_none_is_wanted(rt: RequestTracker, alice: Person) -> None:
    ticket = rt_desk.backend(rt, priority=[]).create(draft("wk-no-priority"))

    assert alice.read(ticket.ref)["Priority"] == "0"


def test_a_level_that_is_not_stored_is_told_and_no_failure(rt: RequestTracker, watchkeeper: Client) -> None:
    field = {"field": "Site", "high": "Lisbon", "medium": "Berlin", "low": "Mars"}
    backend = rt_desk.backend(rt, impact=field)
    ticket = backend.create(draft("wk-level"))

    backend.update(ticket, TicketChange("better", key="a", impact=Level.MEDIUM, urgency=Level.LOW))

    assert notes(watchkeeper, ticket.ref) == ["better"]
    assert [finding.message.partition(" of ")[0] for finding in backend.check()] == ["the custom field 'Site'"]


def test_an_incident_is_linked_to_its_problem_beside_what_it_is_linked_to(
    rt: RequestTracker, backend: TicketBackend, watchkeeper: Client, alice: Person
) -> None:
    problem, other = watchkeeper.create("wk-cause", Queue=PROBLEMS), watchkeeper.create("another problem")
    ticket = backend.create(draft("wk-links"))
    alice.client.put(f"/ticket/{ticket.ref}", {"MemberOf": other})

    for kind in ("member_of", "refers_to", "depends_on"):
        change = TicketChange(kind, key=kind, problem=problem)
        rt_desk.backend(rt, problem_queue=PROBLEMS, problem_link=kind).update(ticket, change)

    links = {(link["ref"], link.get("id")) for link in alice.read(ticket.ref)["_hyperlinks"]}
    assert {("parent", other), ("parent", problem), ("refers-to", problem), ("depends-on", problem)} <= links
    assert notes(watchkeeper, ticket.ref) == ["member_of", "refers_to", "depends_on"]


def test_a_link_is_known_again_when_the_problem_was_merged(
    rt: RequestTracker, watchkeeper: Client, alice: Person
) -> None:
    problems = [watchkeeper.create("wk-cause", Queue=PROBLEMS) for _ in range(2)]
    backend = rt_desk.backend(rt, problem_queue=PROBLEMS)
    ticket = backend.create(draft("wk-linked"))
    alice.merge(problems[0], problems[1])

    backend.update(ticket, TicketChange("it happens again", key="a", problem=problems[0]))

    links = {(link["ref"], link.get("id")) for link in alice.read(ticket.ref)["_hyperlinks"]}
    assert ("parent", problems[1]) in links


def test_a_problem_that_is_not_there_is_rejected(backend: TicketBackend) -> None:
    ticket = backend.create(draft("wk-no-problem"))

    with pytest.raises(Rejected, match=f"RT#{ticket.ref} is not linked to RT#999999: Couldn't resolve '999999'"):
        backend.update(ticket, TicketChange("it happens again", key="a", problem="999999"))
