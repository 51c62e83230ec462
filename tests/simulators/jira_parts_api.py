"""The endpoints of what hangs on issues: comments, entity properties, remote links, links."""

from typing import Any

from tests.simulators.http import Response, json_response
from tests.simulators.jira_call import Call, Routes, page
from tests.simulators.jira_issue_api import NOTHING, seen_comments
from tests.simulators.jira_model import Comment, Issue, Link, Refusal

PARTS = Routes("/rest/api/(?:2|3|latest)")


@PARTS("GET", "/issue/{key}/comment")
def comments(call: Call, key: str) -> Response:
    issue = call.issue(key)
    properties = "properties" in call.names("expand")
    shown = [call.shower.comment(issue, at, properties=properties) for at in seen_comments(call, issue)]
    if call.query.get("orderBy") == "-created":
        shown.reverse()
    return json_response(200, page(call, shown, "comments", most=100))


@PARTS("POST", "/issue/{key}/comment")
def comment(call: Call, key: str) -> Response:
    issue = call.issue(key)
    call.writes.comment(issue, call.body())
    return json_response(201, call.shower.comment(issue, len(issue.comments) - 1))


@PARTS("GET", "/issue/{key}/comment/{number}")
def read_comment(call: Call, key: str, number: str) -> Response:
    issue = call.issue(key)
    properties = "properties" in call.names("expand")
    return json_response(200, call.shower.comment(issue, _place_of(call, issue, number), properties=properties))


@PARTS("PUT", "/issue/{key}/comment/{number}")
def edit_comment(call: Call, key: str, number: str) -> Response:
    issue = call.issue(key)
    place = _place_of(call, issue, number)
    call.writes.change_comment(issue, issue.comments[place], call.body())
    return json_response(200, call.shower.comment(issue, place))


@PARTS("DELETE", "/issue/{key}/comment/{number}")
def delete_comment(call: Call, key: str, number: str) -> Response:
    issue = call.issue(key)
    place = _place_of(call, issue, number)
    call.writes.need(issue.project, "ADD_COMMENTS", "You do not have the permission to delete this comment.")
    del issue.comments[place]
    call.jira.tracker.touched(issue)
    return NOTHING


@PARTS("GET", "/comment/{number}/properties/{name}")
def comment_property(call: Call, number: str, name: str) -> Response:
    _, found = _comment(call, number)
    return _property(found.properties, name)


@PARTS("PUT", "/comment/{number}/properties/{name}")
def set_comment_property(call: Call, number: str, name: str) -> Response:
    issue, found = _comment(call, number)
    call.writes.need(issue.project, "ADD_COMMENTS", "You do not have the permission to edit this comment.")
    new = name not in found.properties
    found.properties[name] = call.writes.property_value(name, call.request.body)
    return Response(201 if new else 200)


@PARTS("GET", "/issue/{key}/properties")
def properties(call: Call, key: str) -> Response:
    issue = call.issue(key)
    here = f"{call.base}/issue/{issue.id}/properties"
    return json_response(200, {"keys": [{"self": f"{here}/{each}", "key": each} for each in issue.properties]})


@PARTS("GET", "/issue/{key}/properties/{name}")
def read_property(call: Call, key: str, name: str) -> Response:
    return _property(call.issue(key).properties, name)


@PARTS("PUT", "/issue/{key}/properties/{name}")
def set_property(call: Call, key: str, name: str) -> Response:
    new = call.writes.set_property(call.issue(key), name, call.request.body)
    return Response(201 if new else 200)


@PARTS("DELETE", "/issue/{key}/properties/{name}")
def delete_property(call: Call, key: str, name: str) -> Response:
    issue = call.issue(key)
    _property(issue.properties, name)
    call.writes.need(issue.project, "EDIT_ISSUES", "You do not have permission to edit issues in this project.")
    del issue.properties[name]
    call.jira.tracker.touched(issue)
    return NOTHING


@PARTS("GET", "/issue/{key}/remotelink")
def remote_links(call: Call, key: str) -> Response:
    issue = call.issue(key)
    wanted = call.query.get("globalId")
    shown = [
        _remote_link(call, issue, id_)
        for id_, link in issue.remote_links.items()
        if wanted in (None, link.get("globalId"))
    ]
    if wanted is not None and not shown:
        raise Refusal(404, f"The remote link of globalId '{wanted}' does not exist.")
    return json_response(200, shown if wanted is None else shown[0])


@PARTS("POST", "/issue/{key}/remotelink")
def set_remote_link(call: Call, key: str) -> Response:
    issue = call.issue(key)
    id_, new = call.writes.remote_link(issue, call.body())
    return json_response(201 if new else 200, {"id": int(id_), "self": _remote_link(call, issue, id_)["self"]})


@PARTS("POST", "/issueLink")
def link(call: Call) -> Response:
    call.writes.link(call.body())
    return Response(201)


@PARTS("GET", "/issueLink/{number}")
def read_link(call: Call, number: str) -> Response:
    found = _link(call, number)
    source, target = (call.issue(end) for end in (found.source, found.target))
    shown = call.shower.link(found, found.source, target)
    return json_response(200, {**shown, "inwardIssue": call.shower.link(found, found.target, source)["inwardIssue"]})


@PARTS("DELETE", "/issueLink/{number}")
def delete_link(call: Call, number: str) -> Response:
    found = _link(call, number)
    ends = [call.issue(end) for end in (found.source, found.target)]
    call.writes.need(ends[0].project, "LINK_ISSUES", "You do not have the permission to delete this link.")
    del call.jira.tracker.links[number]
    for end in ends:
        call.jira.tracker.touched(end)
    return NOTHING


def _link(call: Call, id_: str) -> Link:
    found = call.jira.tracker.links.get(id_)
    if found is None:
        raise Refusal(404, f"No issue link with id '{id_}' exists.")
    return found


def _place_of(call: Call, issue: Issue, id_: str) -> int:
    for place in seen_comments(call, issue):
        if issue.comments[place].id == id_:
            return place
    raise Refusal(404, f"Can not find a comment for the id: {id_}.")


def _comment(call: Call, id_: str) -> tuple[Issue, Comment]:
    for issue in call.jira.tracker.issues.values():
        if call.jira.tracker.sees(call.user, issue):
            for place in seen_comments(call, issue):
                if issue.comments[place].id == id_:
                    return issue, issue.comments[place]
    raise Refusal(404, f"Can not find a comment for the id: {id_}.")


def _property(known: dict[str, Any], key: str) -> Response:
    if key not in known:
        raise Refusal(404, f"The property with key '{key}' does not exist.")
    return json_response(200, {"key": key, "value": known[key]})


def _remote_link(call: Call, issue: Issue, id_: str) -> dict[str, Any]:
    kept = issue.remote_links[id_]
    return {"id": int(id_), "self": f"{call.base}/issue/{issue.id}/remotelink/{id_}", **kept}
