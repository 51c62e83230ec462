"""Samples as a rule test writes them: what a probe finds, run after run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import repeat
from typing import Any, Final, NamedTuple

from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.units import utc


class Finding(StrEnum):
    """What comes of a run: a status, or that it did not take place when it was due, which somebody noticed."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    MISSED = "missed"


class Stretch(NamedTuple):
    """A value, so many times. `None`: no value. With a step it is a number that grows."""

    value: Any
    times: int = 1
    step: Decimal | None = None


Series = tuple[Stretch, ...]
_NOTHING: Final[Series] = (Stretch(None),)


def length(series: Series) -> int:
    """How many runs a series tells of. One value alone stands for every run."""
    return sum(stretch.times for stretch in series)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a probe finds: of each part of a sample a series, all of one length, or of one value for every run.

    Times among the facts are datetimes, or timedeltas from the sample's own time.
    """

    probe_id: str
    interval_ms: int
    status: Series | None = None
    duration: Series = _NOTHING
    message: Series = _NOTHING
    values: Mapping[str, Series] = field(default_factory=dict)
    facts: Mapping[str, Series] = field(default_factory=dict)

    def parts(self) -> list[Series]:
        given = [] if self.status is None else [self.status]
        return [*given, self.duration, self.message, *self.values.values(), *self.facts.values()]

    @property
    def runs(self) -> int:
        """How many there are."""
        return max(map(length, self.parts()))

    def samples(self, start_ms: int) -> Iterator[Sample]:
        """One after the other, the first at the start. Where nothing is written, there is no sample."""
        runs = self.runs
        statuses = _unfold(self.status or _NOTHING, runs)
        durations, messages = _unfold(self.duration, runs), _unfold(self.message, runs)
        values = zip(*(_unfold(series, runs) for series in self.values.values()), strict=True)
        facts = zip(*(_unfold(series, runs) for series in self.facts.values()), strict=True)
        names, fact_names = tuple(self.values), tuple(self.facts)
        missed = 0
        for number, (finding, duration, message) in enumerate(zip(statuses, durations, messages, strict=True)):
            measured = dict(zip(names, next(values), strict=True)) if names else {}
            told = dict(zip(fact_names, next(facts), strict=True)) if fact_names else {}
            at_ms = start_ms + number * self.interval_ms
            if finding is Finding.MISSED:
                missed += 1
                yield Sample(
                    self.probe_id, at_ms, Status.UNKNOWN, message=message or "a run was missed", missed=missed
                )
                continue
            if finding is None and (self.status is not None or _is_empty(duration, message, measured, told)):
                continue
            missed = 0
            yield Sample(
                self.probe_id,
                at_ms,
                Status.UP if finding is None else Status(finding),
                duration or 0.0,
                {name: value for name, value in measured.items() if value is not None},
                {name: _fact(value, at_ms) for name, value in told.items() if value is not None},
                message or "",
            )


def _is_empty(duration: object, message: object, values: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    return all(part is None for part in (duration, message, *values.values(), *facts.values()))


def _fact(value: Any, at_ms: int) -> Any:
    return utc(at_ms) + value if isinstance(value, timedelta) else value


def _unfold(series: Series, runs: int) -> Iterator[Any]:
    """The values one by one."""
    if length(series) == 1:
        yield from repeat(_plain(series[0].value), runs)
        return
    for stretch in series:
        if stretch.step is None:
            yield from repeat(_plain(stretch.value), stretch.times)
        else:  # in decimals: three steps of 0.1 are 0.3
            yield from (float(stretch.value + stretch.step * number) for number in range(stretch.times))


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
