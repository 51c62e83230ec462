"""Sizes that take long to measure, and never change."""

from collections import OrderedDict
from collections.abc import Callable


class KnownSizes:
    """The sizes that were asked for last, by what they are of.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[str, int] = OrderedDict()

    def of(self, name: str, measure: Callable[[], int]) -> int:
        """A size in bytes, measured if it is not known."""
        if name not in self._known:
            self._known[name] = measure()
        self._known.move_to_end(name)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return self._known[name]
