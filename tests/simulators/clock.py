"""A clock that stands until somebody moves it."""

from dataclasses import dataclass


@dataclass
class HandClock:
    """Called, it tells ms since the epoch. It begins on 2026-11-24 at 11:38:00 UTC."""

    now_ms: int = 1_795_520_280_000

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)
