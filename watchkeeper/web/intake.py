"""The endpoints where others report trouble.

A report is answered with 2xx when what follows from it is where a crash does not reach it. Whoever gets another
answer, or none, sends it again: that changes nothing.
"""

import asyncio
import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from watchkeeper.config.sourcemodels import SourceType
from watchkeeper.config.sources import Source
from watchkeeper.domain.foreign import TooManyAlerts
from watchkeeper.domain.report import Report
from watchkeeper.schema.fields import SecretUnavailable
from watchkeeper.web import alertmanager, events, passive
from watchkeeper.web.payload import Payload, Unreadable

MAX_BODY: Final = 1_000_000  # bytes
MOST_AT_ONCE: Final = 32  # requests
PATIENCE_S: Final = 10.0  # how long a body may take to arrive
AGAIN_S: Final = 5  # after what time it makes sense to try again

Read = Callable[[Source, bytes, str, int], Payload]
"""Makes reports of a body: (source, body, content type, now in ms). Raises Unreadable."""

_READERS: Final[Mapping[SourceType, Read]] = {
    SourceType.ALERTMANAGER: alertmanager.read,
    SourceType.PASSIVE: passive.read,
    SourceType.EVENTS: events.read,
}


class Intake(Protocol):
    """Who takes reports in."""

    def sources(self) -> Mapping[str, Source]:
        """Those that are configured now."""

    def now_ms(self) -> int: ...

    async def take(self, source: Source, reports: Sequence[Report], left_out: int) -> int | None:
        """Takes reports in. Returns how many of them were news, when that would survive a crash; `None` where it is
        not known whether it would.

        Raises:
            TooManyAlerts: of that source no more are taken. Those before are taken.
        """

    def refused(self, source: str, reason: str, detail: str) -> None:
        """Takes note of a request that was refused. `source`: empty where nobody knows whose it was."""


class _Refusal(NamedTuple):
    status: int
    reason: str
    text: str


class _Refused(Exception):
    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.refusal = _Refusal(status, reason, text)


def intake_routes(intake: Intake) -> list[Route]:
    """An endpoint for each type of source."""
    door = _Door(intake)
    return [Route(f"/api/v1/{kind}", door.endpoint(kind), methods=["POST"]) for kind in SourceType]


class _Door:
    """Lets in what may come in, so much at once."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._inside = 0

    def endpoint(self, kind: SourceType) -> Callable[[Request], "asyncio.Future[Response]"]:
        async def answer(request: Request) -> Response:
            if self._inside >= MOST_AT_ONCE:
                return self._refuse("", _Refusal(503, "busy", "too many reports at once: send it again soon"))
            self._inside += 1
            try:
                return await self._answer(kind, request)
            finally:
                self._inside -= 1

        return answer  # type: ignore[return-value]  # what Starlette calls an endpoint

    async def _answer(self, kind: SourceType, request: Request) -> Response:
        name = ""
        try:
            source = await self._sender(kind, request.headers.get("authorization", ""))
            name = source.name
            body = await _body(request)
            content_type, now_ms = request.headers.get("content-type", ""), self._intake.now_ms()
            # In a thread: of a megabyte it takes tens of milliseconds, in which others may work.
            payload = await asyncio.to_thread(_READERS[kind], source, body, content_type, now_ms)
            news = await self._intake.take(source, payload.reports, payload.left_out)
        except _Refused as error:
            return self._refuse(name, error.refusal)
        except Unreadable as error:
            return self._refuse(name, _Refusal(400, "unreadable", str(error)))
        except TooManyAlerts as error:
            return self._refuse(name, _Refusal(503, "full", str(error)))
        if news is None:
            text = "it is not known yet whether this is kept: send it again"
            return self._refuse(name, _Refusal(503, "not_durable", text))
        return JSONResponse({"reports": len(payload.reports), "news": news})

    async def _sender(self, kind: SourceType, authorization: str) -> Source:
        """Whose token it is.

        Raises:
            _Refused: there is none, or it is nobody's. The answer does not say which sources there are.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _Refused(401, "no_token", "send the source's token: Authorization: Bearer TOKEN")
        sources = [source for source in self._intake.sources().values() if source.type is kind]
        # In a thread: tokens are read where they are kept, which may be a file.
        matching, missing = await asyncio.to_thread(_matching, sources, token.strip())
        for source, why in missing:
            self._intake.refused(source.name, "token_unavailable", why)
        if len(matching) == 1:
            return matching[0]
        if matching:
            names = ", ".join(source.name for source in matching)
            self._intake.refused("", "token_shared", f"the same token is that of {names}")
        raise _Refused(403, "wrong_token", "no source of this type has this token")

    def _refuse(self, source: str, refusal: _Refusal) -> Response:
        self._intake.refused(source, refusal.reason, refusal.text)
        headers = {}
        if refusal.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        elif refusal.status == 503:
            headers["Retry-After"] = str(AGAIN_S)
        elif refusal.status in (408, 413):
            headers["Connection"] = "close"  # what is left of the body is not read
        return PlainTextResponse(refusal.text + "\n", refusal.status, headers)


def _matching(sources: Sequence[Source], token: str) -> tuple[list[Source], list[tuple[Source, str]]]:
    """The sources that have a token, and those of which it can not be told. Takes as long whichever it is."""
    presented = _digest(token)
    matching: list[Source] = []
    missing: list[tuple[Source, str]] = []
    for source in sources:
        try:
            expected = source.token.reveal().strip()
        except SecretUnavailable as error:
            missing.append((source, str(error)))
            continue
        if not expected:
            missing.append((source, "its token is empty"))
        elif hmac.compare_digest(presented, _digest(expected)):
            matching.append(source)
    return matching, missing


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


async def _body(request: Request) -> bytes:
    """The whole body.

    Raises:
        _Refused: it is too long, or takes too long.
    """
    too_large = _Refused(413, "too_large", f"at most {MAX_BODY} bytes are accepted: send less at once")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BODY:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise too_large
    except TimeoutError:
        raise _Refused(408, "too_slow", f"the request was not complete after {PATIENCE_S:.0f} s") from None
    except ClientDisconnect:
        raise _Refused(400, "broken_off", "the request was broken off") from None
    return bytes(body)
