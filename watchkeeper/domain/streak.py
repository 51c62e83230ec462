"""What a window remembers that is no series of numbers: when something changed last, and for how many runs a status
has lasted."""

from bisect import bisect_left
from collections.abc import Sequence
from copy import copy
from math import isfinite
from typing import Final

from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rollup import HOUR_MS
from watchkeeper.domain.statistics import Points, Unanswerable
from watchkeeper.domain.units import format_duration_ms

MOST: Final = 1000
"""Runs in a row that are counted; of more, it is known that there are so many."""
LOOK_BACK_MS: Final = 60 * 24 * HOUR_MS
"""How far back runs in a row are looked for after a start, as far as one is not broken."""
SPAN_MS: Final = 24 * HOUR_MS
"""What runs in a row ask for as if it were a window: as much is enough to begin with."""
STATUS: Final = "status"

_CLOSE: Final = 2.0**-22  # stored numbers have 24 bits: what differs by less may be the same
_COARSE: Final = 1 / 120  # of what a series varied in an hour: stored minutes are off by up to 1/126 of it
_CHANGED, _CONSECUTIVE = "changed ", "consecutive "


def change_of(name: str) -> str:
    """Under which name a window remembers the last change of a value, a fact or `status`, beside its series."""
    return _CHANGED + name


def streak_of(status: Status) -> str:
    """Under which name a window counts the runs in a row of a status, beside its series."""
    return _CONSECUTIVE + status.value


def changing(name: str) -> str | None:
    """What `change_of` was called with; None for other names."""
    return name.removeprefix(_CHANGED) if name.startswith(_CHANGED) else None


def lasting(name: str) -> Status | None:
    """What `streak_of` was called with; None for other names."""
    return Status(name.removeprefix(_CONSECUTIVE)) if name.startswith(_CONSECUTIVE) else None


class Streak:
    """How many runs in a row, up to the last, had a status. Unknown ones neither count nor break."""

    __slots__ = ("_broken", "_first_ms", "count", "span_ms", "status")

    def __init__(self, status: Status, span_ms: int = SPAN_MS) -> None:
        self.status = status
        self.span_ms = span_ms
        self.count = 0
        self._broken = False  # whether another status was seen
        self._first_ms: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return self._first_ms is not None

    def append(self, sample: Sample) -> None:
        if sample.status is Status.UNKNOWN:
            return
        if self._first_ms is None:
            self._first_ms = sample.at_ms
        if sample.status is self.status:
            self.count = min(self.count + 1, MOST)
        else:
            self.count, self._broken = 0, True

    def fill(self, history: Points) -> None:
        """Takes in what was before the first sample: 1 for each run that was up, 0 for each that was down."""
        wanted = 1.0 if self.status is Status.UP else 0.0
        end = len(history.times) if self._first_ms is None else bisect_left(history.times, self._first_ms)
        for value in reversed(history.values[:end]):
            if self._broken:
                break
            if value == wanted:
                self.count = min(self.count + 1, MOST)
            else:
                self._broken = True
        if end:
            self._first_ms = history.times[0]

    def copy(self, span_ms: int) -> "Streak":
        other = copy(self)
        other.span_ms = span_ms
        return other


class LastChange:
    """When a value, a fact or the status was last another than in the sample after it.

    A value that differs by less than one part in 2^22 is the same, a fact is so when it is equal.
    """

    __slots__ = ("_at_ms", "_first_ms", "_first_value", "_slack", "_value", "_was_ms", "name", "span_ms")

    def __init__(self, name: str, span_ms: int) -> None:
        self.name = name
        self.span_ms = span_ms
        self._first_ms: int | None = None
        self._first_value: object = None
        self._at_ms = 0
        self._value: object = None
        self._slack = 0.0  # by how much the value may be off
        self._was_ms: int | None = None  # the time of the sample before the last change

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return self._first_ms is not None

    def within(self, after_ms: int, until_ms: int) -> bool:
        """Whether it changed between two samples of (after, until]; the last sample is not after `until`.

        Raises:
            Unanswerable: there is no sample that has it.
        """
        if self._first_ms is None or self._at_ms <= after_ms:
            span = format_duration_ms(until_ms - after_ms)
            raise Unanswerable(f"0 samples of {self.name!r} in the last {span}, 1 needed")
        return self._was_ms is not None and self._was_ms > after_ms

    def append(self, sample: Sample) -> None:
        value = self._of(sample)
        if value is None or (isinstance(value, float) and not isfinite(value)):
            return
        if self._first_ms is None:
            self._first_ms, self._first_value = sample.at_ms, value
        else:
            before_ms = min(self._at_ms, sample.at_ms - 1)  # the clock may have been set back
            if self._was_ms is not None:
                self._was_ms = min(self._was_ms, before_ms)
            if _differ(self._value, value, self._slack):
                self._was_ms = before_ms
        self._at_ms, self._value, self._slack = sample.at_ms, value, 0.0

    def fill(self, history: Points) -> None:
        """Takes in the values before the first sample. Of facts there are none."""
        times, values = history
        end = len(times) if self._first_ms is None else bisect_left(times, self._first_ms)
        if end == 0:
            return
        later, slack_later = self._first_value, 0.0
        if self._first_ms is None:
            later, slack_later = values[end - 1], _slack(values[_hour_begin(times, end) : end])
            self._at_ms, self._value, self._slack = times[end - 1], later, slack_later
        self._first_ms, self._first_value = times[0], values[0]
        while end > 0 and self._was_ms is None:
            begin = _hour_begin(times, end)
            hour = values[begin:end]
            slack = _slack(hour)
            if _differ(hour[-1], later, slack + slack_later):
                self._was_ms = times[end - 1]
            elif _differ(min(hour), max(hour), 2 * slack):
                changes = (at for at in range(len(hour) - 1, 0, -1) if _differ(hour[at - 1], hour[at], 2 * slack))
                self._was_ms = next((times[begin + at - 1] for at in changes), None)
            later, slack_later, end = hour[0], slack, begin

    def copy(self, span_ms: int) -> "LastChange":
        other = copy(self)
        other.span_ms = span_ms
        return other

    def _of(self, sample: Sample) -> object:
        """What the sample says of it: of a value or the status a float."""
        if sample.status is Status.UNKNOWN:
            return None
        if self.name == STATUS:
            return 1.0 if sample.status is Status.UP else 0.0
        if (value := sample.values.get(self.name)) is not None:
            return float(value)
        fact = sample.facts.get(self.name)
        return None if fact is None else (fact,)  # not to be taken for a value, which may be off a little


def _differ(one: object, other: object, slack: float) -> bool:
    """Whether these are two, though stored values may be off by `slack` together."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) > slack + _CLOSE * max(abs(one), abs(other))
    return one != other


def _slack(hour: Sequence[float]) -> float:
    """By how much stored values of an hour may be off, beside the rounding of each."""
    return (max(hour) - min(hour)) * _COARSE


def _hour_begin(times: Sequence[int], end: int) -> int:
    """The index of the first time in the hour of the last time before `end`."""
    return bisect_left(times, times[end - 1] // HOUR_MS * HOUR_MS, 0, end)
