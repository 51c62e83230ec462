"""An event loop whose time stands still while there is something to do, and jumps to the next timer when not."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, cast

P = ParamSpec("P")

START_MS = 1_800_000_000_000  # the wall clock when the loop begins
PATIENCE_S = 5.0  # how long a loop without timers waits for a thread


class _HandSelector(selectors.SelectSelector):
    """Never waits for time to pass: it passes at once."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = super().select(PATIENCE_S)
            assert ready, "the loop would wait for ever"
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self.passed_s += timeout
        return ready


class HandLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._hand = _HandSelector()
        super().__init__(self._hand)

    def time(self) -> float:
        return self._hand.passed_s

    def clock(self) -> int:
        """The wall clock, in ms, which goes with the loop's."""
        return START_MS + round(self.time() * 1000)

    async def until(self, seconds: float) -> None:
        """Lets everything happen that is due up to so many seconds after the loop began."""
        reached = self.create_future()
        self.call_at(seconds, reached.set_result, None)
        await reached


def hand_loop() -> HandLoop:
    """The loop that a test runs on."""
    return cast(HandLoop, asyncio.get_running_loop())


def on_hand_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs a test on a loop whose time is moved by hand."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=HandLoop) as runner:
            runner.run(_alone(test(*args, **kwargs)))

    return run


async def _alone(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test, and ends what it leaves behind, also what that begins in its turn."""
    try:
        await test
    finally:
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs a test on a usual loop, for half a minute at most."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner() as runner:
            runner.run(asyncio.wait_for(test(*args, **kwargs), 30))

    return run


async def quiet() -> None:
    """Lets the loop do what can be done now."""
    for _ in range(8):
        await asyncio.sleep(0)
