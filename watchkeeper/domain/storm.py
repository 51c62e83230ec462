"""Storms: so many incidents at once that one more is no help. What comes then is gathered in a single one."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

STORM_KEY: Final = "@storm"
"""The key of the incident that gathers. No rule has an id that begins so."""


@dataclass(frozen=True, slots=True)
class StormPolicy:
    """More than `over` incidents that open within `within_ms` are a storm."""

    over: int = 50
    within_ms: int = 300_000


class Storm:
    """Counts incidents that open.

    Args:
        policy: `None`: nothing is a storm.
        opened_ms: when those were opened that are open.
    """

    def __init__(self, policy: StormPolicy | None, opened_ms: Iterable[int] = ()) -> None:
        self._policy = policy
        self._opened = deque(sorted(opened_ms), maxlen=None if policy is None else policy.over)

    def revise(self, policy: StormPolicy | None) -> None:
        """Takes on another policy."""
        if policy != self._policy:
            self._policy = policy
            self._opened = deque(self._opened, maxlen=None if policy is None else policy.over)

    def takes(self, now_ms: int) -> bool:
        """Whether one more incident may open now; then it counts."""
        if self._policy is None:
            return True
        while self._opened and self._opened[0] <= now_ms - self._policy.within_ms:
            self._opened.popleft()
        if len(self._opened) >= self._policy.over:
            return False
        self._opened.append(now_ms)
        return True
