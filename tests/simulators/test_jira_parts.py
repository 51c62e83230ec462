"""What hangs on the issues of the simulated Jira, what people do to them, and who may do what."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulators.jira import Jira, running
from tests.simulators.jira_asking import Asking, told
from tests.simulators.jira_model import Deployment

DEPLOYMENTS: tuple[Deployment, ...] = ("cloud", "server")


@pytest.fixture(params=DEPLOYMENTS)
def jira(request: pytest.FixtureRequest) -> Iterator[Jira]:
    with running(request.param) as jira:
        yield jira


@pytest.fixture
def client(jira: Jira) -> Iterator[Asking]:
    with Asking(jira) as client:
        yield client


# Comments, properties, links.


def test_a_comment_is_public_unless_it_says_otherwise(jira: Jira, client: Asking) -> None:
    key = client.created("ITSM", "[System] Incident")
    internal = [{"key": "sd.public.comment", "value": {"internal": True}}]
    client.ask("POST", f"/issue/{key}/comment", {"body": client.text("to everybody")})
    client.ask("POST", f"/issue/{key}/comment", {"body": client.text("to us"), "properties": internal})
    client.ask(
        "POST",
        f"/issue/{key}/comment",
        {"body": client.text("too"), "visibility": {"type": "role", "value": "Administrators"}},
    )

    assert jira.notes(key, public=True) == ["to everybody"]
    assert jira.notes(key, public=False) == ["to us", "too"]


def test_comments_keep_properties_and_are_edited_and_deleted(jira: Jira, client: Asking) -> None:
    key = client.created()
    body = {"body": client.text("one"), "properties": [{"key": "wk", "value": "c-1"}]}
    number = client.ask("POST", f"/issue/{key}/comment", body).json()["id"]
    client.ask("PUT", f"/comment/{number}/properties/second", {"a": 1})

    assert client.ask("GET", f"/comment/{number}/properties/wk").json() == {"key": "wk", "value": "c-1"}
    shown = client.ask("GET", f"/issue/{key}/comment", expand="properties").json()["comments"]
    assert [each["key"] for each in shown[0]["properties"]] == ["wk", "second"]
    client.ask("PUT", f"/issue/{key}/comment/{number}", {"body": client.text("two")})
    assert jira.notes(key) == ["two"]
    assert client.ask("DELETE", f"/issue/{key}/comment/{number}").status_code == 204
    assert client.ask("GET", f"/issue/{key}/comment/{number}").status_code == 404


@pytest.mark.parametrize("body", ["", None, 5])
def test_a_comment_without_text_is_refused(client: Asking, body: Any) -> None:
    assert list(told(client.ask("POST", f"/issue/{client.created()}/comment", {"body": body}))[2]) == ["comment"]


def test_comments_come_in_pages(client: Asking) -> None:
    key = client.created()
    for number in range(5):
        client.ask("POST", f"/issue/{key}/comment", {"body": client.text(str(number))})

    page = client.ask("GET", f"/issue/{key}/comment", startAt=3, maxResults=5).json()

    assert ([each["body"] for each in page["comments"]], page["total"]) == ([client.text("3"), client.text("4")], 5)


def test_a_property_is_new_once_and_replaced_then(client: Asking) -> None:
    key = client.created()
    path = f"/issue/{key}/properties/watchkeeper"

    assert [client.ask("PUT", path, {"a": number}).status_code for number in (1, 2)] == [201, 200]
    assert client.ask("GET", path).json() == {"key": "watchkeeper", "value": {"a": 2}}
    assert client.ask("PUT", f"/issue/{key}/properties/{'k' * 256}", 1).status_code == 400
    assert client.ask("PUT", path, "x" * 32_768).status_code == 400
    assert client.ask("DELETE", path).status_code == 204
    assert client.ask("GET", path).status_code == 404


def test_a_link_goes_from_the_inward_issue_to_the_outward_one(client: Asking) -> None:
    problem = client.created("ITSM", "[System] Problem")
    incident = client.created("ITSM", "[System] Incident")
    body = {"type": {"name": "Problem/Incident"}, "inwardIssue": {"key": problem}, "outwardIssue": {"key": incident}}

    answers = [client.ask("POST", "/issueLink", body) for _ in range(2)]

    assert [(each.status_code, each.content) for each in answers] == [(201, b"")] * 2
    (seen,) = client.fields(incident)["issuelinks"]
    assert (seen["type"]["inward"], seen["inwardIssue"]["key"]) == ("is caused by", problem)
    (seen,) = client.fields(problem)["issuelinks"]
    assert (seen["type"]["outward"], seen["outwardIssue"]["key"]) == ("causes", incident)
    assert client.ask("DELETE", f"/issueLink/{seen['id']}").status_code == 204
    assert client.fields(problem)["issuelinks"] == []


def test_a_link_is_refused_to_nothing_and_of_no_type(client: Asking) -> None:
    here = {"key": client.created()}
    for name, other in (("Relates", "OPS-99"), ("Wrong", client.created())):
        body = {"type": {"name": name}, "inwardIssue": here, "outwardIssue": {"key": other}}
        assert client.ask("POST", "/issueLink", body).status_code == 404


def test_a_link_can_be_made_with_the_issue(client: Asking) -> None:
    problem = client.created()
    link = {"add": {"type": {"name": "Problem/Incident"}, "inwardIssue": {"key": problem}}}
    fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "Down"}

    made = client.ask("POST", "/issue", {"fields": fields, "update": {"issuelinks": [link]}}).json()["key"]

    assert client.fields(made)["issuelinks"][0]["inwardIssue"]["key"] == problem


def test_a_remote_link_of_the_same_global_id_is_replaced(client: Asking) -> None:
    key = client.created()
    for title, status in (("one", 201), ("two", 200)):
        body = {"globalId": "wk=1", "object": {"url": "https://wk.example.com/1", "title": title}}
        assert client.ask("POST", f"/issue/{key}/remotelink", body).status_code == status

    assert [each["object"]["title"] for each in client.ask("GET", f"/issue/{key}/remotelink").json()] == ["two"]
    assert told(client.ask("POST", f"/issue/{key}/remotelink", {"object": {}}))[2].keys() == {"url", "title"}


# People.


def test_what_people_do_is_seen_by_clients(jira: Jira, client: Asking) -> None:
    alice, key, other = jira.person("alice"), client.created(labels=["wk-1"]), client.created()
    alice.transitions(key, "In Progress")
    alice.edits(key, assignee="alice", labels=[])
    alice.comments(key, "I am looking")
    alice.links(other, "Blocks", key)

    shown = client.ask("GET", f"/issue/{key}", expand="changelog").json()
    assert shown["fields"]["status"]["name"] == "In Progress"
    assert (shown["fields"]["labels"], shown["fields"]["assignee"]["displayName"]) == ([], "Alice Agent")
    assert shown["fields"]["issuelinks"][0]["type"]["inward"] == "is blocked by"
    assert shown["changelog"]["histories"][0]["author"]["displayName"] == "Alice Agent"
    with pytest.raises(LookupError):
        alice.transitions(key, "Closed")


def test_an_issue_that_is_moved_keeps_its_id_and_answers_to_its_old_key(jira: Jira, client: Asking) -> None:
    key = client.created(labels=["wk-1"])
    moved = jira.person().moves(key, "ITSM")

    for name in (key, moved.id, "ITSM-1"):
        shown = client.ask("GET", f"/issue/{name}").json()
        assert (shown["id"], shown["key"]) == (moved.id, "ITSM-1")
    assert client.found("labels = wk-1 and project = OPS") == []
    assert client.found("labels = wk-1") == ["ITSM-1"]


def test_a_clone_has_the_labels_and_not_the_properties(jira: Jira, client: Asking) -> None:
    key = client.created(labels=["wk-1"])
    client.ask("PUT", f"/issue/{key}/properties/watchkeeper", {"key": "wk-1"})

    clone = jira.person().clones(key)

    assert sorted(client.found("labels = wk-1")) == [key, clone.key]
    assert [each.key for each in jira.with_property("watchkeeper")] == [key]
    assert [each.key for each in jira.labelled("wk-1")] == [key, clone.key]


def test_a_merged_issue_is_done_as_a_duplicate(jira: Jira, client: Asking) -> None:
    one, two = client.created(), client.created()
    client.ask("POST", f"/issue/{two}/comment", {"body": client.text("from two")})

    jira.person().merges(two, into=one)

    assert (jira.is_open(jira.issue(two)), client.fields(two)["resolution"]["name"]) == (False, "Duplicate")
    assert jira.notes(one) == ["from two"]


def test_what_is_deleted_or_hidden_does_not_exist(jira: Jira, client: Asking) -> None:
    gone, hidden = client.created(), client.created()
    jira.person().deletes(gone)
    jira.person().hides(hidden, "bot")

    for key in (gone, hidden, "OPS-99", "nonsense", "createmeta"):
        assert client.ask("GET", f"/issue/{key}").status_code == 404
        assert client.ask("POST", f"/issue/{key}/comment", {"body": client.text("x")}).status_code == 404


@pytest.mark.parametrize(
    ("permission", "method", "path", "body"),
    [
        ("CREATE_ISSUES", "POST", "/issue", {"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}}}),
        ("EDIT_ISSUES", "PUT", "/issue/OPS-1", {"fields": {"summary": "New"}}),
        ("EDIT_ISSUES", "PUT", "/issue/OPS-1/properties/wk", {"a": 1}),
        ("ADD_COMMENTS", "POST", "/issue/OPS-1/comment", {"body": "x"}),
        ("DELETE_ISSUES", "DELETE", "/issue/OPS-1", None),
        ("ASSIGN_ISSUES", "PUT", "/issue/OPS-1/assignee", {"name": None}),
        ("LINK_ISSUES", "POST", "/issue/OPS-1/remotelink", {"object": {"url": "u", "title": "t"}}),
    ],
)
def test_what_is_not_permitted_is_refused(client: Asking, permission: str, method: str, path: str, body: Any) -> None:
    client.created()
    client.jira.site.deny("bot", "OPS", permission)

    assert client.ask(method, path, body).status_code == 403
