"""One issue in Jira for each of watchkeeper's incidents, whatever is lost between it and the outbox."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import desk
from tests.itsm import jira_backend
from tests.simulators import faults as f
from tests.simulators import jira_faults as jf
from tests.simulators.clock import HandClock
from tests.simulators.http import Fault
from tests.simulators.jira import Jira, running
from tests.simulators.jira_model import Deployment
from watchkeeper import itsm
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.ticket import Command, CommandKind, TicketChange, TicketState
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.itsm.base import TicketBackend
from watchkeeper.store import migrate, outbox
from watchkeeper.store.database import Database
from watchkeeper.store.record import record

JIRAS = (
    jf.SAYS_GATEWAY_401,
    jf.SAYS_409,
    jf.THROTTLES_BURST,
    jf.THROTTLES_SILENTLY,
    jf.IS_SUSPENDED,
    jf.IS_STARTING,
    jf.IS_IN_MAINTENANCE,
    jf.COMMITS_AND_SAYS_NOTHING,
    jf.COMMITS_AND_SAYS_GATEWAY_504,
)
QUICK = [fault for fault in (*f.REFUSED, *f.LOST, *f.COMMITTED, *JIRAS) if "hang" not in fault.name]
WORDS = ("first", "second", "over", "not after all", "at last")
LATE_MS = 59_000  # for so long Jira works on what nobody waits for any more


def reopen(what: Incident) -> Command:
    change = TicketChange("not after all", TicketState.OPEN)
    return replace(made.resolve(what), kind=CommandKind.REOPEN, payload=change)


class World:
    """An outbox and a Jira that fails. Time goes on where somebody waits, and what hangs is done late."""

    def __init__(self, jira: Jira, backend: TicketBackend, database: Database, certain_after_ms: int) -> None:
        self._jira, self._backend, self._database = jira, backend, database
        self._certain_after_ms = certain_after_ms
        self._clock = jira.clock
        self._clock.now_ms = made.NOW_MS
        self.incidents = [made.incident(number) for number in range(1, 4)]
        self._hangs_since: int | None = None
        self._delivery = self._new()

    def deliver(self) -> None:
        """Until nothing is left to do, while changes of all incidents come in one by one."""
        rounds: tuple[Callable[[Incident], list[Effect]], ...] = (
            lambda one: [made.opened(one), made.create(one)],
            lambda one: [made.note(one, "first")],
            lambda one: [made.note(one, "second"), made.resolve(one)],
            lambda one: [reopen(one)],
            lambda one: [made.resolve(one, "at last")],
        )
        for commands in rounds:
            for one in self.incidents:
                record(self._database, commands(one))
            self._go_on(10)
            self._restart()
        if self._go_on(2000):
            raise AssertionError([str(each) for each in self._jira.requests()[-20:]])

    def _go_on(self, steps: int) -> bool:
        """Whether there is still something to do after so many steps."""
        with capture_logs():
            return all(self._step() for _ in range(steps))

    def _step(self) -> bool:
        before = len(self._jira.requests())
        if self._delivery.step():
            if self._hangs_since is None and any("hangs" in each.fault for each in self._jira.requests()[before:]):
                self._hangs_since = self._clock()
            return True
        due = outbox.next_due_ms(self._database, "desk")
        if due is None:
            return False
        later = max(due, self._clock() + max(1, round(self._delivery.wait_s() * 1000)))
        if self._hangs_since is not None and later >= self._hangs_since + LATE_MS:
            self._clock.now_ms = max(self._clock(), self._hangs_since + LATE_MS)
            self._jira.server.release()
            self._hangs_since = None
        else:
            self._clock.now_ms = later
        return True

    def _restart(self) -> None:
        """As after a crash: what was under way is uncertain."""
        with self._database.write() as connection:
            outbox.reclaim(connection)
        self._delivery = self._new()

    def _new(self) -> Delivery:
        kind = itsm.find("jira")
        policy = kind.policy(kind.options.model_construct())
        return Delivery(
            desk("desk", self._backend, self._clock, policy, self._certain_after_ms),
            self._database,
            self._clock,
            lambda: 0.5,
            Figures("1.2.3"),
        )

    def check(self) -> None:
        """One issue for each, resolved, with all of its history in order, and nothing of it twice."""
        self._jira.server.release()
        assert outbox.depths(self._database) == []
        for one in self.incidents:
            [issue] = self._jira.labelled(ticket_key(one.key, one.opened_ms))
            text = "\n".join(self._jira.notes(issue.id))
            assert [text.count(word) for word in WORDS] == [1] * len(WORDS), text
            places = [text.index(word) for word in WORDS]
            assert places == sorted(places)
            assert not self._jira.is_open(issue)
        assert len(self._jira.tracker.issues) == len(self.incidents)


@contextmanager
def world(deployment: Deployment, folder: Path, lag_s: int, timeout: str = "5s") -> Iterator[tuple[Jira, World]]:
    database = Database(f"sqlite:///{folder / 'watchkeeper.db'}")
    migrate.upgrade(database)
    try:
        with (
            running(deployment, clock=HandClock()) as jira,
            jira_backend.made(jira, folder, timeout=timeout) as backend,
        ):
            jira.tracker.index.lag_ms = jira.tracker.index.replica_lag_ms = lag_s * 1000
            options = jira_backend.options(jira, folder, timeout=timeout)
            yield jira, World(jira, backend, database, itsm.find("jira").certain_after_ms(options))
    finally:
        database.close()


@pytest.mark.parametrize("deployment", ["cloud", "server"])
@pytest.mark.parametrize("seed", range(3))
def test_there_is_one_issue_for_each_incident_whatever_is_lost(
    tmp_path: Path, deployment: Deployment, seed: int
) -> None:
    with world(deployment, tmp_path, Random(seed).randrange(120)) as (jira, here):
        jira.faults.at_random(seed, 0.25, QUICK)

        here.deliver()
        here.check()


@pytest.mark.parametrize("deployment", ["cloud", "server"])
@pytest.mark.parametrize(
    "faults",
    [
        (f.HANGS_AND_COMMITS,),
        (f.RESETS, f.HANGS_AND_COMMITS),
        (f.HANGS, f.COMMITS_AND_HANGS, f.HANGS_AND_COMMITS),
    ],
    ids=lambda faults: ", then ".join(map(str, faults)),
)
def test_what_is_created_after_nobody_waits_for_it_any_more_is_created_once(
    tmp_path: Path, deployment: Deployment, faults: Sequence[Fault]
) -> None:
    with world(deployment, tmp_path, 110, timeout="60ms") as (jira, here):
        jira.faults.then(*faults, when=lambda request: b'"Trouble 1"' in request.body)

        here.deliver()
        here.check()
