"""What a store of rollups takes: `python -m bench.store_growth [--probes N] [--days D] [--every S]`.

Feeds samples to the rollups under a clock that is moved by hand, with a real SQLite file, retention at work. Prints
how much the database grew on each day, scaled to ten thousand probes, and what a sample costs. Each of a sample's
four values and its duration is noise of its own, unless `--http` asks for what the http prober would give: times
that depend on each other, and numbers that stay.
"""

import argparse
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, thread_time
from typing import Final

from watchkeeper.config.models import RetentionModel
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.engine.retention import Retention
from watchkeeper.engine.rollups import Rollups
from watchkeeper.store import migrate
from watchkeeper.store.database import Database

_BEGIN_MS: Final = 1_800_000_000_000 // 86_400_000 * 86_400_000
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_STEP_MS: Final = 60_000
_SCALE: Final = 10_000

Make = Callable[[random.Random], tuple[float, dict[str, float]]]
"""Makes a duration and values."""


def _noise(rng: random.Random) -> tuple[float, dict[str, float]]:
    one = rng.random
    values = {"connect_seconds": one(), "first_byte_seconds": one(), "size_bytes": one(), "tls_seconds": one()}
    return 0.001 + 0.01 * one(), values


def _http(rng: random.Random) -> tuple[float, dict[str, float]]:
    connect = 0.001 + 0.002 * rng.random()
    first_byte = connect + 0.01 * rng.random()
    values = {
        "connect_seconds": connect,
        "first_byte_seconds": first_byte,
        "size_bytes": 48.0,
        "status_code": 200.0,
    }
    return first_byte + 0.0001 * rng.random(), values


class Growth:
    """Probes of one interval, whose phases are spread over it."""

    def __init__(self, folder: Path, probes: int, every_s: int, kept: str, make: Make) -> None:
        self.database = Database(f"sqlite:///{folder / 'watchkeeper.db'}")
        migrate.upgrade(self.database)
        self._now_ms = _BEGIN_MS
        self._rollups = Rollups(lambda: self._now_ms, self.database)
        settings = RetentionModel.model_validate({"rollups": kept})
        self._retention = Retention(lambda: self._now_ms, self.database, settings)
        every_ms = every_s * 1000
        self._probes = [(f"probe-{n}", n * every_ms // probes) for n in range(probes)]
        self._every_ms = every_ms
        self._make = make
        self._random = random.Random(1)
        self.samples = 0
        self.add_s = self.step_s = self.longest_s = self.forget_s = 0.0
        self.steps = 0

    def day(self) -> None:
        for _ in range(_DAY_MS // _STEP_MS):
            samples = self._samples()
            began = thread_time()
            for sample in samples:
                self._rollups.add(sample)
            self.add_s += thread_time() - began
            self.samples += len(samples)
            self._now_ms += _STEP_MS
            while self._step():
                pass
            if self._now_ms % _HOUR_MS == 0:
                began = thread_time()
                while self._retention.step():
                    pass
                self.forget_s += thread_time() - began

    def _step(self) -> bool:
        began, wall = thread_time(), perf_counter()
        busy = self._rollups.step()
        self.step_s += thread_time() - began
        self.longest_s = max(self.longest_s, perf_counter() - wall)
        self.steps += busy
        return busy

    def _samples(self) -> list[Sample]:
        made = []
        for begin_ms in range(self._now_ms, self._now_ms + _STEP_MS, self._every_ms):
            for probe, phase_ms in self._probes:
                duration_s, values = self._make(self._random)
                made.append(Sample(probe, begin_ms + phase_ms, Status.UP, duration_s, values))
        return made

    def bytes(self) -> tuple[int, int]:
        """What is in use in the file, and the size of the file."""
        with self.database.engine.connect() as connection:
            count, free, size = (
                int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (count - free) * size, count * size


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.store_growth", description=__doc__)
    parser.add_argument("--probes", type=int, default=200)
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--every", type=int, default=30, metavar="S", help="a divisor of 60; 30 if not given")
    parser.add_argument("--kept", default="400d", metavar="DURATION", help="retention.rollups")
    parser.add_argument("--http", action="store_true", help="values as the http prober gives them")
    arguments = parser.parse_args()
    scale = _SCALE / arguments.probes / 1e6
    with tempfile.TemporaryDirectory() as folder:
        make = _http if arguments.http else _noise
        growth = Growth(Path(folder), arguments.probes, arguments.every, arguments.kept, make)
        used, _ = growth.bytes()
        print(f"{arguments.probes} probes every {arguments.every} s; megabytes for {_SCALE} probes:")
        for day in range(1, arguments.days + 1):
            growth.day()
            before, (used, file) = used, growth.bytes()
            more, held, on_disk = ((used - before) * scale, used * scale, file * scale)
            print(f"  day {day}: {more:+7.1f} MB, in use {held:7.1f}, file {on_disk:7.1f}")
        print(f"{growth.samples} samples; for each, in microseconds of CPU:")
        for name, seconds in (("add", growth.add_s), ("write and merge", growth.step_s), ("forget", growth.forget_s)):
            print(f"  {name:16} {seconds / growth.samples * 1e6:6.2f}")
        mean, longest = growth.step_s / growth.steps * 1000, growth.longest_s * 1000
        print(f"{growth.steps} steps of {mean:.1f} ms CPU on average, the longest {longest:.0f} ms by the clock")
        growth.database.close()


if __name__ == "__main__":
    main()
