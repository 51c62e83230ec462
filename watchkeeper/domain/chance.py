"""How likely things are that have nothing to do with each other."""

from collections.abc import Iterable
from math import comb
from typing import NamedTuple


class Span(NamedTuple):
    """From when to when it was watched, ms since the epoch."""

    from_ms: int
    to_ms: int


def binomial_tail(count: int, of: int, share: float) -> float:
    """How likely at least so many of so many are, each with a probability of its own: exactly, but for rounding."""
    if count <= 0:
        return 1.0
    return min(1.0, sum(comb(of, hit) * share**hit * (1 - share) ** (of - hit) for hit in range(count, of + 1)))


def arc_chance(of: int, arc: float) -> float:
    """How likely so many points on a circle, placed without a plan, lie on an arc of this share (0 to 1/2) or less of
    it: n a^(n-1), exactly (L. Stevens, 1939)."""
    return float(min(1.0, of * arc ** (of - 1)))


def covered(windows: Iterable[tuple[int, int]], span: Span) -> float:
    """Which share of a span lies within any of the windows."""
    total, until = 0, span.from_ms
    for at_ms, over in sorted(windows):
        begins, ends = max(at_ms, until), min(over, span.to_ms)
        if ends > begins:
            total += ends - begins
            until = ends
    return total / max(1, span.to_ms - span.from_ms)
