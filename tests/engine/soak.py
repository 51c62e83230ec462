"""What is watched in the long run, and what must come of it by an account of its own."""

import random
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from tests.engine import made
from tests.engine.hand_loop import START_MS, HandLoop
from watchkeeper.domain.probe import Probe, Sample, Status
from watchkeeper.domain.rule import GroupBy, Hold, IncidentPolicy, Level, Match, Rule, Scope
from watchkeeper.domain.statistics import average
from watchkeeper.domain.window import DURATION

DAYS: Final = 30
COUNT: Final = 1000
MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS
EVERY_MS: Final = 60 * MINUTE_MS
END_MS: Final = START_MS + DAYS * DAY_MS

# Clocks run out between two runs, and never two at one time.
LONG: Final = Hold(150 * MINUTE_MS + 11, 100 * MINUTE_MS + 37)
NOW: Final = Hold()


@dataclass(frozen=True, slots=True)
class IsSlow:
    spans_ms: Mapping[str, int] = field(default_factory=lambda: {DURATION: DAY_MS})
    asks_missed: bool = False

    def __call__(self, scope: Scope) -> bool:
        return average(scope.window.points(DURATION, DAY_MS, scope.now_ms).values) > 60

    def explain(self, _scope: Scope) -> list[tuple[str, str]]:
        return []


PROBES: Final = [made.probe(f"probe-{n}", every_ms=EVERY_MS, service=f"service-{n % 50}") for n in range(COUNT)]
RULES: Final[tuple[Rule, ...]] = (
    replace(made.rule(), id="long", hold=LONG, incident=IncidentPolicy(Level.MEDIUM, Level.HIGH, (GroupBy.SERVICE,))),
    replace(
        made.rule(),
        id="now",
        hold=NOW,
        match=Match(probe="probe-*0"),
        incident=IncidentPolicy(Level.HIGH, Level.HIGH, (GroupBy.PROBE,)),
    ),
    replace(made.rule(), id="slow", match=Match(probe="probe-*1"), conditions={"fake": IsSlow()}),
)


class Chance:
    """A prober whose targets fail for a while now and then. It keeps what it told: when each status began."""

    def __init__(self, loop: HandLoop) -> None:
        self._loop = loop
        self._random = random.Random(30)
        self._is_down: set[str] = set()
        self._last: dict[str, Status] = {}
        self.runs: Counter[str] = Counter()
        self.changes: dict[str, tuple[array[int], bytearray]] = {
            probe.id: (array("q"), bytearray()) for probe in PROBES
        }

    async def run(self, probe: Probe) -> Sample:
        chance = self._random.random()
        duration_s = 0.25
        if chance < 0.005:
            duration_s = 2.0
            await _passing(self._loop, duration_s)
        status = self._status(probe.id, self._random.random())
        at_ms = self._loop.clock()
        self.runs[probe.id] += 1
        if self._last.get(probe.id) is not status:
            self._last[probe.id] = status
            times, codes = self.changes[probe.id]
            times.append(at_ms)
            codes.append(_CODES.index(status))
        return Sample(probe.id, at_ms, status, duration_s, message=status.value)

    async def close(self) -> None:
        pass

    def _status(self, probe_id: str, chance: float) -> Status:
        down = probe_id in self._is_down
        if chance < (0.3 if down else 0.0015):
            (self._is_down.remove if down else self._is_down.add)(probe_id)
        elif chance > 0.995:
            return Status.UNKNOWN
        return Status.DOWN if probe_id in self._is_down else Status.UP


_CODES: Final = list(Status)


async def _passing(loop: HandLoop, seconds: float) -> None:
    await loop.until(loop.time() + seconds)


class Segment(NamedTuple):
    """A time of one status."""

    status: Status
    from_ms: int
    to_ms: int


class Span(NamedTuple):
    """A time in which an alert fired. `over_ms`: `None` while it does."""

    active_ms: int
    fired_ms: int
    over_ms: int | None


def segments(prober: Chance, probe_id: str) -> list[Segment]:
    times, codes = prober.changes[probe_id]
    ends = [*times[1:], END_MS]
    return [Segment(_CODES[code], begin, end) for begin, end, code in zip(times, ends, codes, strict=True)]


def spans(of: list[Segment], hold: Hold) -> Iterator[Span]:
    """When the rule "it is down" fires, from what was told alone: two clocks that run while they may."""
    active_ms = fired_ms = None
    ran_ms = 0
    for status, begin, end in of:
        length = end - begin
        if fired_ms is None:
            if status is Status.UP:
                active_ms = None
            elif status is Status.DOWN:
                if active_ms is None:
                    active_ms, ran_ms = begin, 0
                if ran_ms + length >= hold.for_ms:
                    fired_ms, ran_ms = begin + hold.for_ms - ran_ms, 0
                else:
                    ran_ms += length
        elif status is Status.DOWN:
            ran_ms = 0
        elif status is Status.UP and active_ms is not None:
            if ran_ms + length >= hold.keep_firing_for_ms:
                yield Span(active_ms, fired_ms, begin + hold.keep_firing_for_ms - ran_ms)
                active_ms = fired_ms = None
            else:
                ran_ms += length
    if fired_ms is not None and active_ms is not None:
        yield Span(active_ms, fired_ms, None)


Incidents = set[tuple[str, int, int, int | None]]
"""Key, and when each began, was opened and was resolved."""


def incidents(prober: Chance) -> Incidents:
    """What must have been opened: one for each time in which any alert of a key fired."""
    by_key: dict[str, list[Span]] = defaultdict(list)
    for probe in PROBES:
        seen = segments(prober, probe.id)
        by_key[f"long/service={probe.service}"] += spans(seen, LONG)
        if probe.id.endswith("0"):
            by_key[f"now/probe={probe.id}"] += spans(seen, NOW)
    found: Incidents = set()
    for key, some in by_key.items():
        begun: tuple[int, int] | None = None
        firing = 0
        moves = [(span.fired_ms, 1, span.active_ms) for span in some]
        moves += [(span.over_ms, -1, 0) for span in some if span.over_ms is not None]
        for at_ms, by, active_ms in sorted(moves):
            firing += by
            if begun is None:
                begun = (active_ms, at_ms)
            elif firing == 0:
                found.add((key, *begun, at_ms))
                begun = None
        if begun is not None:
            found.add((key, *begun, None))
    return found
