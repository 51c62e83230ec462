"""What a service was over time: stretches without gap or overlap, of the intervals of its probes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from watchkeeper.domain.condition import Condition, Counts
from watchkeeper.domain.probe import Status
from watchkeeper.domain.spans import Span, merged


class State(StrEnum):
    """What a stretch of time is taken for."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"  # nobody could tell
    NO_DATA = "no_data"  # none of its probes was watched
    PLANNED = "planned"  # maintenance, or an approved change
    EXCLUDED = "excluded"  # down, and somebody said that it does not count
    OUTSIDE = "outside"  # of service hours


class Interval(NamedTuple):
    """The status of a probe, from an instant until before another; `to_ms` `None`: still so."""

    probe_id: str
    from_ms: int
    to_ms: int | None
    status: Status
    message: str = ""


class Stretch(NamedTuple):
    """`seen`: what the probes said. `state`: what it is taken for."""

    from_ms: int
    to_ms: int
    seen: State
    state: State


_STATES: Final = {Status.UP: State.UP, Status.DOWN: State.DOWN, Status.UNKNOWN: State.UNKNOWN}
_Change = tuple[int, bool, str, Status | None, bool]


def observed(
    span: Span, intervals: Iterable[Interval], condition: Condition, masks: Mapping[str, Sequence[Span]]
) -> list[Stretch]:
    """What the probes say of a service, for a whole span.

    Args:
        intervals: of the probes that count, in any order; those of one probe do not overlap.
        masks: when a probe does not count, since work on it is planned. While no other is watched, that is the
            service's state.
    """
    changes = sorted(_changes(span, intervals, masks))
    teller = _Teller(condition, has_masks=bool(masks))
    found: list[Stretch] = []
    at_ms, now = span.from_ms, (State.NO_DATA, State.NO_DATA)
    index, count = 0, len(changes)
    while index < count:
        then_ms = changes[index][0]
        if then_ms > at_ms:
            _append(found, at_ms, then_ms, now)
            at_ms = then_ms
        while index < count and changes[index][0] == then_ms:
            teller.take(changes[index])
            index += 1
        now = teller.tell()
    if at_ms < span.to_ms:
        _append(found, at_ms, span.to_ms, now)
    return found


def _append(found: list[Stretch], from_ms: int, to_ms: int, now: tuple[State, State]) -> None:
    if found and found[-1][2:] == now:
        found[-1] = Stretch(found[-1].from_ms, to_ms, *now)
    else:
        found.append(Stretch(from_ms, to_ms, *now))


def _changes(span: Span, intervals: Iterable[Interval], masks: Mapping[str, Sequence[Span]]) -> Iterator[_Change]:
    """What begins (true) and ends when: an end comes before a beginning of the same instant."""
    for probe, from_ms, to_ms, status, _ in intervals:
        begin = max(from_ms, span.from_ms)
        end = span.to_ms if to_ms is None else min(to_ms, span.to_ms)
        if begin >= end:
            continue
        if (spans := masks.get(probe)) is None:
            yield begin, True, probe, status, False
            yield end, False, probe, None, False
            continue
        for piece in cut(Span(begin, end), spans):
            is_masked = any(one.from_ms <= piece.from_ms < one.to_ms for one in spans)
            yield piece.from_ms, True, probe, status, is_masked
            yield piece.to_ms, False, probe, None, False


class _Teller:
    """Follows the probes, and says what the service is: as seen, and without those that are masked."""

    def __init__(self, condition: Condition, *, has_masks: bool) -> None:
        self._condition = condition
        self._seen: dict[str, Status] = {}
        self._counted = self._seen if not has_masks else {}
        self._has_masks = has_masks

    def take(self, change: _Change) -> None:
        _, begins, probe, status, is_masked = change
        self._counted.pop(probe, None)
        self._seen.pop(probe, None)
        if begins and status is not None:
            self._seen[probe] = status
            if not is_masked:
                self._counted[probe] = status

    def tell(self) -> tuple[State, State]:
        seen = self._judge(self._seen)
        if not self._has_masks or len(self._seen) == len(self._counted):
            return seen, seen
        return seen, self._judge(self._counted) if self._counted else State.PLANNED

    def _judge(self, statuses: Mapping[str, Status]) -> State:
        if not statuses:
            return State.NO_DATA
        found = list(statuses.values())
        up, down = found.count(Status.UP), found.count(Status.DOWN)
        return _STATES[self._condition(Counts(up, down, len(found) - up - down), statuses)]


def cut(span: Span, spans: Iterable[Span]) -> Iterator[Span]:
    """A span, cut wherever one of others begins or ends."""
    edges = {edge for one in spans for edge in one if span.from_ms < edge < span.to_ms}
    for begin, end in pairwise([span.from_ms, *sorted(edges), span.to_ms]):
        yield Span(begin, end)


def overlaid(
    stretches: Sequence[Stretch], spans: Iterable[Span], become: Callable[[Stretch], State]
) -> Sequence[Stretch]:
    """The same time, where what is within spans is taken for something else."""
    over = merged(spans)
    if not over:
        return stretches
    found: list[Stretch] = []
    index = 0
    for stretch in stretches:
        at_ms = stretch.from_ms
        while index < len(over) and over[index].from_ms < stretch.to_ms:
            begin, end = max(over[index].from_ms, at_ms), min(over[index].to_ms, stretch.to_ms)
            if at_ms < begin:
                found.append(Stretch(at_ms, begin, stretch.seen, stretch.state))
            if begin < end:
                found.append(Stretch(begin, end, stretch.seen, become(stretch)))
            at_ms = max(at_ms, end)
            if over[index].to_ms > stretch.to_ms:
                break
            index += 1
        if at_ms < stretch.to_ms:
            found.append(Stretch(at_ms, stretch.to_ms, stretch.seen, stretch.state))
    return found


def complement(span: Span, spans: Iterable[Span]) -> list[Span]:
    """What of a span is in none of others."""
    found: list[Span] = []
    at_ms = span.from_ms
    for one in merged(spans):
        if at_ms < (end := min(one.from_ms, span.to_ms)):
            found.append(Span(at_ms, end))
        at_ms = max(at_ms, one.to_ms)
    if at_ms < span.to_ms:
        found.append(Span(at_ms, span.to_ms))
    return found
