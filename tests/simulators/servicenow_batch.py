"""POST /api/now/v1/batch: several requests in one, each answered for itself."""

import base64
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.simulators.http import Request, Response, json_response
from tests.simulators.servicenow_refusal import Refused


def run(body: Any, outer: Request, answer: Callable[[Request], Response]) -> Response:
    """Runs what a batch holds. `answer` does one of its requests."""
    asked = body.get("rest_requests") if isinstance(body, dict) else None
    if not isinstance(asked, list):
        raise Refused(400, "Bad request", "rest_requests is missing")
    serviced = [_serviced(each, _answered(answer, _inner(each, outer))) for each in asked]
    answered = {"batch_request_id": str(body.get("batch_request_id")), "serviced_requests": serviced}
    return json_response(200, {**answered, "unserviced_requests": []})


def _answered(answer: Callable[[Request], Response], request: Request) -> Response:
    try:
        return answer(request)
    except Refused as refused:
        return refused.response()


def _inner(asked: dict[str, Any], outer: Request) -> Request:
    headers = {each["name"].lower(): each["value"] for each in asked.get("headers", [])}
    parts = urlsplit(asked["url"])
    return Request(
        asked["method"],
        unquote(parts.path),
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        {"accept": outer.headers.get("accept", ""), **headers},
        base64.b64decode(asked.get("body", "")),
        outer.parallel,
    )


def _serviced(asked: dict[str, Any], response: Response) -> dict[str, Any]:
    return {
        "id": asked["id"],
        "status_code": response.status,
        "status_text": HTTPStatus(response.status).phrase,
        "headers": [{"name": name, "value": value} for name, value in response.headers.items()],
        "body": base64.b64encode(response.body).decode(),
        "execution_time": 1,
    }
