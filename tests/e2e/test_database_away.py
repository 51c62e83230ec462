"""The database goes away under load and comes back: nothing that happened meanwhile is lost, and nothing is twice."""

import re
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.e2e.daemon import Daemon, Setup, free_port
from tests.peers import postgres
from watchkeeper.store import tables
from watchkeeper.store.database import Database

STEADY = 100  # probes that just make load
TROUBLED = range(8)  # probes that go down while the database is away, each with an incident by each rule
INCIDENTS = 2 * len(TROUBLED)
RULES = """
groups:
  - name: all
    rules:
      - {id: down, when: status == 'down'}
      - {id: down-for-long, when: status == 'down', for: 1s, keep_firing_for: 1s}
"""
_STATES = {"alert_pending": "pending", "alert_firing": "firing", "alert_over": "inactive"}


class Site:
    """What is probed: ports of this machine that answer or do not, as told."""

    def __init__(self, sockets: ExitStack) -> None:
        self._sockets = sockets
        self._ports = [free_port() for _ in TROUBLED]
        self._listening: dict[int, socket.socket] = {}
        self.answer(TROUBLED)

    def probes(self) -> str:
        places = {f"steady-{n}": "PORT" for n in range(STEADY)} | {f"port-{n}": str(self._ports[n]) for n in TROUBLED}
        lines = "".join(
            f"  - {{id: {name}, prober: tcp, service: web, address: '127.0.0.1:{port}'}}\n"
            for name, port in places.items()
        )
        return f"defaults: {{every: 500ms, timeout: 500ms}}\nprobes:\n{lines}"

    def answer(self, which: range) -> None:
        for n in which:
            # Nobody takes what is in the queue.
            listening = self._listening[n] = socket.create_server(("127.0.0.1", self._ports[n]), backlog=4096)
            self._sockets.callback(listening.close)

    def fall_silent(self, which: range) -> None:
        for n in which:
            self._listening.pop(n).close()


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as sockets:
        yield Site(sockets)


@contextmanager
def locked(file: Path) -> Iterator[Callable[[], None]]:
    """Another process that has a SQLite database for itself, until it is told to let go."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None); "
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        try:
            assert holder.stdout.readline() == "locked\n"
            yield holder.stdin.close
        finally:
            holder.stdin.close()


def begun(daemon: Daemon, setup: Setup) -> None:
    """Everything was seen once, and is in the database."""
    setup.wait_until(lambda: setup.get("/metrics")[1].count("watchkeeper_probe_up{") == STEADY + len(TROUBLED))
    setup.wait_until(lambda: metric(setup, "watchkeeper_store_effects_waiting") == 0)
    assert not daemon.seen("incident_opened")


def metric(setup: Setup, name: str) -> float:
    status, text = setup.get("/metrics")
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert status == 200
    assert found is not None, f"{name} is not shown"
    return float(found[1])


def trouble(daemon: Daemon, site: Site) -> None:
    """All go down, and half of them come back."""
    site.fall_silent(TROUBLED)
    for _ in range(INCIDENTS):
        daemon.wait_for("incident_opened")
    site.answer(TROUBLED[::2])
    for _ in range(INCIDENTS // 2):
        daemon.wait_for("incident_resolved")


def is_away(setup: Setup) -> bool:
    """It says so, and goes on telling what it sees."""
    status, text = setup.get("/-/ready")
    if status == 200:
        return False
    assert (status, "the database has refused changes for" in text) == (503, True)
    _, metrics = setup.get("/metrics")
    assert 'watchkeeper_probe_up{probe="port-1",service="web",prober="tcp",category="health"} 0.0\n' in metrics
    assert 'watchkeeper_probe_up{probe="port-2",service="web",prober="tcp",category="health"} 1.0\n' in metrics
    return True


def ended_well(daemon: Daemon, setup: Setup, site: Site) -> None:
    """The other half comes back as well, and every incident has its ticket, which is resolved."""
    setup.wait_until(lambda: setup.get("/-/ready")[0] == 200)
    site.answer(TROUBLED[1::2])
    setup.wait_until(lambda: [one["state"] for one in setup.listed("tickets")] == ["resolved"] * INCIDENTS)
    assert daemon.stop() == 0


def check(database: Database, *daemons: Daemon) -> None:
    """The database holds what the logs tell, all of it, once and in its order; and one ticket for each incident."""
    status, alerts, timeline = told(daemons)
    with database.read() as connection:

        def rows(table: Any, *order: Any) -> list[Any]:
            return list(connection.execute(select(table).order_by(*order)))

        intervals, transitions = tables.probe_intervals.c, tables.alert_transitions.c
        found: dict[Any, list[str]] = defaultdict(list)
        for row in rows(tables.probe_intervals, intervals.probe_id, intervals.from_ms):
            if row.message != "watchkeeper was not running":
                found[row.probe_id].append(row.status)
        assert found == status
        found.clear()
        for row in rows(tables.alert_transitions, transitions.id):
            found[row.rule_id, row.probe_id].append(row.after)
        assert found == alerts
        incidents = {row.id: row for row in rows(tables.incidents, tables.incidents.c.id)}
        found.clear()
        for row in rows(tables.incident_events, tables.incident_events.c.id):
            found[f"INC-{row.incident_id}"].append(row.happening)
        assert found == timeline
        assert all(happened == ["opened", "resolved"] for happened in found.values())
        assert len({row.key for row in incidents.values()}) == len(incidents) == INCIDENTS
        found.clear()
        for row in rows(tables.outbox, tables.outbox.c.id):
            found[row.incident_id].append(f"{row.kind} {row.state}")
        assert found == {number: ["create delivered", "resolve delivered"] for number in incidents}
        tickets = rows(tables.desk_tickets, tables.desk_tickets.c.id)
        assert sorted(ticket.correlation for ticket in tickets) == sorted(row.key for row in incidents.values())


def told(daemons: tuple[Daemon, ...]) -> tuple[dict[Any, list[str]], dict[Any, list[str]], dict[Any, list[str]]]:
    """What the logs tell: the statuses of each probe, the states of each alert, the timeline of each incident."""
    status: dict[Any, list[str]] = defaultdict(list)
    alerts: dict[Any, list[str]] = defaultdict(list)
    timeline: dict[Any, list[str]] = defaultdict(list)
    for daemon in daemons:
        daemon.seen("")  # reads the rest
        for event in daemon.events:
            name = event["event"]
            if name == "probe_status_changed":
                status[event["probe"]].append(event["status"])
            elif name in _STATES:
                alerts[event["rule"], event["probe"]].append(_STATES[name])
            elif name.startswith("incident_"):
                timeline[event["incident"]].append(name.removeprefix("incident_"))
    return status, alerts, timeline


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


DEBUG = "log: {level: debug}\n"  # first statuses are told as well


def with_postgresql(folder: Path, site: Site, cluster: postgres.Cluster) -> Setup:
    (folder / "url").write_text(cluster.url("postgres"))
    return Setup.of(folder, probes=site.probes(), rules=RULES, more=f"state: {{file: {folder / 'url'}}}\n{DEBUG}")


@pytest.mark.xdist_group("postgres-away")
def test_a_postgresql_that_crashes_and_comes_back_has_missed_nothing(tmp_path: Path, site: Site) -> None:
    with postgres.own_cluster() as cluster:
        setup = with_postgresql(tmp_path, site, cluster)
        with setup.daemon() as daemon:
            begun(daemon, setup)
            cluster.crash()
            trouble(daemon, site)
            setup.wait_until(lambda: is_away(setup))
            setup.wait_until(lambda: metric(setup, "watchkeeper_store_journal_decisions") >= INCIDENTS)
            assert (tmp_path / "config.yaml.journal").is_file()
            cluster.go_on()
            daemon.wait_for("journal_emptied")
            ended_well(daemon, setup, site)
        assert not (tmp_path / "config.yaml.journal").exists()
        with opened(cluster.url("postgres")) as database:
            check(database, daemon)


@pytest.mark.xdist_group("postgres-away")
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "stopped"])
def test_what_happened_before_the_daemon_ended_is_there_after_the_next_start(
    tmp_path: Path, site: Site, killed: bool
) -> None:
    with postgres.own_cluster() as cluster:
        setup = with_postgresql(tmp_path, site, cluster)
        with setup.daemon() as first:
            begun(first, setup)
            cluster.crash()
            trouble(first, site)
            if killed:
                setup.wait_until(lambda: metric(setup, "watchkeeper_store_effects_waiting") == 0)
                first.kill()
            else:
                assert first.stop() == 0
                [stopped] = first.seen("stopped")
                assert stopped["not_written"] == 0
        cluster.go_on()
        with setup.daemon() as second:
            assert second.seen("journal_replayed")[0]["written"] > INCIDENTS
            ended_well(second, setup, site)
            assert not second.seen("incident_opened"), "they were open already"
        with opened(cluster.url("postgres")) as database:
            check(database, first, second)


def test_a_sqlite_that_is_locked_by_another_process_has_missed_nothing(tmp_path: Path, site: Site) -> None:
    setup = Setup.of(tmp_path, probes=site.probes(), rules=RULES, more=DEBUG)
    file = tmp_path / "watchkeeper.db"
    with setup.daemon() as daemon:
        begun(daemon, setup)
        with locked(file) as let_go:
            trouble(daemon, site)
            assert metric(setup, "watchkeeper_store_journal_decisions") >= INCIDENTS, "it does not wait for a refusal"
            daemon.wait_for("store_failing")  # after fifteen seconds
            setup.wait_until(
                lambda: is_away(setup) and re.search(r"for ([5-9]|1\d) s", setup.get("/-/ready")[1]) is not None
            )
            let_go()
            daemon.wait_for("journal_emptied")
        ended_well(daemon, setup, site)
    assert not (tmp_path / "watchkeeper.db.journal").exists()
    with opened(f"sqlite:///{file}") as database:
        check(database, daemon)
