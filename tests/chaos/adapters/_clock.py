"""The simulators' clock, where time is real."""

from time import time_ns

from tests.simulators.clock import HandClock


class WallClock(HandClock):
    """Moves by itself, and by nobody's hand."""

    def __call__(self) -> int:
        return time_ns() // 1_000_000
