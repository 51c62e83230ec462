"""The past of services as texts: each character is a minute.

Of a probe `U` up, `D` down, `?` unknown, `.` not watched. Of a service also `P` planned, `X` excluded, `-` outside of
its hours. Elsewhere anything but a dot means that something is so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from watchkeeper.domain.availability import (
    Correction,
    CorrectionKind,
    History,
    InForce,
    Measured,
    measure,
)
from watchkeeper.domain.calendar import Calendar, always
from watchkeeper.domain.condition import AnyDown, AvailabilityPolicy, Condition, UnknownCounts
from watchkeeper.domain.expected import Because
from watchkeeper.domain.probe import Status
from watchkeeper.domain.spans import Span
from watchkeeper.domain.timeline import Interval, State

MINUTE: Final = 60_000
MONDAY: Final = 1_795_392_000_000  # 2026-11-23T00:00Z
ALWAYS: Final = always()

_STATUSES: Final = {"U": Status.UP, "D": Status.DOWN, "?": Status.UNKNOWN}
_LETTERS: Final = {
    State.UP: "U",
    State.DOWN: "D",
    State.UNKNOWN: "?",
    State.NO_DATA: ".",
    State.PLANNED: "P",
    State.EXCLUDED: "X",
    State.OUTSIDE: "-",
}


@dataclass(frozen=True)
class Past:
    """`planned`: of the service as a whole. `masked`: of some of its probes, by their names."""

    probes: Mapping[str, str]
    condition: Condition = field(default_factory=AnyDown)
    unknown: UnknownCounts = UnknownCounts.EXCLUDED
    planned: str = ""
    masked: Mapping[str, str] = field(default_factory=dict)
    exclude: str = ""
    add: str = ""
    undone: str = ""
    calendar: Calendar = ALWAYS
    begin_ms: int = MONDAY

    @property
    def span(self) -> Span:
        return Span(self.begin_ms, self.begin_ms + max(map(len, self.probes.values())) * MINUTE)

    def history(self) -> History:
        intervals = [
            Interval(name, *span, _STATUSES[letter], f"{name} is {_STATUSES[letter].value}")
            for name, text in self.probes.items()
            for letter, span in runs(text, self.begin_ms)
            if letter in _STATUSES
        ]
        planned = [
            InForce(*span, Because.MAINTENANCE, f"M{number}", "work", probes)
            for text, probes in [
                (self.planned, None),
                *((text, frozenset({one})) for one, text in self.masked.items()),
            ]
            for number, (_, span) in enumerate(runs(text, self.begin_ms))
        ]
        kinds = ((CorrectionKind.EXCLUDE, self.exclude, None), (CorrectionKind.ADD, self.add, None))
        undone = ((CorrectionKind.EXCLUDE, self.undone, 1), (CorrectionKind.ADD, self.undone, 1))
        corrections = [
            Correction(number, "shop", kind, *span, "alice", "why", 0, undone_ms)
            for kind, text, undone_ms in (*kinds, *undone)
            for number, (_, span) in enumerate(runs(text, self.begin_ms), 1)
        ]
        return History(intervals, planned, corrections)

    def measured(self) -> Measured:
        policy = AvailabilityPolicy(self.condition, unknown=self.unknown)
        return measure(self.span, self.history(), policy, self.calendar)


def runs(text: str, begin_ms: int) -> Iterator[tuple[str, Span]]:
    """The stretches of the same letter, without dots."""
    at = 0
    for letter, same in groupby(text):
        count = len(list(same))
        if letter != ".":
            yield letter, Span(begin_ms + at * MINUTE, begin_ms + (at + count) * MINUTE)
        at += count


def written(measured: Measured) -> str:
    """What was measured, as a text; only of what is whole minutes."""
    pieces: Sequence[tuple[State, int]] = [(one.state, one.to_ms - one.from_ms) for one in measured.stretches]
    assert all(ms % MINUTE == 0 for _, ms in pieces), pieces
    return "".join(_LETTERS[state] * (ms // MINUTE) for state, ms in pieces)
