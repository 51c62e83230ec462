"""The story that the README tells, with the shipped example."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.e2e.daemon import ROOT, Setup


def test_a_missing_backup_is_one_ticket_and_a_backup_resolves_it(tmp_path: Path) -> None:
    setup = Setup.example(tmp_path)
    with setup.daemon() as daemon:
        opened = daemon.wait_for("incident_opened")
        assert (opened["service"], opened["severity"]) == ("monitoring", "major")
        daemon.wait_for("ticket_opened", ticket="DESK-1", incident="INC-1")
        [incident] = setup.listed("incidents")
        assert (incident["number"], incident["state"], incident["ticket"]) == ("INC-1", "open", "DESK-1")
        _, metrics = setup.get("/metrics")
        assert 'watchkeeper_incidents_open{service="monitoring",severity="major"} 1' in metrics
        assert 'watchkeeper_probe_up{probe="watchkeeper-backup",' in metrics

        backup = setup.command("db", "backup")
        assert backup.returncode == 0, backup.stderr

        daemon.wait_for("incident_resolved", incident="INC-1")
        daemon.wait_for("ticket_resolved", ticket="DESK-1")
        [incident] = setup.listed("incidents")
        assert (incident["state"], incident["ticket_state"]) == ("resolved", "resolved")
        _, metrics = setup.get("/metrics")
        assert 'watchkeeper_incidents_open{service="monitoring",severity="major"} 0' in metrics
        assert daemon.stop() == 0
    assert len(daemon.seen("incident_opened")) == 1
    assert daemon.seen("stopped")[0]["not_written"] == 0


def test_the_example_runs_all_its_probes_and_they_find_this_machine_well(tmp_path: Path) -> None:
    setup = Setup.example(tmp_path)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        health = ("watchkeeper-healthy", "watchkeeper-port", "watchkeeper-status", "watchkeeper-database")
        for probe in (*health, "resolve-localhost", "disk-root", "memory", "load"):
            done = setup.command("probe", probe, "--json")
            assert done.returncode == 0, done.stdout + done.stderr
            assert json.loads(done.stdout)["status"] == "up"
        missing = setup.command("probe", "watchkeeper-backup")
        assert missing.returncode == 1
        assert "backup-missing  holds" in missing.stdout


def test_promtool_finds_nothing_wrong_with_the_metrics(tmp_path: Path) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed (Debian package: prometheus)")
    setup = Setup.example(tmp_path)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        _, metrics = setup.get("/metrics")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=metrics, capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_health_and_readiness_answer_and_the_front_page_links_them(tmp_path: Path) -> None:
    setup = Setup.example(tmp_path)
    with setup.daemon():
        assert setup.get("/-/healthy") == (200, "watchkeeper is healthy\n")
        assert setup.get("/-/ready") == (200, "watchkeeper is ready\n")
        status, page = setup.get("/")
        assert status == 200
        assert 'href="/-/ready"' in page


def test_the_example_files_point_at_their_schemas() -> None:
    for path in [ROOT / "config.example.yaml", *ROOT.glob("probes/*.yaml"), *ROOT.glob("rules/*.yaml")]:
        first = path.read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema="), path
        assert (path.parent / first.partition("=")[2]).is_file(), path
        assert yaml.safe_load(path.read_text())
