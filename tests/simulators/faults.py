"""What can go wrong with a request between a client and a server, and a plan that decides when it does.

The names say whether the request is done (`COMMITS_…`, `…_AND_COMMITS`) or not. Whoever hangs does so until
`Server.release()`, or until the server closes.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

from tests.simulators.http import Fault, Request, Response, Wire

Do = Callable[[], Response]

HTML = {"Content-Type": "text/html;charset=UTF-8"}
JSON = {"Content-Type": "application/json;charset=UTF-8"}
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body><form>Password</form></body></html>"
ERROR_PAGE = b"<html><head><title>Error</title></head><body><h1>The server had a bad day</h1></body></html>"


def _hangs(wire: Wire, _do: Do) -> None:
    wire.hang()
    wire.close()


def _hangs_and_commits(wire: Wire, do: Do) -> None:
    wire.hang()
    do()
    wire.close()


def _commits_and_hangs(wire: Wire, do: Do) -> None:
    response = do()
    wire.hang()
    wire.send(response)


def _closes(wire: Wire, _do: Do) -> None:
    wire.close()


def _resets(wire: Wire, _do: Do) -> None:
    wire.reset()


def _commits_and_closes(wire: Wire, do: Do) -> None:
    do()
    wire.close()


def _commits_and_resets(wire: Wire, do: Do) -> None:
    do()
    wire.reset()


def _commits_and_truncates(wire: Wire, do: Do) -> None:
    """The length is that of what is sent: only its text shows that something is missing."""
    response = do()
    cut = response.body[: len(response.body) * 2 // 3]
    wire.send(Response(response.status, response.headers, cut))


def _commits_and_breaks_off(wire: Wire, do: Do) -> None:
    """The length is that of the whole, and the connection ends before."""
    response = do()
    cut = response.body[: len(response.body) * 2 // 3]
    wire.send(Response(response.status, response.headers, cut), len(response.body))
    wire.close()


def _drips(wire: Wire, do: Do) -> None:
    """A whole answer, over two seconds, with no pause that a read timeout would notice."""
    response = do()
    wire.write(wire.head(response, len(response.body)))
    size = max(1, len(response.body) // 40)
    for at in range(0, len(response.body), size):
        wire.write(response.body[at : at + size])
        wire.hang(0.05)


def says(name: str, response: Response, *, commits: bool) -> Fault:
    """This answer, whatever the application would say."""

    def run(wire: Wire, do: Do) -> None:
        if commits:
            do()
        wire.send(response)

    return Fault(name, commits, run)


def throttles_until(name: str, after_s: int) -> Fault:
    """429 with the time in Retry-After as an HTTP date, so many seconds from the server's now."""

    def run(wire: Wire, _do: Do) -> None:
        at = datetime.fromtimestamp(wire.now_ms / 1000 + after_s, UTC)
        wire.send(Response(429, {**JSON, "Retry-After": format_datetime(at, usegmt=True)}, b"{}"))

    return Fault(name, commits=False, run=run)


HANGS = Fault("hangs", commits=False, run=_hangs)
HANGS_AND_COMMITS = Fault("hangs, and commits late", commits=True, run=_hangs_and_commits)
COMMITS_AND_HANGS = Fault("commits and hangs", commits=True, run=_commits_and_hangs)
CLOSES = Fault("closes", commits=False, run=_closes)
RESETS = Fault("resets", commits=False, run=_resets)
COMMITS_AND_CLOSES = Fault("commits and closes", commits=True, run=_commits_and_closes)
COMMITS_AND_RESETS = Fault("commits and resets", commits=True, run=_commits_and_resets)
COMMITS_AND_TRUNCATES = Fault("commits and truncates", commits=True, run=_commits_and_truncates)
COMMITS_AND_BREAKS_OFF = Fault("commits and breaks off", commits=True, run=_commits_and_breaks_off)
COMMITS_AND_DRIPS = Fault("commits and drips", commits=True, run=_drips)
COMMITS_AND_SAYS_GARBAGE = says("commits and says garbage", Response(200, JSON, b'{"result": ]'), commits=True)
COMMITS_AND_SAYS_500, COMMITS_AND_SAYS_502, COMMITS_AND_SAYS_503, COMMITS_AND_SAYS_504 = (
    says(f"commits and says {status}", Response(status, HTML, ERROR_PAGE), commits=True)
    for status in (500, 502, 503, 504)
)
ACCEPTS = says("says 202", Response(202, JSON), commits=False)
COMMITS_AND_ACCEPTS = says("commits and says 202", Response(202, JSON), commits=True)
SAYS_500, SAYS_502, SAYS_503, SAYS_504 = (
    says(f"says {status}", Response(status, HTML, ERROR_PAGE), commits=False) for status in (500, 502, 503, 504)
)
SAYS_503_AFTER_7 = says("says 503, come back", Response(503, {**HTML, "Retry-After": "7"}, ERROR_PAGE), commits=False)
THROTTLES = says("says 429", Response(429, JSON, b"{}"), commits=False)
THROTTLES_7_S = says("says 429, in seconds", Response(429, {**JSON, "Retry-After": "7"}, b"{}"), commits=False)
THROTTLES_UNTIL = throttles_until("says 429, with a date", 7)
SAYS_LOGIN_PAGE = says("says a login page", Response(200, HTML, LOGIN_PAGE), commits=False)

REFUSED: Sequence[Fault] = (THROTTLES, THROTTLES_7_S, THROTTLES_UNTIL)
"""Surely not done, and said so."""

LOST: Sequence[Fault] = (
    HANGS,
    CLOSES,
    RESETS,
    ACCEPTS,
    SAYS_500,
    SAYS_502,
    SAYS_503,
    SAYS_503_AFTER_7,
    SAYS_504,
    SAYS_LOGIN_PAGE,
)
"""Not done, which who asked can not know."""

COMMITTED: Sequence[Fault] = (
    HANGS_AND_COMMITS,
    COMMITS_AND_HANGS,
    COMMITS_AND_CLOSES,
    COMMITS_AND_RESETS,
    COMMITS_AND_TRUNCATES,
    COMMITS_AND_BREAKS_OFF,
    COMMITS_AND_SAYS_GARBAGE,
    COMMITS_AND_SAYS_500,
    COMMITS_AND_SAYS_502,
    COMMITS_AND_SAYS_503,
    COMMITS_AND_SAYS_504,
    COMMITS_AND_ACCEPTS,
)
"""Done, which who asked can not know."""

When = Callable[[Request], bool]


def any_request(_request: Request) -> bool:
    return True


def writes(request: Request) -> bool:
    return request.method not in ("GET", "HEAD")


class Faults:
    """A plan: first what is scripted, then what always happens, then what a seeded random says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._script: list[tuple[When, Fault | None]] = []
        self._always: list[tuple[When, Fault]] = []
        self._random: tuple[Random, float, Sequence[Fault], When] | None = None

    def then(self, *faults: Fault | None, when: When = any_request) -> None:
        """The next requests of which this holds meet these, one each and in order. None: all goes well."""
        with self._lock:
            self._script += [(when, fault) for fault in faults]

    def always(self, fault: Fault, when: When = any_request) -> None:
        """Until `clear`, every request of which this holds meets this."""
        with self._lock:
            self._always.append((when, fault))

    def at_random(self, seed: int, rate: float, of: Sequence[Fault], when: When = any_request) -> None:
        """Until `clear`, each request of which this holds meets one of these with this probability."""
        with self._lock:
            self._random = (Random(seed), rate, of, when)

    def clear(self) -> None:
        """All goes well from now on."""
        with self._lock:
            self._script, self._always, self._random = [], [], None

    @property
    def left(self) -> int:
        """How many scripted faults nobody has met yet."""
        return len(self._script)

    def __call__(self, request: Request) -> Fault | None:
        with self._lock:
            for at, (when, scripted) in enumerate(self._script):
                if when(request):
                    del self._script[at]
                    return scripted
            for when, fault in self._always:
                if when(request):
                    return fault
            if self._random is not None:
                random, rate, of, holds = self._random
                if holds(request) and random.random() < rate:
                    return random.choice(of)
            return None
