"""Time that is moved by hand, for probers that tell what grew between two runs."""

from collections.abc import Callable

from watchkeeper.probers._between import LastReadings


class Readings:
    """Readings whose time passes only when they wait, or by `now_s`.

    Args:
        meanwhile: what happens while a first run waits.
    """

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.now_s = 0.0
        self.waited = 0
        self._meanwhile = meanwhile

    def make(self) -> LastReadings:
        return LastReadings(lambda: self.now_s, self._wait)

    def _wait(self, seconds: float) -> None:
        self.waited += 1
        self.now_s += seconds
        self._meanwhile()
