"""One request to the API: who asks, what of, and how it is answered. And the tables of endpoints."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.simulators.http import Request, Response, json_response
from tests.simulators.jira_fields import Reader
from tests.simulators.jira_model import Issue, Refusal, User
from tests.simulators.jira_shown import Shower
from tests.simulators.jira_writes import INVALID, Writes

if TYPE_CHECKING:
    from tests.simulators.jira import Jira

NOT_LOGGED_IN = "Client must be authenticated to access this resource."


@dataclass(frozen=True)
class Call:
    """`version` of the platform's API: "2" or "3". `base`: its URL, as the client has called it."""

    jira: "Jira"
    request: Request
    user: User | None
    version: str
    base: str
    gateway: bool = False

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def somebody(self) -> User:
        """Who asks. Raises Refusal (401) when nobody has logged in."""
        if self.user is None:
            raise Refusal(401, NOT_LOGGED_IN)
        return self.user

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.jira.site, self.version, names_priorities=not self.gateway)

    @cached_property
    def shower(self) -> Shower:
        return Shower(self.jira.site, self.version, self.base)

    @cached_property
    def writes(self) -> Writes:
        return Writes(self.jira.tracker, self.somebody, self.reader)

    def issue(self, id_or_key: str) -> Issue:
        """Raises Refusal when there is none that the user sees."""
        if self.user is None and not self.jira.site.is_cloud:
            raise Refusal(401, "You do not have the permission to see the specified issue.", "Login Required")
        return self.jira.tracker.find(self.user, id_or_key)

    def body(self) -> dict[str, Any]:
        """The request's object. Raises Refusal when it has none."""
        if not self.request.headers.get("content-type", "").startswith("application/json"):
            raise Refusal(415, "Unsupported Media Type")
        try:
            given = self.request.json()
        except ValueError:
            raise Refusal(400, "There was an error parsing JSON. Check that your request body is valid.") from None
        if not isinstance(given, dict):
            raise Refusal(400, INVALID)
        return given

    def number(self, name: str, default: int) -> int:
        """A number of the query."""
        try:
            return int(self.query.get(name, default))
        except ValueError:
            raise Refusal(400, f"The value of '{name}' must be a number.") from None

    def names(self, name: str) -> list[str]:
        """A list of the query."""
        return [each.strip() for each in self.query.get(name, "").split(",") if each.strip()]


Handler = Callable[..., Response]


@dataclass
class Routes:
    """Endpoints by method and path. `{name}` in a path is handed over by that name."""

    prefix: str = ""
    table: list[tuple[str, re.Pattern[str], Handler]] = field(default_factory=list)

    def __call__(self, method: str, *paths: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            for path in paths:
                pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.prefix + path)
                self.table.append((method, re.compile(pattern), handler))
            return handler

        return register

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]] | None:
        """Raises Refusal (405) when there is the path, but not the method."""
        others = False
        for allowed, pattern, handler in self.table:
            if found := pattern.fullmatch(path):
                if allowed == method:
                    return handler, found.groupdict()
                others = True
        if others:
            raise Refusal(405, "Method Not Allowed")
        return None


def refused(refusal: Refusal) -> Response:
    """As Jira words it; who has not logged in gets another shape."""
    if refusal.messages == (NOT_LOGGED_IN,):
        return json_response(401, {"message": NOT_LOGGED_IN, "status-code": 401})
    return json_response(refusal.status, {"errorMessages": list(refusal.messages), "errors": refusal.errors})


def page(call: Call, items: list[Any], name: str, *, most: int = 50, last: bool = False) -> dict[str, Any]:
    """A page of a list, as startAt and maxResults of the query ask for it. `last`: whether it tells isLast."""
    start, size = max(0, call.number("startAt", 0)), min(max(0, call.number("maxResults", most)), 200)
    shown: dict[str, Any] = {"startAt": start, "maxResults": size, "total": len(items)}
    chosen = items[start : start + size]
    return {**shown, **({"isLast": start + len(chosen) >= len(items)} if last else {}), name: chosen}
