"""What only Jira and the machines in front of it answer, for a plan of `faults`."""

import json
from typing import Any

from tests.simulators.faults import HTML, JSON, says
from tests.simulators.http import Response

SUSPENDED = b"<html><head><title>Your site is currently unavailable</title></head><body>Atlassian</body></html>"
STARTING = b"<html><head><title>JIRA Startup</title></head><body>JIRA is starting up</body></html>"


def _json(status: int, value: Any, **headers: str) -> Response:
    return Response(status, {**JSON, **headers}, json.dumps(value).encode())


_BURST = {
    "RateLimit-Reason": "jira-burst-based",
    "X-RateLimit-Limit": "100",
    "X-RateLimit-Remaining": "0",
    "X-RateLimit-Reset": "2026-11-24T11:39Z",
    "Content-Type": "text/plain",
}

SAYS_GATEWAY_401 = says("says the gateway's 401", _json(401, {"code": 401, "message": "Unauthorized"}), commits=False)
SAYS_409 = says(
    "says that another transition is under way",
    _json(409, {"errorMessages": ["The issue is being transitioned by another request."], "errors": {}}),
    commits=False,
)
THROTTLES_BURST = says(
    "says 429 of the burst limiter",
    Response(429, {**_BURST, "Retry-After": "5"}, b"Rate limit exceeded"),
    commits=False,
)
THROTTLES_SILENTLY = says("says 429 without a time", Response(429, _BURST, b"Rate limit exceeded"), commits=False)
IS_SUSPENDED = says("says that the site is suspended", Response(404, HTML, SUSPENDED), commits=False)
IS_STARTING = says("says that it starts", Response(503, {**HTML, "Retry-After": "30"}, STARTING), commits=False)
IS_IN_MAINTENANCE = says(
    "says that it is read-only",
    _json(503, {"errorMessages": ["Jira is in read-only mode for maintenance."], "errors": {}}),
    commits=False,
)
COMMITS_AND_SAYS_NOTHING = says("commits and says 200 without a body", Response(200, JSON), commits=True)
COMMITS_AND_SAYS_GATEWAY_504 = says(
    "commits and says the gateway's 504", _json(504, {"code": 504, "message": "Gateway Timeout"}), commits=True
)
