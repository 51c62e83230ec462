"""The HTTP endpoints."""

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from watchkeeper.web.daemon import Daemon

# https://prometheus.io/docs/instrumenting/exposition_formats/
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_FRONT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>watchkeeper</title></head><body>
<h1>watchkeeper</h1>
<ul>
<li><a href="/metrics">/metrics</a>: for Prometheus</li>
<li><a href="/api/v1/status">/api/v1/status</a>: how watchkeeper itself is, as JSON</li>
<li><a href="/-/healthy">/-/healthy</a>: whether the process answers</li>
<li><a href="/-/ready">/-/ready</a>: whether probes run and the database answers</li>
</ul>
<p>Incidents, tickets and silences: <code>watchkeeper incidents</code>, <code>watchkeeper tickets</code>,
<code>watchkeeper silence</code>.</p>
</body></html>
"""


def make_app(daemon: Daemon, more: Iterable[BaseRoute] = ()) -> Starlette:
    """The web application of a daemon.

    Args:
        more: routes beside those that are here.
    """

    async def front(_: Request) -> Response:
        return HTMLResponse(_FRONT)

    async def metrics(_: Request) -> Response:
        return StreamingResponse(daemon.metrics(), media_type=_METRICS_TYPE)

    async def status(_: Request) -> Response:
        return JSONResponse(daemon.status())

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("watchkeeper is healthy\n")

    async def ready(_: Request) -> Response:
        if missing := daemon.unready():
            return PlainTextResponse("".join(f"not ready: {reason}\n" for reason in missing), status_code=503)
        return PlainTextResponse("watchkeeper is ready\n")

    async def reload(_: Request) -> Response:
        outcome = await daemon.reload()
        if outcome.fault:
            return PlainTextResponse(outcome.text + "\n", status_code=500)
        if outcome.problems:
            lines = [*outcome.problems, outcome.text]
            return PlainTextResponse("".join(f"{line}\n" for line in lines), status_code=400)
        return PlainTextResponse(outcome.text + "\n")

    return Starlette(
        routes=[
            Route("/", front),
            Route("/metrics", metrics),
            Route("/api/v1/status", status),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
            Route("/-/reload", reload, methods=["POST"]),
            *more,
        ]
    )
