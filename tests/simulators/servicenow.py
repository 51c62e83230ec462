"""A ServiceNow instance on loopback, for tests: the Table API as hostile as the real thing.

    with running() as instance:
        requests.get(f"{instance.url}/api/now/table/incident", auth=INTEGRATION)
        instance.faults.then(COMMITS_AND_RESETS, when=writes)     # faults.py, servicenow_faults.py
        instance.tickets("wk-1")                                  # every incident of this correlation_id
        instance.person().resolve(instance.tickets("wk-1")[0]["sys_id"])
        instance.posts("wk-1")                                    # how often somebody tried to create it
        instance.clock.advance(3600)

What can be switched: `properties`, `rules`, `acl`, `auth`, `limits` of the instance.
"""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

from tests.simulators import servicenow_batch as batch
from tests.simulators import servicenow_events as events
from tests.simulators import servicenow_journal as journal
from tests.simulators import servicenow_schema as schema
from tests.simulators.clock import HandClock
from tests.simulators.faults import Faults
from tests.simulators.http import Exchange, Request, Response, Server, json_response, serving
from tests.simulators.servicenow_acl import Acl
from tests.simulators.servicenow_auth import Auth, OAuthClient, User
from tests.simulators.servicenow_limits import Limits
from tests.simulators.servicenow_person import Person
from tests.simulators.servicenow_records import Properties, Records
from tests.simulators.servicenow_refusal import Refused
from tests.simulators.servicenow_rules import ENDED, RESOLVED, Rules
from tests.simulators.servicenow_store import Row, Store, describe
from tests.simulators.servicenow_view import render, view_of

INTEGRATION = ("watchkeeper", "correct horse")
ADMIN = ("admin", "battery staple")
PERSON = "fred.luddy"
OAUTH_CLIENT = ("client-1", "client secret")
API_KEY = "now_0123456789abcdef"
INTEGRATION_ROLES = {"itil", events.ROLE, "journal_reader", "personalize_dictionary"}
"""What watchkeeper would ask for; tests take some away."""


class Instance:
    """An instance: its records, its rules, who may ask, and what was asked."""

    def __init__(self, clock: HandClock, seed: int) -> None:
        self.clock, self.faults, self.lock = clock, Faults(), threading.RLock()
        self.store, self.properties = Store(clock, seed), Properties()
        self.acl, self.rules = Acl(), Rules()
        self.auth, self.limits = Auth(clock), Limits(clock)
        self.records = Records(self.store, self.acl, self.rules, self.properties)
        self.server: Server
        _furnish(self)

    @property
    def url(self) -> str:
        return self.server.url()

    # What a test looks at.

    def rows(self, table: str, **values: str) -> list[Row]:
        """Copies of a table's rows that have these values, in the order in which they came."""
        with self.lock:
            rows = [dict(row) for row in self.store.rows(table)]
        return [row for row in rows if all(row[name] == text for name, text in values.items())]

    def row(self, table: str, sys_id: str) -> Row:
        """A copy of one row. Raises LookupError."""
        found = self.rows(table, sys_id=sys_id)
        if not found:
            raise LookupError(f"there is no {table} {sys_id}")
        return found[0]

    def tickets(self, key: str, table: str = "incident") -> list[Row]:
        """Every ticket of this correlation_id, the oldest first."""
        return self.rows(table, correlation_id=key)

    def open_tickets(self, key: str) -> list[Row]:
        """Those of its incidents that somebody still has to work on."""
        return [row for row in self.tickets(key) if row["state"] not in (RESOLVED, *ENDED)]

    def notes(self, sys_id: str, element: str = "work_notes") -> list[str]:
        """A ticket's journal entries, the oldest first."""
        with self.lock:
            return [row["value"] for row in journal.entries_of(self.store, sys_id, element)]

    def requests(self, method: str = "", path: str = "/") -> list[Exchange]:
        """What was asked over HTTP, by method and the beginning of the path, as it came."""
        return [
            each
            for each in list(self.server.exchanges)
            if each.request.method.startswith(method) and each.request.path.startswith(path)
        ]

    def posts(self, key: str) -> list[Exchange]:
        """The requests that would create a ticket of this correlation_id."""
        return [each for each in self.requests("POST", "/api/now/") if f'"{key}"'.encode() in each.request.body]

    # What a test does.

    def person(self, login: str = PERSON) -> Person:
        return Person(self, login)

    def id_of(self, table: str, name: str) -> str:
        """The sys_id of the one row that is shown by this name. Raises LookupError."""
        with self.lock:
            found = self.store.named(table, name)
        if len(found) != 1:
            raise LookupError(f"{len(found)} rows of {table} are named {name!r}")
        return found[0]["sys_id"]

    def add(self, table: str, **values: str) -> Row:
        """A row that no rule has seen."""
        with self.lock:
            return dict(self.store.add(table, values, "admin"))

    def process_events(self) -> None:
        """Makes alerts of events."""
        with self.lock:
            events.process(self.store)

    # What a client is answered.

    def __call__(self, request: Request) -> Response:
        with self.lock:
            self.rules.autoclose(self.store, self.clock())
            try:
                if request.path == "/oauth_token.do":
                    return self.auth.grant(request) if request.method == "POST" else _no_method()
                user = self.auth.user_of(request)
                cookie = self.auth.cookie(request)
                if self.limits.overflows(request):
                    if self.limits.queued_are_run:
                        with suppress(Refused):
                            self.answer(user, request)
                    return Response(202)
                answered = self.answer(user, request)
                return Response(answered.status, {**answered.headers, **cookie}, answered.body)
            except Refused as refused:
                return refused.response()

    def answer(self, user: User, request: Request) -> Response:
        """The answer to somebody who is known."""
        match [part for part in request.path.split("/")[1:] if part not in ("v1", "v2")]:
            case ["api", "now", "table", table, *rest] if len(rest) < 2:
                self.limits.check(user, table, request)
                return self._table(user, request, table, *rest)
            case ["api", "now", "batch"] if request.method == "POST":
                return batch.run(_json(request), request, lambda inner: self.answer(user, inner))
            case ["api", "global", "em", "jsonv2"] if request.method == "POST":
                self.limits.check(user, "em_event", request)
                taken = events.insert(self.store, user, _json(request))
                return json_response(200, {"result": {"Default Bulk Endpoint": f"{taken} events were inserted"}})
        raise Refused(400, "Requested URI does not represent any resource")

    def _table(self, user: User, request: Request, table: str, sys_id: str = "") -> Response:
        display = request.query.get("sysparm_input_display_value") == "true"
        _negotiate(request)
        match request.method, bool(sys_id):
            case "GET", False:
                return self._list(user, request, table)
            case "GET", True:
                return self._shown(200, user, request, table, self.records.read(user, table, sys_id))
            case "POST", False:
                row = self.records.create(user, table, _record(request), display=display)
                location = {"Location": f"{self.url}/api/now/table/{table}/{row['sys_id']}"}
                return self._shown(201, user, request, table, row, location)
            case "PATCH" | "PUT", True:
                row = self.records.update(user, table, sys_id, _record(request), display=display)
                return self._shown(200, user, request, table, row)
            case "DELETE", True:
                self.records.delete(user, table, sys_id)
                return Response(204)
        return _no_method()

    def _list(self, user: User, request: Request, table: str) -> Response:
        limit, offset = _number(request, "sysparm_limit", 10_000), _number(request, "sysparm_offset", 0)
        rows, total = self.records.list(user, table, request.query.get("sysparm_query", ""), limit, offset)
        if not rows and request.path.startswith("/api/now/v1/"):
            raise Refused(404, "No Record found", "Records matching query not found")
        headers = {}
        if request.query.get("sysparm_no_count") != "true":
            headers["X-Total-Count"] = str(total)
        if request.query.get("sysparm_suppress_pagination_header") != "true":
            headers["Link"] = self._links(request, limit, offset, total)
        view = view_of(request.query)
        shown = [render(self.store, self.acl, user, table, row, view, self.url) for row in rows]
        return json_response(200, {"result": shown}, headers)

    def _links(self, request: Request, limit: int, offset: int, total: int) -> str:
        last = max(0, (total - 1) // max(1, limit) * limit)
        pages = {"first": 0, "prev": offset - limit, "next": offset + limit, "last": last}
        return ",".join(
            f'<{self.url}{request.path}?{urlencode({**request.query, "sysparm_offset": at})}>;rel="{rel}"'
            for rel, at in pages.items()
            if 0 <= at <= last
        )

    def _shown(
        self,
        status: int,
        user: User,
        request: Request,
        table: str,
        row: Row,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        if request.headers.get("x-no-response-body") == "true" and request.method == "POST":
            return Response(status, headers or {})
        shown = render(self.store, self.acl, user, table, row, view_of(request.query), self.url)
        return json_response(status, {"result": shown}, headers)


@contextmanager
def running(
    *, clock: HandClock | None = None, tls: ssl.SSLContext | None = None, seed: int = 1
) -> Iterator[Instance]:
    """An instance that answers. `seed`: of its sys_ids, and of the order of rows that nobody orders."""
    instance = Instance(clock or HandClock(), seed)
    with serving(instance, instance.faults, clock=instance.clock, tls=tls) as server:
        instance.server = server
        yield instance


def _furnish(instance: Instance) -> None:
    """What an instance has before anybody comes: its dictionary, people, groups, things."""
    store, auth = instance.store, instance.auth
    describe(store, schema.TABLES.values())
    for (login, password), name, roles in (
        (ADMIN, "System Administrator", {"admin"}),
        (INTEGRATION, "Watchkeeper Integration", set(INTEGRATION_ROLES)),
        ((PERSON, "secret"), "Fred Luddy", {"itil", "itil_admin", "admin"}),
        (("abel.tuter", "secret"), "Abel Tuter", set()),
    ):
        row = store.add("sys_user", {"user_name": login, "name": name, "email": f"{login}@example.com"}, "system")
        auth.users[login] = User(login, password, row["sys_id"], roles)
    auth.clients[OAUTH_CLIENT[0]] = OAuthClient(OAUTH_CLIENT[1], INTEGRATION[0])
    auth.api_keys[API_KEY] = INTEGRATION[0]
    for group in ("Service Desk", "Network", "Database", "Database"):
        store.add("sys_user_group", {"name": group}, "system")
    for name in ("web01", "db01"):
        store.add("cmdb_ci", {"name": name}, "system")
    store.add("cmdb_ci_service", {"name": "Web shop"}, "system")


def _negotiate(request: Request) -> None:
    """Who writes must say that it is JSON and that JSON is wanted."""
    accepted = request.headers.get("accept", "")
    writes = request.method in ("POST", "PUT", "PATCH")
    if "application/json" not in accepted and (writes or accepted not in ("", "*/*")):
        status = 400 if accepted in ("", "*/*") else 406
        raise Refused(status, "Unable to provide a response of an accepted type", f"Accept: {accepted}")
    given = request.headers.get("content-type", "").partition(";")[0]
    if writes and given != "application/json":
        raise Refused(415 if given else 400, "Unsupported media type", f"Content-Type: {given}")


def _json(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise Refused(400, "Exception while reading request", "The payload is not valid JSON.") from error


def _record(request: Request) -> Mapping[str, Any]:
    """The one record that is written; of several the first."""
    value = _json(request)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        raise Refused(400, "Exception while reading request", "The payload is not valid JSON.")
    return value


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal():
        raise Refused(400, "Invalid parameter", f"{name}={text}")
    return int(text)


def _no_method() -> Response:
    return Refused(405, "Method not supported", "Method not supported").response()
