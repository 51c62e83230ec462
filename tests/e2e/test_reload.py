"""Reading the configuration again: all or nothing."""

import signal
from pathlib import Path

from tests.e2e.daemon import Setup, free_port
from tests.e2e.test_restart import DOWN, tcp_probes


def test_sighup_takes_on_a_new_probe_and_a_removed_rule_resolves_its_incident(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        setup.write("probes.yaml", tcp_probes([setup.port, free_port()]))
        setup.write("rules.yaml", "groups: []\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("reloaded", probes=2, rules=0)
        resolved = daemon.wait_for("ticket_resolved")
        assert resolved["text"].partition("\n")[0].endswith(": rule removed")
        assert "watchkeeper_config_last_reload_successful 1.0\n" in setup.get("/metrics")[1]


def test_a_token_that_is_not_there_is_told_at_the_start_and_at_a_reload(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    start = setup.config.read_text().replace("web: {listen", "web: {token: {file: token}, listen")
    setup.config.write_text(start)
    with setup.daemon() as daemon:
        told = daemon.wait_for("secret_unavailable", secret="web.token")
        assert told["level"] == "warning"
        assert told["error"] == f"the secret file {tmp_path}/token: No such file or directory"
        sources = "sources: {am: {type: alertmanager, token: {env: NOPE}, service: web}}\n"
        setup.config.write_text(start + sources)
        setup.write("token", "")
        daemon.signal(signal.SIGHUP)
        told = daemon.wait_for("secret_unavailable", secret="sources.am.token")
        assert told["error"] == "the environment variable NOPE is not set"
        daemon.wait_for("secret_unavailable", error=f"{tmp_path}/token is empty")


def test_a_broken_file_changes_nothing_and_the_answer_says_where_it_is_broken(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon() as daemon:
        setup.write("probes.yaml", tcp_probes([free_port()]) + "  - {id: other, prober: tpc, service: web}\n")
        status, text = setup.get("/-/reload", post=True)
        assert status == 400
        assert f"{tmp_path}/probes.yaml:4:25: probes[other].prober: there is no prober 'tpc'" in text
        assert "nothing has changed" in text
        daemon.wait_for("reload_failed", problems=1)
        _, metrics = setup.get("/metrics")
        assert "watchkeeper_config_last_reload_successful 0.0\n" in metrics
        assert "watchkeeper_probes 1\n" in metrics
        daemon.wait_for("ticket_opened")  # the old configuration goes on


def test_what_needs_a_restart_is_refused_whole(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon():
        setup.config.write_text(setup.config.read_text() + "state: sqlite:///other.db\n")
        status, text = setup.get("/-/reload", post=True)
        assert status == 400
        assert "state has changed, which needs a restart" in text
    assert not (tmp_path / "other.db").exists()


def test_reload_by_get_is_refused(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon():
        assert setup.get("/-/reload")[0] == 405
