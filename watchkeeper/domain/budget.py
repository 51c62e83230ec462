"""A budget of calls: so many a minute, saved up for one minute at most."""

from watchkeeper.domain.rule import Clock


class Budget:
    """What has begun is finished: a call may overdraw the budget, and what comes next waits the longer.

    Args:
        per_minute: how many calls there are; `None`: no end.
    """

    def __init__(self, per_minute: float | None, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left = max(1.0, per_minute or 0.0)
        self._at_ms = clock()

    def spend(self, *, reads: bool = False) -> None:  # noqa: ARG002  # a budget of its own kind may care
        """Takes one call. `reads`: it changes nothing."""
        self._refill()
        self._left -= 1

    def wait_s(self) -> float:
        """How long to wait before anything new is begun."""
        if self._per_minute is None:
            return 0.0
        self._refill()
        return max(0.0, (1 - self._left) * 60 / self._per_minute)

    def _refill(self) -> None:
        if self._per_minute is None:
            self._left = 1.0
            return
        now = self._clock()
        gained = max(0, now - self._at_ms) / 60_000 * self._per_minute
        self._at_ms = now
        self._left = min(max(1.0, self._per_minute), self._left + gained)
