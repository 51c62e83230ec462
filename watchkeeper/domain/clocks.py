"""Clocks that run: what has to be looked at, and when, at the latest."""

import heapq
from enum import IntEnum
from typing import NamedTuple

from watchkeeper.domain.alert import AlertRef


class Kind(IntEnum):
    """What runs out. What runs out at one time is served in this order."""

    HOLD = 0  # of an alert: `for`, or `keep_firing_for`
    SILENCE = 1  # of a rule that minds it
    UNHEARD = 2  # an alert that is reported by others, for as long as that is true
    ESCALATION = 3  # of an incident
    ABANDONED = 4  # an incident whose ticket was ended
    WINDOW = 5  # one begins or ends
    GATHERED = 6  # alerts have gathered long enough
    SPREAD = 7  # an incident tells how far it has spread


class Clock(NamedTuple):
    """`about`: the alert, the incident's key, or nothing."""

    due_ms: int
    kind: Kind
    about: AlertRef | tuple[str]


class Clocks:
    """Clocks in the order in which they run out. Stopping one is left to whoever serves it: it finds it stale."""

    def __init__(self) -> None:
        self._heap: list[Clock] = []

    def set(self, due_ms: int, kind: Kind, about: AlertRef | tuple[str]) -> None:
        heapq.heappush(self._heap, Clock(due_ms, kind, about))

    def next(self) -> Clock | None:
        """The one that runs out first."""
        return self._heap[0] if self._heap else None

    def take(self) -> Clock:
        """Takes out the one that runs out first."""
        return heapq.heappop(self._heap)
