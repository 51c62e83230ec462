"""What a Jira does to clients that believe it, and what this one does."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.itsm.jira_backend import ITSM, draft, made, notes_of
from tests.probers.authority import a_ca, issued
from tests.probers.servers import tls_by
from tests.simulators import faults as f
from tests.simulators import jira_faults as jf
from tests.simulators.http import Fault, Request
from tests.simulators.jira import Jira, running
from tests.simulators.jira_accounts import Token
from tests.simulators.jira_limits import Bucket
from watchkeeper import itsm
from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketKind, TicketState
from watchkeeper.itsm.base import (
    Ambiguous,
    Conflict,
    Denied,
    Outcome,
    Rejected,
    Throttled,
    TicketBackend,
    Unavailable,
)


@pytest.fixture(params=["cloud", "server"])
def jira(request: pytest.FixtureRequest) -> Iterator[Jira]:
    with running(request.param) as site:
        yield site


@pytest.fixture
def backend(jira: Jira, tmp_path: Path) -> Iterator[TicketBackend]:
    with made(jira, tmp_path) as backend:
        yield backend


@pytest.fixture
def cloud() -> Iterator[Jira]:
    with running("cloud") as site:
        yield site


def outcome_of(call: Callable[[], object]) -> Outcome:
    with pytest.raises(Outcome) as raised:
        call()
    return raised.value


def creates(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/issue")


def transitions(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/transitions")


def resolve(backend: TicketBackend, ticket: Ticket, key: str = "c1") -> Ticket:
    return backend.update(ticket, TicketChange("over", TicketState.RESOLVED, key))


# J1, J2: searches learn late.


def test_a_ticket_is_read_and_changed_while_no_search_knows_it(jira: Jira, backend: TicketBackend) -> None:
    jira.tracker.index.lag_ms = jira.tracker.index.replica_lag_ms = 60_000
    tickets = [backend.create(draft(f"wk-{number}")) for number in range(8)]

    assert list(backend.find("wk-1")) == []
    assert sorted(backend.fetch(each.ref for each in tickets), key=lambda each: int(each.ref)) == tickets
    assert resolve(backend, tickets[0]).state is TicketState.RESOLVED
    jira.clock.advance(60)
    assert list(backend.find("wk-1")) == [tickets[1]]


def test_a_ticket_is_found_as_it_is_and_not_as_a_search_has_seen_it(jira: Jira, backend: TicketBackend) -> None:
    ticket, deleted = backend.create(draft()), backend.create(draft())
    jira.tracker.index.lag_ms = 60_000
    jira.clock.advance(60)
    resolve(backend, ticket)
    jira.person().deletes(deleted.ref)

    [found] = backend.find("wk-1")

    assert (found.ref, found.state) == (ticket.ref, TicketState.RESOLVED)


def test_delivery_is_told_to_wait_for_searches() -> None:
    kind = itsm.find("jira")

    assert kind.index_lag_ms == 120_000


def test_one_session_stays_with_its_node(tmp_path: Path) -> None:
    with running("server", nodes=3) as site, made(site, tmp_path) as backend:
        site.tracker.index.replica_lag_ms = 60_000
        for number in range(6):
            ticket = backend.create(draft(f"wk-{number}"))
            assert list(backend.find(f"wk-{number}")) == [ticket]


# J3: nothing is created twice.


@pytest.mark.parametrize(
    "fault",
    [each for each in (*f.LOST, *f.COMMITTED) if "hang" not in each.name]
    + [jf.COMMITS_AND_SAYS_NOTHING, jf.COMMITS_AND_SAYS_GATEWAY_504, jf.IS_SUSPENDED],
    ids=str,
)
def test_a_create_whose_answer_is_lost_is_ambiguous_and_was_one_call(
    jira: Jira, backend: TicketBackend, fault: Fault
) -> None:
    jira.faults.then(fault, when=creates)

    assert type(outcome_of(lambda: backend.create(draft()))) is Ambiguous
    assert len([each for each in jira.requests("POST") if creates(each.request)]) == 1
    assert len(backend.find("wk-1")) == fault.commits


def test_a_create_that_times_out_is_ambiguous(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, timeout="200ms") as backend:
        backend.create(draft("wk-0"))
        jira.faults.then(f.COMMITS_AND_HANGS, when=creates)

        assert type(outcome_of(lambda: backend.create(draft()))) is Ambiguous
        jira.server.release()
        assert len(backend.find("wk-1")) == 1


@pytest.mark.parametrize("fault", f.REFUSED, ids=str)
def test_a_create_that_was_throttled_was_not_done(jira: Jira, backend: TicketBackend, fault: Fault) -> None:
    jira.faults.then(fault, when=creates)

    assert type(outcome_of(lambda: backend.create(draft()))) is Throttled
    assert jira.labelled("wk-1") == []


# J4: labels are for searching, the property is the truth.


def test_label_and_property_go_with_the_creating_call(jira: Jira, backend: TicketBackend) -> None:
    backend.create(draft())

    [body] = [each.request.json() for each in jira.requests("POST") if creates(each.request)]
    value = {"key": "wk-1", "incident": "service-down/p1", "impact": "high", "urgency": "low"}
    assert body["fields"]["labels"] == ["wk-1"]
    assert body["properties"] == [{"key": "watchkeeper", "value": value}]


def test_a_clone_has_the_label_and_is_not_the_ticket(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    jira.person().clones(ticket.ref)
    jira.person().creates("OPS", "copied", labels=["wk-1"])

    assert [each.ref for each in backend.find("wk-1")] == [ticket.ref]
    assert len(jira.labelled("wk-1")) == 3


def test_labels_of_another_case_are_other_keys(jira: Jira, backend: TicketBackend) -> None:
    backend.create(draft("wk-a"))

    assert list(backend.find("WK-A")) == []


def test_a_ticket_whose_creation_broke_off_before_its_property_is_found(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    jira.issue(ticket.ref).properties.clear()

    assert [each.ref for each in backend.find("wk-1")] == [ticket.ref]
    backend.update(ticket, TicketChange("worse", impact=Level.LOW, key="c1"))
    assert [each.ref for each in backend.find("wk-1")] == [ticket.ref]


def test_a_key_that_no_label_can_be_is_searched_for_by_nobody(jira: Jira, backend: TicketBackend) -> None:
    for key in ("", 'wk-1" or labels = "x', "wk 1"):
        assert list(backend.find(key)) == []
    assert jira.requests("POST") == []


@pytest.mark.parametrize("key", ['wk"or', "wk\\", "wk'", "wk)or(labels=x", "wk-*", "order", "EMPTY", "äöü"])
def test_a_key_means_nothing_to_the_query_language(jira: Jira, backend: TicketBackend, key: str) -> None:
    backend.create(draft("wk-1"))
    ticket = backend.create(draft(key))

    assert [each.ref for each in backend.find(key)] == [ticket.ref]


def test_searches_page_until_the_end(jira: Jira, backend: TicketBackend) -> None:
    tickets = [backend.create(draft()) for _ in range(5)]
    jira.page_limit = 2

    assert list(backend.find("wk-1")) == tickets
    assert len(backend.fetch(each.ref for each in tickets * 2)) == 5
    more = [backend.create(draft(f"wk-{number}")) for number in range(2, 9)]
    assert len(backend.fetch(each.ref for each in (*tickets, *more))) == 12


# J6: text.


def test_texts_are_documents_on_cloud_and_markup_on_data_center(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft(description="first\nsecond\n\nthird *not bold* see https://runbook/shop"))

    kept = jira.issue(ticket.ref).values["description"]
    if jira.site.is_cloud:
        assert (kept["type"], len(kept["content"])) == ("doc", 2)
    else:
        assert kept == "first\nsecond\n\nthird \\*not bold* see https://runbook/shop"


@pytest.mark.parametrize("piece", ["a. ", "*x ", "\\", "😀", "\n", "\x00", "{"])
def test_texts_that_are_too_long_are_cut(jira: Jira, backend: TicketBackend, piece: str) -> None:
    ticket = backend.create(draft(title=piece * 300, description=piece * 40_000))

    change = TicketChange(piece * 40_000, key="c1")
    backend.update(ticket, change)
    backend.update(ticket, change)

    assert len(jira.notes(ticket.ref)) == 1


# J7, J13: fields and priorities.


def test_a_field_that_is_not_on_the_screen_is_left_out_and_told(jira: Jira, tmp_path: Path) -> None:
    jira.site.take_off_screen("OPS", "priority")
    jira.site.take_off_screen("OPS", "description")
    with made(jira, tmp_path, fields={"Customer": "me"}) as backend:
        backend.create(draft())

        findings = [each.message for each in backend.check()]
    assert any("no field 'Customer'" in each for each in findings)


def test_without_labels_nothing_is_created_that_would_not_be_found(jira: Jira, backend: TicketBackend) -> None:
    jira.site.take_off_screen("OPS", "labels")

    outcome = outcome_of(lambda: backend.create(draft()))

    assert type(outcome) is Unavailable
    assert "add the field Labels" in str(outcome)
    assert jira.tracker.issues == {}


def test_a_field_that_is_missing_is_rejected_in_jiras_words(jira: Jira, backend: TicketBackend) -> None:
    jira.site.require("OPS", "customfield_10044")

    outcome = outcome_of(lambda: backend.create(draft()))

    assert type(outcome) is Rejected
    assert str(outcome) == "customfield_10044: Customer is required."


def test_what_was_refused_is_created_when_the_form_has_changed(jira: Jira, backend: TicketBackend) -> None:
    backend.create(draft())
    jira.site.take_off_screen("OPS", "priority")
    outcome_of(lambda: backend.create(draft("wk-2")))

    assert backend.create(draft("wk-2")).key == "wk-2"


@pytest.mark.parametrize(
    ("project", "given", "impact", "urgency", "priority"),
    [
        ({}, {}, Level.HIGH, Level.HIGH, "Highest"),
        ({}, {}, Level.MEDIUM, Level.HIGH, "High"),
        ({}, {}, Level.LOW, Level.LOW, "Lowest"),
        ({}, {"priority": {1: "Low"}}, Level.HIGH, Level.HIGH, "Low"),
        (ITSM, {}, Level.HIGH, Level.HIGH, "Critical"),
        (ITSM, {}, Level.MEDIUM, Level.MEDIUM, "Major"),
        (ITSM, {"priority": {3: "minor"}}, Level.MEDIUM, Level.MEDIUM, "Minor"),
        (ITSM, {}, Level.LOW, Level.LOW, "Minor"),
    ],
)
def test_priorities_are_the_projects_own_by_their_ids(
    jira: Jira,
    tmp_path: Path,
    project: dict[str, str],
    given: dict[str, Any],
    impact: Level,
    urgency: Level,
    priority: str,
) -> None:
    with made(jira, tmp_path, **project, **given) as backend:
        ticket = backend.create(draft(impact=impact, urgency=urgency))

    assert jira.site.priorities[jira.issue(ticket.ref).values["priority"]].name == priority
    [body] = [each.request.json() for each in jira.requests("POST") if creates(each.request)]
    assert set(body["fields"]["priority"]) == {"id"}


# J8: transitions.


def test_a_ticket_is_resolved_and_opened_again_by_whatever_leads_there(jira: Jira, tmp_path: Path) -> None:
    for project in ({}, ITSM):
        with made(jira, tmp_path, **project) as backend:
            ticket = backend.create(draft())

            resolved = resolve(backend, ticket)
            opened = backend.update(resolved, TicketChange("again", TicketState.OPEN, "c2"))
            over = backend.update(opened, TicketChange("over at last", TicketState.RESOLVED, "c3"))

            assert [each.state for each in (resolved, opened, over)] == ["resolved", "open", "resolved"]
            assert notes_of(jira, ticket.ref) == ["over", "again", "over at last"]


def test_a_transition_by_its_name_goes_before(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, **ITSM, transitions={"resolved": ["Erledigt", "cancel"]}) as backend:
        ticket = backend.create(draft())

        outcome = outcome_of(lambda: resolve(backend, ticket))

    assert "is 'Canceled' after 'Cancel'" in str(outcome)
    assert jira.notes(ticket.ref) == []


def test_a_transition_that_is_not_there_is_named_with_those_that_are(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, **ITSM, transitions={"resolved": ["Erledigt"]}) as backend:
        ticket = backend.create(draft())

        outcome = outcome_of(lambda: resolve(backend, ticket))

    assert type(outcome) is Rejected
    assert "no transition named 'Erledigt' from 'Open': there is Investigate (to Work in progress)" in str(outcome)


@pytest.mark.parametrize(("wanted", "resolution"), [("", "Done"), ("duplicate", "Duplicate")])
def test_a_form_that_asks_for_a_resolution_gets_one(jira: Jira, tmp_path: Path, wanted: str, resolution: str) -> None:
    with made(jira, tmp_path, **ITSM, resolution=wanted) as backend:
        ticket = resolve(backend, backend.create(draft()))

    assert jira.site.resolutions[jira.issue(ticket.ref).values["resolution"]].name == resolution


def test_a_resolution_that_stays_after_a_ticket_was_opened_again_says_nothing(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, **ITSM) as backend:
        ticket = resolve(backend, backend.create(draft()))
        jira.person().transitions(ticket.ref, "Open")

        [now] = backend.fetch([ticket.ref])

    assert jira.issue(ticket.ref).values["resolution"] is not None
    assert now.state is TicketState.OPEN


@pytest.mark.parametrize(
    ("statuses", "resolution", "state"),
    [
        (["Work in progress"], None, TicketState.IN_PROGRESS),
        (["Work in progress", "Pending"], None, TicketState.ON_HOLD),
        (["Completed"], "10000", TicketState.RESOLVED),
        (["Completed"], "10001", TicketState.CANCELLED),
        (["Canceled"], None, TicketState.CANCELLED),
        (["Completed", "Closed"], None, TicketState.CLOSED),
    ],
)
def test_statuses_come_down_to_states(
    jira: Jira, tmp_path: Path, statuses: list[str], resolution: str | None, state: TicketState
) -> None:
    with made(jira, tmp_path, **ITSM) as backend:
        ticket = backend.create(draft())
        for status in statuses:
            jira.person().transitions(ticket.ref, status, resolution if status == "Completed" else None)

        assert [each.state for each in backend.fetch([ticket.ref])] == [state]


def test_two_transitions_at_a_time_are_a_conflict(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    jira.faults.then(jf.SAYS_409, when=transitions)

    assert type(outcome_of(lambda: resolve(backend, ticket))) is Conflict
    assert jira.notes(ticket.ref) == []


def test_a_comment_is_sent_apart_and_last_so_that_it_is_made_once(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    comments = lambda request: request.path.endswith("/comment") and f.writes(request)  # noqa: E731
    jira.faults.then(f.SAYS_500, f.COMMITS_AND_RESETS, when=comments)

    outcomes = [type(outcome_of(lambda: resolve(backend, ticket))) for _ in range(2)]
    done = resolve(backend, ticket)

    assert outcomes == [Ambiguous, Ambiguous]
    assert done.state is TicketState.RESOLVED
    assert notes_of(jira, ticket.ref) == ["over"]
    assert len([each for each in jira.requests("POST") if transitions(each.request)]) == 1


@pytest.mark.parametrize("fault", [f.SAYS_LOGIN_PAGE, f.COMMITS_AND_ACCEPTS, f.COMMITS_AND_SAYS_GARBAGE], ids=str)
def test_a_transition_that_is_answered_with_anything_else_is_ambiguous(
    jira: Jira, backend: TicketBackend, fault: Fault
) -> None:
    ticket = backend.create(draft())
    jira.faults.then(fault, when=transitions)

    assert type(outcome_of(lambda: resolve(backend, ticket))) is Ambiguous
    assert resolve(backend, ticket).state is TicketState.RESOLVED


# J10: issues move.


def test_a_ticket_that_was_moved_is_known_by_its_id(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    jira.person().moves(ticket.ref, "ITSM")

    [found], [fetched] = backend.find("wk-1"), backend.fetch([ticket.ref])

    assert (found.ref, found.number) == (fetched.ref, fetched.number) == (ticket.ref, "ITSM-1")
    assert resolve(backend, ticket).number == "ITSM-1"


# J11: service projects.


def test_notes_are_not_for_customers_unless_it_is_configured(jira: Jira, tmp_path: Path) -> None:
    for internal in (True, False):
        with made(jira, tmp_path, **ITSM, request_type="25", internal=internal) as backend:
            ticket = backend.create(draft())
            resolve(backend, ticket)

            assert len(jira.notes(ticket.ref, public=not internal)) == 1
            assert len(jira.notes(ticket.ref, public=internal)) == 0


@pytest.mark.parametrize("request_type", ["25", "Report a system problem"])
def test_a_request_has_its_type_and_its_key_from_the_one_call_that_makes_it(
    jira: Jira, tmp_path: Path, request_type: str
) -> None:
    with made(jira, tmp_path, **ITSM, request_type=request_type) as backend:
        ticket = backend.create(draft())

    issue = jira.issue(ticket.ref)
    assert issue.values["customfield_10010"] == "25"
    assert (issue.labels, issue.properties["watchkeeper"]["key"]) == (["wk-1"], "wk-1")
    assert len([each for each in jira.requests() if f.writes(each.request)]) == 1


def test_a_request_type_that_is_not_there_is_named_with_those_that_are(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, **ITSM, request_type="Outage") as backend:
        outcome = outcome_of(lambda: backend.create(draft()))

    assert str(outcome) == ("there is no request type 'Outage': there is Report a system problem, Get IT help")


# J12: types and links.


def test_an_issue_type_that_is_not_there_is_named_with_those_that_are(jira: Jira, tmp_path: Path) -> None:
    with made(jira, tmp_path, issue_type="Incident") as backend:
        outcome = outcome_of(lambda: backend.create(draft()))

    assert type(outcome) is Rejected
    assert str(outcome) == "OPS has no issue type 'Incident': it has Task, Bug"


@pytest.mark.parametrize(
    ("given", "type_name", "source_is_problem"),
    [({}, "Problem/Incident", True), ({"link_type": "relates"}, "Relates", True)],
)
def test_a_problem_causes_its_incident_and_not_the_other_way_round(
    jira: Jira, tmp_path: Path, given: dict[str, Any], type_name: str, source_is_problem: bool
) -> None:
    with made(jira, tmp_path, **ITSM, **given) as backend:
        incident = backend.create(draft())
        problem = backend.create(draft("wk-2", kind=TicketKind.PROBLEM))
        for key in ("c1", "c2"):
            backend.update(incident, TicketChange("belongs to a problem", key=key, problem=problem.ref))

    [link] = jira.tracker.links.values()
    assert link.type.name == type_name
    assert ((link.source, link.target) == (problem.ref, incident.ref)) is source_is_problem
    assert jira.site.projects["ITSM"].issue_types[1].id == jira.issue(problem.ref).values["issuetype"]
    assert len([each for each in jira.requests("POST") if each.request.path.endswith("/issueLink")]) == 1


def test_a_problem_that_is_gone_does_not_keep_a_note_away(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())

    backend.update(ticket, TicketChange("belongs to a problem", key="c1", problem="4711"))

    assert notes_of(jira, ticket.ref) == ["belongs to a problem"]


# J14: users are account ids on Cloud, and names on Data Center.


def test_who_is_assigned_is_told_by_what_the_deployment_knows_users_by(jira: Jira, tmp_path: Path) -> None:
    alice = jira.site.identity(jira.site.users["alice"])
    with made(jira, tmp_path, fields={"assignee": alice}) as backend:
        ticket = backend.create(draft())

        [now] = backend.fetch([ticket.ref])

    assert jira.issue(ticket.ref).values["assignee"] == "alice"
    assert (now.assignee, now.is_touched) == ("Alice Agent", False)


def test_a_person_who_assigns_or_moves_a_ticket_has_touched_it(jira: Jira, backend: TicketBackend) -> None:
    tickets = [backend.create(draft()) for _ in range(7)]
    person = jira.person("alice")
    person.edits(tickets[0].ref, assignee="alice")
    person.transitions(tickets[1].ref, "In Progress")
    person.comments(tickets[2].ref, "seen")
    person.edits(tickets[3].ref, labels=["wk-1", "shop"])
    resolve(backend, tickets[4])

    touched = {each.ref: each.is_touched for each in backend.fetch(each.ref for each in tickets)}

    assert [touched[each.ref] for each in tickets] == [True, True, False, False, False, False, False]


# J15, J16, J17: headers and certificates.


def test_calls_look_like_no_browsers(jira: Jira, backend: TicketBackend) -> None:
    backend.create(draft())

    for each in jira.requests():
        assert each.request.headers["user-agent"].startswith("watchkeeper/")
        assert each.request.headers["x-atlassian-token"] == "no-check"
    assert not [each for each in jira.requests() if each.request.path.endswith("/createmeta")]


def test_the_configured_ca_counts_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, other = a_ca(tmp_path / "one"), a_ca(tmp_path / "two")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    with running("cloud", tls=tls_by(issued(tmp_path, authority))) as site:
        with made(site, tmp_path, verify=str(authority)) as backend:
            assert backend.create(draft()).number == "OPS-1"
        with made(site, tmp_path, verify=str(other)) as backend:
            assert "certificate is not accepted" in str(outcome_of(partial(backend.create, draft())))


# Logins.


def test_an_expired_token_is_no_absence(cloud: Jira, tmp_path: Path) -> None:
    with made(cloud, tmp_path) as backend:
        ticket = backend.create(draft())
        cloud.accounts.tokens["bot-token"] = Token("bot", expires_ms=cloud.clock())

        calls: list[Callable[[], object]] = [
            lambda: backend.find("wk-1"),
            lambda: backend.fetch([ticket.ref]),
            lambda: resolve(backend, ticket),
            lambda: backend.create(draft("wk-2")),
        ]
        for call in calls:
            outcome = outcome_of(call)
            assert type(outcome) is Denied
            assert "expired" in str(outcome) or "401" in str(outcome)


def test_a_captcha_is_told_and_not_hammered(tmp_path: Path) -> None:
    with running("server") as site, made(site, tmp_path) as backend:
        ticket = backend.create(draft())
        site.accounts.failures["bot"] = 3
        before = len(site.requests())

        outcome = outcome_of(lambda: backend.fetch([ticket.ref]))

        assert type(outcome) is Denied
        assert "captcha" in str(outcome)
        assert len(site.requests()) == before + 1


def test_a_project_that_is_hidden_is_denied_and_not_an_absence(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    jira.site.deny("bot", "OPS", "BROWSE_PROJECTS")

    for call in (
        lambda: backend.find("wk-1"),
        lambda: backend.fetch([ticket.ref]),
        lambda: resolve(backend, ticket),
        lambda: backend.create(draft("wk-2")),
    ):
        assert isinstance(outcome_of(call), Denied)


@pytest.mark.parametrize("permission", ["CREATE_ISSUES"])
def test_who_may_create_nothing_is_denied(jira: Jira, tmp_path: Path, permission: str) -> None:
    for known in (False, True):
        with made(jira, tmp_path) as backend:
            if known:
                jira.site.grant("bot", "OPS", permission)
                backend.create(draft())
            jira.site.deny("bot", "OPS", permission)

            assert isinstance(outcome_of(lambda: backend.create(draft("wk-2"))), Denied)


@pytest.mark.parametrize("permission", ["TRANSITION_ISSUES", "ADD_COMMENTS"])
def test_who_may_not_change_tickets_is_denied(jira: Jira, backend: TicketBackend, permission: str) -> None:
    ticket = backend.create(draft())
    jira.site.deny("bot", "OPS", permission)

    assert isinstance(outcome_of(lambda: resolve(backend, ticket)), Denied)
    jira.site.grant("bot", "OPS", permission)
    resolve(backend, ticket)
    assert notes_of(jira, ticket.ref) == ["over"]


def test_a_refusal_of_one_ticket_alone_is_rejected(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    jira.person().moves(ticket.ref, "ITSM")
    jira.site.deny("bot", "ITSM", "ADD_COMMENTS")

    outcome = outcome_of(lambda: backend.update(ticket, TicketChange("still down", key="c1")))

    assert type(outcome) is Rejected
    assert "ITSM-1 may not be changed" in str(outcome)


def test_a_ticket_that_is_hidden_or_deleted_is_gone(jira: Jira, backend: TicketBackend) -> None:
    hidden, deleted = backend.create(draft()), backend.create(draft("wk-2"))
    jira.person().hides(hidden.ref, "bot")
    jira.person().deletes(deleted.ref)

    assert list(backend.fetch([hidden.ref, deleted.ref])) == []
    for ticket in (hidden, deleted):
        assert type(outcome_of(partial(resolve, backend, ticket))) is Rejected


def test_a_site_that_is_suspended_has_not_lost_its_tickets(jira: Jira, backend: TicketBackend) -> None:
    ticket = backend.create(draft())
    jira.faults.always(jf.IS_SUSPENDED)

    assert type(outcome_of(lambda: backend.fetch([ticket.ref]))) is Unavailable
    assert type(outcome_of(lambda: resolve(backend, ticket))) is Unavailable
    assert type(outcome_of(lambda: backend.find("wk-1"))) is Unavailable


# Limits.


def test_the_burst_limit_of_cloud_says_when_to_come_back(cloud: Jira, tmp_path: Path) -> None:
    with made(cloud, tmp_path) as backend:
        backend.create(draft())
        cloud.faults.then(jf.THROTTLES_BURST, jf.THROTTLES_SILENTLY, when=creates)
        cloud.clock.advance(30)

        waits = [outcome_of(lambda: backend.create(draft("wk-2"))) for _ in range(2)]

    assert [(type(each), getattr(each, "retry_after_s", None)) for each in waits] == [(Throttled, 5), (Throttled, 30)]
    assert not any(getattr(each, "of_ticket", None) for each in waits)


def test_a_ticket_that_is_changed_too_often_does_not_hold_up_the_others(cloud: Jira, tmp_path: Path) -> None:
    with made(cloud, tmp_path) as backend:
        ticket, other = backend.create(draft()), backend.create(draft("wk-2"))
        cloud.limits.issue_writes = (1, 30)
        backend.update(ticket, TicketChange("one", key="a"))

        outcome = outcome_of(lambda: backend.update(ticket, TicketChange("two", key="b")))

        assert isinstance(outcome, Throttled)
        assert outcome.of_ticket
        assert outcome.retry_after_s
        backend.update(other, TicketChange("one", key="a"))


def test_data_centers_limit_is_kept_when_it_says_no_and_not_before(tmp_path: Path) -> None:
    with running("server") as site, made(site, tmp_path) as backend:
        backend.create(draft())  # each answer has a Retry-After of 0
        site.limits.bucket = Bucket(size=1, fill=1, interval_s=10)
        backend.create(draft("wk-2"))

        outcome = outcome_of(lambda: backend.create(draft("wk-3")))

        assert isinstance(outcome, Throttled)
        assert outcome.retry_after_s == 10
