"""Sources of windows by hand, and what the engine makes of them."""

from collections.abc import Sequence

from watchkeeper.config.planned import Planned
from watchkeeper.domain.expected import Because, Selection, Window
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.windows import Windows
from watchkeeper.itsm.base import Unavailable
from watchkeeper.store.database import Database

NOW = 1_795_564_800_000  # 2026-11-25T00:00Z
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def window(ref: str, from_ms: int, to_ms: int, because: Because = Because.CHANGE, source: str = "cab") -> Window:
    return Window(because, ref, ref, from_ms, to_ms, Selection(frozenset({"shop"})), source, ref)


class HandSource:
    """Tells what it is given; with a text in `away`, it can not be reached."""

    def __init__(self, name: str = "cab", *windows: Window) -> None:
        self.name = name
        self.windows: Sequence[Window] = windows
        self.away = ""
        self.reads = 0

    def read(self, now_ms: int) -> Sequence[Window]:
        self.reads += 1
        if self.away:
            raise Unavailable(self.away)
        return self.windows


class Desk:
    """Windows under a clock that is moved by hand."""

    def __init__(
        self, database: Database, figures: Figures, *sources: HandSource, planned: Planned | None = None
    ) -> None:
        self.now_ms = NOW
        self.told: list[Sequence[Window]] = []
        self.windows = Windows(database, lambda: self.now_ms, self.told.append, figures)
        self.windows.revise(planned or Planned(), sources)

    def look(self) -> list[str]:
        """Reads and collects. The ids of what is expected now."""
        self.windows.read()
        self.windows.step()
        return [one.id for one in self.told[-1] if one.from_ms <= self.now_ms < one.to_ms]
