"""One run of the chaos test: lives and deaths of a daemon, a time to settle, and what is found then."""

import json
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from sqlalchemy import Connection, select

from tests.chaos import adapters, script
from tests.chaos.adapters import Desk
from tests.chaos.daemon import STORM, TARGETS, Daemon, alerts, probe_id, write_configuration
from tests.chaos.judge import Case, Decided, Ordered, judge, misjudged
from tests.chaos.mischief import Mischief
from tests.chaos.people import People
from tests.chaos.script import LONGEST_S, Death, Life, Script
from tests.chaos.site import Site, open_site
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.incident import incident_number
from watchkeeper.domain.owner import problem_number
from watchkeeper.store import outbox, tables
from watchkeeper.store.database import Database, StoreError

DATABASE: Final = "watchkeeper.db"
STALLED_S: Final = 330.0  # for so long nothing may move while something is left to do: pauses are 300 s at most
QUIET_S: Final = 3.0  # for so long nothing happens any more when it is settled
_STARTED_S: Final = 20.0  # how long a life may last however slow the machine is
_EVENING_S: Final = 5.0  # so long faults, and people, go on when nobody is killed any more
_VISITS: Final = 4
_LOOK_S: Final = 0.03
_MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    backend: str
    people: bool
    seed: int
    kills: int
    faults: int
    incidents: int
    merged: int
    problems: int
    tickets: int
    deeds: int
    duplicates: int
    lost: int
    requests: int
    seconds: float
    settled_s: float
    wrong: Sequence[str]
    met: dict[str, int]
    folder: str
    """Where the database and the log are kept, if something is wrong."""


def run(backend: str, seed: int, kills: int, *, people: bool = False) -> Result:
    """Runs the script of a seed against a backend, and judges what there is in the end."""
    adapter = adapters.find(backend)
    folder = Path(tempfile.mkdtemp(prefix=f"wk-chaos-{backend}-", dir=_MEMORY if _MEMORY.is_dir() else None))
    chance = Random(seed)
    began = monotonic()
    mischief = Mischief(chance, adapter.FAULTS)
    with open_site(TARGETS) as site, adapter.open_desk(folder, mischief) as desk:
        written = script.write(seed, kills, TARGETS, has_wire=desk.has_wire)
        mischief.rage(written.rate)
        crowd = People(desk, adapter.ACTS, 20 + kills, chance, partial(_keys_of_problems, folder / DATABASE))
        if people:
            mischief.visit = crowd.visit
        between_lives = crowd.visit if people and not desk.has_wire else None
        world = World(folder, site, desk, mischief, written, between_lives)
        world.live()
        settled_s = world.settle(crowd.go_home)
        case = world.case(crowd)
        verdict = judge(case)
        wrong = (*world.surprises, *verdict.wrong)
        result = Result(
            backend=backend,
            people=people,
            seed=seed,
            kills=world.kills,
            faults=mischief.met.total(),
            incidents=len(case.incidents),
            merged=sum(one.is_merged for one in case.incidents),
            problems=len(case.problems),
            tickets=len(case.tickets),
            deeds=len(crowd.deeds),
            duplicates=verdict.duplicates,
            lost=verdict.lost,
            requests=mischief.requests,
            seconds=monotonic() - began,
            settled_s=settled_s,
            wrong=wrong,
            met=dict(mischief.met),
            folder=str(folder) if wrong else "",
        )
    if not wrong:
        shutil.rmtree(folder)
    return result


class World:
    """A daemon, what it probes, and where its tickets go.

    Args:
        between_lives: called a few times when the daemon is dead: what happens then comes into no change of its.
    """

    def __init__(
        self,
        folder: Path,
        site: Site,
        desk: Desk,
        mischief: Mischief,
        written: Script,
        between_lives: Callable[[], None] | None,
    ) -> None:
        self.kills = 0
        self.surprises: list[str] = []
        self._site, self._desk, self._mischief, self._script = site, desk, mischief, written
        self._config = write_configuration(folder, site, desk.settings(), storm=STORM)
        self._url = f"sqlite:///{folder / DATABASE}"
        self._chance = Random(written.seed + 1)
        self._between_lives = between_lives

    def live(self) -> None:
        """Every life of the script, each to its death."""
        for number, life in enumerate(self._script.lives, 1):
            daemon = Daemon(self._config)
            self._mischief.arm(life, daemon.kill)
            try:
                self._spend(daemon, life)
            finally:
                self._mischief.disarm()
                daemon.kill()
            status = daemon.ended(10)
            if daemon.was_killed and status == -9:
                self.kills += 1
            else:
                self.surprises.append(f"in life {number} the daemon ended by itself, with status {status}")
            if self._between_lives is not None:
                for _ in range(_VISITS):
                    self._between_lives()

    def settle(self, people_go_home: Callable[[], None]) -> float:
        """A last daemon is not killed. Some seconds later all goes well for it, and it makes good what there is to.
        How many seconds that took."""
        for target in self._site.down ^ self._script.down:
            self._site.flip(target)
        daemon = Daemon(self._config)
        try:
            while daemon.worked_s < _EVENING_S and daemon.ended(_LOOK_S) is None:
                pass
            people_go_home()
            self._mischief.calm_down()
            began = monotonic()
            left = self._wait_until_quiet(daemon)
            settled_s = monotonic() - began - QUIET_S
            if left:
                self.surprises.append(f"it did not settle: {left}")
            daemon.stop()
            status = daemon.ended(15)
            if status != 0:
                self.surprises.append(f"the last daemon ended with status {status}")
        finally:
            daemon.kill()
            daemon.ended(10)
        return settled_s

    def case(self, crowd: People) -> Case:
        """What there is in the end."""
        with _opened(self._url) as database, database.read() as connection:
            problems = _problems(connection)
            incidents = _incidents(connection, problems)
            commands = [
                Ordered(
                    id=row.id,
                    key=row.key,
                    kind=row.kind,
                    note=json.loads(row.payload).get("note", ""),
                    state=row.state,
                    batch=row.batch or 0,
                    remark=row.last_error,
                    done_ms=row.done_ms or 0,
                )
                for row in connection.execute(select(tables.outbox).order_by(tables.outbox.c.id))
            ]
        in_trouble = alerts(self._script.down)
        return Case(incidents, commands, self._desk.tickets(), in_trouble, crowd.by_key(), [*problems.values()])

    def _spend(self, daemon: Daemon, life: Life) -> None:
        flips = list(life.flips)
        disturbs_s = self._chance.uniform(0.0, LONGEST_S)
        while not _is_spent(daemon, life) and daemon.ended(_LOOK_S) is None:
            while flips and flips[0].at_s <= daemon.worked_s:
                self._site.flip(flips.pop(0).target)
            if daemon.worked_s > disturbs_s:
                self._desk.disturb(self._chance.uniform(0.05, 1.0))
                disturbs_s = LONGEST_S
        for flip in flips:  # while nobody looks
            self._site.flip(flip.target)

    def _wait_until_quiet(self, daemon: Daemon) -> str:
        """Empty when nothing is left to do, and nothing moves any more; what is left, when nothing moves before."""
        last, since = "", monotonic()
        with _opened(self._url) as database:
            while (status := daemon.ended(_LOOK_S)) is None:
                left, seen = self._left(database)
                if seen != last:
                    last, since = seen, monotonic()
                still_s = monotonic() - since
                if still_s > (STALLED_S if left else QUIET_S):
                    return left
        return f"the daemon ended by itself, with status {status}"

    def _left(self, database: Database) -> tuple[str, str]:
        """What is left to do, and what would differ if something happened."""
        rows = tables.outbox
        try:
            with database.read() as connection:
                found = _incidents(connection, {})
                intervals = tables.probe_intervals
                down = {
                    row.probe_id
                    for row in connection.execute(select(intervals).where(intervals.c.to_ms.is_(None)))
                    if row.status == "down"
                }
                states = Counter(row.state for row in connection.execute(select(rows.c.state)))
                told = [tuple(row) for row in connection.execute(select(tables.tickets))]
            waiting = outbox.depths(database)
        except StoreError as error:
            return str(error), ""
        seen = f"{states} {found} {told}"
        wanted = {probe_id(target) for target in self._script.down}
        if down != wanted:
            return f"probes {sorted(down ^ wanted)} are not seen as they are", seen
        if waiting:
            return f"the outbox is not empty: {waiting}", seen
        wrong = list(misjudged(found, alerts(self._script.down)))
        return f"incidents are not as they should be: {wrong}" if wrong else "", seen


def _problems(connection: Connection) -> dict[int, Decided]:
    rows = connection.execute(select(tables.problems).order_by(tables.problems.c.id))
    return {
        row.id: Decided(
            problem_number(row.id),
            row.fingerprint,
            ticket_key(f"problem/{row.fingerprint}", row.opened_ms),
            row.state != "resolved",
        )
        for row in rows
    }


def _incidents(connection: Connection, problems: Mapping[int, Decided]) -> list[Decided]:
    incidents, members, belongs = tables.incidents, tables.incident_alerts, tables.problem_incidents
    firing: dict[int, set[tuple[str, str]]] = defaultdict(set)
    impacted: dict[int, set[tuple[str, str]]] = defaultdict(set)
    part_of: dict[int, set[str]] = defaultdict(set)
    for row in connection.execute(select(members)):
        for wanted, alerts_of in ((row.firing, firing), (row.impacted, impacted)):
            if wanted:
                alerts_of[row.incident_id].add((row.rule_id, row.probe_id))
    for row in connection.execute(select(belongs)):
        if row.problem_id in problems:
            part_of[row.incident_id].add(problems[row.problem_id].key)
    rows = connection.execute(select(incidents).order_by(incidents.c.id)).all()
    keys = {row.id: ticket_key(row.key, row.opened_ms) for row in rows}
    return [
        Decided(
            incident_number(row.id),
            row.key,
            keys[row.id],
            row.state == "open",
            firing=frozenset(firing[row.id]),
            impacted=frozenset(impacted[row.id]),
            part_of=frozenset(part_of[row.id] | {keys[other] for other in (row.merged_into,) if other is not None}),
            is_merged=row.merged_into is not None,
        )
        for row in rows
    ]


def _keys_of_problems(database: Path) -> frozenset[str]:
    """The keys of the tickets of problems, as far as there are any."""
    query = "SELECT key FROM outbox WHERE problem_id IS NOT NULL AND kind = 'create'"
    if not database.exists():
        return frozenset()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'problems'").fetchone():
            return frozenset()  # the daemon was killed before it had made its tables
        return frozenset(key for (key,) in connection.execute(query))


def _is_spent(daemon: Daemon, life: Life) -> bool:
    """Whether a life's time is over. One that ends at a request ends by itself, if there are so many."""
    if life.death is Death.AT_START:
        return daemon.age_s > life.after_s
    longest_s = life.after_s if life.death is Death.AT_WORK else LONGEST_S
    return daemon.worked_s > longest_s or daemon.age_s > _STARTED_S


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
