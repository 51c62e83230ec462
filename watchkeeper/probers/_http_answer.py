"""What is wrong with a web server's answer. Decides, and asks nobody."""

import json
from typing import Final

from pydantic import JsonValue

from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._http_options import Expect
from watchkeeper.probers.base import Failure

Wrong = tuple[Failure, str]
_SHORT: Final = 80  # characters of what a server sent, in a message


def wrong_answer(expect: Expect, status: int, total_s: float, body: bytes, content_type: str) -> Wrong | None:
    """What is not as expected of a whole answer."""
    if (wrong := wrong_status(expect, status)) is not None:
        return wrong
    if expect.needs_body and (wrong := _wrong_body(expect, body, content_type)) is not None:
        return wrong
    if expect.within is not None and total_s * 1000 > expect.within:
        return Failure.SLOW, f"took {total_s:.3f} s, expected within {format_duration_ms(expect.within)}"
    return None


def wrong_status(expect: Expect, status: int) -> Wrong | None:
    """What is not as expected of a status code."""
    if status in expect.status if expect.status else 200 <= status <= 299:
        return None
    return Failure.STATUS, f"answered {status}, expected {', '.join(map(str, expect.status)) or '200 to 299'}"


def _wrong_body(expect: Expect, body: bytes, content_type: str) -> Wrong | None:
    if expect.body is not None and expect.body.contains not in _text(body, content_type):
        return Failure.BODY, f"the body does not contain {_short(expect.body.contains)}"
    if expect.json_ is None:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return Failure.BODY, "the body is not JSON"
    difference = _difference(expect.json_, found, "the body")
    return None if difference is None else (Failure.BODY, difference)


def _text(body: bytes, content_type: str) -> str:
    """The text of a body in the character set that it names, or UTF-8."""
    _, _, charset = content_type.lower().partition("charset=")
    try:
        return body.decode(charset.partition(";")[0].strip(" \"'") or "utf-8", "replace")
    except (LookupError, ValueError):  # no such character set, or one that is no character set
        return body.decode("utf-8", "replace")


def _difference(expected: JsonValue, found: JsonValue, place: str) -> str | None:
    """Where a value first differs from what is expected. Mappings may hold more than expected."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            name = key if place == "the body" else f"{place}.{key}"
            if key not in found:
                return f"the body has no {name}"
            if (difference := _difference(value, found[key], name)) is not None:
                return difference
        return None
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        differences = (_difference(value, item, f"{place}[{index}]") for index, (value, item) in pairs)
        return next((difference for difference in differences if difference is not None), None)
    # In Python, but not in JSON, true is 1.
    if expected == found and isinstance(expected, bool) == isinstance(found, bool):
        return None
    return f"{place} is {_short(found)}, expected {_short(expected)}"


def _short(value: JsonValue) -> str:
    """A value as JSON, as far as it fits and is text that can be stored."""
    try:
        text = json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()
    except RecursionError:
        text = "something deep"
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
