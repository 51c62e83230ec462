"""What a crash leaves, and what the next start makes of it."""

import random
import signal
import socket
from collections import Counter
from pathlib import Path

from tests.e2e.daemon import Setup, free_port

DOWN = "groups:\n  - name: all\n    rules:\n      - id: down\n        when: status == 'down'\n"


def tcp_probes(ports: list[int], *, every: str = "200ms") -> str:
    """One probe for each port; nobody listens there."""
    lines = "".join(
        f"  - {{id: port-{n}, prober: tcp, service: web, address: '127.0.0.1:{port}'}}\n"
        for n, port in enumerate(ports)
    )
    return f"defaults: {{every: {every}, timeout: {every}}}\nprobes:\n{lines}"


def test_a_daemon_killed_while_an_alert_is_pending_goes_on_with_the_clock_that_ran(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN + "        for: 6s\n")
    with setup.daemon() as first:
        pending = first.wait_for("alert_pending")
        # It is in the database once the metrics say that nothing waits any more.
        setup.wait_until(lambda: "watchkeeper_store_effects_waiting 0\n" in setup.get("/metrics")[1])
        first.kill()
    with setup.daemon() as second:
        opened = second.wait_for("incident_opened")
        second.wait_for("ticket_opened", ticket="DESK-1")
        assert not second.seen("alert_pending"), "the alert was pending already"
    [incident] = setup.listed("incidents")
    assert incident["started"][:19] == pending["timestamp"][:19].replace("T", " ")
    assert opened["incident"] == "INC-1"


def test_an_open_incident_survives_a_kill_and_gets_no_second_ticket(tmp_path: Path) -> None:
    port = free_port()
    setup = Setup.of(tmp_path, probes=tcp_probes([port]), rules=DOWN)
    with setup.daemon() as first:
        first.wait_for("ticket_opened")
        first.kill()
    with setup.daemon() as second:
        assert second.wait_for("probe_status_changed", status="down")
        assert not second.seen("incident_opened")
        with socket.create_server(("127.0.0.1", port)):
            second.wait_for("ticket_resolved", ticket="DESK-1")
            assert [one["state"] for one in setup.listed("tickets")] == ["resolved"]


def test_whenever_it_is_killed_each_incident_has_exactly_one_ticket_in_the_end(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(20)]
    setup = Setup.of(tmp_path, probes=tcp_probes(ports, every="100ms"), rules=DOWN)
    chance = random.Random(2)
    for _ in range(8):
        with setup.daemon() as daemon:
            daemon.read(chance.randint(1, 70), within_s=0.3)
            daemon.kill()
    with setup.daemon() as last:
        setup.wait_until(lambda: len(setup.listed("tickets")) == 20)
        assert last.stop() == 0
    incidents, tickets = setup.listed("incidents"), setup.listed("tickets")
    assert Counter(one["key"] for one in incidents) == Counter({f"down/probe=port-{n}": 1 for n in range(20)})
    assert sorted(one["incident"] for one in tickets) == sorted(one["number"] for one in incidents)
    assert len({one["key"] for one in tickets}) == 20


def test_a_second_daemon_on_the_same_database_refuses_and_says_who_runs(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon() as first:
        other = Setup(tmp_path)  # another port, the same database
        other.config = other.write(
            "other.yaml",
            "probe_files: [probes.yaml]\nservices: {web: {}}\nweb: {listen: '127.0.0.1:PORT'}\n",
        )
        refused = other.command("run")
        assert refused.returncode == 3
        assert f"another watchkeeper (process {first.pid}) already runs on the database" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert first.stop() == 0


def test_sigint_ends_it_as_sigterm_does(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=tcp_probes([free_port()]), rules=DOWN)
    with setup.daemon() as daemon:
        daemon.wait_for("ticket_opened")
        daemon.signal(signal.SIGINT)
        assert daemon.wait() == 0
