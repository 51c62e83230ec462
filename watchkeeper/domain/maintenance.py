"""Planned maintenance: when its windows are.

A window lasts as long as it says by a watch, not by the clock on the wall: two hours from 02:00 on the night when
clocks are put forward end at 05:00, for the work takes no less time then.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from watchkeeper.domain.expected import Because, Selection, Window
from watchkeeper.domain.spans import Span, merged
from watchkeeper.domain.units import parse_duration_ms

__all__ = [
    "MAX_A_DAY",
    "MAX_WINDOW_MS",
    "Due",
    "Maintenance",
    "Once",
    "Recurring",
    "Span",
    "is_endless",
    "merged",
    "mistake",
]

MAX_WINDOW_MS: Final = parse_duration_ms("31d")
MAX_A_DAY: Final = 100  # windows of one maintenance
_LOOKED_AT: Final = 500  # due times, when it is asked whether they overlap

Due = Callable[[int], int | None]
"""The first due time after an instant, in ms; `None` when there is none ever."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """Windows that begin when a cron expression is due. `text`: what people wrote."""

    next_after: Due
    duration_ms: int
    text: str

    def spans(self, from_ms: int, to_ms: int) -> Iterator[Span]:
        """All that touch the time from one instant until before another, by their beginning."""
        due = self.next_after(from_ms - self.duration_ms)
        while due is not None and due < to_ms:
            yield Span(due, due + self.duration_ms)
            due = self.next_after(due)


@dataclass(frozen=True, slots=True)
class Once:
    """One window."""

    span: Span

    def spans(self, from_ms: int, to_ms: int) -> Iterator[Span]:
        """The window, if it touches the time from one instant until before another."""
        if self.span.from_ms < to_ms and from_ms < self.span.to_ms:
            yield self.span


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Planned work on what a selection means."""

    id: str
    title: str
    selection: Selection
    times: Recurring | Once

    def windows(self, from_ms: int, to_ms: int) -> list[Window]:
        """Its windows that touch the time from one instant until before another; those that overlap or touch each
        other, as on days when the clock is moved, are one."""
        return [
            Window(Because.MAINTENANCE, self.id, self.title, span.from_ms, span.to_ms, self.selection)
            for span in merged(self.times.spans(from_ms, to_ms))
        ]


def is_endless(spans: Iterable[Span]) -> bool:
    """Whether some of them together cover more time without a gap than any window may."""
    return any(span.to_ms - span.from_ms > MAX_WINDOW_MS for span in merged(spans))


def mistake(due: Due, duration_ms: int, from_ms: int) -> str:
    """What is wrong with windows of a duration at these due times, seen from an instant on; empty: nothing.

    Args:
        due: in UTC. What overlaps only where clocks are moved is no mistake.
    """
    first = begins = due(from_ms)
    if first is None or begins is None:
        return "is never due"
    is_touching = True
    for _ in range(_LOOKED_AT):
        following = due(begins)
        if following is None:
            return ""
        if following < begins + duration_ms:
            return "is due again before the window is over: make duration shorter"
        is_touching = is_touching and following == begins + duration_ms
        begins = following
        if is_touching and begins - first > MAX_WINDOW_MS:
            break
    if is_touching:
        return "is due again just when the window is over: it would never end. Make duration shorter"
    if (begins - first) * MAX_A_DAY < _LOOKED_AT * parse_duration_ms("1d"):
        return f"is due too often for windows: accepted are up to {MAX_A_DAY} a day"
    return ""
