"""Rollups in the database.

Every few minutes a *piece* of each track is written. When a period is over, its pieces are merged into one chunk: so
nothing has to be read back after a restart, and what is kept for long is written once, in order, without gaps.

Minutes become chunks of an hour; the totals of hours become chunks of a quarter day.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, delete, select

from watchkeeper.domain.chunk import decode, encode_coarsely, encode_exactly
from watchkeeper.domain.rollup import HOUR_MS, MINUTE_MS, Chunk, Row, combine, merge, total
from watchkeeper.store import tables
from watchkeeper.store.database import Database, upsert

MERGED_AFTER_MS: Final = 10 * MINUTE_MS  # an hour's last pieces take a while to come
_MERGED_AT_ONCE: Final = 240  # pieces in one transaction
_ASKED_AT_ONCE: Final = 500  # keys in one query
_DAY_MS: Final = 24 * HOUR_MS
QUARTER: Final = 6  # hours in the longer period

_log = structlog.get_logger("store")
_rows, _tracks = tables.rollups, tables.rollup_tracks


class Tier(IntEnum):
    """What a row of `rollups` is, as the uppermost bits of its key."""

    MINUTE_PIECE = 0
    MINUTES = 1
    HOUR_PIECE = 2
    HOURS = 3


class Piece(NamedTuple):
    """Minutes of one track in one hour (counted from the epoch), and when its first sample was."""

    probe_id: str
    names: tuple[str, ...]
    hour: int
    first_ms: int
    samples: int
    data: bytes


# A key is made of the tier, the period (hours or quarter days since the epoch), the track, and for pieces the place
# in the period. So a tier is in order of time, what is too old stands together, and so do the pieces of one track.
_PERIOD_BITS, _TRACK_BITS, _PLACE_BITS = 21, 28, 12


def key(tier: Tier, period: int, track: int = 0, place: int = 0) -> int:
    """The key of a row of `rollups`, or the least of a period."""
    return (((tier << _PERIOD_BITS | period) << _TRACK_BITS | track) << _PLACE_BITS) | place


def tier_bounds(tier: Tier) -> tuple[int, int]:
    """The keys, from and before, of a tier."""
    return key(tier, 0), key(tier, (1 << _PERIOD_BITS) - 1)


def period_bounds(tier: Tier, before_ms: int) -> tuple[int, int]:
    """The keys, from and before, of all periods of a tier that end at or before a time."""
    length = HOUR_MS if tier in {Tier.MINUTE_PIECE, Tier.MINUTES} else QUARTER * HOUR_MS
    return key(tier, 0), key(tier, max(before_ms // length, 0))


def of_key(value: int) -> tuple[int, int, int]:
    """The period, the track and the place that a key is made of."""
    period_and_track = value >> _PLACE_BITS
    period = period_and_track >> _TRACK_BITS & (1 << _PERIOD_BITS) - 1
    return period, period_and_track & (1 << _TRACK_BITS) - 1, value & (1 << _PLACE_BITS) - 1


Pieces = Mapping[int, Sequence[tuple[int, Chunk]]]
"""Some tracks' pieces, with their places, by the key that they would have in place 0."""

Merging = Callable[[Connection, Pieces], Mapping[int, bytes]]


class RollupStore:
    """Writes and merges pieces. For one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: dict[tuple[str, tuple[str, ...]], int] = {}  # the tracks that were in use on `_day`
        self._day = -1

    def write(self, pieces: Sequence[Piece], now_ms: int) -> None:
        """Adds pieces. The same ones may be written again when nobody can tell whether they were.

        Raises:
            StoreError: nothing was written, as far as one can tell.
        """
        self._find_tracks({(piece.probe_id, piece.names) for piece in pieces}, now_ms)
        rows = [
            {
                # In one place there are two pieces only if both begin within a second: the second one counts.
                "key": key(
                    Tier.MINUTE_PIECE,
                    piece.hour,
                    self._ids[piece.probe_id, piece.names],
                    ((piece.first_ms % HOUR_MS) << _PLACE_BITS) // HOUR_MS,
                ),
                "data": piece.data,
            }
            for piece in pieces
        ]
        with self._database.write() as connection:
            connection.execute(upsert(connection, _rows, ("data",)), rows)

    def merge(self, now_ms: int) -> bool:
        """Merges some of the pieces whose periods are over. False when there are none.

        Raises:
            StoreError: nothing was merged, as far as one can tell.
        """
        until_ms = now_ms - MERGED_AFTER_MS
        return self._merge(Tier.MINUTE_PIECE, until_ms, _merge_minutes) or self._merge(
            Tier.HOUR_PIECE, until_ms, _merge_hours
        )

    def _merge(self, tier: Tier, until_ms: int, merging: Merging) -> bool:
        begin, end = period_bounds(tier, until_ms)
        query = select(_rows).where(_rows.c.key >= begin, _rows.c.key < end).order_by(_rows.c.key)
        with self._database.read() as connection:
            found = connection.execute(query.limit(_MERGED_AT_ONCE)).all()
            if not found:
                return False
            groups = [list(rows) for _, rows in groupby(found, lambda row: row.key >> _PLACE_BITS)]
            if len(found) == _MERGED_AT_ONCE and len(groups) > 1:
                groups.pop()  # there may be more of it
            pieces = {rows[0].key >> _PLACE_BITS << _PLACE_BITS: decoded(rows) for rows in groups}
            written = merging(connection, pieces)
        done = [row.key for rows in groups for row in rows]
        with self._database.write() as connection:
            if written:
                rows = [{"key": at, "data": data} for at, data in sorted(written.items())]
                connection.execute(upsert(connection, _rows, ("data",)), rows)
            connection.execute(delete(_rows).where(_rows.c.key.in_(done)))
        return True

    def _find_tracks(self, wanted: Iterable[tuple[str, tuple[str, ...]]], now_ms: int) -> None:
        """Finds the ids of tracks, makes those that are new, and notes once a day that they are in use."""
        if self._day != (day := now_ms // _DAY_MS):
            self._ids.clear()
            self._day = day
        missing = [track for track in wanted if track not in self._ids]
        if not missing:
            return
        texts = {(probe_id, json.dumps(names)): (probe_id, names) for probe_id, names in missing}
        rows = [{"probe_id": probe, "series": text, "seen_ms": now_ms} for probe, text in texts]
        probes = list({probe for probe, _ in texts})
        with self._database.write() as connection:
            statement = upsert(connection, _tracks, ("seen_ms",), (_tracks.c.probe_id, _tracks.c.series))
            connection.execute(statement, rows)
            found = connection.execute(select(_tracks).where(_tracks.c.probe_id.in_(probes))).all()
        for row in found:
            if (track := texts.get((row.probe_id, row.series))) is not None:
                self._ids[track] = row.id


def decoded(rows: Iterable[Any]) -> list[tuple[int, Chunk]]:
    """What can be read of some rows, and their places. The rest is told."""
    found = []
    for row in rows:
        try:
            found.append((of_key(row.key)[2], decode(row.data)))
        except ValueError as error:
            _log.error("rollup_damaged", key=row.key, error=str(error))
    return found


def rows_of(connection: Connection, keys: Sequence[int]) -> Iterator[Any]:
    """The rows that there are of some keys."""
    rest = iter(keys)
    while some := list(islice(rest, _ASKED_AT_ONCE)):
        yield from connection.execute(select(_rows).where(_rows.c.key.in_(some)).order_by(_rows.c.key)).all()


def _there(connection: Connection, keys: Sequence[int]) -> dict[int, Chunk]:
    """The chunks that there are of some keys."""
    there: dict[int, Chunk] = {}
    for row in rows_of(connection, keys):
        for _, chunk in decoded([row]):
            there[row.key] = chunk
    return there


def _merge_minutes(connection: Connection, pieces: Pieces) -> dict[int, bytes]:
    """Chunks of an hour's minutes, and what they add to their hours."""
    chunks: dict[int, Chunk] = {}
    hours: dict[int, Row] = {}
    for at, parts in pieces.items():
        if not parts:
            continue
        hour, track, _ = of_key(at)
        chunk = chunks[key(Tier.MINUTES, hour, track)] = {}
        for _, part in parts:
            merge(chunk, part)
        hours[key(Tier.HOUR_PIECE, hour // QUARTER, track, hour % QUARTER)] = total(list(chunk.values()))
    for at, late in _there(connection, [*chunks, *hours]).items():
        if at in chunks:
            merge(chunks[at], late)
        else:
            hours[at] = combine(hours[at], total(list(late.values())))
    written = {at: encode_coarsely(chunk) for at, chunk in chunks.items()}
    return written | {at: encode_exactly({of_key(at)[2]: row}, deflate=False) for at, row in hours.items()}


def _merge_hours(connection: Connection, pieces: Pieces) -> dict[int, bytes]:
    """Chunks of a quarter day's hours."""
    chunks: dict[int, Chunk] = {}
    for at, parts in pieces.items():
        if parts:
            quarter, track, _ = of_key(at)
            chunk = chunks[key(Tier.HOURS, quarter, track)] = {}
            for _, part in parts:
                merge(chunk, part)
    for at, late in _there(connection, list(chunks)).items():
        merge(chunks[at], late)
    return {at: encode_exactly(chunk) for at, chunk in chunks.items()}
