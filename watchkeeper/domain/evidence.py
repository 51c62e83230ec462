"""What is striking about when something happens: the time of day, the weekday, what went before.

Everything said here is a test against chance. If nothing is behind the times, all tests together claim something in
less than 5 % of all histories: each of the six kinds gets a sixth of that, and shares it among all that it tries.
docs/explanation/problems.md has the tests in words. Nothing here is said of fewer than three times.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from watchkeeper.domain.chance import Span, arc_chance, binomial_tail, covered
from watchkeeper.domain.fingerprint import failure_class

FALSE_CLAIMS: Final = 0.05
LEAST_TIMES: Final = 3
MOST_TIMES: Final = 500  # of one problem; the newest count
MOST_CHANGES: Final = 2000  # the newest
BEFORE_MS: Final = 600_000  # how long before is just before
AFTERMATH_MS: Final = 4 * 3_600_000  # for how long a change may be to blame

_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR
_WINDOWS: Final = tuple((at, width) for width in (_HOUR, 3 * _HOUR) for at in range(0, _DAY, _HOUR // 2))
_PERIODS: Final = tuple(hours * _HOUR for hours in (168, 24, 12, 8, 6, 4, 3, 2, 1))
_MONTH_DAYS: Final = 3
_WIDEST: Final = 1 / 12  # of a period: what varies more is not regular


class Kind(StrEnum):
    HOUR = "hour"  # `name` is `02:00-03:00`
    WEEKDAY = "weekday"  # 0 is Monday
    MONTH = "month"  # `begin` or `end`
    INTERVAL = "interval"  # `period_ms`, and for a day or a week `name` is the time of day or weekday and time
    BEFORE = "before"  # another failure began just before: `name` is its rule, `service` its service
    CHANGE = "change"  # a change was under way, or just over: `name` is its title, `service` its service


_EACH: Final = FALSE_CLAIMS / len(Kind)


class Other(NamedTuple):
    """What else fails: what a rule says of a service."""

    rule_id: str
    service: str


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change that was made. `ended_ms`: when it was over."""

    number: str
    title: str
    service: str
    started_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something striking: it was so `count` times of `of`, and `expected` times would be usual. `chance`: how likely
    it is that at least as much would be seen of anything that was looked at, if nothing were behind it."""

    kind: Kind
    name: str
    count: int
    of: int
    expected: float
    chance: float
    service: str = ""
    period_ms: int = 0

    @property
    def claim(self) -> tuple[str, str, str]:
        """What it says, whatever the numbers are."""
        if self.kind in (Kind.HOUR, Kind.INTERVAL):
            return (self.kind.value, "", "")
        name = failure_class(self.name) if self.kind is Kind.CHANGE else self.name
        return (self.kind.value, name, self.service)


def find(
    times: Iterable[int],
    others: Mapping[Other, Sequence[int]],
    changes: Iterable[PastChange],
    span: Span,
    zone: tzinfo = UTC,
) -> tuple[Finding, ...]:
    """What is striking about some times, the least likely of each kind first.

    Takes O(n log n) of all times together.

    Args:
        times: when it began, each time once.
        others: when everything else began that could be behind it.
        span: all times are within it.
        zone: of the service, for times of day and weekdays.
    """
    own = sorted(at for at in set(times) if span.from_ms <= at <= span.to_ms)[-MOST_TIMES:]
    if len(own) < LEAST_TIMES:
        return ()
    local = [_local(at, zone) for at in own]
    found = [
        *_hours([_local(at, zone) for at in _apart(own, 3 * _HOUR)], span, zone),
        *_weekdays(local, span, zone),
        *_months(local, span, zone),
        *_interval(local),
        *_before(own, others, span),
        *_after_changes(own, changes, span),
    ]
    return tuple(sorted(found, key=lambda one: (list(Kind).index(one.kind), one.chance, one.name, one.service)))


def _apart(times: Sequence[int], least_ms: int) -> list[int]:
    """The first of each burst: what comes sooner after the last one than so long is not another coincidence."""
    kept: list[int] = []
    for at in times:
        if not kept or at - kept[-1] >= least_ms:
            kept.append(at)
    return kept


def _hours(local: Sequence[datetime], span: Span, zone: tzinfo) -> Iterator[Finding]:
    """Windows of one and of three hours, beginning at each half hour. At least three days must agree."""
    of_day = [_time_of_day(at) for at in local]
    found: list[tuple[float, int, int, int]] = []
    for begins, width in _WINDOWS:
        within = [at.date() for at, clock in zip(local, of_day, strict=True) if (clock - begins) % _DAY < width]
        if len(set(within)) >= LEAST_TIMES:
            found.append((binomial_tail(len(within), len(local), width / _DAY), width, begins, len(within)))
    if not found:
        return
    _, width, begins, count = min(found)
    days = (_at(day, begins, zone) for day in _days(span, zone))
    share = covered(((at, at + width) for at in days), span)
    name = f"{_clock(begins)}-{_clock(begins + width)}"
    yield from _claim(Kind.HOUR, name, count, len(local), share, len(_WINDOWS))


def _weekdays(local: Sequence[datetime], span: Span, zone: tzinfo) -> Iterator[Finding]:
    """Days count once, however often it happened. At least three weeks must agree."""
    days = sorted({at.date() for at in local})
    weekday, count = min(Counter(day.weekday() for day in days).items(), key=lambda one: (-one[1], one[0]))
    if count >= LEAST_TIMES:
        share = _share_of_days(span, zone, lambda day: day.weekday() == weekday)
        yield from _claim(Kind.WEEKDAY, str(weekday), count, len(days), share, 7)


def _months(local: Sequence[datetime], span: Span, zone: tzinfo) -> Iterator[Finding]:
    """The first and the last three days of the month. Days count once; two months must agree."""
    days = sorted({at.date() for at in local})
    for name, is_one in (("begin", _begins_month), ("end", _ends_month)):
        within = [day for day in days if is_one(day)]
        if len(within) >= LEAST_TIMES and len({(day.year, day.month) for day in within}) >= 2:
            share = _share_of_days(span, zone, is_one)
            yield from _claim(Kind.MONTH, name, len(within), len(days), share, 2)


def _interval(local: Sequence[datetime]) -> Iterator[Finding]:
    """The longest of the usual periods that all of the times keep to, each in a period of its own."""
    clocks = [(at.replace(tzinfo=None) - _MONDAY) // timedelta(milliseconds=1) for at in local]
    closest = min(after - before for before, after in pairwise(clocks))
    for period in _PERIODS:
        begins, width = _arc([clock % period for clock in clocks], period)
        chance = arc_chance(len(clocks), width / period) * len(_PERIODS)
        if closest >= period / 2 and width <= period * _WIDEST and chance < _EACH:
            middle = (begins + width // 2) % period
            name = "" if period < _DAY else _clock(middle % _DAY)
            name = f"{middle // _DAY} {name}" if period == 7 * _DAY else name
            yield Finding(Kind.INTERVAL, name, len(clocks), len(clocks), 0.0, chance, period_ms=period)
            return


def _arc(phases: list[int], period: int) -> tuple[int, int]:
    """Where the shortest arc begins that all phases lie on, and how wide it is."""
    ordered = sorted(phases)
    gaps = [(after - before, after) for before, after in pairwise([*ordered, ordered[0] + period])]
    widest, begins = max(gaps)
    return begins % period, period - widest


def _before(own: Sequence[int], others: Mapping[Other, Sequence[int]], span: Span) -> Iterator[Finding]:
    candidates = {other: starts for other, starts in others.items() if starts}
    own = _apart(own, BEFORE_MS)
    for other, starts in candidates.items():
        windows = [(at, at + BEFORE_MS) for at in starts]
        yield from _within(Kind.BEFORE, other.rule_id, other.service, own, windows, span, len(candidates))


def _after_changes(own: Sequence[int], changes: Iterable[PastChange], span: Span) -> Iterator[Finding]:
    """Changes of one kind, by their service and title, are taken together."""
    kinds: dict[tuple[str, str], list[PastChange]] = {}
    for change in sorted(changes, key=lambda one: one.ended_ms)[-MOST_CHANGES:]:
        if change.ended_ms + AFTERMATH_MS >= span.from_ms and change.started_ms <= span.to_ms:
            kinds.setdefault((failure_class(change.title), change.service), []).append(change)
    own = _apart(own, AFTERMATH_MS)
    for made in kinds.values():
        windows = [(one.started_ms, one.ended_ms + AFTERMATH_MS) for one in made]
        yield from _within(Kind.CHANGE, made[-1].title, made[-1].service, own, windows, span, len(kinds))


def _within(
    kind: Kind,
    name: str,
    service: str,
    own: Sequence[int],
    windows: Sequence[tuple[int, int]],
    span: Span,
    candidates: int,
) -> Iterator[Finding]:
    """Whether more of the times lie within some windows than would if they did not know of each other. At least three
    windows must have some."""
    hit = _hits(own, sorted(windows))
    if len(set(hit)) >= LEAST_TIMES:
        yield from _claim(kind, name, len(hit), len(own), covered(windows, span), candidates, service)


def _hits(times: Sequence[int], windows: Sequence[tuple[int, int]]) -> list[int]:
    """Of each of the times, in order, that is within any of the windows, in order: which window that is."""
    hits: list[int] = []
    index, longest = 0, -1
    for at in times:
        while index < len(windows) and windows[index][0] <= at:
            if longest < 0 or windows[index][1] > windows[longest][1]:
                longest = index
            index += 1
        if longest >= 0 and at <= windows[longest][1]:
            hits.append(longest)
    return hits


def _claim(
    kind: Kind, name: str, count: int, of: int, share: float, tried: int, service: str = ""
) -> Iterator[Finding]:
    chance = min(1.0, binomial_tail(count, of, share) * tried)
    if chance < _EACH:
        yield Finding(kind, name, count, of, of * share, chance, service)


_MONDAY: Final = datetime(1970, 1, 5)  # noqa: DTZ001  # clocks on the wall have no zone
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _local(at_ms: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)


def _time_of_day(at: datetime) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1000 + at.microsecond // 1000


def _clock(of_day_ms: int) -> str:
    minutes = of_day_ms // 60_000 % 1440
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _at(day: date, of_day_ms: int, zone: tzinfo) -> int:
    """When a time of day is on a day."""
    naive = datetime(day.year, day.month, day.day) + timedelta(milliseconds=of_day_ms)  # noqa: DTZ001
    return (naive.replace(tzinfo=zone) - _EPOCH) // timedelta(milliseconds=1)


def _days(span: Span, zone: tzinfo) -> Iterator[date]:
    """The days of a span, and one before: a window may begin on the evening before."""
    day, last = _local(span.from_ms, zone).date() - timedelta(days=1), _local(span.to_ms, zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _share_of_days(span: Span, zone: tzinfo, is_one: Callable[[date], bool]) -> float:
    """The share of a span that some days have."""
    days = ((_at(day, 0, zone), _at(day, _DAY, zone)) for day in _days(span, zone) if is_one(day))
    return covered(days, span)


def _begins_month(day: date) -> bool:
    return day.day <= _MONTH_DAYS


def _ends_month(day: date) -> bool:
    return (day + timedelta(days=_MONTH_DAYS)).month != day.month
