"""Stored history as points of a window: what a restart would otherwise forget."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from watchkeeper.domain.probe import Status
from watchkeeper.domain.rollup import RollupEntry
from watchkeeper.domain.statistics import Points
from watchkeeper.domain.streak import MOST


class Span(NamedTuple):
    """A status, from when to when (ms since the epoch). It begins with a sample."""

    from_ms: int
    to_ms: int
    status: Status


def points_of(entries: Iterable[RollupEntry]) -> Points:
    """As many points as there were samples, spread evenly over the minute or hour that each entry is of.

    They have the same count, sum, minimum and maximum as the samples; which was when within the entry is lost.
    """
    times: list[int] = []
    values: list[float] = []
    for entry in sorted(entries):
        step = entry.span_ms / entry.samples
        times += [entry.from_ms + round(step * (n + 0.5)) for n in range(entry.samples)]
        values += _values(entry)
    return Points(times, values)


def _values(entry: RollupEntry) -> list[float]:
    if entry.samples == 1:
        return [entry.mean]
    others = entry.samples - 2
    ends = [entry.min, entry.max]
    return [*ends, *[(entry.sum - entry.min - entry.max) / others] * others] if others else ends


def statuses_of(spans: Iterable[Span]) -> Points:
    """The first and the last moment of each status: 1 of up, 0 of down. Unknown is left out."""
    known = [span for span in spans if span.status is not Status.UNKNOWN]
    ends = [
        (at_ms, _up(span.status)) for span in known for at_ms in (span.from_ms, max(span.from_ms, span.to_ms - 1))
    ]
    return Points([at_ms for at_ms, _ in ends], [value for _, value in ends])


def last_run(status: Status, spans: Sequence[Span]) -> list[Span]:
    """The last spans, if they were of a status; unknown ones in between are left out.

    Args:
        spans: in the order of time.
    """
    known = [span for span in spans if span.status is not Status.UNKNOWN]
    begin = len(known)
    while begin and known[begin - 1].status is status:
        begin -= 1
    return known[begin:]


def runs_of(spans: Sequence[Span], entries: Iterable[RollupEntry], every_ms: int | None) -> Points:
    """A point for each run in some spans of one status, one after the other: 1 of up, 0 of down.

    They are counted in the rollups of `up`. A crash loses the last minutes of these, but not of the spans: there it
    is as many runs as are due. Where a span begins within a minute or an hour, it is as many as fit, of those that
    the entry has of the status.

    Args:
        spans: what `last_run` gives.
        every_ms: how often the probe runs; None where that is irregular.
    """
    if not spans:
        return Points((), ())
    begin, value = spans[0].from_ms, _up(spans[0].status)
    times: list[int] = []
    rolled_up_ms = begin
    for entry in sorted(entries):
        end = entry.from_ms + entry.span_ms
        step = entry.span_ms / entry.samples
        count = entry.samples
        if entry.from_ms < begin:
            ups = round(entry.sum)
            count = min(ups if value else entry.samples - ups, int((end - 1 - begin) / step) + 1)
        if end > begin:
            times += [end - round(step * (n + 0.5)) for n in reversed(range(count))]
            rolled_up_ms = end
    for span in spans:
        times += _due(span, rolled_up_ms, every_ms)
    return Points(times[-MOST:], [value] * len(times[-MOST:]))


def _due(span: Span, rolled_up_ms: int, every_ms: int | None) -> Iterator[int]:
    """When the runs of a span were that are in no rollup."""
    if span.from_ms >= rolled_up_ms:
        yield span.from_ms
    if every_ms is not None:
        first = max(span.from_ms, rolled_up_ms) + every_ms
        yield from range(max(first, span.to_ms - MOST * every_ms), span.to_ms + 1, every_ms)


def _up(status: Status) -> float:
    return 1.0 if status is Status.UP else 0.0
