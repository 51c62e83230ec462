"""One incident in ServiceNow for each of watchkeeper's, whatever is lost between it and the outbox."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import Crash, desk
from tests.engine.stores import FaultyDatabase, StoreFault
from tests.itsm import servicenow_backend
from tests.itsm.servicenow_backend import options
from tests.simulators import faults as f
from tests.simulators.clock import HandClock
from tests.simulators.http import Fault, Response, Wire
from tests.simulators.servicenow import Instance, running
from tests.simulators.servicenow_faults import SERVICENOW_COMMITTED, SERVICENOW_LOST
from watchkeeper import itsm
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.incident import Incident
from watchkeeper.engine.attempt import Desk
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.store import migrate, outbox
from watchkeeper.store.record import record

ALL = (*f.REFUSED, *f.LOST, *f.COMMITTED, *SERVICENOW_LOST, *SERVICENOW_COMMITTED)
QUICK = [fault for fault in ALL if "hang" not in fault.name]
TIMEOUT_MS = 65_000


class World:
    """An outbox and an instance that fails. Time goes on where somebody waits: for what hangs it is a minute, in
    which the instance ends what it does."""

    def __init__(self, instance: Instance, the_desk: Desk, database: FaultyDatabase) -> None:
        self.instance = instance
        self.incidents = [made.incident(number) for number in range(1, 4)]
        self._desk, self.database, self._clock = the_desk, database, instance.clock
        self._clock.now_ms = made.NOW_MS
        self._delivery = self._new()

    def _restart(self) -> None:
        with self.database.write() as connection:
            outbox.reclaim(connection)
        self._delivery = self._new()

    def _new(self) -> Delivery:
        return Delivery(self._desk, self.database, self._clock, lambda: 0.5, Figures("1.2.3"))

    def put(self, one: Incident) -> None:
        record(self.database, [made.opened(one), made.create(one)])

    def deliver(self) -> None:
        """Until nothing is left to do, while changes of all incidents come in one by one."""
        for one in self.incidents:
            self.put(one)
        for text in ("first", "second"):
            self.go_on(8)
            for one in self.incidents:
                record(self.database, [made.note(one, text)])
        self.go_on(8)
        for one in self.incidents:
            record(self.database, [made.resolve(one)])
        assert self.go_on(600), [str(each) for each in self.instance.server.exchanges[-20:]]

    def go_on(self, steps: int) -> bool:
        """Whether there is nothing left to do after so many steps."""
        with capture_logs():
            return any(self._is_done() for _ in range(steps))

    def _is_done(self) -> bool:
        before = len(self.instance.server.exchanges)
        try:
            moved = self._delivery.step()
        except Crash:
            self._restart()
            return False
        if moved:
            if any("hangs" in each.fault for each in self.instance.server.exchanges[before:]):
                self._clock.now_ms += TIMEOUT_MS
                self.instance.server.release()
            return False
        if (due := outbox.next_due_ms(self.database, "desk")) is None:
            return True
        self._clock.now_ms = max(due, self._clock() + max(1, round(self._delivery.wait_s() * 1000)))
        return False

    def check(self) -> None:
        """One incident for each, resolved, with all of its history in order, and nothing of it twice."""
        assert outbox.depths(self.database) == []
        for one in self.incidents:
            [ticket] = self.instance.tickets(ticket_key(one.key, one.opened_ms))
            text = "\n".join(self.instance.notes(ticket["sys_id"]))
            places = [text.index(word) for word in ("first", "second", "over")]
            assert places == sorted(places)
            assert [text.count(word) for word in ("first", "second", "over")] == [1, 1, 1]
            assert (ticket["state"], ticket["close_code"]) == ("6", "Solution provided")
        assert len(self.instance.rows("incident")) == len(self.incidents)


@contextmanager
def world(folder: Path, **given: Any) -> Iterator[tuple[Instance, World]]:
    database = FaultyDatabase(f"sqlite:///{folder / 'watchkeeper.db'}")
    migrate.upgrade(database)
    kind = itsm.find("servicenow")
    try:
        with running(clock=HandClock()) as instance, servicenow_backend.made(instance, folder, **given) as backend:
            checked = options(instance.url, folder, **given)
            the_desk = desk("desk", backend, instance.clock, certain_after_ms=kind.certain_after_ms(checked))
            yield instance, World(instance, replace(the_desk, reads_back=kind.reads_back(checked)), database)
    finally:
        database.close()


@pytest.mark.parametrize("seed", range(8))
def test_there_is_one_incident_for_each_whatever_is_lost(tmp_path: Path, seed: int) -> None:
    with world(tmp_path) as (instance, here):
        instance.faults.at_random(seed, 0.4, QUICK)

        here.deliver()
        here.check()


@pytest.mark.parametrize("seed", range(4))
def test_there_is_one_incident_for_each_whatever_hangs(tmp_path: Path, seed: int) -> None:
    with world(tmp_path, timeout="60ms") as (instance, here):
        late = (f.HANGS_AND_COMMITS, f.COMMITS_AND_HANGS, f.HANGS)
        instance.faults.then(*Random(seed).choices((*late, *late, *QUICK), k=8), when=f.writes)

        here.deliver()
        here.check()


def dies_meanwhile(database: FaultyDatabase) -> Fault:
    """A gateway without patience, an instance that goes on, and a daemon that is killed before it writes it down."""

    def run(wire: Wire, do: Callable[[], Response]) -> None:
        database.faults.append(StoreFault.KILLED)
        wire.send(Response(504, {**f.HTML, "Connection": "close"}, f.ERROR_PAGE))
        wire.hang()
        do()

    return Fault("says 504, and commits late", commits=True, run=run)


@pytest.mark.parametrize("earlier", [[], [f.RESETS], [f.SAYS_502, f.CLOSES]], ids=lambda faults: str(len(faults)))
def test_an_attempt_that_is_done_late_is_waited_for_whatever_was_before(
    tmp_path: Path, earlier: Sequence[Fault]
) -> None:
    with world(tmp_path) as (instance, here):
        instance.faults.then(*earlier, dies_meanwhile(here.database), when=lambda asked: asked.method == "POST")
        here.put(here.incidents[0])
        while instance.faults.left:
            here.go_on(1)
        late_ms = instance.clock() + 50_000
        while instance.clock() < late_ms and not here.go_on(1):
            pass

        instance.server.release()
        instance.server.wait_until(lambda _server: bool(instance.rows("incident")))
        assert here.go_on(100)

        assert len(instance.rows("incident")) == 1


def test_what_a_person_has_touched_is_left_to_them_though_watchkeeper_wrote_last(tmp_path: Path) -> None:
    with world(tmp_path) as (instance, here):
        [one, *_] = here.incidents
        here.put(one)
        here.go_on(2)
        [ticket] = instance.rows("incident")
        instance.person().comment(ticket["sys_id"], "I look at it.")
        record(here.database, [made.note(one, "worse")])
        here.go_on(2)
        record(here.database, [made.resolve(one)])

        assert here.go_on(10)

        [ticket] = instance.rows("incident")
        assert (ticket["state"], ticket["sys_updated_by"]) == ("1", "watchkeeper")
        assert "Left to whoever took it up to resolve" in instance.notes(ticket["sys_id"])[-1]


def test_an_event_is_cleared_though_nobody_tells_what_became_of_it(tmp_path: Path) -> None:
    with world(tmp_path, mode="events") as (instance, here):
        instance.faults.at_random(1, 0.3, QUICK)

        here.deliver()
        instance.process_events()

        assert [row["state"] for row in instance.rows("em_alert")] == ["Closed"] * len(here.incidents)
        assert instance.requests("GET") == []
