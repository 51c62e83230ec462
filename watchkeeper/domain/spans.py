"""Stretches of time."""

from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """From an instant until before another, in ms since the epoch."""

    from_ms: int
    to_ms: int


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time, in spans that neither overlap nor touch, by their beginning."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.from_ms <= found[-1].to_ms:
            found[-1] = Span(found[-1].from_ms, max(found[-1].to_ms, span.to_ms))
        else:
            found.append(span)
    return found
