"""One ticket for each incident in the real Request Tracker, whatever is lost between it and the outbox."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
import requests
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import desk
from tests.itsm import rt_desk
from tests.itsm.rt_desk import notes
from tests.peers import databases, requesttracker
from tests.peers.requesttracker import Person, RequestTracker
from tests.simulators.faults import (
    CLOSES,
    COMMITS_AND_BREAKS_OFF,
    COMMITS_AND_CLOSES,
    COMMITS_AND_HANGS,
    COMMITS_AND_RESETS,
    COMMITS_AND_SAYS_502,
    COMMITS_AND_TRUNCATES,
    HANGS_AND_COMMITS,
    RESETS,
    SAYS_502,
    SAYS_503_AFTER_7,
    SAYS_LOGIN_PAGE,
    THROTTLES_7_S,
    Faults,
)
from tests.simulators.http import Fault, Plan, Request, Response, Server, Wire, serving
from watchkeeper import itsm
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.ticket import TicketState
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.store import outbox
from watchkeeper.store.database import Database
from watchkeeper.store.record import record

pytestmark = pytest.mark.xdist_group("requesttracker")

QUICK = (
    CLOSES, RESETS, SAYS_502, SAYS_503_AFTER_7, SAYS_LOGIN_PAGE, THROTTLES_7_S,
    COMMITS_AND_CLOSES, COMMITS_AND_RESETS, COMMITS_AND_TRUNCATES, COMMITS_AND_BREAKS_OFF, COMMITS_AND_SAYS_502,
)  # fmt: skip
PASSED_ON = ("authorization", "content-type", "if-match")


def creates(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/ticket")


def notes_something(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/comment")


def proxy(rt: RequestTracker) -> Callable[[Request], Response]:
    """What stands in front of it, and says 502 when it does not answer."""

    def answer(request: Request) -> Response:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        url, method = f"{rt.url}{request.path}", request.method
        try:
            with requests.request(
                method, url, params=request.query, headers=headers, data=request.body, timeout=60
            ) as got:
                kept = {name: got.headers[name] for name in ("Content-Type", "ETag") if name in got.headers}
                return Response(got.status_code, kept, got.content)
        except requests.ConnectionError:
            return Response(502, {}, b"bad gateway")

    return answer


class World:
    """An outbox, and a Request Tracker behind a proxy that fails. Time goes on where somebody waits."""

    def __init__(self, rt: RequestTracker, server: Server, database: Database, first: int, timeout: str) -> None:
        self.incidents = [made.incident(number) for number in range(first, first + 2)]
        self._rt, self._server, self._database = rt, server, database
        self._now_ms = made.NOW_MS
        kind = itsm.find("rt")
        checked = kind.options.model_validate(rt_desk.options(rt, url=server.url(), timeout=timeout))
        backend = rt_desk.backend(rt, clock=self._clock, url=server.url(), timeout=timeout)
        self._delivery = Delivery(
            desk("desk", backend, self._clock, certain_after_ms=kind.certain_after_ms(checked)),
            database,
            self._clock,
            lambda: 0.5,
            Figures("1.2.3"),
        )

    def _clock(self) -> int:
        return self._now_ms

    def run(self) -> None:
        """Trouble that comes, gets worse and passes."""
        for one in self.incidents:
            record(self._database, [made.opened(one), made.create(one), made.note(one, "worse")])
        self._deliver()
        for one in self.incidents:
            record(self._database, [made.resolve(one)])
        self._deliver()

    def _deliver(self) -> None:
        """Until nothing is left to do."""
        with capture_logs():
            for _ in range(300):
                moved = self._delivery.step()
                self._server.release()  # what hangs is over before anybody looks again
                if not moved and (due := outbox.next_due_ms(self._database, "desk")) is None:
                    return
                if not moved and due is not None:
                    self._now_ms += max(due - self._now_ms, round(self._delivery.wait_s() * 1000), 1)
        raise AssertionError([str(each) for each in self._server.exchanges[-20:]])

    def faults_met(self) -> list[str]:
        return [exchange.fault for exchange in self._server.exchanges if exchange.fault]

    def check(self, alice: Person) -> None:
        """One ticket for each incident, with all of its history, in order."""
        assert outbox.depths(self._database) == []
        tickets = self._rt.tickets_by_key()
        client = self._rt.client(token=self._rt.token)
        for one in self.incidents:
            [ticket] = tickets[ticket_key(one.key, one.opened_ms)]
            assert notes(client, ticket) == ["worse", "over"]
            assert alice.read(ticket)["Status"] == TicketState.RESOLVED


@contextmanager
def world(rt: RequestTracker, plan: Plan, folder: Path, first: int, timeout: str = "1500ms") -> Iterator[World]:
    with databases.migrated("sqlite", folder) as database, serving(proxy(rt), plan) as server:
        yield World(rt, server, database, first, timeout)


@pytest.mark.parametrize("seed", [1, 2])
def test_there_is_one_ticket_for_each_incident_whatever_is_lost(seed: int, tmp_path: Path) -> None:
    rt, faults = requesttracker.shared(), Faults()
    with world(rt, faults, tmp_path, first=1000 * seed) as outcome:
        faults.at_random(seed, 0.25, QUICK)
        outcome.run()
        assert len(outcome.faults_met()) > 3
        outcome.check(rt.person)


def test_what_is_done_when_nobody_waits_for_it_any_more_is_done_once(tmp_path: Path) -> None:
    rt, faults = requesttracker.shared(), Faults()
    with world(rt, faults, tmp_path, first=10_000) as outcome:
        faults.then(HANGS_AND_COMMITS, when=creates)
        faults.then(COMMITS_AND_HANGS, when=notes_something)
        outcome.run()
        assert faults.left == 0
        outcome.check(rt.person)


def test_a_request_tracker_that_dies_half_way_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with requesttracker.own() as rt:
        dies_at, is_dead = [creates, notes_something], Event()

        def dies(wire: Wire, do: Callable[[], Response]) -> None:
            do()
            rt.crash()
            is_dead.set()
            wire.reset()

        def comes_back(wire: Wire, do: Callable[[], Response]) -> None:
            response = do()
            rt.go_on()
            is_dead.clear()
            wire.send(response)

        def plan(request: Request) -> Fault | None:
            if is_dead.is_set():
                return Fault("is dead, and comes back", commits=False, run=comes_back)
            if dies_at and dies_at[0](request):
                del dies_at[0]
                return Fault("commits and dies", commits=True, run=dies)
            return None

        with world(rt, plan, tmp_path, first=1, timeout="30s") as outcome:
            outcome.run()
            assert dies_at == []
            outcome.check(rt.person)
