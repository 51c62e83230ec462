"""What is done to the requests of the daemon: faults at random, death at a point, and people who act meanwhile."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from tests.chaos.script import Death, Life
from tests.simulators import faults
from tests.simulators.faults import JSON, says
from tests.simulators.http import Fault, Request, Response, Wire

TIMEOUT_S: Final = 1.0  # of the daemon's calls
LATE_S: Final = 1.3  # when what hangs goes on: nobody waits for it any more
LATER_S: Final = 2.0
CERTAIN_AFTER_S: Final = 3.5  # what did not happen until then does not happen any more


def _hangs(wire: Wire, _do: faults.Do) -> None:
    wire.hang(LATE_S)
    wire.close()


def _commits_late(wire: Wire, do: faults.Do) -> None:
    wire.hang(LATE_S)
    do()
    wire.close()


def _commits_and_hangs(wire: Wire, do: faults.Do) -> None:
    response = do()
    wire.hang(LATE_S)
    wire.send(response)


def _gives_up_and_commits_late(wire: Wire, do: faults.Do) -> None:
    """A gateway loses its patience, and the system behind it goes on."""
    wire.send(Response(504, faults.HTML, faults.ERROR_PAGE))
    wire.hang(LATER_S)
    do()
    wire.close()


USUAL: Final[Sequence[Fault]] = (
    Fault("hangs", commits=False, run=_hangs),
    Fault("commits late", commits=True, run=_commits_late),
    Fault("says 504 and commits late", commits=True, run=_gives_up_and_commits_late),
    Fault("commits and hangs", commits=True, run=_commits_and_hangs),
    faults.COMMITS_AND_DRIPS,
    *(fault for fault in faults.LOST if fault is not faults.HANGS and fault is not faults.SAYS_503_AFTER_7),
    *(fault for fault in faults.COMMITTED if fault not in (faults.HANGS_AND_COMMITS, faults.COMMITS_AND_HANGS)),
    faults.THROTTLES,
    says("says 429, in a second", Response(429, {**JSON, "Retry-After": "1"}, b"{}"), commits=False),
)
"""What may become of any request to any system. What hangs does so for a bounded time, so that what has not happened
after a while does not happen any more."""


class Mischief:
    """A plan for a server of `tests.simulators.http`.

    Attributes:
        met: how often each fault was met.
        requests: how many requests there were.
        visit: called before a request is answered with which the daemon begins to look at tickets.
    """

    def __init__(self, chance: Random, some: Sequence[Fault]) -> None:
        self.met: Counter[str] = Counter()
        self.requests = 0
        self.visit: Callable[[], None] = lambda: None
        self.looks: Callable[[Request], bool] = lambda _request: False
        self._lock = threading.Lock()
        self._chance, self._some, self._rate = chance, some, 0.0
        self._left = 0  # requests until the one at which the daemon dies
        self._deadly: Fault | None = None

    def rage(self, rate: float) -> None:
        """This share of the requests meets a fault from now on."""
        with self._lock:
            self._rate = rate

    def calm_down(self) -> None:
        """All goes well from now on."""
        with self._lock:
            self._rate, self._deadly = 0.0, None

    def arm(self, life: Life, kill: Callable[[], None]) -> None:
        """The daemon dies at a request, if the life says so."""
        with self._lock:
            self._left, self._deadly = life.nth, _deadly(life, kill)

    def disarm(self) -> None:
        with self._lock:
            self._deadly = None

    def __call__(self, request: Request) -> Fault | None:
        with self._lock:
            fault = self._next()
            if fault is not None:
                self.met[fault.name] += 1
        if not request.parallel and self.looks(request):
            self.visit()
        return fault

    def _next(self) -> Fault | None:
        self.requests += 1
        if self._deadly is not None:
            self._left -= 1
            if self._left <= 0:
                deadly, self._deadly = self._deadly, None
                return deadly
        if self._chance.random() < self._rate:
            return self._chance.choice(self._some)
        return None


def _deadly(life: Life, kill: Callable[[], None]) -> Fault | None:
    """The request at which it dies: it is dead before anything of an answer can be seen."""

    def answers(wire: Wire, do: faults.Do) -> None:
        kill()
        wire.send(do())

    def before(wire: Wire, do: faults.Do) -> None:
        kill()
        if life.late_s is not None:
            wire.hang(life.late_s)
            do()
        wire.close()

    def after(wire: Wire, do: faults.Do) -> None:
        do()
        kill()
        wire.close()

    runs = {Death.AT_REQUEST: answers, Death.BEFORE_COMMIT: before, Death.AFTER_COMMIT: after}
    if (run := runs.get(life.death)) is None:
        return None
    return Fault(f"dies {life.death.name.lower().replace('_', ' ')}", commits=True, run=run)
