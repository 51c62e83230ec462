"""A simulator of Jira, Cloud or Data Center, with Jira Service Management: hostile like the real one.

with running("cloud") as jira:                    # or "server"; its clock is moved by hand
    requests.get(f"{jira.url}/rest/api/3/myself", auth=jira.login)
    jira.tracker.index.lag_ms = 60_000            # searches learn of writes a minute later
    jira.clock.advance(60)
    jira.faults.then(COMMITS_AND_RESETS, when=writes)             # see faults.py, and jira_faults.py
    jira.person("alice").transitions("OPS-1", "Done")
    jira.labelled("wk-1"), jira.with_property("watchkeeper")      # what is really there, whatever searches say
    jira.requests("POST", "/rest/api/3/issue")    # what was asked, and what became of it

Cloud: the site's URL with basic authentication (`login`), or the gateway at /ex/jira/CLOUD_ID with a scoped token
or an OAuth token from /oauth/token (`client`). Data Center: `login`, the token `pat` as Bearer, OAuth at
/rest/oauth2/latest/token.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any

from tests.simulators.clock import HandClock
from tests.simulators.faults import Faults
from tests.simulators.http import Exchange, Request, Response, Server, json_response, serving
from tests.simulators.jira_accounts import HTML, Accounts, Denied, Login, Session, check_xsrf, scope_of
from tests.simulators.jira_adf import text_of
from tests.simulators.jira_call import Call, refused
from tests.simulators.jira_desk_api import DESKS, DeskRefusal, desk_refused
from tests.simulators.jira_issue_api import ISSUES
from tests.simulators.jira_limits import Limits
from tests.simulators.jira_meta_api import META, SESSIONS
from tests.simulators.jira_model import Deployment, Issue, Refusal
from tests.simulators.jira_parts_api import PARTS
from tests.simulators.jira_people import Person
from tests.simulators.jira_search_api import SEARCHES
from tests.simulators.jira_site import made_site
from tests.simulators.jira_tracker import Tracker

CLOUD_ID = "11111111-2222-3333-4444-555555555555"
GATEWAY = re.compile(r"/ex/jira/([^/]+)(/.*)")
ISSUE_PATH = re.compile(r"/rest/(?:api/[^/]+/issue|servicedeskapi/request)/([^/]+)(?:/.*)?")
DEAD_LINK = b"<html><head><title>Oops, you&#39;ve found a dead link.</title></head><body>404</body></html>"
TABLES = (META, SEARCHES, ISSUES, PARTS, DESKS, SESSIONS)


@dataclass(frozen=True)
class _Place:
    """What a path leads to. `outside`: the URL's path before it, which clients are told."""

    path: str
    outside: str = ""
    gateway: bool = False


class Jira:
    """Use `running`. `site`, `accounts`, `tracker` and `limits` can be changed while it runs, `with jira.lock`.

    `context`: a path that the whole Data Center lives under, as "/jira". `nodes`: how many a Data Center has; who
    comes without its cookie meets another one each time. `page_limit`: at most so many issues in a page, whatever is
    asked.
    `exclusive`: whether a transition is refused with 409 while another request that transitions the issue hangs.
    """

    def __init__(
        self, deployment: Deployment, clock: HandClock, *, context: str = "", nodes: int = 1, scheme: str = "http"
    ) -> None:
        self.clock, self.faults = clock, Faults()
        self.server: Server
        self.site = made_site(deployment)
        self.accounts = Accounts(self.site)
        self.tracker = Tracker(self.site, self.clock)
        self.limits = Limits(deployment)
        self.lock = RLock()
        self.context, self.nodes, self.scheme = context, nodes, scheme
        self.page_limit = 5000
        self.exclusive = False

    @property
    def url(self) -> str:
        """What a client is given: the site's URL, of a Data Center with its context."""
        return self.server.url(self.context)

    @property
    def gateway(self) -> str:
        """The URL for OAuth and for tokens with scopes, on Cloud."""
        return self.server.url(f"/ex/jira/{CLOUD_ID}")

    @property
    def login(self) -> tuple[str, str]:
        """What the user `bot` logs in with, by basic authentication."""
        return ("bot@example.com", "bot-token") if self.site.is_cloud else ("bot", "bot-password")

    @property
    def pat(self) -> str:
        """A personal access token of `bot`, for Data Center."""
        return "bot-token"

    @property
    def scoped_login(self) -> tuple[str, str]:
        """For Cloud's gateway."""
        return "bot@example.com", "bot-scoped-token"

    @property
    def client(self) -> tuple[str, str]:
        """A service account's client id and secret, for the token endpoint."""
        return "bot-client", "bot-client-secret"

    def person(self, name: str = "alice") -> Person:
        """Somebody at the browser: alice or bob, who are agents, or carl, a customer."""
        return Person(self, name)

    def issue(self, key: str) -> Issue:
        """By id, key or old key, whoever may see it. Raises LookupError when there is none."""
        with self.lock:
            for issue in self.tracker.issues.values():
                if key in (issue.id, issue.key, *issue.old_keys):
                    return issue
        raise LookupError(key)

    def labelled(self, label: str) -> list[Issue]:
        """Every issue that has exactly this label, the oldest first."""
        with self.lock:
            return [issue for issue in self.tracker.issues.values() if label in issue.labels]

    def with_property(self, key: str, value: Any = ...) -> list[Issue]:
        """Every issue that has this entity property, of this value if there is one, the oldest first."""
        with self.lock:
            return [
                issue
                for issue in self.tracker.issues.values()
                if key in issue.properties and value in (..., issue.properties[key])
            ]

    def is_open(self, issue: Issue) -> bool:
        """Whether somebody still has to work on it."""
        return self.tracker.status(issue).category != "done"

    def notes(self, key: str, *, public: bool | None = None) -> list[str]:
        """The texts of its comments, the oldest first: all, those that customers read, or those they do not."""
        with self.lock:
            comments = [each for each in self.issue(key).comments if public in (None, each.public)]
            return [each.body if isinstance(each.body, str) else text_of(each.body) for each in comments]

    def requests(self, method: str = "", path: str = "/") -> list[Exchange]:
        """What was asked over HTTP, by method and the beginning of the path, as it came."""
        return [
            each
            for each in list(self.server.exchanges)
            if each.request.method.startswith(method) and each.request.path.startswith(path)
        ]

    def conflicts(self, request: Request) -> bool:
        """Whether another request that does the same was not answered yet."""
        return self.exclusive and any(
            (each.method, each.path) == (request.method, request.path) for each in request.parallel
        )

    def answer(self, request: Request) -> Response:
        """The application for `http.serving`."""
        with self.lock:
            try:
                return self._answer(request)
            except Denied as denied:
                return denied.response
            except Refusal as refusal:
                return refused(refusal)

    def _answer(self, request: Request) -> Response:
        place = self._place(request.path)
        if place is None:
            return Response(404, HTML, DEAD_LINK)
        now_ms = self.clock()
        if place.path == ("/oauth/token" if self.site.is_cloud else "/rest/oauth2/latest/token"):
            return self.accounts.grant(request, now_ms) if request.method == "POST" else Response(405)
        if place.path == "/_edge/tenant_info" and self.site.is_cloud:
            return json_response(200, {"cloudId": CLOUD_ID})
        session, new = self.accounts.session(request, self.nodes)
        login = self.accounts.log_in(request, session, now_ms, gateway=place.gateway)
        if login.scopes is not None and scope_of(request, place.path) not in login.scopes:
            return json_response(401, {"code": 401, "message": "Unauthorized; scope does not match"})
        check_xsrf(request, self.site.deployment)
        limited, headers = self._limit(request, place, login, now_ms)
        response = limited or self._routed(request, place, login, session)
        return replace(response, headers={**headers, **self._headers(session, login, new=new), **response.headers})

    def _place(self, path: str) -> _Place | None:
        if self.site.is_cloud and (found := GATEWAY.fullmatch(path)):
            if found[1] != CLOUD_ID:
                raise Denied(json_response(404, {"code": 404, "message": "Not Found"}))
            return _Place(found[2], f"/ex/jira/{CLOUD_ID}", gateway=True)
        if not path.startswith(f"{self.context}/"):
            return None
        return _Place(path[len(self.context) :], self.context)

    def _limit(
        self, request: Request, place: _Place, login: Login, now_ms: int
    ) -> tuple[Response | None, Mapping[str, str]]:
        if login.user is None:
            return None, {}
        found = ISSUE_PATH.fullmatch(place.path)
        endpoint = place.path if found is None else place.path.replace(found[1], "{issue}")
        written = found[1] if found is not None and request.method != "GET" else None
        return self.limits.check(login.user.name, f"{request.method} {endpoint}", written, now_ms)

    def _routed(self, request: Request, place: _Place, login: Login, session: Session) -> Response:
        self.tracker.node = session.node
        version = "3" if place.path.startswith("/rest/api/3/") else "2"
        base = f"{self.scheme}://{request.headers.get('host', '127.0.0.1')}{place.outside}/rest/api/{version}"
        if version == "3" and not self.site.is_cloud:
            return json_response(404, {"message": f"null for uri: {base}", "status-code": 404})
        call = Call(self, request, login.user, version, base, place.gateway)
        try:
            for table in TABLES:
                if (found := table.find(request.method, place.path)) is not None:
                    handler, parts = found
                    return handler(call, **parts)
        except Refusal as refusal:
            return refused(refusal)
        except DeskRefusal as refusal:
            return desk_refused(refusal)
        if place.path.startswith("/rest/"):
            return json_response(404, {"message": f"null for uri: {base}", "status-code": 404})
        return Response(404, HTML, DEAD_LINK)

    def _headers(self, session: Session, login: Login, *, new: bool) -> dict[str, str]:
        headers = {"X-Seraph-LoginReason": login.reason, "X-AREQUESTID": session.id[-8:]}
        if not self.site.is_cloud:
            headers["X-ANODEID"] = f"node{session.node}"
            if new:
                headers["Set-Cookie"] = f"JSESSIONID={session.id}; Path={self.context or '/'}; HttpOnly"
        return headers


@contextmanager
def running(
    deployment: Deployment = "cloud",
    *,
    clock: HandClock | None = None,
    context: str = "",
    nodes: int = 1,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Jira]:
    """A Jira that answers. `context` and `nodes`: see Jira."""
    jira = Jira(deployment, clock or HandClock(), context=context, nodes=nodes, scheme="https" if tls else "http")
    with serving(jira.answer, jira.faults, clock=jira.clock, tls=tls) as server:
        jira.server = server
        yield jira
