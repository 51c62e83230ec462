"""Silences over HTTP: list, add, end."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any, Final

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.domain.expected import Matcher
from watchkeeper.domain.instants import parse_instant_ms
from watchkeeper.domain.matchers import MATCHER_HELP, parse_matcher
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.silence import MAX_MATCHERS, SilenceDraft, TooWide, WrongSilence, as_plain, require_sensible
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.schema.fields import Secret, SecretUnavailable
from watchkeeper.store.database import StoreError
from watchkeeper.store.silences import StoredSilences

MAX_BODY: Final = 64 * 1024
_KEYS: Final = ("matchers", "author", "reason", "for", "until", "from", "all")

_log = structlog.get_logger("web")


class _Refusal(Exception):
    """A request that is not done. `status`: as HTTP has it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def silence_routes(
    silences: StoredSilences,
    token: Callable[[], Secret | None],
    clock: Clock,
    changed: Callable[[], None],
    mistake: Callable[[Sequence[Matcher]], str | None] = lambda _: None,
) -> list[Route]:
    """The routes.

    Args:
        mistake: what is wrong with matchers that ask for what there is not.
        token: what whoever changes something must send. Without one, only this machine may.
        changed: called when there is a silence more or less.
    """

    async def listed(request: Request) -> Response:
        now_ms = clock()
        past = request.query_params.get("past") == "true"
        found = await asyncio.to_thread(lambda: silences.newest(1000) if past else silences.left(now_ms))
        return JSONResponse([as_plain(silence, now_ms) for silence in found])

    async def added(request: Request) -> Response:
        _require_right(request, token())
        asked = await _json(request)
        now_ms = clock()
        draft, everything = _draft(asked, now_ms)
        require_sensible(draft, now_ms, everything=everything)
        if (wrong := mistake(draft.matchers)) is not None:
            raise WrongSilence(wrong)
        made = await asyncio.to_thread(silences.add, draft, now_ms)
        changed()
        _log.info("silence_added", silence=made.number, author=made.author)
        return JSONResponse(as_plain(made, now_ms), status_code=201)

    async def ended(request: Request) -> Response:
        _require_right(request, token())
        number = request.path_params["number"]
        by = request.query_params.get("by", "").strip()
        if not 0 < len(by) <= 100:
            raise _Refusal(400, "say who ends it: ?by=NAME")
        now_ms = clock()
        found = await asyncio.to_thread(silences.end, number, by, now_ms)
        if found is None:
            raise _Refusal(404, f"there is no silence {number[:40]!r}")
        changed()
        _log.info("silence_ended", silence=found.number, by=by)
        return JSONResponse(as_plain(found, now_ms))

    return [
        Route("/api/v1/silences", _answering(listed), methods=["GET"]),
        Route("/api/v1/silences", _answering(added), methods=["POST"]),
        Route("/api/v1/silences/{number}", _answering(ended), methods=["DELETE"]),
    ]


def _answering(act: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """What is wrong, as JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await act(request)
        except _Refusal as refusal:
            status, text = refusal.status, str(refusal)
        except TooWide as wrong:
            status, text = 400, f'{wrong} with "all": true'
        except (WrongSilence, ValueError) as wrong:
            status, text = 400, str(wrong)
        except (StoreError, SecretUnavailable) as error:
            status, text = 503, str(error)
        return JSONResponse({"error": text}, status_code=status)

    return answer


def _require_right(request: Request, token: Secret | None) -> None:
    """Whoever asks may change something.

    Raises:
        _Refusal: not so.
        SecretUnavailable: what they must know can not be read.
    """
    if token is not None:
        scheme, _, said = request.headers.get("authorization", "").partition(" ")
        if not (known := token.reveal()):
            raise SecretUnavailable("web.token is empty")
        if scheme.lower() != "bearer" or not compare_digest(said.strip().encode(), known.encode()):
            raise _Refusal(401, "send the token of web.token: Authorization: Bearer TOKEN")
    elif not _is_here(request):
        raise _Refusal(403, "only this machine may change anything: set web.token, and send it")


def _is_here(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def _json(request: Request) -> dict[str, Any]:
    """The body. It must say that it is JSON: a page elsewhere, in a browser here, can not say that unasked."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refusal(415, "send JSON: Content-Type: application/json")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise _Refusal(413, f"the body is larger than {MAX_BODY // 1024} KiB")
    except ClientDisconnect:
        raise _Refusal(400, "the body broke off") from None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise _Refusal(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise _Refusal(400, "the body must be an object")
    return found


def _draft(asked: dict[str, Any], now_ms: int) -> tuple[SilenceDraft, bool]:
    """What is asked for, and whether it may be everything.

    Raises:
        ValueError: it can not be read.
    """
    if unknown := sorted(asked.keys() - set(_KEYS)):
        raise ValueError(f"unknown key {unknown[0][:40]!r}; accepted: {', '.join(_KEYS)}")
    matchers = asked.get("matchers", [])
    if not isinstance(matchers, list) or not all(isinstance(one, str) for one in matchers):
        raise ValueError(f"matchers must be a list of texts: {MATCHER_HELP}")
    lasts, until = _text(asked, "for"), _text(asked, "until")
    if bool(lasts) == bool(until):
        raise ValueError("say how long: either for, such as 2h, or until, a time")
    everything = asked.get("all", False)
    if not isinstance(everything, bool):
        raise ValueError("all must be true or false")
    begin = _text(asked, "from")
    from_ms = parse_instant_ms(begin) if begin else now_ms
    to_ms = from_ms + parse_duration_ms(lasts) if lasts else parse_instant_ms(until)
    parsed = tuple(map(parse_matcher, matchers[: MAX_MATCHERS + 1]))
    return SilenceDraft(parsed, _text(asked, "author"), _text(asked, "reason"), from_ms, to_ms), everything


def _text(asked: dict[str, Any], key: str) -> str:
    value = asked.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a text")
    return value.strip()
