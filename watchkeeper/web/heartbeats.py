"""The endpoints where jobs tell of themselves, and where heartbeat probes ask what they told.

A job is answered with 2xx when what it told is in the database. Whoever gets another answer, or none, tells it again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Final, Protocol

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from watchkeeper.domain.heartbeat import Beat, Told
from watchkeeper.domain.rule import Clock
from watchkeeper.schema.fields import Secret, SecretUnavailable
from watchkeeper.store.database import StoreError

HEADER: Final = "x-heartbeat-secret"
LEAST_SECRET: Final = 16
"""Characters of a secret. One that is shorter could be guessed, and counts as none."""
MOST_OUTPUT: Final = 10_000
"""Bytes of a job's output that are kept: the last."""
MOST_BODY: Final = 1_000_000
MOST_AT_ONCE: Final = 32
PATIENCE_S: Final = 10.0

_log = structlog.get_logger("web")


class Board(Protocol):
    """Where is kept what jobs told. Raises StoreError when it can not be read or written."""

    def read(self, key: str, now_ms: int) -> Told: ...
    def note(self, key: str, beat: Beat, now_ms: int, exit_code: int | None, output: str) -> Told: ...


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def heartbeat_routes(board: Board, secrets: Callable[[], Sequence[Secret]], clock: Clock) -> list[Route]:
    """The routes.

    Args:
        secrets: those of all heartbeat probes that are configured now.
    """
    inside = 0

    async def told(request: Request) -> Response:
        beat, code = _beat(request), _exit_code(request)
        if beat is Beat.SUCCESS and code:
            raise _Refused(400, "a success has exit code 0: tell a failure by /fail")
        key = await _known(request.path_params["secret"], secrets())
        output = await _output(request)
        await asyncio.to_thread(board.note, key, beat, clock(), code, output)
        return PlainTextResponse("kept\n")

    async def asked(request: Request) -> Response:
        key = await _known(request.headers.get(HEADER, ""), secrets())
        found = await asyncio.to_thread(board.read, key, clock())
        return JSONResponse(asdict(found))

    def answering(act: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            nonlocal inside
            if inside >= MOST_AT_ONCE:
                return _refusal(503, "too many at once: tell it again soon")
            inside += 1
            try:
                return await act(request)
            except _Refused as refused:
                return _refusal(refused.status, str(refused))
            except StoreError as error:
                _log.warning("heartbeat_not_kept", error=str(error))
                return _refusal(503, "it could not be kept: tell it again soon")
            finally:
                inside -= 1

        return answer

    return [
        Route("/api/v1/heartbeat", answering(asked), methods=["GET"]),
        Route("/api/v1/heartbeat/{secret}/{beat}", answering(told), methods=["GET", "POST"]),
    ]


def key_of(secret: str) -> str:
    """Under which key is kept what is told with a secret. The secret itself is kept nowhere."""
    return sha256(f"watchkeeper heartbeat {secret}".encode("utf-8", "surrogateescape")).hexdigest()


async def _known(secret: str, secrets: Sequence[Secret]) -> str:
    """The key of a secret that some probe has.

    Raises:
        _Refused: none has it.
    """
    # In a thread: secrets are read where they are kept, which may be a file.
    if key_of(secret) in await asyncio.to_thread(_keys, secrets):
        return key_of(secret)
    raise _Refused(404, "no heartbeat probe has this secret")


def _keys(secrets: Sequence[Secret]) -> set[str]:
    found = set()
    for secret in secrets:
        try:
            revealed = secret.reveal().strip()
        except SecretUnavailable as error:
            _log.warning("heartbeat_secret_unavailable", error=str(error))
            continue
        if len(revealed) >= LEAST_SECRET:
            found.add(key_of(revealed))
        else:
            _log.warning("heartbeat_secret_unavailable", error=f"{secret.name} has under {LEAST_SECRET} characters")
    return found


def _beat(request: Request) -> Beat:
    try:
        return Beat(request.path_params["beat"])
    except ValueError:
        raise _Refused(404, f"accepted are {', '.join(Beat)}") from None


def _exit_code(request: Request) -> int | None:
    text = request.query_params.get("exit_code")
    if text is None:
        return None
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 6):
        raise _Refused(400, "exit_code is a whole number, such as ?exit_code=1")
    return int(text)


async def _output(request: Request) -> str:
    """The end of the body.

    Raises:
        _Refused: it is too long, or takes too long.
    """
    kept, size = bytearray(), 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MOST_BODY:
                    raise _Refused(413, f"at most {MOST_BODY} bytes are accepted: send the end of the output only")
                kept += chunk
                del kept[:-MOST_OUTPUT]
    except TimeoutError:
        raise _Refused(408, f"the request was not complete after {PATIENCE_S:.0f} s") from None
    except ClientDisconnect:
        raise _Refused(400, "the request was broken off") from None
    return kept.decode("utf-8", "replace").replace("\0", " ").strip()


def _refusal(status: int, text: str) -> Response:
    headers = {"Retry-After": "5"} if status == 503 else {"Connection": "close"} if status in (408, 413) else {}
    return PlainTextResponse(text + "\n", status, headers)
