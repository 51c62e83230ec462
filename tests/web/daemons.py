"""A daemon that answers its pages as the test says."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.web.daemon import Reload

RELOADED = Reload((), "reloaded: 3 probes, 2 rules")


@dataclass
class HandDaemon:
    pieces: Sequence[str] = ("# HELP up Up\n", "# TYPE up gauge\n", "up 1\n")
    missing: Sequence[str] = ()
    outcome: Reload = RELOADED
    standing: Mapping[str, Any] = field(default_factory=lambda: {"version": "1.2.3", "not_ready": []})
    reloads: int = 0

    async def metrics(self) -> AsyncIterator[str]:
        for piece in self.pieces:
            yield piece

    def status(self) -> Mapping[str, Any]:
        return self.standing

    def unready(self) -> Sequence[str]:
        return self.missing

    async def reload(self) -> Reload:
        self.reloads += 1
        return self.outcome
