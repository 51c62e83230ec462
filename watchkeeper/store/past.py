"""Reading the history of many probes together, an hour at a time. Each query is a transaction of its own: nobody
has to wait for a reader, however long all of it takes."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select

from watchkeeper.domain.chunk import decode
from watchkeeper.domain.past import FOREVER_MS, Span, Track
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rollup import Chunk, merge
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.rollups import Tier, key, of_key

_intervals, _rows, _runs, _tracks = tables.probe_intervals, tables.rollups, tables.runs, tables.rollup_tracks
_AT_ONCE: Final = 10_000  # rows that are fetched together

Blobs = dict[int, list[bytes]]
"""Encoded chunks of one period, by their track."""


class Extent(NamedTuple):
    """From when to when there is history."""

    from_ms: int
    to_ms: int


class PastReader:
    """Reads statuses and rollups. Every method raises StoreError when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, tuple[str, Track]] = {}
        self._quarter: tuple[int, Blobs] = (-1, {})
        self.damaged = 0
        """Chunks that could not be read."""

    def extent(self) -> Extent | None:
        """`None`: there is no history yet."""
        begins = _intervals.c.from_ms
        with self._database.read() as connection:
            ends = [
                connection.execute(select(func.max(column))).scalar()
                for column in (begins, _intervals.c.to_ms, _runs.c.alive_ms, _runs.c.stopped_ms)
            ]
            first = connection.execute(select(func.min(begins))).scalar()
        known = [end for end in ends if end is not None]
        return None if first is None else Extent(first, max(known))

    def probes_between(self, from_ms: int, to_ms: int) -> set[str]:
        """The probes that were watched in [from, to), for a while at least."""
        columns = _intervals.c
        within = (columns.from_ms < to_ms) & or_(columns.to_ms.is_(None), columns.to_ms > from_ms)
        with self._database.read() as connection:
            return set(connection.execute(select(columns.probe_id).distinct().where(within)).scalars())

    def statuses_at(self, at_ms: int) -> Iterator[tuple[str, Span]]:
        """What status each probe had, and since when."""
        ends = _intervals.c.to_ms
        return self._statuses((_intervals.c.from_ms < at_ms) & or_(ends.is_(None), ends > at_ms))

    def statuses_between(self, from_ms: int, to_ms: int) -> Iterator[tuple[str, Span]]:
        """The statuses that begin in [from, to), those of one probe in order."""
        begins, ends = _intervals.c.from_ms, _intervals.c.to_ms
        # The ends are what has an index.
        return self._statuses((begins >= from_ms) & (begins < to_ms) & or_(ends.is_(None), ends >= from_ms))

    def minutes(self, hour: int) -> Blobs:
        """The minutes of an hour (counted from the epoch)."""
        with self._database.read() as connection:
            return _blobs(connection, hour, Tier.MINUTES, Tier.MINUTE_PIECE)

    def hours(self, quarter: int) -> Blobs:
        """The hours of a quarter day (counted from the epoch). The last one is kept."""
        if self._quarter[0] != quarter:
            with self._database.read() as connection:
                self._quarter = (quarter, _blobs(connection, quarter, Tier.HOURS, Tier.HOUR_PIECE))
        return self._quarter[1]

    def decoded(self, blobs: list[bytes]) -> Chunk:
        """The rows of some chunks of one track and period, taken together."""
        chunk: Chunk = {}
        for data in blobs:
            try:
                more = decode(data)
            except ValueError:
                self.damaged += 1
                continue
            if chunk:
                merge(chunk, more)
            else:
                chunk = more
        return chunk

    def track(self, track: int) -> tuple[str, Track] | None:
        """The probe and the series of a track. `None`: it is forgotten."""
        if track not in self._known:
            with self._database.read() as connection:
                for row in connection.execute(select(_tracks.c.id, _tracks.c.probe_id, _tracks.c.series)):
                    self._known.setdefault(row.id, (row.probe_id, Track(json.loads(row.series))))
        return self._known.get(track)

    def _statuses(self, wanted: ColumnElement[bool]) -> Iterator[tuple[str, Span]]:
        columns = _intervals.c
        query = (
            select(columns.probe_id, columns.from_ms, columns.to_ms, columns.status, columns.message)
            .where(wanted)
            .order_by(columns.probe_id, columns.from_ms)
        )
        with self._database.read() as connection:
            for probe_id, from_ms, to_ms, status, message in connection.execute(query).yield_per(_AT_ONCE):
                yield probe_id, Span(from_ms, FOREVER_MS if to_ms is None else to_ms, Status(status), message)


def _blobs(connection: Connection, period: int, *tiers: Tier) -> Blobs:
    found: Blobs = defaultdict(list)
    for tier in tiers:
        within = (_rows.c.key >= key(tier, period)) & (_rows.c.key < key(tier, period + 1))
        for at, data in connection.execute(select(_rows.c.key, _rows.c.data).where(within).order_by(_rows.c.key)):
            found[of_key(at)[1]].append(data)
    return dict(found)
