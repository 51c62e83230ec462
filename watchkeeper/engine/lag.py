"""How late slots are fired: all of them for the metrics, and the latest of late."""

from collections.abc import Callable
from time import monotonic
from typing import Final

PERIOD_S: Final = 60.0


class Lag:
    """Takes each slot's lag in seconds.

    Args:
        observe: gets all of them.
        clock: seconds that only grow.
    """

    def __init__(self, observe: Callable[[float], None], clock: Callable[[], float] = monotonic) -> None:
        self._observe = observe
        self._clock = clock
        self._period = 0  # the one that counts now
        self._worst = self._worst_before = 0.0  # of it, and of the one before

    def note(self, lag_s: float) -> None:
        self._observe(lag_s)
        self._move_on()
        self._worst = max(self._worst, lag_s)

    @property
    def worst_s(self) -> float:
        """The largest of the last minute, and of up to one more."""
        self._move_on()
        return max(self._worst, self._worst_before)

    def _move_on(self) -> None:
        period = int(self._clock() // PERIOD_S)
        if period != self._period:
            self._worst_before = self._worst if period == self._period + 1 else 0.0
            self._worst, self._period = 0.0, period
