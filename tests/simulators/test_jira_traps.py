"""The simulated Jira is as hostile as the real one: searches that lag, logins that fail quietly, limits, faults."""

from collections.abc import Iterator

import pytest
import requests

from tests.simulators.faults import COMMITS_AND_HANGS, COMMITS_AND_RESETS, HANGS_AND_COMMITS, writes
from tests.simulators.jira import CLOUD_ID, Jira, running
from tests.simulators.jira_accounts import Token
from tests.simulators.jira_asking import Asking, told
from tests.simulators.jira_faults import (
    COMMITS_AND_SAYS_GATEWAY_504,
    COMMITS_AND_SAYS_NOTHING,
    IS_SUSPENDED,
    SAYS_409,
    SAYS_GATEWAY_401,
    THROTTLES_BURST,
    THROTTLES_SILENTLY,
)
from tests.simulators.jira_limits import Bucket

NOBODY = ("", "")


@pytest.fixture
def cloud() -> Iterator[Jira]:
    with running("cloud") as jira:
        yield jira


@pytest.fixture
def server() -> Iterator[Jira]:
    with running("server") as jira:
        yield jira


@pytest.fixture
def client(cloud: Jira) -> Iterator[Asking]:
    with Asking(cloud) as client:
        yield client


@pytest.fixture
def dc(server: Jira) -> Iterator[Asking]:
    with Asking(server) as client:
        yield client


# Searches.


def test_a_search_does_not_know_what_was_written_lately(cloud: Jira, client: Asking) -> None:
    cloud.tracker.index.lag_ms = 60_000
    key = client.created(labels=["wk-1"])

    assert client.found("labels = wk-1") == []
    assert client.ask("GET", f"/issue/{key}").status_code == 200
    cloud.clock.advance(59.999)
    assert client.found("labels = wk-1") == []
    cloud.clock.advance(0.001)
    assert client.found("labels = wk-1") == [key]


def test_a_search_shows_an_issue_as_it_was(cloud: Jira, client: Asking) -> None:
    key = client.created(labels=["wk-1"])
    cloud.tracker.index.lag_ms = 60_000
    cloud.clock.advance(60)
    client.transition(key, "31")
    cloud.person().edits(key, labels=[])

    (shown,) = client.search("labels = wk-1 and statusCategory != Done").json()["issues"]

    assert (shown["fields"]["status"]["name"], shown["fields"]["labels"]) == ("To Do", ["wk-1"])
    cloud.clock.advance(60)
    assert client.found("labels = wk-1") == []


def test_a_deleted_issue_is_found_until_the_index_knows(cloud: Jira, client: Asking) -> None:
    key = client.created(labels=["wk-1"])
    cloud.tracker.index.lag_ms = 60_000
    cloud.clock.advance(60)
    cloud.person().deletes(key)

    assert client.found("labels = wk-1") == [key]
    assert client.ask("GET", f"/issue/{key}").status_code == 404


def test_issues_to_reconcile_are_found_as_they_are_now(cloud: Jira, client: Asking) -> None:
    cloud.tracker.index.lag_ms = 60_000
    known, other = (cloud.issue(client.created(labels=["wk-1"])) for _ in range(2))

    assert client.found("labels = wk-1", reconcileIssues=[int(known.id)]) == [known.key]
    by_query = client.ask(
        "GET", "/search/jql", jql="labels = wk-1", fields="key", reconcileIssues=[known.id, other.id]
    )
    assert len(by_query.json()["issues"]) == 2
    for wrong in ([known.key], list(range(51)), "x"):
        assert client.search("labels = wk-1", reconcileIssues=wrong).status_code == 400


def test_many_issues_are_fetched_as_they_are_now_and_those_that_are_gone_left_out(
    cloud: Jira, client: Asking
) -> None:
    cloud.tracker.index.lag_ms = 60_000
    key = client.created()
    body = {"issueIdsOrKeys": [cloud.issue(key).id, key, "OPS-99", "77"], "fields": ["status"]}

    fetched = client.ask("POST", "/issue/bulkfetch", body).json()

    assert [each["key"] for each in fetched["issues"]] == [key]
    assert client.ask("POST", "/issue/bulkfetch", {"issueIdsOrKeys": ["1"] * 101}).status_code == 400


def test_who_asks_for_no_fields_gets_ids(client: Asking) -> None:
    client.created(labels=["wk-1"])

    answered = client.ask("POST", "/search/jql", {"jql": "labels = wk-1"}).json()

    assert answered == {"issues": [{"id": "10100"}], "isLast": True}


def test_pages_go_by_token_and_there_is_no_total(cloud: Jira, client: Asking) -> None:
    keys = [client.created(labels=["wk-1"]) for _ in range(5)]
    jql = "labels = wk-1 order by key asc"
    pages, token = [], None
    while True:
        page = client.search(jql, maxResults=2, nextPageToken=token).json()
        assert "total" not in page
        pages.append([each["key"] for each in page["issues"]])
        if page["isLast"]:
            break
        token = page["nextPageToken"]

    assert pages == [keys[:2], keys[2:4], keys[4:]]
    assert client.search("labels = wk-2", nextPageToken=token).status_code == 400
    assert client.search(jql, nextPageToken="nonsense").status_code == 400
    cloud.clock.advance(7 * 86_400 + 1)
    assert client.search(jql, nextPageToken=token).status_code == 400


def test_a_page_may_be_smaller_than_asked_for(cloud: Jira, client: Asking) -> None:
    cloud.page_limit = 1
    for _ in range(2):
        client.created(labels=["wk-1"])

    page = client.search("labels = wk-1", maxResults=50).json()

    assert (len(page["issues"]), page["isLast"]) == (1, False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"jql": ""}, "Unbounded JQL queries"),
        ({"jql": "order by key"}, "Unbounded JQL queries"),
        ({}, "Unbounded JQL queries"),
        ({"jql": "labels = a", "startAt": 0}, "Invalid request payload"),
        ({"jql": "labels = a", "fields": "summary"}, "Invalid request payload"),
        ({"jql": "labels = a", "maxResults": 0}, "between 1 and 5,000"),
        ({"jql": "labels = a", "maxResults": 5001}, "between 1 and 5,000"),
        ({"jql": "labels = a", "properties": list("abcdef")}, "limit of 5"),
        ({"jql": "labels = wk@1"}, "reserved JQL character"),
    ],
)
def test_a_search_that_is_wrong_is_refused(client: Asking, body: dict[str, object], said: str) -> None:
    status, messages, _ = told(client.ask("POST", "/search/jql", body))

    assert status == 400
    assert said in messages[0]


def test_the_old_search_is_gone_from_cloud_and_the_new_one_is_not_on_data_center(client: Asking, dc: Asking) -> None:
    for version in (2, 3):
        assert client.ask("GET", f"/rest/api/{version}/search", jql="labels = a").status_code == 410
    assert dc.ask("POST", "/search/jql", {"jql": "labels = a"}).status_code == 404
    assert client.ask("POST", "/search/approximate-count", {"jql": "labels = a"}).json() == {"count": 0}


def test_data_center_counts_and_pages_by_number(dc: Asking) -> None:
    keys = [dc.created(labels=["wk-1"]) for _ in range(3)]

    page = dc.search("labels = wk-1 order by key asc", startAt=1, maxResults=1).json()

    assert ([each["key"] for each in page["issues"]], page["total"], page["startAt"]) == ([keys[1]], 3, 1)
    assert dc.search("", maxResults=0).json()["total"] == 3
    assert dc.search("labels = wk-1", maxResults=5000).json()["maxResults"] == 1000


def test_one_key_that_is_gone_fails_a_query_that_is_validated(dc: Asking) -> None:
    key = dc.created()

    assert told(dc.search(f"key in ({key}, OPS-99)"))[1] == [
        "An issue with key 'OPS-99' does not exist for field 'key'."
    ]
    assert dc.found(f"key in ({key}, OPS-99)", validateQuery=False) == [key]


def test_every_node_of_a_data_center_has_an_index_of_its_own() -> None:
    with running("server", nodes=2) as jira, Asking(jira) as writer, Asking(jira) as reader:
        jira.tracker.index.replica_lag_ms = 5_000
        assert reader.found("labels = wk-1") == []  # both have their node now
        key = writer.created(labels=["wk-1"])

        assert (writer.found("labels = wk-1"), reader.found("labels = wk-1")) == ([key], [])
        writer.session.cookies.clear()
        assert [writer.search("labels = wk-1").headers["X-ANODEID"] for _ in range(2)] == ["node1"] * 2
        jira.clock.advance(5)
        assert reader.found("labels = wk-1") == [key]


# Logins.


def test_a_wrong_token_makes_one_anonymous_on_cloud_and_tells_so_in_a_header_alone(
    cloud: Jira, client: Asking
) -> None:
    key = client.created(labels=["wk-1"])
    cloud.accounts.tokens["bot-token"] = Token("bot", expires_ms=cloud.clock() + 1000)
    cloud.clock.advance(1)

    answers = [
        client.search("labels = wk-1"),
        client.ask("GET", f"/issue/{key}"),
        client.ask("GET", "/project"),
        client.ask("GET", "/myself"),
        client.create(),
    ]

    assert [each.status_code for each in answers] == [200, 404, 200, 401, 401]
    assert (answers[0].json()["issues"], answers[2].json()) == ([], [])
    assert {each.headers["X-Seraph-LoginReason"] for each in answers} == {"AUTHENTICATED_FAILED"}


def test_cloud_takes_no_passwords_and_no_bearer_at_the_sites_url(cloud: Jira) -> None:
    with Asking(cloud, ("bot@example.com", "bot-password")) as client:
        assert "Basic authentication with passwords is deprecated" in client.ask("GET", "/myself").text
    with Asking(cloud, token="x") as client:
        assert client.ask("GET", "/myself").status_code == 403
    with Asking(cloud, cloud.scoped_login) as client:
        assert client.ask("GET", "/myself").status_code == 401


def test_the_gateway_takes_tokens_with_scopes_and_those_of_service_accounts(cloud: Jira) -> None:
    with Asking(cloud, NOBODY) as client:
        assert client.ask("GET", "/_edge/tenant_info").json() == {"cloudId": CLOUD_ID}
        wanted = dict(zip(("client_id", "client_secret"), cloud.client, strict=True))
        granted = client.ask("POST", "/oauth/token", {"grant_type": "client_credentials", **wanted}).json()
    assert (granted["expires_in"], "refresh_token" in granted) == (3600, False)
    with Asking(cloud, token=granted["access_token"], base=cloud.gateway) as client:
        key = client.created(priority={"id": "1"})
        assert client.ask("GET", f"/issue/{key}").json()["self"].startswith(cloud.gateway)
        assert "priority" in told(client.create(priority={"name": "High"}))[2]
        cloud.clock.advance(3600)
        assert client.ask("GET", "/myself").json() == {"code": 401, "message": "Unauthorized"}
    with Asking(cloud, cloud.scoped_login, base=cloud.gateway) as client:
        assert client.ask("GET", "/myself").status_code == 200
        cloud.accounts.tokens["bot-scoped-token"] = Token("bot", frozenset(("read:jira-work",)))
        assert client.ask("GET", f"/issue/{key}").status_code == 200
        assert client.create().json()["message"] == "Unauthorized; scope does not match"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "password"}, 400),
        ({"grant_type": "client_credentials", "client_id": "bot-client", "client_secret": "wrong"}, 401),
        ({"grant_type": "client_credentials"}, 401),
    ],
)
def test_no_token_is_given_for_wrong_credentials(cloud: Jira, form: dict[str, str], status: int) -> None:
    assert requests.post(f"{cloud.url}/oauth/token", data=form, timeout=10).status_code == status


def test_wrong_passwords_end_with_a_captcha_that_a_person_has_to_solve(server: Jira) -> None:
    with Asking(server, ("bot", "wrong")) as client:
        answers = [client.ask("GET", "/myself") for _ in range(4)]
    assert [each.status_code for each in answers] == [401, 401, 401, 403]
    assert answers[0].headers["X-Seraph-LoginReason"] == "AUTHENTICATED_FAILED"
    assert answers[0].headers["Content-Type"].startswith("text/html")
    assert answers[3].headers["X-Seraph-LoginReason"] == "AUTHENTICATION_DENIED"
    with Asking(server) as client:
        assert client.ask("GET", "/myself").status_code == 403
        server.accounts.solve_captcha("bot")
        assert client.ask("GET", "/myself").status_code == 200


def test_data_center_takes_tokens_sessions_and_oauth_and_may_refuse_passwords(server: Jira) -> None:
    with Asking(server) as client:
        client.created()
        client.session.auth = None
        assert client.ask("GET", "/myself").json()["name"] == "bot"  # by the session's cookie
        client.session.cookies.clear()
        assert client.ask("GET", "/myself").status_code == 401
        assert client.ask("GET", "/issue/OPS-1").status_code == 401
        form = dict(zip(("client_id", "client_secret"), server.client, strict=True), grant_type="client_credentials")
        granted = client.session.post(f"{server.url}/rest/oauth2/latest/token", data=form, timeout=10).json()
    server.accounts.basic = False
    for token, status in ((server.pat, 200), (granted["access_token"], 200), ("wrong", 401)):
        with Asking(server, token=token) as client:
            assert client.ask("GET", "/myself").status_code == status
    with Asking(server) as client:
        assert client.ask("GET", "/myself").status_code == 401


def test_data_center_takes_what_looks_like_a_browser_for_one(server: Jira) -> None:
    with Asking(server) as client:
        client.session.headers["User-Agent"] = "Mozilla/5.0"
        refused = client.create()
        assert (refused.status_code, refused.text) == (403, "XSRF check failed")
        assert client.ask("GET", "/myself").status_code == 200
        client.session.headers["X-Atlassian-Token"] = "no-check"
        assert client.create().status_code == 201


# Limits and faults.


def test_cloud_limits_bursts_by_endpoint_and_method(cloud: Jira, client: Asking) -> None:
    cloud.limits.burst_per_s = 2
    answers = [client.ask("GET", "/myself") for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    refused = answers[2].headers
    assert (refused["RateLimit-Reason"], refused["Retry-After"]) == ("jira-burst-based", "1")
    assert refused["X-RateLimit-Reset"] == "2026-11-24T11:38Z"
    assert client.ask("GET", "/field").status_code == 200
    cloud.clock.advance(1)
    assert client.ask("GET", "/myself").status_code == 200


def test_cloud_limits_writes_of_one_issue(cloud: Jira, client: Asking) -> None:
    key, other = client.created(), client.created()
    cloud.limits.issue_writes, cloud.limits.tells_when = (1, 30), False
    edits = [client.ask("PUT", f"/issue/{each}", {"fields": {"summary": "New"}}) for each in (key, key, other)]

    assert [each.status_code for each in edits] == [204, 429, 204]
    assert edits[1].headers["RateLimit-Reason"] == "jira-per-issue-on-write"
    assert "Retry-After" not in edits[1].headers
    assert client.ask("GET", f"/issue/{key}").status_code == 200


def test_data_center_tells_of_its_limit_in_every_answer(server: Jira, dc: Asking) -> None:
    well = dc.ask("GET", "/myself")
    assert (well.status_code, well.headers["retry-after"], well.headers["X-RateLimit-FillRate"]) == (200, "0", "100")
    server.limits.bucket = Bucket(size=1, fill=1, interval_s=10)

    answers = [dc.ask("GET", "/myself") for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 429]
    assert answers[1].headers["retry-after"] == "10"
    server.clock.advance(10)
    assert dc.ask("GET", "/myself").status_code == 200


def test_a_create_whose_answer_is_lost_has_happened(cloud: Jira, client: Asking) -> None:
    for fault in (COMMITS_AND_RESETS, COMMITS_AND_SAYS_NOTHING, COMMITS_AND_SAYS_GATEWAY_504):
        cloud.faults.then(fault, when=writes)
    with pytest.raises(requests.ConnectionError):
        client.create(labels=["wk-1"])
    assert client.create(labels=["wk-1"]).content == b""
    assert client.create(labels=["wk-1"]).json() == {"code": 504, "message": "Gateway Timeout"}

    assert len(cloud.labelled("wk-1")) == 3
    assert [(each.status, bool(each.fault)) for each in cloud.requests("POST")] == [(201, True)] * 3


def test_a_create_that_timed_out_may_be_done_later(cloud: Jira, client: Asking) -> None:
    fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "Down"}
    cloud.faults.then(HANGS_AND_COMMITS)
    with pytest.raises(requests.Timeout):
        client.ask("POST", "/issue", {"fields": fields}, timeout=0.05)

    cloud.server.wait_until(lambda server: len(server.exchanges) == 1)
    assert cloud.tracker.issues == {}
    cloud.server.release()
    assert [issue.values["summary"] for issue in cloud.tracker.issues.values()] == ["Down"]


def test_what_only_jira_answers_does_nothing(cloud: Jira, client: Asking) -> None:
    faults = (SAYS_409, SAYS_GATEWAY_401, THROTTLES_BURST, THROTTLES_SILENTLY, IS_SUSPENDED)
    cloud.faults.then(*faults)

    answers = [client.create() for _ in faults]

    assert [each.status_code for each in answers] == [409, 401, 429, 429, 404]
    assert cloud.tracker.issues == {}


def test_a_transition_beside_another_one_is_a_conflict_where_these_are_exclusive(cloud: Jira, client: Asking) -> None:
    key = client.created()
    cloud.exclusive = True
    cloud.faults.then(COMMITS_AND_HANGS, when=writes)
    with pytest.raises(requests.Timeout):
        client.ask("POST", f"/issue/{key}/transitions", {"transition": {"id": "31"}}, timeout=0.05)

    cloud.server.wait_until(lambda server: len(server.exchanges) == 2)
    assert client.transition(key, "11").status_code == 409
    cloud.server.release()
    assert client.transition(key, "11").status_code == 204


# Service desks.


def test_a_request_is_made_by_the_form_of_its_type(cloud: Jira, client: Asking) -> None:
    desks = client.ask("GET", "/rest/servicedeskapi/servicedesk").json()["values"]
    types = client.ask("GET", f"/rest/servicedeskapi/servicedesk/{desks[0]['id']}/requesttype").json()["values"]
    form = client.ask("GET", "/rest/servicedeskapi/servicedesk/1/requesttype/25/field").json()["requestTypeFields"]
    wanted = {"serviceDeskId": desks[0]["id"], "requestTypeId": types[0]["id"]}
    values = {"summary": "Down", "description": "a\nb", "priority": {"id": "10100"}}

    made = client.ask("POST", "/rest/servicedeskapi/request", {**wanted, "requestFieldValues": values})

    assert [each["fieldId"] for each in form] == ["summary", "description", "priority"]
    assert made.status_code == 201
    shown = client.fields(made.json()["issueKey"])
    assert shown["customfield_10010"]["requestType"]["name"] == "Report a system problem"
    assert (shown["labels"], shown["priority"]["name"]) == ([], "Critical")
    with_label = {**values, "labels": ["wk-1"]}
    refused = client.ask("POST", "/rest/servicedeskapi/request", {**wanted, "requestFieldValues": with_label})
    assert (refused.status_code, "labels" in refused.json()["errorMessage"]) == (400, True)


def test_an_issue_without_a_request_type_is_no_request(cloud: Jira, client: Asking) -> None:
    plain = client.created("ITSM", "[System] Incident")
    typed = client.created("ITSM", "[System] Incident", customfield_10010="25")

    assert client.ask("GET", f"/rest/servicedeskapi/request/{plain}").status_code == 404
    assert client.ask("GET", f"/rest/servicedeskapi/request/{typed}").status_code == 200


def test_a_requests_comment_is_internal_when_it_says_so(cloud: Jira, client: Asking) -> None:
    key = client.created("ITSM", "[System] Incident", customfield_10010="25")
    for body in ({"body": "to everybody"}, {"body": "to us", "public": False}):
        assert client.ask("POST", f"/rest/servicedeskapi/request/{key}/comment", body).status_code == 201

    assert cloud.notes(key, public=True) == ["to everybody"]
    with Asking(cloud, ("carl@example.com", "carl-token")) as customer:
        shown = customer.ask("GET", f"/rest/servicedeskapi/request/{key}/comment").json()["values"]
        assert [each["body"] for each in shown] == ["to everybody"]
    cloud.site.deny("bot", "ITSM", "SERVICEDESK_AGENT")
    body = {"body": "to us", "public": False}
    assert client.ask("POST", f"/rest/servicedeskapi/request/{key}/comment", body).status_code == 403


def test_a_request_is_raised_for_somebody_else(cloud: Jira, client: Asking) -> None:
    body = {"serviceDeskId": "1", "requestTypeId": "26", "requestFieldValues": {"summary": "Help"}}
    made = client.ask("POST", "/rest/servicedeskapi/request", {**body, "raiseOnBehalfOf": "carl@example.com"}).json()

    assert cloud.issue(made["issueKey"]).values["reporter"] == "carl"
