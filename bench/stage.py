"""What every case needs: the target, a place for files, and how long to measure."""

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import TypeVar

from bench.options import Options
from bench.sides import Load, Side
from bench.target import Target

AnySide = TypeVar("AnySide", bound=Side)


@dataclass(slots=True)
class Stage:
    options: Options
    folder: Path
    target: Target
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_folder(self) -> Path:
        """An empty folder."""
        folder = self.folder / f"side-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def load(self, count: int, every_s: int, kind: str = "http", **more: int) -> Load:
        return Load(self.target.urls(count, kind), every_s, self.target.certificate, **more)

    @contextmanager
    def playing(
        self, make: Callable[[Path], AnySide], load: Load, *, warm_up_s: float | None = None
    ) -> Iterator[AnySide]:
        """A side at work, warmed up. It is stopped at the end of the block."""
        side = make(self.new_folder())
        say(f"  {side.name}: {len(load.urls)} probes every {load.every_s} s")
        try:
            side.start(load)
            sleep(self.options.warm_up_s if warm_up_s is None else warm_up_s)
            side.check_alive()
            yield side
        finally:
            side.stop()


def say(text: str) -> None:
    """Progress, for people who wait."""
    print(text, file=sys.stderr, flush=True)
