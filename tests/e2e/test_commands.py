"""The command line, as people and scripts use it."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

from tests.e2e.daemon import Setup, free_port, run_command
from tests.e2e.test_restart import DOWN, tcp_probes
from tests.peers import databases
from tests.store import made
from watchkeeper.domain.effect import Happening
from watchkeeper.domain.incident import IncidentState
from watchkeeper.store.migrate import SCHEMA
from watchkeeper.store.record import record


def with_one_ticket(folder: Path) -> Setup:
    """A stopped daemon that has opened one ticket."""
    setup = Setup.of(
        folder, probes=tcp_probes([free_port()], every="2s"), rules=DOWN + "        runbook: https://wiki.test/down\n"
    )
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        assert daemon.stop() == 0
    return setup


def test_incidents_are_listed_and_shown_with_their_story(tmp_path: Path) -> None:
    setup = with_one_ticket(tmp_path)
    listed = setup.command("incidents").stdout
    assert listed.splitlines()[0].split() == [
        "INCIDENT", "STATE", "PRIO", "SERVICE", "OPENED", "LASTED", "TICKET", "TITLE",
    ]  # fmt: skip
    assert "INC-1" in listed
    assert "DESK-1" in listed
    shown = setup.command("incidents", "inc-1").stdout
    assert "key       down/probe=port-0" in shown
    assert "runbook   https://wiki.test/down" in shown
    assert "Timeline" in shown
    assert "create" in shown
    assert "delivered" in shown
    detail = json.loads(setup.command("incidents", "1", "--json").stdout)
    assert detail["timeline"][0]["what"] == "opened"
    assert detail["alerts"] == [{"probe": "port-0", "rule": "down", "firing": True, "flapping": False}]
    assert detail["commands"][0]["state"] == "delivered"
    assert (detail["time_to_acknowledge_seconds"], detail["time_to_resolve_seconds"]) == (None, None)


def test_an_incident_tells_how_long_it_took_to_be_taken_up_and_to_be_resolved(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    opened_ms = 1_795_520_280_000
    incident = replace(made.incident(1), started_ms=opened_ms - 60_000, opened_ms=opened_ms)
    taken_up = replace(incident, acknowledged_ms=opened_ms + 90_500)
    over = replace(
        taken_up,
        state=IncidentState.RESOLVED,
        resolved_ms=opened_ms + 3_600_000,
        firing=frozenset(),
        flapping=frozenset(),
    )
    with databases.migrated("sqlite", tmp_path) as database:
        record(database, [made.opened(incident)])
        record(database, [replace(made.opened(taken_up), happening=Happening.ACKNOWLEDGED)])
        record(database, [replace(made.opened(over), happening=Happening.RESOLVED)])

    assert "taken up  2026-11-24 11:39:30Z, after 1m30s\n" in setup.command("incidents", "1").stdout
    [listed] = json.loads(setup.command("incidents", "--json").stdout)
    assert (listed["time_to_acknowledge_seconds"], listed["time_to_resolve_seconds"]) == (90.5, 3600)


def test_an_incident_whose_ticket_is_refused_says_so_and_why(tmp_path: Path) -> None:
    setup = with_one_ticket(tmp_path)
    connection = sqlite3.connect(tmp_path / "watchkeeper.db")
    with connection:
        connection.execute("DELETE FROM tickets")
        connection.execute("UPDATE outbox SET state = 'rejected', last_error = 'no such category'")
    connection.close()
    assert " rejected " in setup.command("incidents").stdout
    shown = setup.command("incidents", "1").stdout
    assert "ticket    rejected at desk\n" in shown
    assert "rejected  no such category\n" in shown
    assert json.loads(setup.command("incidents", "1", "--json").stdout)["ticket_rejection"] == "no such category"


def test_lists_can_be_narrowed(tmp_path: Path) -> None:
    setup = with_one_ticket(tmp_path)
    assert setup.command("incidents", "--state", "resolved").stdout == "no incidents\n"
    assert setup.command("incidents", "--service", "other", "--json").stdout == "[]\n"
    assert setup.command("tickets", "--state", "closed").stdout == "no tickets\n"
    assert "DESK-1" in setup.command("tickets", "--backend", "desk", "--state", "open").stdout


def test_a_ticket_says_what_a_first_responder_needs(tmp_path: Path) -> None:
    setup = with_one_ticket(tmp_path)
    said = setup.command("tickets", "DESK-1").stdout
    for needed in (
        "connection refused",
        "Service:  Web (web)",
        "Since:",
        "Why the rule down fired:",
        "wiki.test",
    ):
        assert needed in said
    ticket = json.loads(setup.command("tickets", "DESK-1", "--json").stdout)
    assert ticket["description"].startswith("Web: port-0: connection refused by 127.0.0.1:")
    assert ticket["key"].startswith("wk-")


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    setup = with_one_ticket(tmp_path)
    missing = setup.command("incidents", "INC-99")
    assert (missing.returncode, missing.stderr) == (1, "there is no incident INC-99\n")
    assert setup.command("incidents", "twelve").returncode == 2
    assert setup.command("tickets", "DESK-99").returncode == 1
    unknown = setup.command("probe", "prot-0")
    assert unknown.returncode == 1
    assert "did you mean 'port-0'?" in unknown.stderr


def test_reading_makes_no_database(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([9]), rules=DOWN)
    for command in (["incidents"], ["tickets"], ["db", "backup"]):
        done = setup.command(*command)
        assert done.returncode == 3
        assert "there is no database" in done.stderr
    assert not (tmp_path / "watchkeeper.db").exists()


def test_a_probe_can_be_tried_by_hand(tmp_path: Path) -> None:
    setup = Setup.of(
        tmp_path,
        probes=tcp_probes([free_port()]),
        rules=DOWN + '      - {id: slow, when: \'avg("duration", "5m") > 1\'}\n'
        '      - {id: often, when: \'rate("duration", "5m") > 1\'}\n',
    )
    done = setup.command("probe", "port-0", "--json")
    assert done.returncode == 1, "a probe that is down is what is wrong"
    found = json.loads(done.stdout)
    assert (found["status"], found["facts"]["failure"]) == ("down", "connect")
    verdicts = {rule["rule"]: rule["verdict"] for rule in found["rules"]}
    assert verdicts == {"down": "holds", "slow": "does not hold", "often": "unknown"}
    text = setup.command("probe", "port-0").stdout
    assert "2 needed" in text


def test_check_says_what_would_run(tmp_path: Path) -> None:
    setup = Setup.example(tmp_path)
    done = setup.command("check", "--online")
    assert done.returncode == 0
    assert "watchkeeper-backup    files        monitoring  every 1s   backup-missing" in done.stdout
    assert "is valid: 9 probes, 33 rules, 2 services, 1 backend. Tickets go to desk.\n" in done.stdout
    assert done.stdout.endswith("\nbackend desk (local) would take tickets\n")
    summary = json.loads(setup.command("check", "--json").stdout)
    assert next(probe["id"] for probe in summary["probes"]) == "watchkeeper-backup"
    assert setup.command("check", "--quiet").stdout == ""


def test_the_database_can_be_upgraded_twice_and_backed_up_elsewhere(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([9]), rules=DOWN)
    assert f"was made (schema {SCHEMA})" in setup.command("db", "upgrade").stdout
    assert f"is up to date (schema {SCHEMA})" in setup.command("db", "upgrade").stdout
    done = setup.command("db", "backup", "--to", str(tmp_path / "elsewhere"))
    assert done.returncode == 0, done.stderr
    [copy] = (tmp_path / "elsewhere").iterdir()
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT version_num FROM watchkeeper_schema").fetchone() == (SCHEMA,)
    connection.close()


def test_schemas_are_printed_and_written(tmp_path: Path) -> None:
    printed = json.loads(run_command("schema", "rules", folder=tmp_path).stdout)
    assert "groups" in printed["properties"]
    assert run_command("schema", "--write", "schemas", folder=tmp_path).returncode == 0
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == [
        "changes.schema.json",
        "probes.schema.json",
        "rules.schema.json",
        "ruletests.schema.json",
        "services.schema.json",
        "watchkeeper.schema.json",
    ]


def test_help_names_every_command(tmp_path: Path) -> None:
    done = run_command("--help", folder=tmp_path)
    assert done.returncode == 0
    for command in ("run", "check", "probe", "rules", "incidents", "tickets", "db", "schema"):
        assert f"\n  {command}  " in done.stdout
        assert run_command(command, "--help", folder=tmp_path).returncode == 0
