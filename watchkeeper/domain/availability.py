"""How available a service was, exactly: every millisecond of a span is taken for one thing, in whole numbers.

What the probes said comes first. Planned work is laid over it, then what people corrected, and service hours last:
what is outside them counts for nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final, NamedTuple

from watchkeeper.domain.calendar import Calendar
from watchkeeper.domain.condition import AvailabilityPolicy, UnknownCounts
from watchkeeper.domain.expected import Because
from watchkeeper.domain.probe import Status
from watchkeeper.domain.spans import Span, merged
from watchkeeper.domain.timeline import Interval, State, Stretch, complement, observed, overlaid

MILLION: Final = 1_000_000


class InForce(NamedTuple):
    """A window that was in force for a service. `probes`: those that it was about; `None`: all of them."""

    from_ms: int
    to_ms: int
    because: Because
    number: str
    title: str
    probes: frozenset[str] | None = None


class CorrectionKind(StrEnum):
    EXCLUDE = "exclude"  # what was down does not count
    ADD = "add"  # it was down, though nobody saw it


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody said of a service's past. It changes what is counted, and nothing that was measured."""

    id: int
    service: str
    kind: CorrectionKind
    from_ms: int
    to_ms: int
    author: str
    reason: str
    made_ms: int
    undone_ms: int | None = None
    undone_by: str = ""
    undone_reason: str = ""

    @property
    def number(self) -> str:
        """What people call it: `COR-1`."""
        return f"COR-{self.id}"


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a service's past. `intervals`: of the probes that count."""

    intervals: Sequence[Interval] = ()
    planned: Sequence[InForce] = ()
    corrections: Sequence[Correction] = ()


class Cause(NamedTuple):
    """A probe that was down in an outage. `message`: what it said first."""

    probe_id: str
    from_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without a break in which a service was down. `counted_ms`: how much of it counts: what is planned,
    excluded or outside of service hours does not."""

    from_ms: int
    to_ms: int
    counted_ms: int
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a window or a correction changed. `time_ms`: how much time is taken for something else because of it;
    `down_ms`: how much of that was seen as down. What two of them take, each tells."""

    kind: str  # maintenance, change, exclude, add
    number: str
    why: str
    author: str
    from_ms: int
    to_ms: int
    time_ms: int
    down_ms: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A span, taken apart. `totals` has every state, and adds up to the span."""

    span: Span
    unknown: UnknownCounts
    totals: Mapping[State, int]
    outages: tuple[Outage, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    stretches: Sequence[Stretch] = field(default=(), repr=False)

    @property
    def good_ms(self) -> int:
        return self.totals[State.UP] + (self.totals[State.UNKNOWN] if self.unknown is UnknownCounts.UP else 0)

    @property
    def bad_ms(self) -> int:
        return self.totals[State.DOWN] + (self.totals[State.UNKNOWN] if self.unknown is UnknownCounts.DOWN else 0)

    @property
    def counted_ms(self) -> int:
        """The time that counts, for or against."""
        return self.good_ms + self.bad_ms

    @property
    def availability(self) -> Fraction | None:
        """The exact share; `None` where nothing counts: that is no data, never 100 %."""
        return Fraction(self.good_ms, self.counted_ms) if self.counted_ms else None

    @property
    def percent(self) -> str:
        """The share for people, in ten thousandths of a percent; never rounded up."""
        return "no data" if (share := self.availability) is None else percent(share)


def percent(share: Fraction) -> str:
    """`99.9876 %`, rounded down: 100 % is nothing less."""
    ppm = share.numerator * MILLION // share.denominator
    return f"{ppm // 10_000}.{ppm % 10_000:04d} %"


def measure(span: Span, history: History, policy: AvailabilityPolicy, calendar: Calendar) -> Measured:
    """Takes a span apart."""
    is_bad = bad_states(policy.unknown)
    whole = [one for one in history.planned if one.probes is None]
    masks: dict[str, list[Span]] = {}
    for one in history.planned:
        for probe in one.probes or ():
            masks.setdefault(probe, []).append(Span(one.from_ms, one.to_ms))
    corrections = [one for one in history.corrections if one.undone_ms is None]
    added = _spans(one for one in corrections if one.kind is CorrectionKind.ADD)
    excluded = _spans(one for one in corrections if one.kind is CorrectionKind.EXCLUDE)

    stretches: Sequence[Stretch] = observed(span, history.intervals, policy.condition, masks)
    stretches = overlaid(stretches, _spans(whole), lambda _: State.PLANNED)
    stretches = overlaid(stretches, added, lambda _: State.DOWN)
    told = stretches
    stretches = overlaid(stretches, excluded, lambda one: State.EXCLUDED if is_bad(one.state) else one.state)
    outside = complement(span, calendar.hours(span.from_ms, span.to_ms))
    stretches = overlaid(stretches, outside, lambda _: State.OUTSIDE)

    totals = dict.fromkeys(State, 0)
    for from_ms, to_ms, _, state in stretches:
        totals[state] += to_ms - from_ms
    sums = _Sums(stretches)
    return Measured(
        span,
        policy.unknown,
        totals,
        _outages(told, sums, is_bad, history.intervals),
        tuple(_adjustments(span, history.planned, corrections, sums, is_bad)),
        stretches,
    )


def bad_states(unknown: UnknownCounts) -> Callable[[State], bool]:
    """Whether a state counts against the service."""
    bad = {State.DOWN, State.UNKNOWN} if unknown is UnknownCounts.DOWN else {State.DOWN}
    return bad.__contains__


def _spans(those: Iterable[InForce | Correction]) -> list[Span]:
    return [Span(one.from_ms, one.to_ms) for one in those]


class _Sums:
    """How much time of a kind is between two instants, without going through all of it."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches
        self._ends = [one.to_ms for one in stretches]

    def ms(self, from_ms: int, to_ms: int, takes: Callable[[Stretch], bool]) -> int:
        total = 0
        for index in range(bisect_right(self._ends, from_ms), len(self._stretches)):
            one = self._stretches[index]
            if one.from_ms >= to_ms:
                break
            if takes(one):
                total += min(one.to_ms, to_ms) - max(one.from_ms, from_ms)
        return total


def _outages(
    told: Sequence[Stretch], sums: _Sums, is_bad: Callable[[State], bool], intervals: Sequence[Interval]
) -> tuple[Outage, ...]:
    down = (Span(one.from_ms, one.to_ms) for one in told if is_bad(one.seen) or is_bad(one.state))
    runs = ((run, sums.ms(*run, lambda one: is_bad(one.state))) for run in merged(down))
    found = [Outage(*run, counted_ms) for run, counted_ms in runs if counted_ms]
    return _with_causes(found, intervals) if found else ()


def _with_causes(outages: Sequence[Outage], intervals: Sequence[Interval]) -> tuple[Outage, ...]:
    """Both in the order of time: goes through them once."""
    down = sorted((one for one in intervals if one.status is Status.DOWN), key=lambda one: one.from_ms)
    begins = [one.from_ms for one in down]
    found: list[Outage] = []
    lasting: list[Interval] = []
    first = 0
    for outage in outages:
        last = bisect_left(begins, outage.to_ms)
        lasting = [one for one in (*lasting, *down[first:last]) if one.to_ms is None or one.to_ms > outage.from_ms]
        first = last
        causes: dict[str, Cause] = {}
        for one in lasting:
            causes.setdefault(one.probe_id, Cause(one.probe_id, max(one.from_ms, outage.from_ms), one.message))
        ordered = tuple(sorted(causes.values(), key=lambda cause: (cause.from_ms, cause.probe_id)))
        found.append(Outage(outage.from_ms, outage.to_ms, outage.counted_ms, ordered))
    return tuple(found)


def _adjustments(
    span: Span,
    planned: Iterable[InForce],
    corrections: Iterable[Correction],
    sums: _Sums,
    is_bad: Callable[[State], bool],
) -> list[Adjustment]:
    found: list[Adjustment] = []

    def was_bad(one: Stretch) -> bool:
        return is_bad(one.seen)

    def was_not(one: Stretch) -> bool:
        return not is_bad(one.seen)

    def is_any(_: Stretch) -> bool:
        return True

    def note(kind: str, number: str, why: str, author: str, limits: Span, becomes: State) -> None:
        from_ms, to_ms = max(limits.from_ms, span.from_ms), min(limits.to_ms, span.to_ms)
        if from_ms >= to_ms:
            return
        ours = was_not if becomes is State.DOWN else is_any  # what is added was not down anyway
        time_ms = sums.ms(from_ms, to_ms, lambda one: one.state is becomes and ours(one))
        down_ms = sums.ms(from_ms, to_ms, lambda one: one.state is becomes and ours(one) and was_bad(one))
        found.append(Adjustment(kind, number, why, author, from_ms, to_ms, time_ms, down_ms))

    for one in sorted(planned, key=lambda one: (one.from_ms, one.to_ms, one.number)):
        note(one.because.value, one.number, one.title, "", Span(one.from_ms, one.to_ms), State.PLANNED)
    for correction in sorted(corrections, key=lambda one: one.id):
        becomes = State.DOWN if correction.kind is CorrectionKind.ADD else State.EXCLUDED
        limits = Span(correction.from_ms, correction.to_ms)
        note(correction.kind.value, correction.number, correction.reason, correction.author, limits, becomes)
    return found
