"""The endpoints of searches. Cloud: pages by token, no total, and what was written lately is missing."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from tests.simulators.http import Response, json_response
from tests.simulators.jira_call import NOT_LOGGED_IN, Call, Routes
from tests.simulators.jira_issue_api import show_issue
from tests.simulators.jira_jql import JqlError, Query, parse
from tests.simulators.jira_model import Issue, Refusal
from tests.simulators.jira_search import Search
from tests.simulators.jira_writes import INVALID, texts

SEARCHES = Routes("/rest/api/(?:2|3|latest)")
TOKEN_LIFE_MS = 7 * 86_400_000
MOST_IDS, MOST_WITH_FIELDS, MOST_ON_SERVER = 5000, 100, 1000
MOST_TO_RECONCILE, MOST_PROPERTIES = 50, 5
_CLOUD = "jql fields fieldsByKeys maxResults nextPageToken properties reconcileIssues expand failFast"
CLOUD_KEYS = frozenset(_CLOUD.split())
SERVER_KEYS = frozenset(("jql", "startAt", "maxResults", "fields", "fieldsByKeys", "expand", "validateQuery"))
GONE = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration "
    "guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


@SEARCHES("GET", "/search/jql")
def search_by_query(call: Call) -> Response:
    given: dict[str, Any] = dict(call.query)
    for name in ("fields", "properties", "reconcileIssues"):
        if name in given:
            given[name] = call.names(name)
    if "maxResults" in given:
        given["maxResults"] = call.number("maxResults", 50)
    try:
        given["reconcileIssues"] = [int(each) for each in given.get("reconcileIssues") or ()]
    except ValueError:
        raise Refusal(400, INVALID) from None
    return _on_cloud(call, given)


@SEARCHES("POST", "/search/jql")
def search_by_body(call: Call) -> Response:
    return _on_cloud(call, call.body())


@SEARCHES("POST", "/search/approximate-count")
def count(call: Call) -> Response:
    _cloud_only(call)
    return json_response(200, {"count": len(_run(call, _bounded(call.body().get("jql")), ()))})


@SEARCHES("GET", "/search")
def old_search_by_query(call: Call) -> Response:
    given: dict[str, Any] = dict(call.query)
    for name in ("startAt", "maxResults"):
        if name in given:
            given[name] = call.number(name, 0)
    given["fields"] = call.names("fields")
    given["validateQuery"] = call.query.get("validateQuery", "true").lower() not in ("false", "none", "warn")
    given.pop("properties", None)
    return _on_server(call, given)


@SEARCHES("POST", "/search")
def old_search_by_body(call: Call) -> Response:
    return _on_server(call, call.body())


def _on_cloud(call: Call, given: dict[str, Any]) -> Response:
    _cloud_only(call)
    if set(given) - CLOUD_KEYS:
        raise Refusal(400, INVALID)
    fields, properties, size = texts(given, "fields"), texts(given, "properties"), _number(given, "maxResults", 50)
    if not 1 <= size <= MOST_IDS:
        raise Refusal(400, "The max results parameter has to be between 1 and 5,000.")
    if len(properties) > MOST_PROPERTIES:
        raise Refusal(400, f"The number of properties exceeds the limit of {MOST_PROPERTIES}.")
    jql = given.get("jql")
    start = _start(call, given.get("nextPageToken"), jql)
    found = _run(call, _bounded(jql), _to_reconcile(given.get("reconcileIssues")))
    only_ids = not fields or set(fields) == {"id"}
    most = min(size, MOST_IDS if only_ids else MOST_WITH_FIELDS, call.jira.page_limit)
    issues = found[start : start + most]
    expand = str(given.get("expand") or "").split(",")
    shown: dict[str, Any] = {
        "issues": [
            {"id": issue.id}
            if only_ids and not properties
            else show_issue(call, issue, fields or ["id"], expand, properties)
            for issue in issues
        ],
        "isLast": start + most >= len(found),
    }
    if not shown["isLast"]:
        shown["nextPageToken"] = _token(call, jql, start + most)
    return json_response(200, shown)


def _on_server(call: Call, given: dict[str, Any]) -> Response:
    site = call.jira.site
    if site.is_cloud:
        raise Refusal(410, GONE)
    if call.user is None:
        raise Refusal(401, NOT_LOGGED_IN)
    for name in set(given) - SERVER_KEYS:
        raise Refusal(
            400,
            f'Unrecognized field "{name}" (Class com.atlassian.jira.rest.v2.search.SearchRequestBean), '
            "not marked as ignorable",
        )
    query = _parsed(given.get("jql") or "")
    found = _run(call, query, (), strict=given.get("validateQuery") is not False)
    start, size = max(0, _number(given, "startAt", 0)), _number(given, "maxResults", 50)
    size = min(MOST_ON_SERVER if size < 0 else size, MOST_ON_SERVER, call.jira.page_limit)
    fresh = [call.jira.tracker.issues.get(issue.id) for issue in found]  # the index finds, the database shows
    fields = texts(given, "fields") or ["*navigable"]
    expand = given["expand"].split(",") if isinstance(given.get("expand"), str) else texts(given, "expand")
    issues = [show_issue(call, issue, fields, expand) for issue in fresh[start : start + size] if issue is not None]
    shown = {"expand": "schema,names", "startAt": start, "maxResults": size, "total": len(found), "issues": issues}
    return json_response(200, shown)


def _cloud_only(call: Call) -> None:
    if not call.jira.site.is_cloud:
        raise Refusal(404, f"null for uri: {call.base}{call.request.path.rpartition('/rest/api')[2]}")


def _run(call: Call, query: Query, reconcile: Sequence[int], *, strict: bool = True) -> list[Issue]:
    """What the index finds. Of the issues to reconcile it knows how they are now."""
    tracker = call.jira.tracker
    seen = {issue.id: issue for issue in tracker.index.seen(tracker.clock(), tracker.node)}
    for id_ in map(str, reconcile):
        seen.pop(id_, None)
        if id_ in tracker.issues:
            seen[id_] = tracker.issues[id_]
    search = Search(tracker, call.user)
    try:
        if strict:
            search.check(query)
        return search.run(query, seen.values())
    except JqlError as error:
        raise Refusal(400, *error.messages) from None


def _parsed(jql: Any) -> Query:
    try:
        return parse(str(jql))
    except JqlError as error:
        raise Refusal(400, *error.messages) from None


def _bounded(jql: Any) -> Query:
    query = _parsed(jql or "")
    if query.where is None:
        raise Refusal(
            400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        )
    return query


def _number(given: dict[str, Any], name: str, default: int) -> int:
    number = given.get(name)
    if number is not None and type(number) is not int:
        raise Refusal(400, INVALID)
    return default if number is None else number


def _to_reconcile(given: Any) -> list[int]:
    ids = given or []
    if not isinstance(ids, list) or not all(type(each) is int for each in ids):
        raise Refusal(400, INVALID)
    if len(ids) > MOST_TO_RECONCILE:
        raise Refusal(400, f"The number of issues to reconcile exceeds the limit of {MOST_TO_RECONCILE}.")
    return ids


def _token(call: Call, jql: Any, start: int) -> str:
    written = json.dumps([_digest(jql), start, call.jira.tracker.clock()])
    return urlsafe_b64encode(written.encode()).decode()


def _start(call: Call, token: Any, jql: Any) -> int:
    """Where the page of a token begins. A token is of one query, and lives seven days."""
    if token is None:
        return 0
    try:
        digest, start, made_ms = json.loads(urlsafe_b64decode(str(token).encode()))
    except (ValueError, TypeError, Error):
        digest, start, made_ms = "", 0, 0
    if digest != _digest(jql) or call.jira.tracker.clock() - made_ms > TOKEN_LIFE_MS:
        raise Refusal(400, "The provided next page token is invalid or expired.")
    return int(start)


def _digest(jql: Any) -> str:
    return sha256(str(jql).encode()).hexdigest()[:16]
