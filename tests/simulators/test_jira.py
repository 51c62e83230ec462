"""The simulated Jira keeps issues as the real one does, on Cloud and on Data Center."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulators.jira import Jira, running
from tests.simulators.jira_adf import document_of
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


@pytest.fixture
def cloud() -> Iterator[Asking]:
    with running("cloud") as jira, Asking(jira) as client:
        yield client


@pytest.fixture
def server() -> Iterator[Asking]:
    with running("server") as jira, Asking(jira) as client:
        yield client


# What a site is made of.


def test_a_site_tells_what_it_is_to_everybody(jira: Jira) -> None:
    with Asking(jira, ("", "")) as anonymous:
        told_by = anonymous.ask("GET", "/serverInfo").json()

    assert told_by["deploymentType"] == ("Cloud" if jira.site.is_cloud else "Server")
    assert told_by["baseUrl"] == jira.url


def test_one_is_known_by_account_id_on_cloud_and_by_name_on_data_center(jira: Jira, client: Asking) -> None:
    me = client.ask("GET", "/myself").json()

    assert ("accountId" in me, "name" in me) == ((True, False) if jira.site.is_cloud else (False, True))


def test_permissions_are_told_for_a_project_and_an_issue(jira: Jira, client: Asking) -> None:
    key = client.created()
    jira.site.deny("bot", "OPS", "CREATE_ISSUES", "LINK_ISSUES")
    places: list[dict[str, Any]] = [{"projectKey": "OPS"}, {"issueKey": key}]
    for where in places:
        wanted = "CREATE_ISSUES,EDIT_ISSUES"
        had = client.ask("GET", "/mypermissions", permissions=wanted, **where).json()["permissions"]
        assert {name: each["havePermission"] for name, each in had.items()} == {
            "CREATE_ISSUES": False,
            "EDIT_ISSUES": True,
        }
    assert client.ask("GET", "/mypermissions", permissions="FLY").status_code == 400
    assert client.ask("GET", "/mypermissions").status_code == (400 if jira.site.is_cloud else 200)


def test_createmeta_has_other_names_on_each_deployment_and_pages(jira: Jira, client: Asking) -> None:
    types = client.ask("GET", "/issue/createmeta/ITSM/issuetypes", maxResults=1, startAt=1).json()
    fields = client.ask("GET", "/issue/createmeta/ITSM/issuetypes/10020").json()

    shown = types["issueTypes" if jira.site.is_cloud else "values"]
    assert ([each["name"] for each in shown], types["total"]) == (["[System] Problem"], 2)
    assert ("isLast" in types) == (not jira.site.is_cloud)
    by_id = {each["fieldId"]: each for each in fields["fields" if jira.site.is_cloud else "values"]}
    assert by_id["summary"]["required"]
    assert [each["name"] for each in by_id["priority"]["allowedValues"]] == ["Critical", "Major", "Minor"]
    assert client.ask("GET", "/issue/createmeta?projectKeys=ITSM").status_code == 404  # the old one: an issue's key


def test_where_nothing_may_be_created_createmeta_is_empty(jira: Jira, client: Asking) -> None:
    jira.site.deny("bot", "OPS", "CREATE_ISSUES")

    assert client.ask("GET", "/issue/createmeta/OPS/issuetypes").json()["total"] == 0


def test_a_hidden_project_is_none(jira: Jira, client: Asking) -> None:
    jira.site.deny("bot", "OPS", "BROWSE_PROJECTS")

    assert client.ask("GET", "/project/OPS").status_code == 404
    assert [each["key"] for each in client.ask("GET", "/project").json()] == ["ITSM"]
    assert told(client.create()) == (400, [], {"project": "valid project is required"})


def test_lists_of_what_there_is_are_told(client: Asking) -> None:
    for path, name in (
        ("/priority", "Highest"),
        ("/resolution", "Won't Do"),
        ("/status", "Work in progress"),
        ("/issuetype", "[System] Incident"),
        ("/field", "Dedupe key"),
        ("/statuscategory", "To Do"),
    ):
        assert name in [each["name"] for each in client.ask("GET", path).json()], path
    links = client.ask("GET", "/issueLinkType").json()["issueLinkTypes"]
    assert ("is caused by", "causes") in [(each["inward"], each["outward"]) for each in links]
    statuses = client.ask("GET", "/project/ITSM/statuses").json()[0]["statuses"]
    assert {each["statusCategory"]["key"] for each in statuses} == {"new", "indeterminate", "done"}


# Creating and editing.


def test_an_issue_is_made_with_fields_properties_and_a_first_transition(jira: Jira, client: Asking) -> None:
    fields = {"project": {"id": "10000"}, "issuetype": {"id": "10004"}, "summary": "Down", "labels": ["wk-1", "b"]}
    wanted = {
        "fields": {**fields, "description": client.text("a\nb"), "priority": {"name": "High"}},
        "properties": [{"key": "watchkeeper", "value": {"key": "wk-1"}}],
        "transition": {"id": "21"},
    }
    made = client.ask("POST", "/issue", wanted)

    assert made.status_code == 201
    (issue,) = jira.with_property("watchkeeper", {"key": "wk-1"})
    assert made.json() == {
        "id": issue.id,
        "key": "OPS-1",
        "self": f"{jira.url}/rest/api/{client.version}/issue/{issue.id}",
    }
    shown = client.ask("GET", "/issue/OPS-1", properties="watchkeeper").json()
    assert shown["properties"] == {"watchkeeper": {"key": "wk-1"}}
    assert shown["fields"]["description"] == client.text("a\nb")
    assert (shown["fields"]["priority"]["id"], shown["fields"]["status"]["name"]) == ("2", "In Progress")
    assert shown["fields"]["labels"] == ["wk-1", "b"]


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"summary": ""}, {"summary": "You must specify a summary of the issue."}),
        ({"summary": "a\nb"}, {"summary": "The summary is invalid because it contains newline characters."}),
        ({"summary": "x" * 256}, {"summary": "Summary can't exceed 255 characters."}),
        ({"nope": 1}, {"nope": "Field 'nope' cannot be set. It is not on the appropriate screen, or unknown."}),
        (
            {"status": {"name": "Done"}},
            {"status": "Field 'status' cannot be set. It is not on the appropriate screen, or unknown."},
        ),
        ({"labels": ["a b"]}, {"labels": "The label 'a b' contains spaces which is invalid."}),
        ({"priority": {"name": "Critical"}}, {"priority": "The priority selected is invalid."}),
        ({"priority": "High"}, {"priority": "Specify the Priority (id or name) in the string format"}),
        ({"assignee": {"accountId": "x", "name": "x"}}, {"assignee": "User 'x' does not exist."}),
        ({"issuetype": {"name": "Epic"}}, None),
        ({"project": {"key": "NOPE"}}, {"project": "valid project is required"}),
        ({"description": 5}, None),
    ],
)
def test_a_field_that_is_wrong_is_named(
    client: Asking, fields: dict[str, Any], errors: dict[str, str] | None
) -> None:
    status, messages, found = told(client.create(**fields))

    assert (status, messages) == (400, [])
    assert found == errors if errors is not None else list(found) == list(fields)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_made(jira: Jira, client: Asking) -> None:
    _, _, errors = told(client.create(summary=None, labels=["a b"], nope=1))

    assert set(errors) == {"summary", "labels", "nope"}
    assert jira.tracker.issues == {}


def test_a_field_off_the_screen_and_a_field_that_is_required_are_refused(jira: Jira, client: Asking) -> None:
    jira.site.take_off_screen("OPS", "priority")
    jira.site.require("OPS", "customfield_10044")

    _, _, errors = told(client.create(priority={"id": "1"}))

    assert errors == {
        "priority": "Field 'priority' cannot be set. It is not on the appropriate screen, or unknown.",
        "customfield_10044": "Customer is required.",
    }
    assert client.create(customfield_10044="ACME").status_code == 201


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b""])
def test_a_body_that_is_no_object_is_refused(client: Asking, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    url = f"{client.base}/rest/api/{client.version}/issue"

    assert client.session.post(url, data=body, headers=headers, timeout=10).status_code == 400
    assert client.session.post(url, data=body, headers={"Content-Type": "text/plain"}, timeout=10).status_code == 415


def test_a_member_that_nobody_knows_is_refused(client: Asking) -> None:
    status, messages, _ = told(client.ask("POST", "/issue", {"fields": {}, "wrong": 1}))

    assert status == 400
    assert messages[0].startswith("Invalid request" if client.version == "3" else 'Unrecognized field "wrong"')


def test_version_three_takes_documents_and_version_two_texts(cloud: Asking, server: Asking) -> None:
    said = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    assert told(cloud.create(description="plain"))[2] == {"description": said}
    assert told(server.create(description=document_of("plain")))[2] == {
        "description": "Operation value must be a string"
    }
    key = cloud.created(description=document_of("one\ntwo"))
    with Asking(cloud.jira, version="2") as second:
        assert second.fields(key)["description"] == "one\ntwo"
        assert cloud.fields(second.created(description="a\nb"))["description"] == document_of("a\nb")


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "paragraph", "content": [{"type": "text", "text": ""}]}],
        [{"type": "paragraph", "content": [{"type": "paragraph"}]}],
        [{"type": "text", "text": "loose"}],
        [{"type": "wrong"}],
        [{"type": "bulletList", "content": []}],
        [{"type": "codeBlock", "content": [{"type": "text", "text": "x", "marks": [{"type": "strong"}]}]}],
        [{"type": "heading", "content": []}],
        ["text"],
    ],
)
def test_a_document_that_is_not_well_formed_is_refused_as_a_whole(cloud: Asking, content: list[Any]) -> None:
    document = {"type": "doc", "version": 1, "content": content}

    assert told(cloud.create(description=document)) == (400, ["INVALID_INPUT"], {})


def test_a_newline_in_a_text_node_is_no_new_line(cloud: Asking) -> None:
    node = {"type": "paragraph", "content": [{"type": "text", "text": "one\ntwo"}]}
    key = cloud.created()
    cloud.ask("POST", f"/issue/{key}/comment", {"body": {"type": "doc", "version": 1, "content": [node]}})

    assert cloud.jira.notes(key) == ["one two"]


def test_a_text_has_a_limit(client: Asking) -> None:
    _, _, errors = told(client.create(description=client.text("x" * 32_768)))

    assert "limit of 32,767 characters" in errors["description"]
    assert client.create(description=client.text("x" * 32_767)).status_code == 201


def test_an_edit_sets_adds_and_removes(jira: Jira, client: Asking) -> None:
    key = client.created(labels=["a", "b"])
    update = {"labels": [{"remove": "a"}, {"add": "c"}], "comment": [{"add": {"body": client.text("changed")}}]}

    edited = client.ask("PUT", f"/issue/{key}", {"fields": {"summary": "New"}, "update": update})

    assert (edited.status_code, edited.content) == (204, b"")
    issue = jira.issue(key)
    assert (issue.values["summary"], issue.labels, jira.notes(key)) == ("New", ["b", "c"], ["changed"])


def test_an_edit_that_is_wrong_in_part_does_nothing(jira: Jira, client: Asking) -> None:
    key = client.created(labels=["a"])
    for body in (
        {"fields": {"summary": "New", "nope": 1}},
        {"fields": {"summary": "New"}, "update": {"comment": [{"add": {"body": ""}}]}},
        {"fields": {"labels": ["b"]}, "update": {"labels": [{"add": "c"}]}},
        {"fields": {"summary": "New"}, "properties": [{"key": "k" * 256, "value": 1}]},
    ):
        assert client.ask("PUT", f"/issue/{key}", body).status_code == 400

    assert (jira.issue(key).values["summary"], jira.issue(key).labels) == ("Web shop is down", ["a"])


def test_an_edited_issue_is_returned_on_request_by_cloud_alone(client: Asking) -> None:
    key = client.created()

    edited = client.ask("PUT", f"/issue/{key}", {"fields": {"summary": "New"}}, returnIssue="true")

    assert edited.status_code == (200 if client.jira.site.is_cloud else 204)


def test_a_person_is_given_by_account_id_on_cloud_and_by_name_on_data_center(jira: Jira, client: Asking) -> None:
    alice = jira.site.users["alice"]
    right, wrong = {"accountId": alice.account_id}, {"name": "alice"}
    if not jira.site.is_cloud:
        right, wrong = wrong, right

    assert client.fields(client.created(assignee=right))["assignee"]["displayName"] == "Alice Agent"
    assert "expected Object" in told(client.create(assignee=wrong))[2]["assignee"]
    assert client.create(assignee={next(iter(right)): jira.site.identity(jira.site.users["carl"])}).status_code == 400


def test_a_select_list_takes_its_options_alone(client: Asking) -> None:
    key = client.created("ITSM", "[System] Incident", customfield_10043={"value": "High"})

    assert client.fields(key)["customfield_10043"]["id"] == "10111"
    assert told(client.create("ITSM", "[System] Incident", customfield_10043={"value": "No"}))[2] == {
        "customfield_10043": "Option value 'No' is not valid"
    }


# Workflows.


def test_transitions_are_those_of_the_status_and_their_ids_those_of_the_workflow(client: Asking) -> None:
    def ids(key: str) -> dict[str, str]:
        shown = client.ask("GET", f"/issue/{key}/transitions").json()["transitions"]
        return {each["id"]: each["to"]["statusCategory"]["key"] for each in shown}

    task, incident = client.created(), client.created("ITSM", "[System] Incident")
    assert ids(task) == {"11": "new", "21": "indeterminate", "31": "done"}
    assert ids(incident) == {"711": "indeterminate", "761": "done", "771": "done"}
    client.transition(incident, "761", fields={"resolution": {"name": "Done"}})
    assert ids(incident) == {"781": "new", "791": "done"}


def test_a_transition_sets_and_clears_the_resolution_where_the_workflow_does(jira: Jira, client: Asking) -> None:
    key = client.created()

    assert (client.transition(key, "31").status_code, client.fields(key)["resolution"]["name"]) == (204, "Done")
    assert client.transition(key, "11").status_code == 204
    assert (client.fields(key)["resolution"], client.fields(key)["status"]["name"]) == (None, "To Do")


def test_a_resolution_may_stay_when_an_issue_is_open_again(jira: Jira, client: Asking) -> None:
    key = client.created("ITSM", "[System] Incident")
    client.transition(key, "761", fields={"resolution": {"name": "Done"}})
    client.transition(key, "781")

    shown = client.fields(key)

    assert (shown["status"]["statusCategory"]["key"], shown["resolution"]["name"]) == ("new", "Done")
    assert jira.is_open(jira.issue(key))


def test_a_form_asks_for_what_it_needs_and_takes_comments(jira: Jira, client: Asking) -> None:
    key = client.created("ITSM", "[System] Incident")
    shown = client.ask("GET", f"/issue/{key}/transitions", expand="transitions.fields").json()["transitions"]
    fields = {each["id"]: each["fields"] for each in shown}
    assert fields["761"]["resolution"]["required"]
    assert [each["name"] for each in fields["761"]["resolution"]["allowedValues"]] == [
        "Done",
        "Won't Do",
        "Duplicate",
    ]

    assert told(client.transition(key, "761"))[2] == {"resolution": "Resolution is required."}
    said = {"comment": [{"add": {"body": client.text("over")}}]}
    assert client.transition(key, "761", fields={"resolution": {"id": "10000"}}, update=said).status_code == 204
    assert jira.notes(key) == ["over"]


def test_without_a_form_neither_fields_nor_comments_are_taken(jira: Jira, client: Asking) -> None:
    key = client.created()
    said = {"comment": [{"add": {"body": client.text("over")}}]}

    assert "comment" in told(client.transition(key, "31", update=said))[2]
    assert "resolution" in told(client.transition(key, "31", fields={"resolution": {"name": "Done"}}))[2]
    assert jira.is_open(jira.issue(key))


def test_a_transition_that_is_not_there_is_refused(jira: Jira, client: Asking) -> None:
    key = client.created("ITSM", "[System] Incident")

    assert told(client.transition(key, "31"))[1] == ["Transition id '31' is not valid for this issue."]
    assert "somebody has changed the issue recently" in told(client.transition(key, "791"))[1][0]
    assert client.ask("POST", f"/issue/{key}/transitions", {}).status_code == 400


def test_who_may_not_transition_is_told_of_no_transitions(jira: Jira, client: Asking) -> None:
    key = client.created()
    jira.site.deny("bot", "OPS", "TRANSITION_ISSUES")

    assert client.ask("GET", f"/issue/{key}/transitions").json()["transitions"] == []
    assert client.transition(key, "31").status_code == 400


# Paths.


def test_what_is_not_there_and_what_can_not_be_done_there(client: Asking) -> None:
    assert client.ask("GET", "/nonsense").json()["status-code"] == 404
    assert client.ask("DELETE", "/myself").status_code == 405
    page = client.session.get(f"{client.base}/wiki", timeout=10)
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html;charset=UTF-8")


def test_data_center_has_no_version_three(server: Asking) -> None:
    assert server.ask("GET", "/rest/api/3/serverInfo").status_code == 404


def test_a_data_center_may_live_under_a_path() -> None:
    with running("server", context="/jira") as jira, Asking(jira) as client:
        key = client.created()
        assert client.ask("GET", f"/issue/{key}").json()["self"].startswith(f"{jira.url}/rest/api/2/issue/")
        assert client.session.get(jira.server.url("/rest/api/2/serverInfo"), timeout=10).status_code == 404
