"""What the daemon does when something around it, or it itself, fails."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from tests.e2e.daemon import PATIENCE_S, ROOT, Daemon, Setup, free_port
from tests.e2e.test_restart import DOWN, tcp_probes

FAULT = 70


def test_a_log_that_nobody_reads_any_more_costs_no_ticket(tmp_path: Path) -> None:
    port = free_port()
    setup = Setup.of(tmp_path, probes=tcp_probes([port], every="1s"), rules=DOWN)
    with subprocess.Popen(
        [sys.executable, "-m", "watchkeeper", "run", "-c", str(setup.config)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as daemon:
        try:
            assert daemon.stderr is not None
            assert any(json.loads(line)["event"] == "started" for line in daemon.stderr)
            daemon.stderr.close()
            setup.wait_until(lambda: [one["state"] for one in setup.listed("tickets")] == ["open"])
            with socket.create_server(("127.0.0.1", port)):
                setup.wait_until(lambda: [one["state"] for one in setup.listed("tickets")] == ["resolved"])
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(PATIENCE_S) == 0
        finally:
            daemon.kill()


def test_a_daemon_that_can_not_go_on_does_not_end_as_one_whose_configuration_is_wrong(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon() as daemon:
        (tmp_path / "watchkeeper.db.lock").unlink()
        daemon.wait_for("store_lost")
        assert daemon.wait() == FAULT


# A prober of somebody else's, with a bug: it can not take its options once there is a file `broken`.
ODD = """
from dataclasses import replace
from pathlib import Path
from pydantic import field_validator
from watchkeeper.probers.memory import KIND as MEMORY
from watchkeeper.schema.base import Model

class Options(Model):
    text: str

    @field_validator("text")
    @classmethod
    def _fails(cls, text: str) -> str:
        if Path("broken").exists():
            raise RuntimeError("a bug")
        return text

KIND = replace(MEMORY, name="odd", options=Options)
"""


def with_odd_prober(folder: Path) -> tuple[Setup, Mapping[str, str]]:
    """A setup, and the environment in which there is such a prober."""
    (folder / "more").mkdir()
    (folder / "more" / "odd.py").write_text(ODD)
    (folder / "sitecustomize.py").write_text(
        f"import watchkeeper.probers\nwatchkeeper.probers.__path__.append({str(folder / 'more')!r})\n"
    )
    probes = tcp_probes([free_port()]) + "  - {id: odd, prober: odd, service: web, text: x}\n"
    setup = Setup.of(folder, probes=probes, rules="groups: []\n")
    return setup, {"PYTHONPATH": f"{folder}:{ROOT}"}


def test_a_bug_at_the_start_ends_as_a_bug(tmp_path: Path) -> None:
    setup, environment = with_odd_prober(tmp_path)
    (tmp_path / "broken").touch()
    daemon = Daemon(setup, environment)
    assert daemon.wait() == FAULT
    assert daemon.seen("text")[-1]["text"] == "RuntimeError: a bug"


def test_a_bug_in_a_reload_is_told_and_the_daemon_goes_on(tmp_path: Path) -> None:
    setup, environment = with_odd_prober(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(PATIENCE_S)
        manager.bind(str(tmp_path / "notify"))
        with setup.daemon({**environment, "NOTIFY_SOCKET": str(tmp_path / "notify")}) as daemon:
            (tmp_path / "broken").touch()
            status, text = setup.get("/-/reload", post=True)
            assert (status, "RuntimeError('a bug')" in text) == (500, True)
            failed = daemon.wait_for("reload_failed")
            assert failed["exception"][0]["exc_value"] == "a bug"
            assert "watchkeeper_config_last_reload_successful 0.0\n" in setup.get("/metrics")[1]
            told = [manager.recv(4096).decode() for _ in range(3)]
            assert [message.partition("=")[0] for message in told] == ["READY", "RELOADING", "READY"]
            (tmp_path / "broken").unlink()
            assert setup.get("/-/reload", post=True)[0] == 200
            assert daemon.stop() == 0


def test_a_stop_does_not_wait_for_a_database_that_somebody_else_has(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        other = sqlite3.connect(tmp_path / "watchkeeper.db", timeout=PATIENCE_S, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        began = monotonic()
        assert daemon.stop() == 0
        assert monotonic() - began < 12, "service managers wait for fifteen seconds, and so would the database"
        other.close()


def itsm(backend: str) -> str:
    return f"itsm: {{backends: {{{backend}: {{type: local}}}}}}\n"


def test_an_incident_whose_backend_is_renamed_is_told_at_a_reload_and_at_a_start(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN, more=itsm("first"))
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        assert not daemon.seen("backend_missing")
        setup.config.write_text(setup.config.read_text().replace("first", "second"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("backend_missing", backend="first", commands=0, open_incidents=1)
        assert daemon.stop() == 0
    with setup.daemon() as daemon:
        assert daemon.seen("backend_missing")[0]["open_incidents"] == 1
