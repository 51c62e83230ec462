"""A year of made-up history, exactly measured and counted second by second.

`WATCHKEEPER_BRUTE_SERVICES=200` takes two hundred services; a few are enough to find most mistakes.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from tests.domain import brute
from watchkeeper.config.calendars import holidays_of
from watchkeeper.domain.availability import Correction, CorrectionKind, History, InForce, measure
from watchkeeper.domain.calendar import Calendar
from watchkeeper.domain.condition import AllDown, AnyDown, AvailabilityPolicy, Condition, Quorum, UnknownCounts
from watchkeeper.domain.expected import Because
from watchkeeper.domain.probe import Status
from watchkeeper.domain.spans import Span
from watchkeeper.domain.timeline import Interval, State

SERVICES: Final = int(os.environ.get("WATCHKEEPER_BRUTE_SERVICES", "12"))
YEAR: Final = Span(1_767_225_600_000, 1_798_761_600_000)  # 2026, in UTC
DAY_S: Final = 86_400

Week = tuple[tuple[tuple[int, int], ...], ...]
OFFICE: Final[Week] = (*(((540, 1080),),) * 5, (), ())
SHIFTS: Final[Week] = (
    *(((0, 360), (600, 720), (840, 1440)),) * 4,
    ((480, 1200),),
    ((1320, 1800),),  # Saturday night, over the hour at which clocks are moved
    (),
)
ALL_DAY: Final[Week] = (((0, 1440),),) * 7
SOME_DAYS: Final = frozenset({date(2026, 3, 27), date(2026, 12, 24), date(2026, 12, 25)})


@dataclass(frozen=True)
class Kind:
    """Hours of one sort, for either side."""

    zone: str
    week: Week | None
    closed: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def calendar(self) -> Calendar:
        return Calendar("some", ZoneInfo(self.zone), self.week, self.closed, self.worked)

    def minutes(self) -> bytes | None:
        return None if self.week is None else _minutes(self)


@lru_cache
def _minutes(kind: Kind) -> bytes:
    assert kind.week is not None
    return brute.WallHours(kind.zone, kind.week, kind.closed, kind.worked).minutes(YEAR)


KINDS: Final = [
    Kind("UTC", None),
    Kind("Asia/Shanghai", OFFICE, *holidays_of("CN")),
    Kind("Europe/Berlin", SHIFTS, SOME_DAYS),
    Kind("America/New_York", ALL_DAY, SOME_DAYS),
    Kind("Australia/Lord_Howe", OFFICE, SOME_DAYS),
]
CONDITIONS: Final[list[tuple[Condition, brute.Tell]]] = [
    (AnyDown(), brute.any_down),
    (AllDown(), brute.all_down),
    (Quorum(2), brute.quorum(2)),
    (Quorum(3), brute.quorum(3)),
]
LETTERS: Final = {
    brute.UP: State.UP,
    brute.DOWN: State.DOWN,
    brute.UNKNOWN: State.UNKNOWN,
    brute.NO_DATA: State.NO_DATA,
    brute.PLANNED: State.PLANNED,
    brute.EXCLUDED: State.EXCLUDED,
    brute.OUTSIDE: State.OUTSIDE,
}


def made_history(random: Random) -> History:
    """A year of a service with some probes, in whole seconds."""
    names = [f"p{n}" for n in range(random.randint(1, brute.MOST_PROBES))]
    intervals = [one for name in names for one in probe_past(random, name)]
    planned = [
        InForce(*span(random, 8 * 3600), Because.MAINTENANCE, "patch", "work", probes)
        for probes in (None, *(frozenset({name}) for name in names))
        for _ in range(random.randint(0, 20))
    ]
    corrections = [
        Correction(n, "shop", random.choice(list(CorrectionKind)), *span(random, 2 * DAY_S), "a", "b", 0, undone)
        for n in range(random.randint(0, 10))
        for undone in (None, *((1,) if random.random() < 0.2 else ()))
    ]
    return History(intervals, planned, corrections)


def probe_past(random: Random, name: str) -> Iterator[Interval]:
    at_ms = YEAR.from_ms - 1000 * random.randint(0, 90 * DAY_S) * random.choice((1, -1))
    end_ms = YEAR.to_ms + 1000 * random.randint(-30 * DAY_S, 30 * DAY_S)
    status: Status | None = Status.UP
    while at_ms < end_ms:
        longest = {Status.UP: 6 * DAY_S, Status.DOWN: 4 * 3600, Status.UNKNOWN: DAY_S, None: DAY_S}[status]
        until_ms = at_ms + 1000 * random.randint(1, longest)
        if status is not None:
            yield Interval(name, at_ms, None if until_ms >= end_ms else until_ms, status)
        at_ms = until_ms
        others = [Status.UP] * 5 + [Status.DOWN] * 4 + [Status.UNKNOWN, None]
        status = random.choice([other for other in others if other is not status])


def span(random: Random, longest_s: int) -> Span:
    begin_ms = YEAR.from_ms + 1000 * random.randint(-longest_s, 365 * DAY_S)
    return Span(begin_ms, begin_ms + 1000 * random.randint(1, longest_s))


def outages_of(seconds: bytearray, bad: bytes) -> int:
    """How many seconds are bad, and how often that begins."""
    flags = seconds.translate(bytes(code in bad for code in range(256)))
    return flags.count(b"\0\1") + flags.startswith(b"\1")


@pytest.mark.parametrize("number", range(SERVICES))
def test_a_year_comes_to_what_is_counted_second_by_second(number: int) -> None:
    random = Random(number)
    kind = KINDS[number % len(KINDS)]
    condition, tell = CONDITIONS[number % len(CONDITIONS)]
    unknown = random.choice(list(UnknownCounts))
    history = made_history(random)

    measured = measure(YEAR, history, AvailabilityPolicy(condition, unknown=unknown), kind.calendar())
    is_down = unknown is UnknownCounts.DOWN
    seconds_of, seconds = brute.counted(YEAR, history, tell, kind.minutes(), unknown_is_down=is_down)

    assert measured.totals == {LETTERS[letter]: count * 1000 for letter, count in seconds_of.items()}
    good = seconds_of[brute.UP] + (seconds_of[brute.UNKNOWN] if unknown is UnknownCounts.UP else 0)
    bad = seconds_of[brute.DOWN] + (seconds_of[brute.UNKNOWN] if is_down else 0)
    assert (measured.good_ms, measured.bad_ms) == (good * 1000, bad * 1000)
    states = {State.DOWN, State.UNKNOWN} if is_down else {State.DOWN}
    runs = sum(
        one.state in states and (index == 0 or measured.stretches[index - 1].state not in states)
        for index, one in enumerate(measured.stretches)
    )
    letters = bytes([brute.DOWN, brute.UNKNOWN] if is_down else [brute.DOWN])
    assert runs == outages_of(seconds, letters)
