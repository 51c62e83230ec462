"""The endpoints of issues: create, read, edit, delete, transitions."""

from collections.abc import Sequence
from typing import Any

from tests.simulators.http import Response, json_response
from tests.simulators.jira_call import Call, Routes
from tests.simulators.jira_fields import FieldError
from tests.simulators.jira_model import Issue, Kind, Refusal, show_time
from tests.simulators.jira_shown import chosen_fields
from tests.simulators.jira_workflow import Transition
from tests.simulators.jira_writes import INVALID, texts

ISSUES = Routes("/rest/api/(?:2|3|latest)")
NOTHING = Response(204)
MOST_TO_FETCH = 100


def show_issue(
    call: Call, issue: Issue, fields: Sequence[str], expand: Sequence[str] = (), properties: Sequence[str] = ()
) -> dict[str, Any]:
    """An issue with these fields (see `chosen_fields`), expansions and entity properties."""
    site = call.jira.site
    shown: dict[str, Any] = {
        "expand": "operations,versionedRepresentations,editmeta,changelog,renderedFields",
        "id": issue.id,
        "self": f"{call.base}/issue/{issue.id}",
        "key": issue.key,
        "fields": {},
    }
    chosen = chosen_fields(site, fields)
    for field in chosen:
        if field.kind is Kind.LINKS:
            shown["fields"][field.id] = _links(call, issue)
        elif field.kind is Kind.COMMENTS:
            shown["fields"][field.id] = _comments(call, issue)
        else:
            shown["fields"][field.id] = call.shower.value(field, issue)
    if properties:
        shown["properties"] = {
            key: value for key, value in issue.properties.items() if key in properties or "*all" in properties
        }
    if "names" in expand:
        shown["names"] = {field.id: field.name for field in chosen}
    if "changelog" in expand:
        shown["changelog"] = _changelog(call, issue)
    if "transitions" in expand:
        shown["transitions"] = [
            _transition(call, issue, each, fields=False) for each in call.writes.transitions(issue)
        ]
    return shown


@ISSUES("POST", "/issue")
def create(call: Call) -> Response:
    issue = call.writes.create(call.body())
    return json_response(201, {"id": issue.id, "key": issue.key, "self": f"{call.base}/issue/{issue.id}"})


@ISSUES("POST", "/issue/bulkfetch")
def fetch_many(call: Call) -> Response:
    """Cloud: up to 100 issues as they are now, whatever the index knows. Those that are not there are left out."""
    if not call.jira.site.is_cloud:
        raise Refusal(405, "Method Not Allowed")
    body = call.body()
    asked = body.get("issueIdsOrKeys")
    if not isinstance(asked, list) or not asked or not all(isinstance(each, str) for each in asked):
        raise Refusal(400, INVALID)
    if len(asked) > MOST_TO_FETCH:
        raise Refusal(400, f"The number of issues requested exceeds the limit of {MOST_TO_FETCH}.")
    found: dict[str, Issue] = {}
    for each in asked:
        try:
            issue = call.jira.tracker.find(call.user, each)
        except Refusal:
            continue
        found[issue.id] = issue
    fields, expand, properties = (texts(body, name) for name in ("fields", "expand", "properties"))
    issues = [
        show_issue(call, found[id_], fields or ["*navigable"], expand, properties) for id_ in sorted(found, key=int)
    ]
    return json_response(200, {"expand": "schema,names", "issues": issues, "issueErrors": []})


@ISSUES("GET", "/issue/{key}")
def read(call: Call, key: str) -> Response:
    issue = call.issue(key)
    fields, expand, properties = (call.names(name) for name in ("fields", "expand", "properties"))
    return json_response(200, show_issue(call, issue, fields, expand, properties))


@ISSUES("PUT", "/issue/{key}")
def edit(call: Call, key: str) -> Response:
    issue = call.issue(key)
    call.writes.edit(issue, call.body())
    if call.query.get("returnIssue") == "true" and call.jira.site.is_cloud:
        return json_response(200, show_issue(call, issue, ()))
    return NOTHING


@ISSUES("DELETE", "/issue/{key}")
def delete(call: Call, key: str) -> Response:
    issue = call.issue(key)
    call.writes.need(issue.project, "DELETE_ISSUES", "You do not have permission to delete issues in this project.")
    call.jira.tracker.delete(issue)
    return NOTHING


@ISSUES("PUT", "/issue/{key}/assignee")
def assign(call: Call, key: str) -> Response:
    issue = call.issue(key)
    call.writes.need(issue.project, "ASSIGN_ISSUES", "You do not have permission to assign issues in this project.")
    body = call.body()
    identity = "accountId" if call.jira.site.is_cloud else "name"
    given = None if body.get(identity) is None else {identity: body[identity]}
    site = call.jira.site
    try:
        name = call.reader.value(site.fields["assignee"], site.projects[issue.project], given)
    except FieldError as error:
        raise Refusal(400, errors={"assignee": str(error)}) from None
    call.jira.tracker.set(call.somebody.name, issue, {"assignee": name})
    return NOTHING


@ISSUES("GET", "/issue/{key}/editmeta")
def edit_meta(call: Call, key: str) -> Response:
    issue = call.issue(key)
    site = call.jira.site
    project = site.projects[issue.project]
    screen = project.edit[issue.values["issuetype"]]
    shown = {
        name: call.shower.meta(site.fields[name], project, required=name in screen.required) for name in screen.fields
    }
    return json_response(200, {"fields": shown})


@ISSUES("GET", "/issue/{key}/transitions")
def transitions(call: Call, key: str) -> Response:
    issue = call.issue(key)
    wanted = call.query.get("transitionId")
    fields = "transitions.fields" in call.names("expand")
    shown = [
        _transition(call, issue, each, fields=fields)
        for each in call.writes.transitions(issue)
        if wanted in (None, each.id)
    ]
    return json_response(200, {"expand": "transitions", "transitions": shown})


@ISSUES("POST", "/issue/{key}/transitions")
def do_transition(call: Call, key: str) -> Response:
    issue = call.issue(key)
    if call.jira.conflicts(call.request):
        raise Refusal(409, f"Issue {issue.key} is being transitioned by another request. Try again.")
    call.writes.transition(issue, call.body())
    return NOTHING


def _links(call: Call, issue: Issue) -> list[dict[str, Any]]:
    tracker = call.jira.tracker
    return [
        call.shower.link(each, issue.id, other)
        for each, other in tracker.links_of(issue)
        if tracker.sees(call.user, other)
    ]


def _comments(call: Call, issue: Issue) -> dict[str, Any]:
    shown = [call.shower.comment(issue, at) for at in seen_comments(call, issue)]
    here = f"{call.base}/issue/{issue.id}/comment"
    return {"comments": shown, "self": here, "maxResults": len(shown), "total": len(shown), "startAt": 0}


def _transition(call: Call, issue: Issue, transition: Transition, *, fields: bool) -> dict[str, Any]:
    site = call.jira.site
    project = site.projects[issue.project]
    shown: dict[str, Any] = {
        "id": transition.id,
        "name": transition.name,
        "to": call.shower.status(project.workflow.status(transition.to)),
        "hasScreen": transition.screen is not None,
        "isGlobal": transition.sources is None,
        "isInitial": False,
        "isAvailable": True,
        "isConditional": False,
    }
    if fields:
        shown["fields"] = {
            name: call.shower.meta(site.fields[name], project, required=name in transition.required)
            for name in transition.screen or ()
        }
    return shown


def _changelog(call: Call, issue: Issue) -> dict[str, Any]:
    histories = [
        {
            "id": str(number),
            "author": call.shower.user(change.author),
            "created": show_time(change.at_ms),
            "items": [{"field": change.field, "fromString": str(change.old), "toString": str(change.new)}],
        }
        for number, change in enumerate(issue.history)
    ]
    return {"startAt": 0, "maxResults": len(histories), "total": len(histories), "histories": histories}


def seen_comments(call: Call, issue: Issue) -> list[int]:
    """The places of the comments that the user reads: customers read public ones."""
    agent = call.user is not None and call.user.agent
    return [at for at, each in enumerate(issue.comments) if agent or each.public]
