"""Availability counted second by second: an independent answer to hold the exact one to.

Each second is a byte. What a probe is, is written into its bytes; the bytes of all probes are added up as one large
number, so that a byte says how many are up, unknown and down, and a table says what that makes of the service.
Service hours are asked of the wall clock, minute by minute. Nothing of `watchkeeper.domain` is used but its words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from watchkeeper.domain.availability import Correction, CorrectionKind, History
from watchkeeper.domain.probe import Status
from watchkeeper.domain.spans import Span

MOST_PROBES: Final = 5  # of whom the counts of up, unknown and down fit into a byte
_WEIGHTS: Final = {Status.UP: 1, Status.UNKNOWN: 6, Status.DOWN: 36}
UP, DOWN, UNKNOWN, NO_DATA, PLANNED, EXCLUDED, OUTSIDE = b"UD?.PX-"
MASKED: Final = b"\x01"

Tell = Callable[[int, int, int], int]
"""What a service is, of so many probes that are up, down and unknown."""


@dataclass(frozen=True)
class WallHours:
    """Hours as the clock on the wall shows them: `week` from Monday on, in minutes of the day."""

    zone: str
    week: tuple[tuple[tuple[int, int], ...], ...]
    closed: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def minutes(self, span: Span) -> bytes:
        """A byte for each minute of a span: 1 within the hours."""
        zone = ZoneInfo(self.zone)
        return bytes(
            self._holds(datetime.fromtimestamp(at_ms / 1000, zone))
            for at_ms in range(span.from_ms, span.to_ms, 60_000)
        )

    def _holds(self, wall: datetime) -> bool:
        minute, day = wall.hour * 60 + wall.minute, wall.date()
        yesterday = date.fromordinal(day.toordinal() - 1)
        return any(begin <= minute < end for begin, end in self._hours(day)) or any(
            minute + 1440 < end for _, end in self._hours(yesterday)
        )

    def _hours(self, day: date) -> tuple[tuple[int, int], ...]:
        if day in self.closed and day not in self.worked:
            return ()
        if day in self.worked and not self.week[day.weekday()]:
            return self.week[4]  # the histories are of weeks that end with a Friday
        return self.week[day.weekday()]


def any_down(up: int, down: int, unknown: int) -> int:
    return DOWN if down else UNKNOWN if unknown else UP if up else NO_DATA


def all_down(up: int, down: int, unknown: int) -> int:
    return UP if up else UNKNOWN if unknown else DOWN if down else NO_DATA


def quorum(least: int) -> Tell:
    def tell(up: int, down: int, unknown: int) -> int:
        if up + down + unknown == 0:
            return NO_DATA
        if up + down + unknown < least:
            return UNKNOWN
        return UP if up >= least else UNKNOWN if up + unknown >= least else DOWN

    return tell


def counted(
    span: Span, history: History, tell: Tell, hours: bytes | None, *, unknown_is_down: bool
) -> tuple[dict[int, int], bytearray]:
    """How many seconds are what, and the seconds themselves.

    Args:
        hours: a byte for each minute; `None`: always.
    """
    length = (span.to_ms - span.from_ms) // 1000
    total, masked = 0, 0
    for probe in sorted({one.probe_id for one in history.intervals}):
        seconds = bytearray(length)
        for one in history.intervals:
            if one.probe_id == probe:
                _fill(seconds, span, one.from_ms, one.to_ms, _WEIGHTS[one.status])
        hidden = bytearray(length)
        for window in history.planned:
            if window.probes is not None and probe in window.probes:
                begin, end = _bounds(span, window.from_ms, window.to_ms)
                hidden[begin:end] = seconds[begin:end].translate(_ANY)
                seconds[begin:end] = bytes(end - begin)
        total += int.from_bytes(seconds, "little")
        masked |= int.from_bytes(hidden, "little")
    table = bytes(tell(code % 6, code // 36, code // 6 % 6) for code in range(256))
    found = bytearray(total.to_bytes(length, "little").translate(table))
    _replace_where(found, bytearray(masked.to_bytes(length, "little")), {NO_DATA: PLANNED})
    for window in history.planned:
        if window.probes is None:
            _fill(found, span, window.from_ms, window.to_ms, PLANNED)
    for added in _in_force(history.corrections, CorrectionKind.ADD):
        _fill(found, span, added.from_ms, added.to_ms, DOWN)
    excluded = {DOWN: EXCLUDED, UNKNOWN: EXCLUDED} if unknown_is_down else {DOWN: EXCLUDED}
    for correction in _in_force(history.corrections, CorrectionKind.EXCLUDE):
        begin, end = _bounds(span, correction.from_ms, correction.to_ms)
        found[begin:end] = found[begin:end].translate(_swap(excluded))
    if hours is not None:
        _leave_out(found, hours)
    return {letter: found.count(letter) for letter in b"UD?.PX-"}, found


_ANY: Final = bytes([0, *[1] * 255])


def _swap(letters: dict[int, int]) -> bytes:
    return bytes(letters.get(code, code) for code in range(256))


def _replace_where(found: bytearray, flags: bytearray, letters: dict[int, int]) -> None:
    """Where a flag is 1, letters become others."""
    begin = flags.find(MASKED)
    while begin != -1:
        end = flags.find(b"\0", begin)
        end = len(flags) if end == -1 else end
        found[begin:end] = found[begin:end].translate(_swap(letters))
        begin = flags.find(MASKED, end)


def _leave_out(found: bytearray, hours: bytes) -> None:
    begin = hours.find(b"\0")
    while begin != -1:
        end = hours.find(MASKED, begin)
        end = len(hours) if end == -1 else end
        found[begin * 60 : end * 60] = bytes([OUTSIDE]) * ((end - begin) * 60)
        begin = hours.find(b"\0", end)


def _in_force(corrections: Sequence[Correction], kind: CorrectionKind) -> list[Correction]:
    return [one for one in corrections if one.kind is kind and one.undone_ms is None]


def _fill(seconds: bytearray, span: Span, from_ms: int, to_ms: int | None, value: int) -> None:
    begin, end = _bounds(span, from_ms, span.to_ms if to_ms is None else to_ms)
    seconds[begin:end] = bytes([value]) * (end - begin)


def _bounds(span: Span, from_ms: int, to_ms: int) -> tuple[int, int]:
    begin = (max(from_ms, span.from_ms) - span.from_ms) // 1000
    return begin, max(begin, (min(to_ms, span.to_ms) - span.from_ms) // 1000)
