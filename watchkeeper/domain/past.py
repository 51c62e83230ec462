"""What is stored of a probe, made into samples again: as many as there were, each about when it was.

Statuses are known to the millisecond, numbers by the minute or the hour. So the first sample of a status stands where
the status begins; the others stand at even distances in the time that the probe had their status.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from math import nan
from typing import Final, NamedTuple

from watchkeeper.domain.probe import NOTHING, Every, Probe, Sample, Status
from watchkeeper.domain.rollup import HOUR_MS, MINUTE_MS, Chunk, Row
from watchkeeper.domain.window import DURATION, UP

FOREVER_MS: Final = 2**62
NOT_RUNNING: Final = "watchkeeper was not running"
"""The message of the time in which nobody watched."""

_MISSED: Final = " missed: "  # in the message of runs that did not take place


class Span(NamedTuple):
    """A probe had one status in [from, to). `message` is what its first sample said."""

    from_ms: int
    to_ms: int
    status: Status
    message: str


class Slice(NamedTuple):
    """The samples of all probes up to a time, in the order of their times."""

    until_ms: int
    samples: list[Sample]


class Track:
    """The names of some series, and where the numbers of each are: duration and `up` come first, then the values."""

    __slots__ = ("_duration", "_names", "_up", "_values")

    def __init__(self, series: Sequence[str]) -> None:
        self._duration = series.index(DURATION) if DURATION in series else None
        self._up = series.index(UP) if UP in series else None
        self._values = len({DURATION, UP}.intersection(series))
        self._names = tuple(series[self._values :])

    def down(self, row: Row) -> int:
        """How many samples of a row were down."""
        up = self._up
        if up is None or row.lows[up] == 1.0:
            return 0
        return row.samples - round(row.means[up] * row.samples)

    def sample(self, probe_id: str, at_ms: int, status: Status, numbers: Sequence[float], message: str) -> Sample:
        duration = nan if self._duration is None else numbers[self._duration]
        values = dict(zip(self._names, numbers[self._values :], strict=True)) if self._names else NOTHING
        return Sample(probe_id, at_ms, status, duration, values, NOTHING, message)


class Numbers(NamedTuple):
    """What the samples of one track were in a minute or an hour."""

    track: Track
    row: Row


class Past:
    """What is stored of one probe. Asked for one period after the other.

    What is known of a sample but its numbers gives one without values, whose duration is not a number: where a status
    begins, and at the probe's own interval while its status lasts.
    """

    def __init__(self, probe: Probe) -> None:
        self.id = probe.id
        schedule = probe.schedule
        self._interval_ms = schedule.interval_ms if isinstance(schedule, Every) else None
        self._spans: deque[Span] = deque()
        self._due_ms = -FOREVER_MS  # until when nothing is missing
        self._hour: Iterator[Sample] = iter(())
        self._ahead: Sample | None = None  # the next of the hour

    def learn(self, span: Span) -> None:
        """Takes in what status it had. In order of time."""
        self._spans.append(span)

    def is_quiet(self, from_ms: int, to_ms: int) -> bool:
        """Whether nothing comes of a time in which there are no numbers."""
        spans = self._within(from_ms, to_ms)
        return not spans or (len(spans) == 1 and spans[0].from_ms < from_ms and spans[0].message == NOT_RUNNING)

    def minutes(self, hour_ms: int, minutes: range, known: Sequence[tuple[Track, Chunk]]) -> Iterator[Sample]:
        """The samples of some minutes of an hour."""
        steady = self._steady(hour_ms + minutes.start * MINUTE_MS, hour_ms + minutes.stop * MINUTE_MS)
        for minute in minutes:
            rows = [Numbers(track, row) for track, chunk in known if (row := chunk.get(minute)) is not None]
            from_ms = hour_ms + minute * MINUTE_MS
            if steady is not None and len(rows) == 1 and rows[0].row.samples == 1:
                # Nearly always: there is one sample, and nothing to be asked about it.
                track, row = rows[0]
                if track.down(row) == (steady.status is Status.DOWN):
                    at_ms = from_ms + MINUTE_MS // 2
                    self._expect(at_ms, intervals=2)
                    yield track.sample(self.id, at_ms, steady.status, row.means, steady.message)
                    continue
            yield from self._period(from_ms, from_ms + MINUTE_MS, rows)

    def begin_hour(self, hour_ms: int, rows: Sequence[Numbers]) -> None:
        """Takes in an hour of which no minutes are known."""
        self._hour = iter(self._period(hour_ms, hour_ms + HOUR_MS, rows))
        self._ahead = next(self._hour, None)

    def of_hour(self, until_ms: int) -> Iterator[Sample]:
        """The samples of the hour that was begun, up to a time."""
        while (sample := self._ahead) is not None and sample.at_ms < until_ms:
            self._ahead = next(self._hour, None)
            yield sample

    def _within(self, from_ms: int, to_ms: int) -> list[Span]:
        """The statuses of [from, to). Those before are forgotten."""
        spans = self._spans
        while spans and spans[0].to_ms <= from_ms:
            spans.popleft()
        found = []
        for span in spans:
            if span.from_ms >= to_ms:
                break
            found.append(span)
        return found

    def _steady(self, from_ms: int, to_ms: int) -> Span | None:
        """The status of [from, to), if it was known and the same all the time, and before."""
        spans = self._within(from_ms, to_ms)
        if len(spans) != 1 or spans[0].status is Status.UNKNOWN:
            return None
        return spans[0] if spans[0].from_ms < from_ms and spans[0].to_ms >= to_ms else None

    def _period(self, from_ms: int, to_ms: int, rows: Sequence[Numbers]) -> Iterable[Sample]:
        if not rows:
            return self._without_numbers(from_ms, to_ms, self._within(from_ms, to_ms))
        steady = self._steady(from_ms, to_ms)
        if steady is not None and len(rows) == 1:
            track, row = rows[0]
            if track.down(row) == (row.samples if steady.status is Status.DOWN else 0):
                return self._evenly(from_ms, to_ms, track, row, steady)
        return self._placed(from_ms, to_ms, rows, self._within(from_ms, to_ms))

    def _evenly(self, from_ms: int, to_ms: int, track: Track, row: Row, span: Span) -> Iterator[Sample]:
        """The samples of a row that all had the same status: nearly always."""
        step = (to_ms - from_ms) / row.samples
        self._expect(to_ms - round(step / 2), intervals=2)
        for number, numbers in enumerate(_numbers(row, 0, row.samples)):
            at_ms = from_ms + round(step * (number + 0.5))
            yield track.sample(self.id, at_ms, span.status, numbers, span.message)

    def _placed(self, from_ms: int, to_ms: int, rows: Sequence[Numbers], spans: Sequence[Span]) -> list[Sample]:
        """The samples of a period in which the status changed, or of which it is not known."""
        samples = self._without_numbers(from_ms, to_ms, [span for span in spans if span.status is Status.UNKNOWN])
        for status in (Status.DOWN, Status.UP):
            parts = [span for span in spans if span.status is status]
            counted: list[tuple[Track, Sequence[float]]] = []
            for track, row in rows:
                # Of a row of both statuses the lowest numbers go to those that were down: which was which is lost.
                down = track.down(row)
                some = _numbers(row, 0, down) if status is Status.DOWN else _numbers(row, down, row.samples)
                counted += [(track, numbers) for numbers in some]
            places = _places(from_ms, to_ms, parts, len(counted))
            samples += [
                track.sample(self.id, at_ms, status, numbers, message)
                for (track, numbers), (at_ms, message) in zip(counted, places, strict=True)
            ]
            there = {at_ms for at_ms, _ in places}
            samples += [self._bare(span) for span in parts if span.from_ms >= from_ms and span.from_ms not in there]
        samples.sort(key=_at)
        if samples:
            self._expect(samples[-1].at_ms, intervals=2)
        return samples

    def _without_numbers(self, from_ms: int, to_ms: int, spans: Sequence[Span]) -> list[Sample]:
        """What is known of a period without numbers."""
        samples: list[Sample] = []
        for span in spans:
            if span.from_ms >= from_ms:
                samples.append(self._bare(span))
            if span.message == NOT_RUNNING or self._interval_ms is None:
                continue
            times = range(max(self._due_ms, span.from_ms, from_ms), min(span.to_ms, to_ms), self._interval_ms)
            samples += [self._bare(span, at_ms) for at_ms in times]
        return samples

    def _expect(self, at_ms: int, intervals: int) -> None:
        """Notes when a sample was. When one with numbers was is not quite known."""
        if self._interval_ms is not None:
            self._due_ms = at_ms + intervals * self._interval_ms

    def _bare(self, span: Span, at_ms: int | None = None) -> Sample:
        at_ms = span.from_ms if at_ms is None else at_ms
        self._expect(at_ms, intervals=1)
        missed = 0
        if span.status is Status.UNKNOWN and _MISSED in span.message and self._interval_ms is not None:
            first = span.message.partition(" ")[0]
            missed = (int(first) if first.isdecimal() else 1) + (at_ms - span.from_ms) // self._interval_ms
        return Sample(self.id, at_ms, span.status, nan, NOTHING, NOTHING, span.message, missed)


def _at(sample: Sample) -> int:
    return sample.at_ms


def _numbers(row: Row, begin: int, end: int) -> Iterable[Sequence[float]]:
    """The numbers of some samples of a row: of the first the least, of the second the greatest, of the others what
    gives the row's mean. See `history.points_of`."""
    if row.samples == 1:
        return [row.means][begin:end]
    if row.samples == 2:
        return [row.lows, row.highs][begin:end]
    others = row.samples - 2
    rest = [
        (mean * row.samples - low - high) / others
        for low, high, mean in zip(row.lows, row.highs, row.means, strict=True)
    ]
    return islice(chain((row.lows, row.highs), repeat(rest, others)), begin, end)


def _places(from_ms: int, to_ms: int, spans: Sequence[Span], count: int) -> list[tuple[int, str]]:
    """When so many samples of one status were, and their messages: where the status began, and evenly over the rest
    of its time; over all the time where it is not known when the status was so."""
    begun = [(span.from_ms, span.message) for span in spans if span.from_ms >= from_ms][:count]
    parts = [(max(span.from_ms, from_ms), min(span.to_ms, to_ms), span.message) for span in spans]
    return sorted([*begun, *_spread(parts or [(from_ms, to_ms, "")], count - len(begun))])


def _spread(parts: Sequence[tuple[int, int, str]], count: int) -> Iterator[tuple[int, str]]:
    """So many times at even distances in some parts of time, one after the other."""
    length = sum(end - begin for begin, end, _ in parts)
    offsets = deque((number + 0.5) * length / count for number in range(count))
    passed = 0
    for begin, end, message in parts:
        while offsets and offsets[0] < passed + end - begin:
            yield begin + int(offsets.popleft() - passed), message
        passed += end - begin
