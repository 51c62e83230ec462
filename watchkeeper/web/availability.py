"""Availability over HTTP: the same figures as the commands have.

History is read and measured in one thread at a time: whoever asks meanwhile waits. How all services do is kept for a
little while, so that many who look cost no more than one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.domain.period import ASKED, asked_span
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.servicelevel import report_as_plain, standings_as_plain
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.servicelevel import measure_all, measure_service

KEPT_MS: Final = 30_000


@dataclass
class _Kept:
    """What was told last of all services."""

    plan: Plan | None = None
    at_ms: int = 0
    services: list[dict[str, Any]] = field(default_factory=list)


def availability_routes(database: Database, plan: Callable[[], Plan], clock: Clock) -> list[Route]:
    """The routes."""
    turn = asyncio.Lock()
    kept = _Kept()

    def measured(now_ms: int) -> None:
        asked = plan()
        found = standings_as_plain(list(measure_all(database, asked, list(asked.services.values()), now_ms)))
        kept.plan, kept.at_ms, kept.services = asked, now_ms, found

    async def services(_request: Request) -> Response:
        async with turn:
            now_ms = clock()
            if kept.plan is not plan() or not 0 <= now_ms - kept.at_ms < KEPT_MS:
                await asyncio.to_thread(measured, now_ms)
            return JSONResponse(kept.services)

    async def availability(request: Request) -> Response:
        now = plan()
        name = request.path_params["service"]
        service = now.services.get(name)
        if service is None:
            return _error(404, f"there is no service {name[:40]!r}")
        if unknown := sorted(request.query_params.keys() - set(ASKED)):
            raise ValueError(f"unknown parameter {unknown[0][:40]!r}; accepted: {', '.join(ASKED)}")
        now_ms = clock()
        span, until_ms = asked_span(dict(request.query_params), now_ms, service.hours.zone)
        async with turn:
            report = await asyncio.to_thread(measure_service, database, now, service, span, until_ms, now_ms)
        return JSONResponse(report_as_plain(report))

    return [
        Route("/api/v1/services", _answering(services), methods=["GET"]),
        Route("/api/v1/availability/{service:path}", _answering(availability), methods=["GET"]),
    ]


def _answering(act: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """What is wrong, as JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await act(request)
        except ValueError as wrong:
            return _error(400, str(wrong))
        except StoreError as error:
            return _error(503, str(error))

    return answer


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)
