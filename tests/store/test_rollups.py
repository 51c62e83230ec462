"""Pieces of rollups are written, merged when their time is over, and read as one series whatever became of them."""

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from tests.store import rolled
from tests.store.rolled import BEGIN_MS, DAY_MS, merge_all, write
from watchkeeper.domain.rollup import HOUR_MS, MINUTE_MS, RollupEntry
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.rollups import MERGED_AFTER_MS, RollupStore, Tier, key, of_key
from watchkeeper.store.series import read_series

MERGED_MS = HOUR_MS + MERGED_AFTER_MS


@pytest.fixture
def store(database: Database) -> RollupStore:
    return RollupStore(database)


def tiers(database: Database) -> list[Tier]:
    """What the rows are."""
    with database.read() as connection:
        keys = connection.execute(select(tables.rollups.c.key).order_by(tables.rollups.c.key)).scalars().all()
    return [next(tier for tier in reversed(Tier) if found >= key(tier, 0)) for found in keys]


def tracks(database: Database) -> list[tuple[str, str, int]]:
    kept = tables.rollup_tracks
    with database.read() as connection:
        found = connection.execute(select(kept.c.probe_id, kept.c.series, kept.c.seen_ms).order_by(kept.c.id))
        return [(probe, series, seen) for probe, series, seen in found]


def durations(database: Database, probe: str = "web", until_ms: int = 40 * DAY_MS) -> list[RollupEntry]:
    return read_series(database, probe, "duration", BEGIN_MS, BEGIN_MS + until_ms)


def minute(number: int, samples: int, low: float, high: float, mean: float) -> RollupEntry:
    return RollupEntry(BEGIN_MS + number * MINUTE_MS, MINUTE_MS, samples, low, high, mean)


def hour(number: int, samples: int, low: float, high: float, mean: float) -> RollupEntry:
    return RollupEntry(BEGIN_MS + number * HOUR_MS, HOUR_MS, samples, low, high, mean)


def drop_minutes(database: Database) -> None:
    rows = tables.rollups
    with database.write() as connection:
        connection.execute(
            rows.delete().where(rows.c.key >= key(Tier.MINUTES, 0), rows.c.key < key(Tier.HOUR_PIECE, 0))
        )


def test_a_key_holds_what_it_is_made_of_and_fits_into_the_column() -> None:
    greatest = key(Tier.HOURS, 2**21 - 1, 2**28 - 1, 2**12 - 1)

    assert greatest < 2**63
    assert of_key(greatest) == (2**21 - 1, 2**28 - 1, 2**12 - 1)
    assert of_key(key(Tier.MINUTES, 480_000, 77, 5)) == (480_000, 77, 5)


def test_minutes_are_read_as_soon_as_they_are_written(database: Database, store: RollupStore) -> None:
    write(store, "web", {0: 0.5, 30_000: 1.5, 60_000: 2.0})

    assert durations(database) == [minute(0, 2, 0.5, 1.5, 1.0), minute(1, 1, 2.0, 2.0, 2.0)]


def test_a_minute_that_is_in_two_pieces_is_one(database: Database, store: RollupStore) -> None:
    write(store, "web", {0: 0.5})
    write(store, "web", {30_000: 1.5})

    assert durations(database) == [minute(0, 2, 0.5, 1.5, 1.0)]


def test_pieces_that_are_written_again_count_once(database: Database, store: RollupStore) -> None:
    for _ in range(2):
        write(store, "web", {0: 0.5, 30_000: 1.5})

    assert durations(database) == [minute(0, 2, 0.5, 1.5, 1.0)]


def test_another_daemon_goes_on_where_one_was_killed(database: Database, store: RollupStore) -> None:
    write(store, "web", {0: 0.5, 30_000: 1.5})
    again = RollupStore(database)
    write(again, "web", {90_000: 2.0})
    merge_all(again, MERGED_MS)

    assert durations(database) == [minute(0, 2, 0.5, 1.5, 1.0), minute(1, 1, 2.0, 2.0, 2.0)]
    assert len(tracks(database)) == 1


def test_an_hour_is_merged_when_it_is_over_and_its_last_pieces_have_had_time(
    database: Database, store: RollupStore
) -> None:
    write(store, "web", {0: 0.5})
    write(store, "web", {MINUTE_MS: 1.5})

    assert not store.merge(BEGIN_MS + MERGED_MS - 1)
    assert tiers(database) == [Tier.MINUTE_PIECE] * 2
    assert merge_all(store, MERGED_MS) == 1
    assert tiers(database) == [Tier.MINUTES, Tier.HOUR_PIECE]


def test_merging_changes_nothing_of_what_is_read(database: Database, store: RollupStore) -> None:
    for at in range(0, 2 * HOUR_MS, 10 * MINUTE_MS):
        write(store, "web", {at: 0.0, at + 30_000: 63.0, at + MINUTE_MS: at / HOUR_MS // 1})
    before = durations(database)
    merge_all(store, 2 * HOUR_MS + MERGED_AFTER_MS)

    assert len(before) == 24
    assert durations(database) == before


def test_hours_are_told_where_there_are_no_minutes_any_more(database: Database, store: RollupStore) -> None:
    write(store, "web", {0: 0.5, 30_000: 1.5, MINUTE_MS: 4.0, HOUR_MS: 7.0})
    merge_all(store, HOUR_MS + MERGED_MS)
    drop_minutes(database)
    write(store, "web", {2 * HOUR_MS: 9.0})

    assert durations(database) == [
        hour(0, 3, 0.5, 4.0, 2.0),
        hour(1, 1, 7.0, 7.0, 7.0),
        minute(120, 1, 9.0, 9.0, 9.0),
    ]


def test_hours_become_one_row_for_a_quarter_day(database: Database, store: RollupStore) -> None:
    for number in range(7):
        write(store, "web", {number * HOUR_MS: number, number * HOUR_MS + 1: number + 1})
    merge_all(store, 7 * HOUR_MS + MERGED_AFTER_MS)

    assert tiers(database) == [*[Tier.MINUTES] * 7, Tier.HOUR_PIECE, Tier.HOURS]
    drop_minutes(database)
    assert durations(database) == [hour(n, 2, n, n + 1, n + 0.5) for n in range(7)]


def test_what_comes_after_its_hour_was_merged_is_added(database: Database, store: RollupStore) -> None:
    write(store, "web", {0: 1.0})
    merge_all(store, MERGED_MS)
    write(store, "web", {1000: 3.0})
    merge_all(store, MERGED_MS)

    assert durations(database) == [minute(0, 2, 1.0, 3.0, 2.0)]
    merge_all(store, DAY_MS)
    write(store, "web", {2000: 5.0})
    merge_all(store, DAY_MS)
    [coarse] = durations(database)
    assert coarse._replace(mean=3.0) == minute(0, 3, 1.0, 5.0, 3.0)
    assert coarse.mean == pytest.approx(3.0, abs=4 / 126)
    drop_minutes(database)
    assert durations(database) == [hour(0, 3, 1.0, 5.0, 3.0)]


def test_values_may_come_and_go(database: Database, store: RollupStore) -> None:
    store.write(rolled.pieces("web", ("duration", "size"), {0: (1.0, 48.0)}), BEGIN_MS)
    write(store, "web", {30_000: 3.0})
    store.write(rolled.pieces("web", ("size", "duration"), {MINUTE_MS: (50.0, 5.0)}), BEGIN_MS)
    for after_ms in (0, DAY_MS):
        merge_all(store, after_ms)
        assert durations(database) == [minute(0, 2, 1.0, 3.0, 2.0), minute(1, 1, 5.0, 5.0, 5.0)]
        sizes = read_series(database, "web", "size", BEGIN_MS, BEGIN_MS + DAY_MS)
        assert [(entry.samples, entry.mean) for entry in sizes] == [(1, 48.0), (1, 50.0)]


def test_probes_are_told_apart(database: Database, store: RollupStore) -> None:
    write(store, "web", {0: 1.0})
    write(store, "db", {0: 2.0})
    merge_all(store, DAY_MS)

    assert durations(database, "web") == [minute(0, 1, 1.0, 1.0, 1.0)]
    assert durations(database, "db") == [minute(0, 1, 2.0, 2.0, 2.0)]
    assert durations(database, "mail") == []
    assert read_series(database, "web", "size", BEGIN_MS, BEGIN_MS + DAY_MS) == []


def test_only_what_begins_in_the_time_asked_for_is_told(database: Database, store: RollupStore) -> None:
    write(store, "web", {number * MINUTE_MS: number for number in range(180)})
    for after_ms in (0, 2 * HOUR_MS + MERGED_AFTER_MS):
        merge_all(store, after_ms)
        found = read_series(database, "web", "duration", BEGIN_MS + 58 * MINUTE_MS + 1, BEGIN_MS + 62 * MINUTE_MS)
        assert [entry.from_ms - BEGIN_MS for entry in found] == [n * MINUTE_MS for n in (59, 60, 61)]
    assert read_series(database, "web", "duration", BEGIN_MS + 5, BEGIN_MS + 5) == []


def test_more_pieces_than_fit_into_one_step_are_merged_in_several(database: Database, store: RollupStore) -> None:
    names = [f"probe-{number}" for number in range(60)]
    for at in range(0, HOUR_MS, 6 * MINUTE_MS):
        some = [piece for name in names for piece in rolled.pieces(name, ("duration",), {at: (1.0,)})]
        store.write(some, BEGIN_MS)

    assert merge_all(store, MERGED_MS) == 3
    assert tiers(database) == [Tier.MINUTES] * 60 + [Tier.HOUR_PIECE] * 60
    for name in names:
        assert [entry.samples for entry in durations(database, name)] == [1] * 10


def test_a_track_with_more_pieces_than_fit_into_one_step_is_merged_too(
    database: Database, store: RollupStore
) -> None:
    store.write(
        [piece for n in range(600) for piece in rolled.pieces("web", ("duration",), {n * 6_000: (1.0,)})], BEGIN_MS
    )
    merge_all(store, MERGED_MS)

    assert tiers(database) == [Tier.MINUTES, Tier.HOUR_PIECE]
    assert [entry.samples for entry in durations(database)] == [10] * 60


def test_the_use_of_a_track_is_noted_once_a_day(database: Database, store: RollupStore) -> None:
    for after_ms in (0, HOUR_MS, DAY_MS + 5):
        write(store, "web", {after_ms: 1.0}, BEGIN_MS + after_ms)
        seen = BEGIN_MS if after_ms < DAY_MS else BEGIN_MS + after_ms
        assert tracks(database) == [("web", '["duration"]', seen)]


def test_damaged_rows_are_told_and_the_others_are_read_and_merged(database: Database, store: RollupStore) -> None:
    write(store, "web", {0: 1.0})
    write(store, "web", {MINUTE_MS: 2.0})
    rows = tables.rollups
    with database.write() as connection:
        first = connection.execute(select(rows.c.key).order_by(rows.c.key).limit(1)).scalar_one()
        connection.execute(update(rows).where(rows.c.key == first).values(data=b"?"))
    with capture_logs() as logs:
        assert durations(database) == [minute(1, 1, 2.0, 2.0, 2.0)]
        merge_all(store, MERGED_MS)

    assert {entry["event"] for entry in logs} == {"rollup_damaged"}
    assert tiers(database) == [Tier.MINUTES, Tier.HOUR_PIECE]
    assert durations(database) == [minute(1, 1, 2.0, 2.0, 2.0)]
