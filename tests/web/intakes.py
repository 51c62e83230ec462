"""Who takes reports in as the test says, and what is sent to it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.config.sourcemodels import SourceModel
from watchkeeper.config.sources import Source, source_of
from watchkeeper.domain.foreign import TooManyAlerts
from watchkeeper.domain.report import Report

NOW_MS = 1_795_597_200_000  # 2026-11-25 09:00:00Z


def source(kind: str, name: str = "", **keys: Any) -> Source:
    """A source whose token is in the environment variable WK_TEST_TOKEN, unless it has another one."""
    model = {"type": kind, "token": {"env": "WK_TEST_TOKEN"}, "service": "shop", **keys}
    return source_of(name or kind, SourceModel.model_validate(model, strict=False))


@dataclass
class HandIntake:
    known: Mapping[str, Source]
    news: int | None = 1
    full: bool = False
    taken: list[tuple[str, Sequence[Report], int]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    open: asyncio.Event | None = None

    def sources(self) -> Mapping[str, Source]:
        return self.known

    def now_ms(self) -> int:
        return NOW_MS

    async def take(self, source: Source, reports: Sequence[Report], left_out: int) -> int | None:
        if self.open is not None:
            await self.open.wait()
        if self.full:
            raise TooManyAlerts("10000 alerts of am fire already")
        self.taken.append((source.name, reports, left_out))
        return self.news

    def refused(self, source: str, reason: str, detail: str) -> None:
        self.refusals.append((source, reason))
