"""A running daemon reads approved changes: they hold back, and what outlasts them is laid at their door."""

import json
from pathlib import Path

from tests.e2e.daemon import Setup, free_port
from tests.e2e.test_restart import DOWN, tcp_probes
from tests.itsm.servicenow_changes import plan
from tests.simulators import servicenow
from tests.simulators.clock import HandClock
from tests.simulators.servicenow import INTEGRATION
from watchkeeper.app.parts import now_ms

SECOND = 1 / 3600  # of an hour


class WallClock(HandClock):
    def __call__(self) -> int:
        return now_ms()


def test_trouble_in_a_change_opens_at_its_end_and_its_ticket_is_linked_to_the_change(tmp_path: Path) -> None:
    with servicenow.running(clock=WallClock()) as instance:
        instance.add("cmdb_ci_service", name="Web")
        (tmp_path / "password").write_text(INTEGRATION[1])
        more = f"""\
itsm:
  default: snow
  backends:
    snow:
      type: servicenow
      url: {instance.url}
      auth: {{username: {INTEGRATION[0]}, password: {{file: password}}}}
changes:
  - backend: snow
correlation: {{group_wait: 1s}}
"""
        setup = Setup.of(tmp_path, probes=tcp_probes([free_port()], every="1s"), rules=DOWN, more=more)
        asked = setup.command("check", "--online")
        assert asked.returncode == 0, asked.stderr
        change = plan(instance, "Patch", hours=(-1, 12 * SECOND), ci="", services=["Web"], state="-1")
        with setup.daemon() as daemon:
            daemon.wait_for("alert_firing")
            setup.wait_until(lambda: 'watchkeeper_windows{because="change"} 1.0' in setup.get("/metrics")[1])
            assert setup.listed("incidents") == []
            daemon.wait_for("ticket_opened")
            daemon.wait_for("ticket_updated")
            assert daemon.stop() == 0

        [ticket] = instance.rows("incident")
        assert ticket["caused_by"] == change["sys_id"]
        assert f"Began during change {change['number']} (Patch)" in ticket["description"]
        report = json.loads(setup.command("changes", "report", "--json").stdout)
        assert [(one["number"], one["outcome"], one["incidents"]) for one in report["changes"]] == [
            (change["number"], "failed", ["INC-1"])
        ]
