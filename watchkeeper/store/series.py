"""Reading what a series was."""

import json
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, func, or_, select

from watchkeeper.domain.history import Span
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rollup import HOUR_MS, MINUTE_MS, RollupEntry, Row, combine
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.rollups import QUARTER, Tier, decoded, key, of_key, rows_of, tier_bounds

_rows, _tracks = tables.rollups, tables.rollup_tracks
_intervals, _alerts = tables.probe_intervals, tables.alerts
_MOST_SPANS: Final = 200
_SIGNS_OF_LIFE_MS: Final = 30_000  # what may lie between two of them, and not more


def read_series(database: Database, probe_id: str, series: str, from_ms: int, to_ms: int) -> list[RollupEntry]:
    """What one series of a probe was, in order of time: minutes where there are minutes, else hours.

    Minutes are there some minutes after they are over, hours on their own some minutes after theirs.

    Args:
        series: the name of a value, or `duration`.
        from_ms, to_ms: told is what begins at or after the one and before the other.

    Raises:
        StoreError: the database does not answer.
    """
    minutes: dict[int, Row] = {}
    hours: dict[int, Row] = {}
    first, end = max(from_ms // HOUR_MS, 0), -(-to_ms // HOUR_MS)
    tracks = select(_tracks.c.id, _tracks.c.series).where(_tracks.c.probe_id == probe_id).order_by(_tracks.c.id)
    with database.read() as connection:
        for track, text in connection.execute(tracks).all():
            names = json.loads(text)
            if series in names:
                column = names.index(series)
                for tier in (Tier.MINUTES, Tier.MINUTE_PIECE):
                    _add(minutes, column, _read(connection, tier, track, first, end, 60))
                for tier in (Tier.HOURS, Tier.HOUR_PIECE):
                    _add(hours, column, _read(connection, tier, track, first // QUARTER, -(-end // QUARTER), QUARTER))
    by_minutes = {minute // 60 for minute in minutes}
    found = [_entry(minute, MINUTE_MS, row) for minute, row in minutes.items()]
    found += [_entry(hour, HOUR_MS, row) for hour, row in hours.items() if hour not in by_minutes]
    return sorted(entry for entry in found if from_ms <= entry.from_ms < to_ms)


def read_statuses(database: Database, probe_id: str, from_ms: int, now_ms: int) -> list[Span]:
    """Which status a probe had, in the order of time: what ended after `from_ms`, of that the latest.

    What ended when the daemon was killed lasted to its last sign of life; an alert that moved is one, too.

    Raises:
        StoreError: the database does not answer.
    """
    mine = select(_intervals.c.from_ms, _intervals.c.to_ms, _intervals.c.status).where(
        _intervals.c.probe_id == probe_id, or_(_intervals.c.to_ms.is_(None), _intervals.c.to_ms > from_ms)
    )
    moved = select(func.max(_alerts.c.since_ms)).where(_alerts.c.probe_id == probe_id)
    with database.read() as connection:
        found = connection.execute(mine.order_by(_intervals.c.from_ms.desc()).limit(_MOST_SPANS)).all()
        moved_ms = connection.execute(moved).scalar()
    spans = [Span(begin, now_ms if end is None else end, Status(status)) for begin, end, status in reversed(found)]
    if moved_ms is None:
        return spans
    return [
        span._replace(to_ms=moved_ms) if 0 < moved_ms - span.to_ms <= _SIGNS_OF_LIFE_MS and was_killed else span
        for span, was_killed in zip(spans, _before_absence(spans), strict=True)
    ]


def _before_absence(spans: list[Span]) -> list[bool]:
    """Of each span whether nothing known follows at once."""
    following = [*spans[1:], None]
    return [after is None or after.status is Status.UNKNOWN for after in following]


def _read(
    connection: Connection, tier: Tier, track: int, first: int, end: int, length: int
) -> Iterator[tuple[int, Row]]:
    """The rows of one track in the periods from `first` and before `end`, each with its minute or hour (counted from
    the epoch)."""
    begin, beyond = tier_bounds(tier)
    # Two queries: databases find each end at once, but not both.
    ends = (select(func.min(_rows.c.key)), select(func.max(_rows.c.key)))
    mine = (_rows.c.key >= begin) & (_rows.c.key < beyond)
    oldest, newest = (connection.execute(end_of.where(mine)).scalar() for end_of in ends)
    if oldest is None or newest is None:
        return
    periods = range(max(first, of_key(oldest)[0]), min(end, of_key(newest)[0] + 1))
    if tier in {Tier.MINUTES, Tier.HOURS}:
        found = list(rows_of(connection, [key(tier, period, track) for period in periods]))
    else:
        found = []
        for period in periods:  # few: older ones are merged
            least, more = key(tier, period, track), key(tier, period, track + 1)
            found += connection.execute(select(_rows).where(_rows.c.key >= least, _rows.c.key < more)).all()
    for row in found:
        for _, chunk in decoded([row]):
            for position, numbers in chunk.items():
                yield of_key(row.key)[0] * length + position, numbers


def _add(entries: dict[int, Row], column: int, rows: Iterator[tuple[int, Row]]) -> None:
    """Adds one column of some rows to what is known."""
    for at, (samples, lows, highs, means) in rows:
        row = Row(samples, (lows[column],), (highs[column],), (means[column],))
        there = entries.get(at)
        entries[at] = row if there is None else combine(there, row)


def _entry(at: int, span_ms: int, row: Row) -> RollupEntry:
    return RollupEntry(at * span_ms, span_ms, row.samples, row.lows[0], row.highs[0], row.means[0])
