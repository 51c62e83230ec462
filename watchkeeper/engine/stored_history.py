"""The samples of many probes as the database knows them, in the order of their times, some at a time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Final

from watchkeeper.domain.past import FOREVER_MS, Numbers, Past, Slice, Span, Track
from watchkeeper.domain.probe import Every, Probe, Sample
from watchkeeper.domain.rollup import HOUR_MS, MINUTE_MS
from watchkeeper.store.past import PastReader
from watchkeeper.store.rollups import QUARTER

SAMPLES_AT_ONCE: Final = 150_000  # about; some 100 MB
_STATUSES_AT_ONCE_MS: Final = 24 * HOUR_MS  # when statuses began has no index: each time is a look at all
_STEPS: Final = (60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1)  # minutes, into which an hour can be divided

_at = attrgetter("at_ms")

_Blobs = Sequence[tuple[Track, list[bytes]]]
"""Encoded chunks of each track of a probe."""


class StoredHistory:
    """Reads the history of some probes.

    Args:
        ends_ms: when history ends, and with it what still is as it was.

    Attributes:
        hours_ms: the time of which there were only hourly figures, of some probe at least; `None` if there is none.
    """

    def __init__(self, reader: PastReader, probes: Mapping[str, Probe], ends_ms: int) -> None:
        self._reader = reader
        self._ends_ms = ends_ms
        self._past = {probe.id: Past(probe) for probe in probes.values()}
        self._in_an_hour = {
            probe.id: HOUR_MS // probe.schedule.interval_ms if isinstance(probe.schedule, Every) else 1
            for probe in probes.values()
        }
        self.hours_ms: tuple[int, int] | None = None

    def slices(self, from_ms: int, to_ms: int) -> Iterator[Slice]:
        """The samples in [from, to). Once.

        Raises:
            StoreError: the database does not answer.
        """
        for probe_id, span in self._reader.statuses_at(from_ms):
            self._learn(probe_id, span)
        known_ms = from_ms
        for hour in range(from_ms // HOUR_MS, -(-to_ms // HOUR_MS)):
            end_ms = min((hour + 1) * HOUR_MS, to_ms)
            while known_ms < end_ms:
                more_ms = min(known_ms + _STATUSES_AT_ONCE_MS, to_ms)
                for probe_id, span in self._reader.statuses_between(known_ms, more_ms):
                    self._learn(probe_id, span)
                known_ms = more_ms
            for until_ms, samples in self._hour(hour):
                within = [sample for sample in samples if from_ms <= sample.at_ms < to_ms]
                within.sort(key=_at)
                yield Slice(min(until_ms, to_ms), within)

    def _learn(self, probe_id: str, span: Span) -> None:
        if (past := self._past.get(probe_id)) is not None:
            past.learn(span if span.to_ms < FOREVER_MS else span._replace(to_ms=self._ends_ms))

    def _hour(self, hour: int) -> Iterator[Slice]:
        by_minutes = self._by_probe(self._reader.minutes(hour))
        by_hour = self._by_hour(hour, by_minutes)
        hour_ms = hour * HOUR_MS
        expected = sum(self._in_an_hour[probe_id] for probe_id in by_minutes)
        expected += sum(row.samples for rows in by_hour.values() for _, row in rows)
        bare = [
            past
            for past in self._past.values()
            if past.id not in by_minutes and past.id not in by_hour and not past.is_quiet(hour_ms, hour_ms + HOUR_MS)
        ]
        expected += sum(self._in_an_hour[past.id] for past in bare)
        for probe_id, rows in by_hour.items():
            self._past[probe_id].begin_hour(hour_ms, rows)
        step = next((step for step in _STEPS if expected * step <= 60 * SAMPLES_AT_ONCE), 1)
        for begin in range(0, 60, step):
            minutes = range(begin, begin + step)
            until_ms = hour_ms + (begin + step) * MINUTE_MS
            samples: list[Sample] = []
            for probe_id, blobs in by_minutes.items():
                known = [(track, self._reader.decoded(some)) for track, some in blobs]
                samples += self._past[probe_id].minutes(hour_ms, minutes, known)
            for past in bare:
                samples += past.minutes(hour_ms, minutes, ())
            for probe_id in by_hour:
                samples += self._past[probe_id].of_hour(until_ms)
            yield Slice(until_ms, samples)

    def _by_hour(self, hour: int, by_minutes: Mapping[str, _Blobs]) -> dict[str, list[Numbers]]:
        """The figures of the hour of the probes of which no minutes are known."""
        found: dict[str, list[Numbers]] = {}
        quarter, place = divmod(hour, QUARTER)
        if len(by_minutes) < len(self._past):
            for probe_id, blobs in self._by_probe(self._reader.hours(quarter)).items():
                if probe_id in by_minutes:
                    continue
                for track, some in blobs:
                    if (row := self._reader.decoded(some).get(place)) is not None:
                        found.setdefault(probe_id, []).append(Numbers(track, row))
        if found:
            begin_ms = hour * HOUR_MS if self.hours_ms is None else self.hours_ms[0]
            self.hours_ms = (begin_ms, (hour + 1) * HOUR_MS)
        return found

    def _by_probe(self, blobs: Mapping[int, list[bytes]]) -> dict[str, list[tuple[Track, list[bytes]]]]:
        found: dict[str, list[tuple[Track, list[bytes]]]] = defaultdict(list)
        for number, some in blobs.items():
            known = self._reader.track(number)
            if known is not None and known[0] in self._past:
                found[known[0]].append((known[1], some))
        return dict(found)
