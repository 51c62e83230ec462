"""Requests to a web application, without a network."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


async def request(
    app: ASGIApp,
    path: str,
    method: str = "GET",
    *,
    body: bytes = b"",
    headers: Mapping[str, str] = {},  # never changed
    client: str = "127.0.0.1",
) -> Answer:
    """One request, and what the application answers. `path` may have a query."""
    sent: list[MutableMapping[str, Any]] = []
    asked = [{"type": "http.request", "body": body, "more_body": False}]
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": (client, 1),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> MutableMapping[str, Any]:
        return asked.pop() if asked else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    begin, *pieces = sent
    headers = {name.decode(): value.decode() for name, value in begin["headers"]}
    return Answer(begin["status"], headers, b"".join(piece.get("body", b"") for piece in pieces).decode())
