"""A daemon that watches itself, and says how it is."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.daemon import Setup

PROBES = """
probes:
  - {id: self, prober: watchkeeper, service: web, every: 1s, url: "http://127.0.0.1:PORT"}
"""
RULES = """
groups:
  - name: self
    rules:
      - {id: config-refused, when: values.config_reload_failed > 0.0}
"""


def status(setup: Setup) -> dict[str, Any]:
    code, text = setup.get("/api/v1/status")
    assert code == 200
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_configuration_that_was_not_accepted_becomes_a_ticket_of_the_daemons_own(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=RULES)
    with setup.daemon() as daemon:
        found = status(setup)
        assert (found["probes"], found["rules"], found["not_ready"]) == (1, 1, [])
        assert found["config_reload_successful"] is True

        setup.write("probes.yaml", "probes: no\n")
        assert setup.get("/-/reload", post=True)[0] == 400
        assert status(setup)["config_reload_successful"] is False
        daemon.wait_for("ticket_opened")

        found = status(setup)
        assert found["open_incidents"] == 1
        assert found["samples_total"] > 0
        [desk] = found["backends"]
        assert (desk["name"], desk["refusing"], desk["last_outcome"]) == ("desk", False, "delivered")

        setup.write("probes.yaml", PROBES)
        assert setup.get("/-/reload", post=True)[0] == 200
        daemon.wait_for("ticket_resolved")
