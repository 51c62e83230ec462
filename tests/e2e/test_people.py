"""People work on tickets of the local desk, while watchkeeper does and while it does not."""

import json
import re
import socket
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.e2e.daemon import Setup, free_port
from tests.e2e.test_restart import DOWN, tcp_probes
from tests.peers import databases
from tests.store import made, problems
from watchkeeper.cli.tickets import command
from watchkeeper.domain.ticket import TicketDraft
from watchkeeper.store import outbox
from watchkeeper.store.desk import StoredDesk
from watchkeeper.store.outbox import settle_delivered
from watchkeeper.store.record import record

QUICK = "itsm: {backends: {desk: {type: local, sync: 1s, reopen_after: 2s}}}\n"


def trouble(folder: Path, *ports: int) -> Setup:
    return Setup.of(folder, probes=tcp_probes([*ports] or [free_port()]), rules=DOWN, more=QUICK)


def asked(setup: Setup, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "-c", str(setup.config)])


def said(setup: Setup, *arguments: str) -> str:
    """What a command prints that works."""
    done = asked(setup, *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(setup: Setup, *arguments: str) -> tuple[int, str]:
    done = asked(setup, *arguments)
    assert done.stdout == ""
    return done.exit_code, done.stderr


def tickets(setup: Setup) -> list[tuple[str, str | None]]:
    """State and assignee of all, the newest first."""
    found: list[dict[str, Any]] = json.loads(said(setup, "--json"))
    return [(one["state"], one["assignee"]) for one in found]


@pytest.fixture
def desk(tmp_path: Path) -> Setup:
    """A configuration whose database has INC-1 with its ticket DESK-1. Nothing runs."""
    setup = trouble(tmp_path)
    with databases.migrated("sqlite", tmp_path) as database:
        incident = made.incident(1)
        record(database, [made.opened(incident), made.create(incident)])
        ticket = StoredDesk(database).create("desk", made.draft(incident), 100)
        settle_delivered(database, [replace(made.create(incident), id=1)], ticket, 100)
    return setup


def test_a_ticket_that_somebody_took_up_is_theirs_to_resolve(tmp_path: Path) -> None:
    port = free_port()
    setup = trouble(tmp_path, port)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        assert said(setup, "take", "desk-1", "--by", "alice") == (
            f"DESK-1 at desk is in progress, with alice: Web: port-0: connection refused by 127.0.0.1:{port}\n"
        )
        told = daemon.wait_for("incident_acknowledged", incident="INC-1")
        assert told["text"] == "DESK-1 was taken up by alice"
        assert re.search(
            r"^watchkeeper_incident_acknowledge_seconds_count\{.*\} 1\.0$", setup.get("/metrics")[1], re.MULTILINE
        )
        with socket.create_server(("127.0.0.1", port)):
            left = daemon.wait_for("ticket_left", ticket="DESK-1")
            assert left["remark"] == "left to alice to resolve"
            assert tickets(setup) == [("in_progress", "alice")]
            assert said(setup, "resolve", "DESK-1", "--by", "alice", "-m", "the cable was loose")
            shown = said(setup, "DESK-1")
            assert "resolved, with alice, at desk, for INC-1" in shown
            assert "alice resolved it: the cable was loose" in shown
            assert "(Left to alice to resolve.)" in shown
        assert daemon.stop() == 0


def test_trouble_that_goes_on_opens_its_ticket_again_and_gets_another_when_it_is_closed(tmp_path: Path) -> None:
    setup = trouble(tmp_path)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened", ticket="DESK-1")
        said(setup, "resolve", "DESK-1", "--by", "alice")
        daemon.wait_for("incident_reopened", incident="INC-1")
        daemon.wait_for("ticket_updated", ticket="DESK-1")
        assert tickets(setup) == [("open", None)]
        daemon.wait_for("incident_ticket_moved", text="DESK-1 is open now")

        said(setup, "close", "DESK-1", "--by", "alice")
        daemon.wait_for("incident_resolved", incident="INC-1")
        daemon.wait_for("ticket_opened", ticket="DESK-2", incident="INC-2")
        assert "INC-1, ticket DESK-1" in said(setup, "DESK-2")
        assert daemon.stop() == 0
    assert tickets(setup) == [("open", None), ("closed", None)]


def test_what_people_did_while_nothing_ran_is_seen_by_the_next_start(tmp_path: Path) -> None:
    setup = trouble(tmp_path)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        daemon.kill()
    said(setup, "cancel", "DESK-1", "--by", "alice")
    with setup.daemon() as daemon:
        told = daemon.wait_for("incident_acknowledged")
        assert told["incident"] == "INC-1"
        daemon.kill()
    assert tickets(setup) == [("cancelled", None)]


def test_wrong_moves_are_plain_errors(desk: Setup) -> None:
    assert refused(desk, "reopen", "DESK-1") == (
        1,
        "DESK-1 is open: possible is take, assign, hold, resolve, close, cancel, note\n",
    )
    assert said(desk, "assign", "DESK-1", "bob", "--by", "alice").startswith("DESK-1 at desk is open, with bob: ")
    assert said(desk, "note", "DESK-1", "looks bad\x1b[2J", "--by", "alice")
    assert "alice: looks bad\ufffd[2J" in said(desk, "DESK-1")
    said(desk, "close", "DESK-1", "--by", "alice")
    assert refused(desk, "note", "DESK-1", "more") == (
        1,
        "DESK-1 is closed: that is for good, and nothing more can be done to it\n",
    )
    assert refused(desk, "take", "DESK-9") == (1, "there is no ticket 'DESK-9'\n")
    assert refused(desk, "take", "DESK-1", "--by", " ")[0] == 2
    assert "No such command 'tkae'" in refused(desk, "tkae", "DESK-1")[1]


def test_who_acts_is_who_has_logged_in(desk: Setup) -> None:
    runner = CliRunner(env={"SUDO_USER": "carol"})
    assert runner.invoke(command, ["take", "DESK-1", "-c", str(desk.config)]).exit_code == 0
    assert tickets(desk) == [("in_progress", "carol")]


def test_a_ticket_of_another_system_is_worked_on_there(desk: Setup) -> None:
    connection = sqlite3.connect(desk.folder / "watchkeeper.db")
    with connection:
        connection.execute("UPDATE tickets SET number = 'INC0010023', backend = 'snow', url = 'https://x.test/23'")
    connection.close()
    assert refused(desk, "take", "INC0010023") == (
        1,
        "INC0010023 is a ticket of snow, not of watchkeeper's own desk: do it there, at https://x.test/23\n",
    )


def test_what_is_tried_again_must_be_there(desk: Setup) -> None:
    assert refused(desk, "retry", "INC-9") == (1, "there is no incident INC-9\n")
    assert refused(desk, "retry", "--backend", "dask") == (
        1,
        "there is no backend 'dask' (did you mean 'desk'?); there is desk\n",
    )
    assert refused(desk, "retry")[0] == refused(desk, "retry", "INC-1", "--all")[0] == 2
    assert said(desk, "retry", "--all") == said(desk, "rejected") == "no rejected commands\n"


def test_refused_commands_are_listed_and_a_running_daemon_tries_them_again_when_it_is_told(tmp_path: Path) -> None:
    setup = trouble(tmp_path)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        connection = sqlite3.connect(tmp_path / "watchkeeper.db")
        with connection:
            connection.execute("DELETE FROM tickets")
            connection.execute("UPDATE outbox SET state = 'rejected', uncertain = 1, last_error = 'no such category'")
        connection.close()
        [found] = json.loads(said(setup, "rejected", "--json"))
        assert (found["incident"], found["command"], found["reason"]) == ("INC-1", "create", "no such category")
        assert "no such category" in said(setup, "rejected")

        assert said(setup, "retry", "inc-1") == "1 rejected command will be tried again\n"
        daemon.wait_for("ticket_adopted", ticket="DESK-1")
        assert daemon.stop() == 0


def test_the_ticket_of_a_problem_is_worked_on_like_any_other(desk: Setup) -> None:
    with databases.migrated("sqlite", desk.folder) as database:
        problems.put_problem(database, 1)
        draft = problems.create(1).payload
        assert isinstance(draft, TicketDraft)
        with database.write() as connection:
            outbox.add(connection, problems.create(1), problems.note(1))
        claim = outbox.claim(database, "desk", 10_000)
        assert claim is not None
        settle_delivered(database, claim.commands, StoredDesk(database).create("desk", draft, 100), 100)
        claim = outbox.claim(database, "desk", 10_000)
        assert claim is not None
        outbox.settle_rejected(database, claim.commands, "no", 20_000)

    said(desk, "note", "DESK-2", "restart it", "--as", "workaround", "--by", "alice")

    [of_problem, of_incident] = json.loads(said(desk, "--json"))
    assert (of_problem["problem"], of_problem["incident"]) == ("PRB-1", None)
    assert (of_incident["problem"], of_incident["incident"]) == (None, "INC-1")
    shown = said(desk, "DESK-2")
    assert "open, at desk, for PRB-1\nworkaround: restart it\n" in shown
    assert "alice (workaround): restart it" in shown
    assert json.loads(said(desk, "DESK-2", "--json"))["workaround"] == "restart it"
    assert "PRB-1  DESK-2" in said(desk, "rejected")
    assert refused(desk, "retry", "PRB-7") == (1, "there is no problem PRB-7\n")
    assert said(desk, "retry", "prb-1") == "1 rejected command will be tried again\n"
    assert refused(desk, "note", "DESK-1", "why", "--as", "root-cause") == (
        1,
        "DESK-1 is no problem: only a problem has a root cause\n",
    )
