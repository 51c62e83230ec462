"""The `jira` client, which nobody here wrote, takes the simulated Jira for a real one.

It speaks version 2 of the API unless told otherwise, and picks its ways by what serverInfo tells: Cloud or Server.
What a ticket's life asks of it is in `tests/contract`, which it passes as well; here is what goes beyond.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from jira import JIRA, JIRAError
from jira.resources import Issue

from tests.simulators.faults import COMMITS_AND_SAYS_500, SAYS_503
from tests.simulators.jira import Jira, running
from tests.simulators.jira_adf import document_of


@contextmanager
def connected(simulated: Jira, version: str = "2", token: str = "") -> Iterator[JIRA]:
    """The client, which tries nothing again. `token`: for a Bearer header."""
    login: dict[str, Any] = {"token_auth": token} if token else {"basic_auth": simulated.login}
    client = JIRA(simulated.url, {"rest_api_version": version}, max_retries=0, timeout=10, **login)
    client._session.trust_env = False
    yield client
    client.close()  # type: ignore[no-untyped-call]  # jira has no types there


@pytest.fixture(params=["cloud", "server"])
def simulated(request: pytest.FixtureRequest) -> Iterator[Jira]:
    with running(request.param) as jira:
        yield jira


@pytest.fixture
def client(simulated: Jira) -> Iterator[JIRA]:
    with connected(simulated) as client:
        yield client


def created(client: JIRA, **fields: object) -> Issue:
    return client.create_issue(
        {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "Web shop is down", **fields}
    )


def test_it_knows_the_deployment_and_itself(simulated: Jira, client: JIRA) -> None:
    assert client._is_cloud == simulated.site.is_cloud
    assert client.myself()["displayName"] == "Watchkeeper"
    assert [project.key for project in client.projects()] == ["OPS", "ITSM"]
    assert "Highest" in [priority.name for priority in client.priorities()]
    assert {status.statusCategory.key for status in client.statuses()} == {"new", "indeterminate", "done"}


def test_it_creates_an_issue_by_names_and_reads_it(client: JIRA) -> None:
    issue = client.create_issue(
        project="OPS",
        issuetype="Bug",
        summary="Web shop is down",
        description="one\ntwo",
        labels=["wk-1"],
        priority={"name": "High"},
    )

    assert (issue.key, issue.fields.issuetype.name, issue.fields.priority.name) == ("OPS-1", "Bug", "High")
    assert (issue.fields.description, issue.fields.labels) == ("one\ntwo", ["wk-1"])
    assert (issue.fields.status.statusCategory.key, issue.fields.resolution) == ("new", None)
    assert issue.fields.reporter.displayName == "Watchkeeper"


def test_it_finds_by_jql_whatever_the_search_is_called(simulated: Jira, client: JIRA) -> None:
    keys = [created(client, labels=["wk-1"]).key for _ in range(3)]
    created(client, labels=["wk-2"])

    for posted in (False, True):
        found = client.search_issues("labels = wk-1 order by key asc", fields="summary,labels", use_post=posted)
        assert [issue.key for issue in found] == keys
        assert found[0].fields.labels == ["wk-1"]
    path = "/rest/api/2/search/jql" if simulated.site.is_cloud else "/rest/api/2/search"
    assert [each.status for each in simulated.requests(path=path)] == [200, 200]


def test_it_goes_through_all_pages(simulated: Jira, client: JIRA) -> None:
    keys = {created(client).key for _ in range(5)}
    simulated.page_limit = 2

    assert {issue.key for issue in client.search_issues("project = OPS", maxResults=0)} == keys


def test_its_enhanced_search_reconciles_what_the_index_does_not_know() -> None:
    with running("cloud") as simulated, connected(simulated) as client:
        simulated.tracker.index.lag_ms = 60_000
        issue = created(client, labels=["wk-1"])

        assert list(client.enhanced_search_issues("labels = wk-1")) == []
        found = client.enhanced_search_issues("labels = wk-1", reconcileIssues=[int(issue.id)])
        assert [each.key for each in found] == [issue.key]
        assert client.approximate_issue_count("labels = wk-1") == 0


def test_it_transitions_by_name_and_by_id(simulated: Jira, client: JIRA) -> None:
    issue = created(client)
    assert [each["name"] for each in client.transitions(issue)] == ["To Do", "In Progress", "Done"]

    client.transition_issue(issue, "In Progress")
    assert client.issue(issue.key).fields.status.name == "In Progress"
    client.transition_issue(issue, "31")
    done = client.issue(issue.key).fields
    assert (str(done.status), str(done.resolution)) == ("Done", "Done")
    with pytest.raises(JIRAError, match="Invalid transition name"):
        client.transition_issue(issue, "Closed")


def test_it_fills_in_the_form_of_a_transition(client: JIRA) -> None:
    issue = created(client, project={"key": "ITSM"}, issuetype={"name": "[System] Incident"})
    with pytest.raises(JIRAError, match="Resolution is required"):
        client.transition_issue(issue, "Resolve")

    client.transition_issue(issue, "Resolve", fields={"resolution": {"name": "Done"}}, comment="It is over.")

    assert client.issue(issue.key).fields.status.name == "Completed"
    assert [comment.body for comment in client.comments(issue)] == ["It is over."]


def test_it_comments_in_public_and_internally(simulated: Jira, client: JIRA) -> None:
    issue = created(client, project={"key": "ITSM"}, issuetype={"name": "[System] Incident"})
    first = client.add_comment(issue, "to everybody")
    client.add_comment(issue, "to us", is_internal=True)
    client.add_comment(issue, "to administrators", visibility={"type": "role", "value": "Administrators"})
    first.update(body="to all")

    assert [comment.body for comment in client.comments(issue)] == ["to all", "to us", "to administrators"]
    assert simulated.notes(issue.key, public=True) == ["to all"]


def test_it_links_issues_in_the_direction_it_is_told(client: JIRA) -> None:
    problem, incident = created(client), created(client)
    client.create_issue_link("Problem/Incident", inwardIssue=problem.key, outwardIssue=incident.key)
    client.create_issue_link("is caused by", inwardIssue=incident.key, outwardIssue=problem.key)  # the same one

    (link,) = client.issue(incident.key).fields.issuelinks
    assert (link.type.inward, link.inwardIssue.key) == ("is caused by", problem.key)
    client.delete_issue_link(link.id)
    assert client.issue(problem.key).fields.issuelinks == []


def test_it_edits_assigns_and_deletes(simulated: Jira, client: JIRA) -> None:
    issue = created(client, labels=["a"])
    issue.update(summary="Web shop is slow", labels=[{"add": "b"}, {"remove": "a"}])
    client.assign_issue(issue.key, "alice")

    changed = client.issue(issue.key).fields
    assert (changed.summary, changed.labels, str(changed.assignee)) == (
        "Web shop is slow",
        ["b"],
        "Alice Agent",
    )
    issue.delete()  # type: ignore[no-untyped-call]
    with pytest.raises(JIRAError, match=r"(?i)issue does not exist") as error:
        client.issue(issue.key)
    assert error.value.status_code == 404


def test_it_keeps_properties_and_remote_links(client: JIRA) -> None:
    issue = created(client)
    client.add_issue_property(issue.key, "watchkeeper", {"key": "wk-1"})
    for title in ("one", "two"):
        client.add_simple_link(issue.key, {"url": "https://wk.example.com", "title": title})

    assert [each.raw["value"] for each in client.issue_properties(issue.key)] == [{"key": "wk-1"}]
    assert [each.object.title for each in client.remote_links(issue.key)] == ["one", "two"]


def test_it_reads_what_a_project_takes() -> None:
    with running("server") as simulated, connected(simulated) as client:
        assert [each.name for each in client.project_issue_types("ITSM")] == ["[System] Incident", "[System] Problem"]
        fields = client.project_issue_fields("ITSM", "10020", maxResults=5)
        assert (len(fields), fields.total, fields.isLast) == (5, 13, False)
        assert len(client.project_issue_fields("ITSM", "10020", maxResults=0)) == 13


def test_it_makes_requests_of_a_service_desk(simulated: Jira, client: JIRA) -> None:
    (desk,) = client.service_desks()
    values = {"summary": "Help", "description": "Please."}
    wanted = {"serviceDeskId": int(desk.id), "requestTypeId": "Get IT help", "requestFieldValues": values}

    issue = client.create_customer_request(wanted)

    assert client.supports_service_desk()  # type: ignore[no-untyped-call]
    assert (issue.key, issue.fields.description) == ("ITSM-1", "Please.")
    assert simulated.issue("ITSM-1").values["customfield_10010"] == "26"


def test_it_is_told_which_field_is_wrong(client: JIRA) -> None:
    with pytest.raises(JIRAError, match="Field 'nope' cannot be set") as error:
        created(client, nope=1)
    assert error.value.status_code == 400
    with pytest.raises(JIRAError, match="does not exist for the field 'project'"):
        client.search_issues("project = NOPE")


def test_it_logs_in_with_a_token_of_data_center_and_not_with_a_wrong_one() -> None:
    with running("server") as simulated:
        with connected(simulated, token=simulated.pat) as client:
            assert client.myself()["name"] == "bot"
        with pytest.raises(JIRAError, match="Unauthorized") as error, connected(simulated, token="wrong"):
            pass
        assert error.value.status_code == 401


def test_it_writes_documents_in_version_three() -> None:
    with running("cloud") as simulated, connected(simulated, version="3") as client:
        with pytest.raises(JIRAError, match="must be an Atlassian Document"):
            created(client, description="plain")
        issue = created(client, description=document_of("one"))
        client._session.post(
            f"{simulated.url}/rest/api/3/issue/{issue.key}/comment", json={"body": document_of("two")}
        )
        assert simulated.notes(issue.key) == ["two"]


def test_a_lost_answer_costs_it_a_second_ticket(simulated: Jira, client: JIRA) -> None:
    simulated.faults.then(COMMITS_AND_SAYS_500, SAYS_503)
    for _ in range(2):
        with pytest.raises(JIRAError):
            created(client, labels=["wk-1"])
    created(client, labels=["wk-1"])

    assert len(simulated.labelled("wk-1")) == 2
