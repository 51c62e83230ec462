"""Rollups for the store's tests: samples at times that a test can read."""

from array import array
from collections.abc import Mapping
from typing import Final

from watchkeeper.domain.chunk import encode_exactly
from watchkeeper.domain.rollup import HOUR_MS, roll_up
from watchkeeper.store.rollups import Piece, RollupStore

DAY_MS: Final = 24 * HOUR_MS
BEGIN_MS: Final = 20_000 * DAY_MS


def pieces(probe: str, names: tuple[str, ...], samples: Mapping[int, tuple[float, ...]]) -> list[Piece]:
    """Of samples by their time since `BEGIN_MS`."""
    numbers = array("d", [number for at, values in samples.items() for number in (BEGIN_MS + at, *values)])
    return [
        Piece(
            probe,
            names,
            hour,
            first_ms,
            sum(row.samples for row in chunk.values()),
            encode_exactly(chunk, deflate=False),
        )
        for hour, first_ms, chunk in roll_up(len(names), numbers)
    ]


def write(store: RollupStore, probe: str, samples: Mapping[int, float], now_ms: int = BEGIN_MS) -> None:
    """Writes durations by their time since `BEGIN_MS`."""
    some = pieces(probe, ("duration",), {at: (value,) for at, value in samples.items()})
    store.write(some, now_ms)


def merge_all(store: RollupStore, after_ms: int) -> int:
    """Merges everything that is over so long after `BEGIN_MS`. Returns in how many steps."""
    steps = 0
    while store.merge(BEGIN_MS + after_ms):
        steps += 1
        assert steps < 1000
    return steps
