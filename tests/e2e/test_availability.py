"""Availability by commands and by the API of a running daemon: one figure, wherever it is asked for."""

import json
import time
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from tests.e2e.daemon import Setup, free_port
from tests.e2e.test_restart import tcp_probes
from watchkeeper.store import tables
from watchkeeper.store.database import Database

HOUR = 3_600_000
RULES = "groups: []\n"
OCTOBER = 1_790_812_800_000  # 2026-10-01T00:00Z


def made(tmp_path: Path, more: str = "") -> Setup:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()], every="1s"), rules=RULES, more=more)
    text = setup.config.read_text()
    objectives = "objectives: {availability: 99.9%, over: [month, 30d]}"
    setup.config.write_text(text.replace("{title: Web}", f"{{title: Web, {objectives}}}"))
    assert setup.command("db", "upgrade").returncode == 0
    return setup


def past(setup: Setup, *rows: tuple[int, int | None, str], probe: str) -> None:
    """What the probe was: from and to, in ms."""
    database = Database(f"sqlite:///{setup.folder / 'watchkeeper.db'}")
    with database.write() as connection:
        for from_ms, to_ms, status in rows:
            values = {"probe_id": probe, "service": "web", "from_ms": from_ms, "to_ms": to_ms}
            values |= {"status": status, "message": f"{status}!"}
            connection.execute(insert(tables.probe_intervals).values(**values))
    database.close()


def told(setup: Setup, *arguments: str) -> Any:
    done = setup.command("availability", "web", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def probe_of(setup: Setup) -> str:
    return str(json.loads(setup.command("check", "--json").stdout)["probes"][0]["id"])


def test_a_month_that_is_over_is_told_with_its_outages_and_can_be_corrected(tmp_path: Path) -> None:
    setup = made(tmp_path)
    begin, end = OCTOBER + 100 * HOUR, OCTOBER + 101 * HOUR
    rows = (OCTOBER - HOUR, begin, "up"), (begin, end, "down"), (end, OCTOBER + 31 * 24 * HOUR + HOUR, "up")
    past(setup, *rows, probe=probe_of(setup))

    found = told(setup, "--month", "2026-10")
    assert found["time_ms"]["down"] == HOUR
    assert found["percent"] == "99.8655 %"  # 1 h of 744 h, rounded down
    assert (found["objective"]["met"], found["objective"]["allowed_ms"]) == (False, 744 * HOUR // 1000)
    shown = setup.command("availability", "web", "--month", "2026-10")
    assert "99.8655 %, down 1h of 31d that count" in shown.stdout
    assert "2026-10-05 04:00:00Z" in shown.stdout

    times = [
        "--from",
        "2026-10-05T04:00Z",
        "--to",
        "2026-10-05T04:30Z",
        "-m",
        "power cut of the site",
        "--by",
        "alice",
    ]
    assert setup.command("availability", "correct", "exclude", "web", *times).stdout.startswith("COR-1: web does not")
    assert told(setup, "--month", "2026-10")["time_ms"]["excluded"] == HOUR // 2
    assert "power cut of the site" in setup.command("availability", "web", "--month", "2026-10").stdout
    assert setup.command("availability", "correct", "undo", "COR-1", "-m", "it was ours").returncode == 0
    assert told(setup, "--month", "2026-10") == found
    [listed] = json.loads(setup.command("availability", "correct", "list", "--json").stdout)
    assert (listed["author"], listed["undone_reason"]) == ("alice", "it was ours")


def test_bad_questions_are_refused_with_a_reason(tmp_path: Path) -> None:
    setup = made(tmp_path)
    for arguments, said in (
        (("web", "--month", "2999-01"), "is not a period"),
        (("web", "--month", "2190-01"), "which is yet to come"),
        (("web", "--last", "1d", "--year", "2026"), "do not go together"),
        (("wob",), "there is no service 'wob' (did you mean 'web'?)"),
        (
            ("correct", "add", "web", "--from", "2026-10-05T05:00Z", "--to", "2026-10-05T04:00Z", "-m", "x"),
            "before it",
        ),
        (("correct", "add", "web", "--from", "2026-10-05T05:00Z", "--to", "2190-10-05", "-m", "x"), "yet to come"),
        (("correct", "add", "wob", "--from", "2026-10-05T05:00Z", "--to", "2190-10-05", "-m", "x"), "no service"),
        (("correct", "undo", "COR-7", "-m", "x"), "there is no correction 'COR-7'"),
    ):
        done = setup.command("availability", *arguments)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_no_data_is_no_hundred_percent(tmp_path: Path) -> None:
    setup = made(tmp_path)

    assert (
        "no data: nothing was measured that counts" in setup.command("availability", "web", "--year", "2025").stdout
    )
    assert "no data" in setup.command("services").stdout


def test_the_daemon_the_commands_and_the_api_tell_the_same(tmp_path: Path) -> None:
    now = time.time_ns() // 1_000_000
    begin = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(now / 1000 - 3600))
    end = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(now / 1000 + 3600))
    maintenance = f'maintenance: [{{id: patch, services: [web], from: "{begin}", to: "{end}"}}]\n'
    setup = made(tmp_path, maintenance)
    probe = probe_of(setup)
    past(setup, (now - 3 * HOUR, now - 2 * HOUR, "up"), (now - 2 * HOUR, now - HOUR, "down"), probe=probe)
    with setup.daemon() as daemon:
        daemon.wait_for("probe_status_changed")
        setup.wait_until(lambda: told(setup, "--last", "1d")["time_ms"]["planned"] > 1000)
        api = json.loads(setup.get("/api/v1/availability/web?last=1d")[1])
        command = told(setup, "--last", "1d")
        [service] = json.loads(setup.get("/api/v1/services")[1])
        assert setup.get("/api/v1/availability/wob")[0] == 404
        assert daemon.stop() == 0

    assert (service["service"], service["state"]) == ("web", "planned")
    assert [one["period"] for one in service["periods"]] == ["month", "30d"]
    for one in (api, command):
        assert (one["time_ms"]["up"], one["time_ms"]["down"]) == (HOUR, HOUR), one
        assert one["percent"] == "50.0000 %"
        assert [(change["kind"], change["number"]) for change in one["adjustments"]] == [("maintenance", "patch")]
    after = told(setup, "--last", "1d")
    assert after["time_ms"]["down"] == HOUR
