"""The endpoints of service desks: https://developer.atlassian.com/cloud/jira/service-desk/rest/

Their errors, their pages and their texts are other ones than the platform's: a request's description is wiki markup
even on Cloud, and only the fields of the request type's form are taken.
"""

from typing import Any

from tests.simulators.http import Response, json_response
from tests.simulators.jira_adf import document_of
from tests.simulators.jira_call import Call, Routes
from tests.simulators.jira_fields import FieldError, Reader
from tests.simulators.jira_model import Comment, Issue, Project, Refusal, RequestType, User, show_time

DESKS = Routes("/rest/servicedeskapi")
NOT_CREATED = (
    "Your request could not be created. Please check the fields have been correctly filled in. Error msgs are: [{}]"
)


class DeskRefusal(Exception):
    """A request is not done, in the words of Jira Service Management."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


def desk_refused(refusal: DeskRefusal) -> Response:
    said = {"i18nKey": "sd.error", "parameters": []}
    return json_response(refusal.status, {"errorMessage": refusal.message, "i18nErrorMessage": said})


@DESKS("GET", "/info")
def info(call: Call) -> Response:
    return json_response(200, {"version": "10.3.2", "platformVersion": "10.3.2", "isLicensedForUse": True})


@DESKS("GET", "/servicedesk")
def desks(call: Call) -> Response:
    return json_response(200, _page(call, [_desk(call, each) for each in _desks(call)]))


@DESKS("GET", "/servicedesk/{desk}")
def desk(call: Call, desk: str) -> Response:
    return json_response(200, _desk(call, _find_desk(call, desk)))


@DESKS("GET", "/servicedesk/{desk}/requesttype")
def request_types(call: Call, desk: str) -> Response:
    project = _find_desk(call, desk)
    shown = [_type(call, each) for each in call.jira.site.request_types if each.project == project.key]
    return json_response(200, _page(call, shown))


@DESKS("GET", "/servicedesk/{desk}/requesttype/{kind}")
def request_type(call: Call, desk: str, kind: str) -> Response:
    return json_response(200, _type(call, _find_type(call, _find_desk(call, desk), kind)))


@DESKS("GET", "/servicedesk/{desk}/requesttype/{kind}/field")
def request_fields(call: Call, desk: str, kind: str) -> Response:
    project = _find_desk(call, desk)
    found = _find_type(call, project, kind)
    shown = []
    for name in found.fields:
        meta = call.shower.meta(call.jira.site.fields[name], project, required=name == "summary")
        choices = [
            {"value": each["id"], "label": each.get("name", each.get("value")), "children": []}
            for each in meta.get("allowedValues", ())
        ]
        head = {"fieldId": name, "name": meta["name"], "description": "", "required": meta["required"]}
        shown.append({**head, "validValues": choices, "jiraSchema": meta["schema"], "visible": True})
    agent = call.somebody.agent
    rights = {"canRaiseOnBehalfOf": agent, "canAddRequestParticipants": agent}
    return json_response(200, {"requestTypeFields": shown, **rights})


@DESKS("POST", "/request")
def create_request(call: Call) -> Response:
    """No labels unless the form has them, and no entity properties: they have to be put there afterwards."""
    user, body = call.somebody, call.body()
    project = _find_desk(call, str(body.get("serviceDeskId", "")))
    found = _find_type(call, project, str(body.get("requestTypeId", "")))
    if not call.jira.site.allows(user, project.key, "CREATE_ISSUES") and user.agent:
        raise DeskRefusal(403, "You do not have permission to create requests in this service desk.")
    reporter = _reporter(call, user, body.get("raiseOnBehalfOf"))
    values = _request_values(call, project, found, body)
    chosen = {"issuetype": found.issue_type, "customfield_10010": found.id, "reporter": reporter}
    issue = call.jira.tracker.add(user.name, project, {**values, **chosen})
    return json_response(201, _request(call, issue))


@DESKS("GET", "/request/{key}")
def read_request(call: Call, key: str) -> Response:
    return json_response(200, _request(call, _find_request(call, key)))


@DESKS("GET", "/request/{key}/comment")
def request_comments(call: Call, key: str) -> Response:
    issue = _find_request(call, key)
    seen = issue.comments if call.somebody.agent else issue.public_comments
    return json_response(200, _page(call, [_comment(call, each) for each in seen]))


@DESKS("POST", "/request/{key}/comment")
def comment_request(call: Call, key: str) -> Response:
    """Wiki markup, and public unless it says otherwise."""
    issue, body, user = _find_request(call, key), call.body(), call.somebody
    text, public = body.get("body"), body.get("public", True)
    if not isinstance(text, str) or not text:
        raise DeskRefusal(400, "Comment body can not be empty!")
    if not call.jira.site.allows(user, issue.project, "ADD_COMMENTS") and user.agent:
        raise DeskRefusal(403, "You do not have the permission to comment on this request.")
    if not public and not call.jira.site.allows(user, issue.project, "SERVICEDESK_AGENT"):
        raise DeskRefusal(403, "You do not have permission to add an internal comment to this request.")
    kept = document_of(text) if call.jira.site.is_cloud else text
    return json_response(201, _comment(call, call.jira.tracker.comment(user.name, issue, kept, public=bool(public))))


def _request_values(call: Call, project: Project, found: RequestType, body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("requestFieldValues")
    if not isinstance(given, dict):
        raise DeskRefusal(400, NOT_CREATED.format("requestFieldValues: required"))
    site = call.jira.site
    reader = Reader(site, "3" if body.get("isAdfRequest") is True and site.is_cloud else "2")
    values, wrong = {}, []
    for name, raw in given.items():
        if name not in found.fields:
            wrong.append(f"{name}: This field is not on the form of the request type")
            continue
        try:
            values[name] = reader.value(site.fields[name], project, raw)
        except FieldError as error:
            wrong.append(f"{name}: {error}")
    if not values.get("summary") and "summary" not in given:
        wrong.append("summary: You must specify a summary of the issue.")
    if wrong:
        raise DeskRefusal(400, NOT_CREATED.format(", ".join(wrong)))
    return values


def _reporter(call: Call, user: User, wanted: Any) -> str:
    if wanted is None:
        return user.name
    if not user.agent:
        raise DeskRefusal(403, "You do not have permission to raise requests on behalf of others.")
    site = call.jira.site
    found = site.user_by_id(str(wanted)) or next((each for each in site.users.values() if each.email == wanted), None)
    if found is None:
        raise DeskRefusal(400, f"The user '{wanted}' does not exist.")
    return found.name


def _desks(call: Call) -> list[Project]:
    """The service desks that somebody sees."""
    return [each for each in call.jira.site.visible(call.somebody) if each.service_desk]


def _find_desk(call: Call, id_: str) -> Project:
    """By the desk's id, which is not the project's; by "projectId:N"; Cloud takes the project's key as well."""
    for project in _desks(call):
        if id_ in (_desk_id(project), project.key, f"projectId:{project.id}"):
            return project
    raise DeskRefusal(404, "The service desk you are trying to view does not exist or you do not have permission.")


def _find_type(call: Call, project: Project, id_: str) -> RequestType:
    for each in call.jira.site.request_types:
        if each.project == project.key and each.id == id_:
            return each
    raise DeskRefusal(404, "The request type you are trying to view does not exist.")


def _find_request(call: Call, key: str) -> Issue:
    """Only what has a request type is a request: what the platform's API made without one is not found here."""
    try:
        issue = call.issue(key)
    except Refusal as refusal:
        raise DeskRefusal(refusal.status, "The request you are looking for does not exist.") from None
    if not issue.values.get("customfield_10010"):
        raise DeskRefusal(404, "The request you are looking for does not exist.")
    return issue


def _desk_id(project: Project) -> str:
    return str(int(project.id) - 10_000)


def _desk(call: Call, project: Project) -> dict[str, Any]:
    here = call.base.partition("/rest/")[0]
    number = _desk_id(project)
    links = {"self": f"{here}/rest/servicedeskapi/servicedesk/{number}"}
    named = {"projectId": project.id, "projectName": project.name, "projectKey": project.key}
    return {"id": number, **named, "_links": links}


def _type(call: Call, request_type: RequestType) -> dict[str, Any]:
    project = call.jira.site.projects[request_type.project]
    named = {"id": request_type.id, "name": request_type.name, "description": "", "helpText": ""}
    return {**named, "issueTypeId": request_type.issue_type, "serviceDeskId": _desk_id(project), "groupIds": ["1"]}


def _request(call: Call, issue: Issue) -> dict[str, Any]:
    here = call.base.partition("/rest/")[0]
    project = call.jira.site.projects[issue.project]
    status = call.jira.tracker.status(issue)
    return {
        "issueId": issue.id,
        "issueKey": issue.key,
        "requestTypeId": issue.values["customfield_10010"],
        "serviceDeskId": _desk_id(project),
        "createdDate": _date(issue.values["created"]),
        "reporter": call.shower.user(issue.values["reporter"]),
        "requestFieldValues": [{"fieldId": "summary", "label": "Summary", "value": issue.values["summary"]}],
        "currentStatus": {"status": status.name, "statusCategory": status.category.upper()},
        "_links": {
            "self": f"{here}/rest/servicedeskapi/request/{issue.id}",
            "jiraRest": f"{here}/rest/api/2/issue/{issue.id}",
            "web": f"{here}/servicedesk/customer/portal/{_desk_id(project)}/{issue.key}",
        },
    }


def _comment(call: Call, comment: Comment) -> dict[str, Any]:
    said = {"id": comment.id, "body": call.shower.plain(comment.body), "public": comment.public}
    return {**said, "author": call.shower.user(comment.author), "created": _date(comment.created_ms)}


def _date(at_ms: int) -> dict[str, Any]:
    return {"iso8601": show_time(at_ms), "epochMillis": at_ms}


def _page(call: Call, items: list[Any]) -> dict[str, Any]:
    start, limit = max(0, call.number("start", 0)), min(call.number("limit", 50), 100)
    chosen = items[start : start + limit]
    shown = {"size": len(chosen), "start": start, "limit": limit, "isLastPage": start + limit >= len(items)}
    return {**shown, "values": chosen, "_links": {}}
