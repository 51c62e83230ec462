"""What a Jira's tickets are made of and how they change, on Cloud and Data Center alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.itsm.jira_backend import ITSM, draft, levels_of, made, notes_of
from tests.simulators.http import Request
from tests.simulators.jira import Jira, running
from tests.simulators.jira_model import Deployment
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.ticket import TicketChange, TicketKind, TicketState
from watchkeeper.itsm.base import Rejected, TicketBackend

FORMS = {
    "impact": {"field": "Impact", "high": "Extensive / Widespread", "medium": "Moderate / Limited"},
    "urgency": {"field": "customfield_10043", "high": "Critical"},
}


@pytest.fixture(params=["cloud", "server"])
def jira(request: pytest.FixtureRequest) -> Iterator[Jira]:
    with running(request.param) as site:
        yield site


@pytest.fixture
def backend(jira: Jira, tmp_path: Path) -> Iterator[TicketBackend]:
    with made(jira, tmp_path) as backend:
        yield backend


def is_comment(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/comment")


def test_a_ticket_has_what_people_call_it_and_where_they_find_it(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft(title="Web shop\nis down"))

    assert (ticket.number, ticket.title, ticket.url) == (
        "OPS-1",
        "Web shop is down",
        f"{jira.url}/browse/OPS-1",
    )
    assert ticket.ref == jira.issue("OPS-1").id
    assert backend.fetch([ticket.ref]) == [ticket]


def test_a_data_center_under_a_path_is_found_there(tmp_path: Path) -> None:
    with running("server", context="/jira") as site, made(site, tmp_path) as backend:
        assert backend.create(draft()).url == f"{site.url}/browse/OPS-1"


def test_fields_are_given_by_their_names_and_in_plain_words(jira: Jira, tmp_path: Path) -> None:
    fields = {"Impact": "moderate / limited", "customfield_10043": {"id": "10113"}, "dedupe key": "x"}
    by = [
        {"severity": "critical", "fields": {"Impact": "Minor / Localized"}},
        {"service": "sh*", "severity": "major", "fields": {"Dedupe key": "shop"}},
    ]
    with made(jira, tmp_path, **ITSM, fields=fields, fields_by=by, labels=["monitoring"]) as backend:
        major = jira.issue(backend.create(draft(severity=Severity.MAJOR)).ref)
        critical = jira.issue(backend.create(draft("wk-2", severity=Severity.CRITICAL)).ref)

    names = ("customfield_10042", "customfield_10043", "customfield_10041")
    assert [major.values[name] for name in names] == ["10101", "10113", "shop"]
    assert [critical.values[name] for name in names] == ["10102", "10113", "x"]
    assert major.labels == ["wk-1", "monitoring"]


def test_a_choice_that_is_not_there_does_not_keep_a_ticket_from_being_made(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, **ITSM, fields={"Impact": "Huge"}) as backend:
        ticket = backend.create(draft())
        findings = [each.message for each in backend.check()]

    assert "customfield_10042" not in jira.issue(ticket.ref).values
    there = "Extensive / Widespread, Moderate / Limited, Minor / Localized"
    assert findings[0] == f"[System] Incident in ITSM: Impact does not take 'Huge': it takes {there}"


def test_impact_and_urgency_move_the_priority_and_the_fields_that_hold_them(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, **ITSM, **FORMS) as backend:
        ticket = backend.create(draft(impact=Level.MEDIUM, urgency=Level.LOW))
        issue = jira.issue(ticket.ref)
        before = [issue.values[name] for name in ("customfield_10042", "customfield_10043", "priority")]

        backend.update(ticket, TicketChange("worse", urgency=Level.HIGH, key="c1"))
        backend.update(ticket, TicketChange("much worse", impact=Level.HIGH, key="c2"))

    after = [issue.values[name] for name in ("customfield_10042", "customfield_10043", "priority")]
    assert before == ["10101", "10113", "10101"]
    assert after == ["10100", "10110", "10100"]
    assert levels_of(jira, ticket) == (Level.HIGH, Level.HIGH)
    assert notes_of(jira, ticket.ref) == ["worse", "much worse"]


def test_a_ticket_that_matters_as_much_as_before_is_not_edited(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())

    backend.update(ticket, TicketChange("same", impact=Level.HIGH, urgency=Level.LOW, key="c1"))

    assert jira.requests("PUT") == []


def test_a_note_is_one_write(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())

    backend.update(ticket, TicketChange("still down", key="c1"))

    assert [each.request.method for each in jira.requests() if is_comment(each.request)] == ["POST"]
    assert jira.requests("PUT") == []


def test_a_ticket_that_is_resolved_already_gets_the_note_alone(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    jira.person().transitions(ticket.ref, "Done")

    after = backend.update(ticket, TicketChange("over", TicketState.RESOLVED, "c1"))

    assert after.state is TicketState.RESOLVED
    assert [each for each in jira.requests() if each.request.path.endswith("/transitions")] == []


def test_what_a_workflow_asks_for_beside_a_resolution_is_configured(jira: Jira, tmp_path: Path) -> None:
    workflow = jira.site.projects["ITSM"].workflow
    steps = list(workflow.transitions)
    at = next(at for at, each in enumerate(steps) if each.name == "Resolve")
    form = ("resolution", "customfield_10042")
    steps[at] = type(steps[at])("761", "Resolve", "10004", ("1",), screen=form, required=form)
    jira.site.projects["ITSM"].workflow = type(workflow)(workflow.name, workflow.statuses, tuple(steps))
    over = TicketChange("over", TicketState.RESOLVED, "c1")

    with made(jira, tmp_path, **ITSM) as backend:
        ticket = backend.create(draft())
        with pytest.raises(Rejected, match=r"'Resolve' asks for Impact \(customfield_10042\): set it in"):
            backend.update(ticket, over)
    with made(jira, tmp_path, **ITSM, resolve_fields={"Impact": "Minor / Localized"}) as backend:
        assert backend.update(ticket, over).state is TicketState.RESOLVED

    assert jira.issue(ticket.ref).values["customfield_10042"] == "10102"


def test_statuses_mean_what_is_configured(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, states={"on_hold": ["in progress"], "closed": ["Done"]}) as backend:
        tickets = [backend.create(draft()) for _ in range(2)]
        jira.person().transitions(tickets[0].ref, "In Progress")
        jira.person().transitions(tickets[1].ref, "Done")

        states = {each.ref: each.state for each in backend.fetch(each.ref for each in tickets)}

    assert [states[each.ref] for each in tickets] == [TicketState.ON_HOLD, TicketState.CLOSED]


def test_problems_have_a_type_of_their_own(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft(kind=TicketKind.PROBLEM))

    assert jira.issue(ticket.ref).values["issuetype"] == "10004"


def test_a_preview_has_the_body_of_the_call_and_makes_none(jira: Jira, backend: TicketBackend) -> None:
    [call] = backend.preview(draft())
    changes = backend.preview(TicketChange("over", TicketState.RESOLVED, "c1", impact=Level.LOW, problem="7"))

    assert [each for each in jira.requests() if each.request.method != "GET"] == []
    backend.create(draft())
    [made_] = [each.request for each in jira.requests("POST")]
    assert (call.method, call.url, call.body) == ("POST", jira.server.url(made_.path), made_.json())
    paths = [each.url.rpartition("/")[2] for each in changes]
    assert paths == ["watchkeeper", "transitions", "issueLink", "comment"]


@pytest.mark.parametrize("version", ["cloud", "data_center"])
def test_the_flavour_may_be_said(tmp_path: Path, version: str) -> None:
    deployment: Deployment = "cloud" if version == "cloud" else "server"
    with running(deployment) as site, made(site, tmp_path, flavour=version) as backend:
        ticket = backend.create(draft())
        assert backend.find("wk-1") == [ticket]
