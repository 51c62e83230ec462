"""How often probes run, for the checks that compare this with what rules ask for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from watchkeeper.domain.probe import Cron, Probe
from watchkeeper.domain.units import format_duration_ms

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_STEP: Final = re.compile(r"\*/(\d+)")


@dataclass(frozen=True, slots=True)
class Pace:
    """`interval_ms`: from run to run, at the least. `timeout_ms`: how long a run may take."""

    interval_ms: int
    timeout_ms: int
    is_cron: bool = False

    def most_samples(self, span_ms: int) -> int:
        """How many samples a window holds at most: they stand at the ends of runs, which may be early or late."""
        return (span_ms + self.timeout_ms) // self.interval_ms + 1


@dataclass(slots=True)
class Herd:
    """The probes of one pace, of those that a rule matches."""

    pace: Pace
    probe_ids: list[str]


def pace_of(probe: Probe) -> Pace:
    schedule = probe.schedule
    if isinstance(schedule, Cron):
        return Pace(shortest_gap_ms(schedule.expression), probe.timeout_ms, is_cron=True)
    return Pace(schedule.interval_ms, probe.timeout_ms)


@lru_cache(maxsize=10_000)
def shortest_gap_ms(cron: str) -> int:
    """Between two times of a cron expression there is no less than this; an hour less where clocks are changed."""
    minute, hour, day, month, weekday = cron.split()
    if not minute.isdigit():
        step = _STEP.fullmatch(minute)
        return int(step[1]) * _MINUTE if step and int(step[1]) and 60 % int(step[1]) == 0 else _MINUTE
    if not hour.isdigit():
        step = _STEP.fullmatch(hour)
        even = step and int(step[1]) and 24 % int(step[1]) == 0
        return max(_HOUR, (int(step[1]) - 1) * _HOUR) if step and even else _HOUR
    if day == "*" and (weekday.isdigit() or weekday.isalpha()):
        return 7 * _DAY - _HOUR
    if day.isdigit() and weekday == "*":
        return (365 if month.isdigit() or month.isalpha() else 28) * _DAY - _HOUR
    return _DAY - _HOUR


def herds_of(probes: Iterable[tuple[str, Pace]]) -> list[Herd]:
    """Probes by their pace, the slowest first."""
    by_pace: dict[Pace, list[str]] = {}
    for probe_id, pace in probes:
        by_pace.setdefault(pace, []).append(probe_id)
    ordered = sorted(by_pace, key=lambda pace: (pace.interval_ms, pace.timeout_ms), reverse=True)
    return [Herd(pace, by_pace[pace]) for pace in ordered]


def described(some_herds: Sequence[Herd]) -> str:
    """`home and api (every 1m)`: for messages. Herds are sorted, the slowest first."""
    names = some([probe_id for herd in some_herds for probe_id in herd.probe_ids])
    slowest, fastest = some_herds[0].pace, some_herds[-1].pace
    if any(herd.pace.is_cron for herd in some_herds):
        return f"{names} ({'by cron' if len(some_herds) == 1 else 'some by cron'})"
    texts = dict.fromkeys(format_duration_ms(pace.interval_ms) for pace in (fastest, slowest))
    return f"{names} (every {' to '.join(texts)})"


def some(names: Sequence[str], most: int = 3) -> str:
    """`a`, `a and b`, `a, b and 7 more`: for messages that stay short."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
