"""The endpoints that tell what a site is made of, and who one is there."""

from typing import Any

from tests.simulators.http import Response, json_response
from tests.simulators.jira_call import NOT_LOGGED_IN, Call, Routes, page
from tests.simulators.jira_model import LinkType, Named, Project, Refusal, show_time
from tests.simulators.jira_site import PERMISSIONS
from tests.simulators.jira_workflow import CATEGORIES

META = Routes("/rest/api/(?:2|3|latest)")
SESSIONS = Routes("/rest/auth/1")


@META("GET", "/serverInfo")
def server_info(call: Call) -> Response:
    """Everybody may ask."""
    cloud = call.jira.site.is_cloud
    numbers = [1001, 0, 0] if cloud else [10, 3, 2]
    return json_response(
        200,
        {
            "baseUrl": call.base.partition("/rest/")[0],
            "version": "1001.0.0-SNAPSHOT" if cloud else "10.3.2",
            "versionNumbers": numbers,
            "deploymentType": "Cloud" if cloud else "Server",
            "buildNumber": 100_290 if cloud else 10_030_002,
            "serverTime": show_time(call.jira.clock()),
            "serverTitle": "Jira",
        },
    )


@META("GET", "/myself")
def myself(call: Call) -> Response:
    return json_response(200, call.shower.user(call.somebody.name))


@SESSIONS("GET", "/session")
def session(call: Call) -> Response:
    user = call.somebody
    return json_response(200, {"self": f"{call.base}/user?username={user.name}", "name": user.name})


@META("GET", "/mypermissions")
def my_permissions(call: Call) -> Response:
    site = call.jira.site
    wanted = call.names("permissions")
    if site.is_cloud and not wanted:
        raise Refusal(400, "The 'permissions' query parameter is required.")
    if unknown := [each for each in wanted if each not in PERMISSIONS]:
        raise Refusal(400, f"Unrecognized permission: {', '.join(unknown)}")
    project = None
    if (issue := call.query.get("issueKey") or call.query.get("issueId")) is not None:
        project = call.issue(issue).project
    elif (named := call.query.get("projectKey") or call.query.get("projectId")) is not None:
        project = site.project(call.user, named).key
    here = list(site.projects) if project is None else [project]
    shown = {
        name: {
            "id": str(number),
            "key": name,
            "name": name.replace("_", " ").title(),
            "type": "PROJECT",
            "description": "",
            "havePermission": any(site.allows(call.user, each, name) for each in here),
        }
        for number, name in enumerate(PERMISSIONS)
        if not wanted or name in wanted
    }
    return json_response(200, {"permissions": shown})


@META("GET", "/project")
def projects(call: Call) -> Response:
    return json_response(200, [call.shower.project(each) for each in call.jira.site.visible(call.user)])


@META("GET", "/project/search")
def search_projects(call: Call) -> Response:
    if not call.jira.site.is_cloud:
        return project(call, "search")
    wanted = call.query.get("query", "").lower()
    shown = [
        call.shower.project(each)
        for each in call.jira.site.visible(call.user)
        if wanted in each.key.lower() or wanted in each.name.lower()
    ]
    return json_response(200, page(call, shown, "values", last=True))


@META("GET", "/project/{key}")
def project(call: Call, key: str) -> Response:
    found = call.jira.site.project(call.user, key)
    types = [call.shower.issue_type(each) for each in found.issue_types]
    return json_response(200, {**call.shower.project(found), "issueTypes": types})


@META("GET", "/project/{key}/statuses")
def project_statuses(call: Call, key: str) -> Response:
    found = call.jira.site.project(call.user, key)
    statuses = [call.shower.status(each) for each in found.workflow.statuses]
    return json_response(200, [{**call.shower.issue_type(each), "statuses": statuses} for each in found.issue_types])


@META("GET", "/issue/createmeta/{key}/issuetypes")
def create_types(call: Call, key: str) -> Response:
    """Cloud calls the list issueTypes, Data Center values. Whoever may not create there is told that it is empty."""
    found = _creatable(call, key)
    shown = [] if found is None else [call.shower.issue_type(each) for each in found.issue_types]
    return json_response(200, _meta_page(call, shown, "issueTypes"))


@META("GET", "/issue/createmeta/{key}/issuetypes/{kind}")
def create_fields(call: Call, key: str, kind: str) -> Response:
    found = _creatable(call, key)
    if found is None or kind not in found.create:
        raise Refusal(404, "The issue type was not found.")
    screen = found.create[kind]
    fields = call.jira.site.fields
    names = ["project", *screen.fields]
    required = {"project", "issuetype", *screen.required}
    shown = [call.shower.meta(fields[name], found, required=name in required) for name in names]
    return json_response(200, _meta_page(call, shown, "fields"))


@META("GET", "/field")
def fields(call: Call) -> Response:
    shown = [
        {
            "id": each.id,
            "key": each.id,
            "name": each.name,
            "custom": each.number is not None,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": list(each.clauses),
            "schema": call.shower.schema(each),
        }
        for each in call.jira.site.fields.values()
    ]
    return json_response(200, shown)


@META("GET", "/issuetype")
def issue_types(call: Call) -> Response:
    return json_response(200, [call.shower.issue_type(each) for each in call.jira.site.issue_types()])


@META("GET", "/issuetype/{number}")
def issue_type(call: Call, number: str) -> Response:
    return json_response(200, call.shower.issue_type(_by_id(call.jira.site.issue_types(), number, "issue type")))


@META("GET", "/priority")
def priorities(call: Call) -> Response:
    """All of the site's: which of them a project takes, only its createmeta tells."""
    return json_response(200, [call.shower.named("priority", each) for each in call.jira.site.priorities.values()])


@META("GET", "/priority/{number}")
def priority(call: Call, number: str) -> Response:
    found = _by_id(list(call.jira.site.priorities.values()), number, "priority")
    return json_response(200, call.shower.named("priority", found))


@META("GET", "/resolution")
def resolutions(call: Call) -> Response:
    return json_response(200, [call.shower.named("resolution", each) for each in call.jira.site.resolutions.values()])


@META("GET", "/status")
def statuses(call: Call) -> Response:
    return json_response(200, [call.shower.status(each) for each in call.jira.site.statuses()])


@META("GET", "/statuscategory")
def categories(call: Call) -> Response:
    return json_response(200, [call.shower.category(each) for each in CATEGORIES])


@META("GET", "/issueLinkType")
def link_types(call: Call) -> Response:
    shown = [_link_type(call, each) for each in call.jira.site.link_types]
    return json_response(200, {"issueLinkTypes": shown})


@META("GET", "/user")
def user(call: Call) -> Response:
    """Cloud knows users by accountId only."""
    site = call.jira.site
    name = "accountId" if site.is_cloud else "username"
    if name not in call.query:
        raise Refusal(400, f"Either the '{name}' query parameter must be provided.")
    found = site.user_by_id(call.query[name])
    if found is None:
        raise Refusal(404, "Specified user does not exist or you do not have required permissions")
    return json_response(200, call.shower.user(found.name))


@META("GET", "/user/search", "/user/assignable/search")
def search_users(call: Call) -> Response:
    site = call.jira.site
    if call.user is None:
        raise Refusal(401, NOT_LOGGED_IN)
    name = "query" if site.is_cloud else "username"
    wanted = call.query.get(name, call.query.get("accountId", "")).lower()
    shown = [
        call.shower.user(each.name)
        for each in site.users.values()
        if any(wanted in part.lower() for part in (each.display, each.email))
        or wanted == (each.account_id.lower() if site.is_cloud else each.name)
    ]
    return json_response(200, shown)


def _creatable(call: Call, key: str) -> Project | None:
    site = call.jira.site
    found = site.project(call.user, key)
    return found if site.allows(call.user, found.key, "CREATE_ISSUES") else None


def _meta_page(call: Call, shown: list[dict[str, Any]], name: str) -> dict[str, Any]:
    cloud = call.jira.site.is_cloud
    return page(call, shown, name if cloud else "values", last=not cloud)


def _by_id(known: list[Named], id_: str, what: str) -> Named:
    for each in known:
        if each.id == id_:
            return each
    raise Refusal(404, f"The {what} with id '{id_}' does not exist.")


def _link_type(call: Call, link_type: LinkType) -> dict[str, Any]:
    here = f"{call.base}/issueLinkType/{link_type.id}"
    named = {"id": link_type.id, "name": link_type.name, "self": here}
    return {**named, "inward": link_type.inward, "outward": link_type.outward}
