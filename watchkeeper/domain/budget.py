"""A budget of calls: so many a minute, evenly, so that none are saved up for later."""

from watchkeeper.domain.rule import Clock


class Budget:
    """Each call is followed by its share of the time: a second at 60 a minute. So the rate is kept in any minute, and
    in any second or hour as well, whenever it begins. What has begun is finished: a call may be made before its time,
    and what comes next waits the longer.

    Args:
        per_minute: how many calls there are; `None`: no end.
    """

    def __init__(self, per_minute: float | None, clock: Clock) -> None:
        self._share_ms = 0.0 if per_minute is None else 60_000 / per_minute
        self._clock = clock
        self._left_ms = 0.0
        self._at_ms = clock()

    def spend(self, *, reads: bool = False) -> None:  # noqa: ARG002  # a budget of its own kind may care
        """Takes one call. `reads`: it changes nothing."""
        self._pass_time()
        self._left_ms += self._share_ms

    def wait_s(self) -> float:
        """How long to wait before anything new is begun."""
        self._pass_time()
        return self._left_ms / 1000

    def _pass_time(self) -> None:
        now = self._clock()
        self._left_ms = max(0.0, self._left_ms - max(0, now - self._at_ms))
        self._at_ms = now
