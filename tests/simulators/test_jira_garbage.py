"""The simulated Jira refuses what makes no sense; it does not break."""

import json
from base64 import b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.simulators.clock import HandClock
from tests.simulators.http import Request
from tests.simulators.jira import Jira
from tests.simulators.jira_adf import document_of
from tests.simulators.jira_model import Deployment

DEPLOYMENTS: tuple[Deployment, ...] = ("cloud", "server")
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "OPS-1", "10002", [], [None], ["x"], {}, {"id": 1}, {"name": []}]
)
LINK = {"type": {"name": "Relates"}, "inwardIssue": {"key": "OPS-1"}, "outwardIssue": {"key": "OPS-2"}}
FIELDS = {"summary": "Down", "labels": ["a"], "priority": {"id": "1"}, "assignee": {"name": "bob"}}
COMMENT = {
    "body": document_of("x"),
    "visibility": {"type": "role", "value": "Administrators"},
    "properties": [{"key": "sd.public.comment", "value": {"internal": True}}],
}
UPDATE = {
    "labels": [{"add": "b"}, {"remove": "b"}, {"set": ["c"]}],
    "comment": [{"add": COMMENT}],
    "issuelinks": [{"add": LINK}],
}
WHOLE = {"project": {"key": "OPS"}, "issuetype": {"id": "10002"}, "description": document_of("x"), **FIELDS}
DESK = {"serviceDeskId": "1", "requestTypeId": "26", "requestFieldValues": {"summary": "x"}, "raiseOnBehalfOf": "bob"}
SEARCH = {"jql": "labels = a", "fields": ["summary"], "maxResults": 5}
WELL: list[tuple[str, str, Any]] = [
    ("POST", "/issue", {"fields": WHOLE, "properties": [{"key": "a", "value": 1}], "transition": {"id": "31"}}),
    ("PUT", "/issue/OPS-1", {"fields": {"summary": "x"}, "update": UPDATE}),
    ("POST", "/issue/OPS-1/transitions", {"transition": {"id": "31"}, "fields": FIELDS, "update": UPDATE}),
    ("POST", "/issue/OPS-1/comment", COMMENT),
    ("PUT", "/issue/OPS-1/assignee", {"name": "alice", "accountId": "x"}),
    ("POST", "/issue/OPS-1/remotelink", {"globalId": "g", "object": {"url": "u", "title": "t"}}),
    ("POST", "/issueLink", {**LINK, "comment": COMMENT}),
    (
        "POST",
        "/issue/bulkfetch",
        {"issueIdsOrKeys": ["OPS-1"], "fields": ["summary"], "properties": ["a"], "expand": ["names"]},
    ),
    (
        "POST",
        "/search/jql",
        {**SEARCH, "properties": ["a"], "reconcileIssues": [10100], "nextPageToken": None, "expand": "names"},
    ),
    ("POST", "/search", {**SEARCH, "startAt": 0, "expand": ["names"], "validateQuery": True}),
    ("POST", "/rest/servicedeskapi/request", {**DESK, "isAdfRequest": False}),
    ("POST", "/rest/servicedeskapi/request/ITSM-1/comment", {"body": "x", "public": False}),
]


@st.composite
def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """A value with something odd somewhere in it."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 3)) == 0:
        return draw(ODD)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(spoilt(value[at])), *value[at + 1 :]]
    name = draw(st.sampled_from(sorted(value)))
    return {**value, name: draw(spoilt(value[name]))}


@given(st.sampled_from(DEPLOYMENTS), st.data())
def test_nothing_that_a_client_sends_breaks_it(deployment: Deployment, data: st.DataObject) -> None:
    jira = Jira(deployment, HandClock())
    alice = jira.person()
    for project, more in (("OPS", {}), ("OPS", {}), ("ITSM", {"customfield_10010": "25"})):
        alice.creates(project, "Down", **more)
    login = b64encode(":".join(jira.login).encode()).decode()
    headers = {"authorization": f"Basic {login}", "content-type": "application/json"}
    method, path, well = data.draw(st.sampled_from(WELL))
    whole = path if path.startswith("/rest/") else f"/rest/api/{3 if jira.site.is_cloud else 2}{path}"
    body = json.dumps(data.draw(spoilt(well))).encode()

    assert jira.answer(Request(method, whole, {}, headers, body)).status < 500
