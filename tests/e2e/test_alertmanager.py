"""The real Prometheus and the real Alertmanager tell the daemon: one ticket, whatever dies meanwhile."""

import re
from pathlib import Path

from tests.e2e.daemon import Setup
from tests.peers.alertmanager import alerting

PROBES = """
probes: [{id: unused, prober: http, service: web, every: 1h, url: "http://127.0.0.1:PORT/-/healthy"}]
"""
RULES = """
groups:
  - name: none
    rules: [{id: down, match: {probe: unused}, when: 'status == "down"', severity: major, title: down}]
"""
SOURCES = """
sources:
  am:
    type: alertmanager
    token: {env: AM_TOKEN}
    service: web
"""
TOKEN = {"AM_TOKEN": "correct horse battery staple"}


def received(setup: Setup, outcome: str) -> int:
    """How many reports came since the daemon's start."""
    found = re.search(
        rf'watchkeeper_reports_received_total{{outcome="{outcome}",source="am"}} (\d+)', setup.get("/metrics")[1]
    )
    return 0 if found is None else int(found[1])


def test_an_alert_that_alertmanager_sends_again_through_a_kill_is_one_ticket(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=RULES, more=SOURCES)
    receiver = (
        f"{{url: 'http://127.0.0.1:{setup.port}/api/v1/alertmanager', send_resolved: true, "
        f"http_config: {{authorization: {{credentials: '{TOKEN['AM_TOKEN']}'}}}}}}"
    )
    (tmp_path / "peers").mkdir()
    with alerting(tmp_path / "peers", receiver) as target:
        with setup.daemon(TOKEN) as daemon:
            target.broken = True
            daemon.wait_for("incident_opened", severity="critical")
            setup.wait_until(lambda: received(setup, "known") >= 1)
            daemon.kill()
        with setup.daemon(TOKEN) as daemon:
            setup.wait_until(lambda: received(setup, "known") >= 2)
            assert received(setup, "news") == 0
            assert 'watchkeeper_reported_alerts{source="am"} 1\n' in setup.get("/metrics")[1]
            daemon.kill()
        # It is killed again, and the alert ends while nobody listens: Alertmanager goes on to tell that.
        target.broken = False
        with setup.daemon(TOKEN) as daemon:
            daemon.wait_for("incident_resolved", incident="INC-1")
            setup.wait_until(lambda: setup.listed("incidents")[0]["state"] == "resolved")
            assert daemon.stop() == 0

    [incident] = setup.listed("incidents")
    assert (incident["rule"], incident["severity"], incident["ticket"]) == ("@am/ShopBroken", "critical", "DESK-1")
    [ticket] = setup.listed("tickets")
    assert (ticket["incident"], ticket["state"], ticket["title"]) == ("INC-1", "resolved", incident["title"])
    assert ticket["title"] == f"The shop on 127.0.0.1:{target.port} is broken"
