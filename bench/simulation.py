"""watchkeeper's own parts under a clock that is moved by hand: days of samples in seconds, for what a store keeps.

Everything of watchkeeper that the store's case knows is here: when the store learns to keep more, `Simulation` is
what to change.
"""

import random
from pathlib import Path
from typing import Final

from bench.sides import Load
from bench.sides.watchkeeper import probe_id, write_config
from watchkeeper.app.parts import load_config, open_database
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.watch import Watch
from watchkeeper.engine.retention import Retention
from watchkeeper.engine.rollups import Rollups
from watchkeeper.store import migrate
from watchkeeper.store.record import begin_run, note_alive, record

_BEGIN_MS: Final = 1_800_000_000_000
_MINUTE_MS: Final = 60_000


class Simulation:
    """Some probes, always up, whose samples have four values that vary."""

    def __init__(self, folder: Path, load: Load) -> None:
        config = load_config(write_config(folder, load, 9))
        self.database = open_database(config)
        migrate.upgrade(self.database)
        probes = [(probe.id, probe.service) for probe in config.plan.probes.values()]
        self._run = begin_run(self.database, _BEGIN_MS, "bench", probes)
        self._watch = Watch(config.plan)
        record(self.database, self._watch.revise(config.plan, _BEGIN_MS))
        self._every_ms = load.every_s * 1000
        self._ids = [probe_id(number) for number in range(len(load.urls))]
        self._now_ms = _BEGIN_MS
        self._rollups = Rollups(lambda: self._now_ms, self.database)
        self._retention = Retention(lambda: self._now_ms, self.database, config.retention)
        self._random = random.Random(1)

    def run(self, hours: int) -> None:
        """Lets time go by: each probe runs when it is due, and what follows is written once a minute."""
        for _ in range(hours * 60):
            effects: list[Effect] = []
            end_ms = self._now_ms + _MINUTE_MS
            while self._now_ms < end_ms:
                self._now_ms += self._every_ms
                effects += self._samples()
            if effects:
                record(self.database, effects)
            while self._rollups.step():
                pass
            while self._retention.step():
                pass
        note_alive(self.database, self._run, self._now_ms)

    def bytes(self) -> int:
        """What the database takes on the disk, free pages excluded, the write-ahead log included once."""
        with self.database.engine.connect() as connection:
            count, free, size = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((count - free) * size)

    def close(self) -> None:
        self.database.close()

    def _samples(self) -> list[Effect]:

        observe, vary = self._watch.observe, self._random.random
        effects: list[Effect] = []
        for name in self._ids:
            seconds = 0.001 + 0.01 * vary()
            values = {
                "connect_seconds": seconds / 4,
                "first_byte_seconds": seconds,
                "size_bytes": 48.0,
                "status_code": 200.0,
            }
            sample = Sample(name, self._now_ms, Status.UP, seconds, values, {}, "200 OK")
            effects += observe(sample)
            self._rollups.add(sample)
        return effects
