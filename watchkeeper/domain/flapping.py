"""Flap detection as Nagios and Icinga define it: how much of the last 21 states was change, the newest weighing most.

A history of states is an integer: one bit for each, the newest lowest, 1 where the condition held.
"""

from typing import Final

from watchkeeper.domain.rule import Thresholds

STATES: Final = 21
MASK: Final = (1 << STATES) - 1

# Of the change between two neighbouring states, the newest first: 1.2 down to 0.8. They add up to their number.
_WEIGHTS: Final = tuple(1.2 - 0.4 * age / (STATES - 2) for age in range(STATES - 1))


def push(history: int, *, holds: bool) -> int:
    """The history with one state more; the oldest is forgotten."""
    return (history << 1 | holds) & MASK


def count_of(history: int, last: int) -> int:
    """In how many of the last states the condition held."""
    return (history & ((1 << last) - 1)).bit_count()


def share_of_change(history: int) -> float:
    """0 where all states are the same, 1 where each differs from the one before."""
    changes = (history ^ history >> 1) & (MASK >> 1)
    return sum(weight for age, weight in enumerate(_WEIGHTS) if changes >> age & 1) / len(_WEIGHTS)


def flaps(history: int, thresholds: Thresholds, *, before: bool) -> bool:
    """Whether it flaps now. Between the thresholds it does as it did before."""
    share = share_of_change(history)
    if share >= thresholds.high:
        return True
    return before and share >= thresholds.low
