"""A monitoring plugin under a real daemon: what only it knows the names of can be ruled on, and stands in tickets."""

from pathlib import Path

from tests.e2e.daemon import Setup

PROBES = """\
probes:
  - id: spool
    prober: nagios
    service: web
    every: 1s
    command: [./check_spool]
"""
RULES = """\
groups:
  - name: spool
    rules:
      - id: spool-is-long
        match: {prober: nagios}
        title: "{{ values.waiting | int }} wait, {{ facts.state }} is from {{ values.waiting_warning_high | int }}"
        when: facts.state == "warning" && max("waiting", "1m") > values.waiting_warning_high
"""


def plugin(folder: Path, waiting: int, code: int) -> None:
    """A plugin that prints so many. It takes the place of the one before at once."""
    new = folder / "new"
    new.write_text(f"#!/bin/sh\necho 'SPOOL - {waiting} wait | waiting={waiting};20;50;0'\nexit {code}\n")
    new.chmod(0o755)
    new.rename(folder / "check_spool")


def test_a_warning_of_a_plugin_is_a_ticket_with_its_numbers(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=RULES)
    plugin(tmp_path, 3, 0)
    checked = setup.command("check")
    assert (checked.returncode, checked.stderr) == (0, "")
    shown = setup.command("probe", "spool")
    assert "waiting_critical_high" in shown.stdout
    with setup.daemon():
        setup.wait_until(lambda: 'probe="spool"' in setup.get("/metrics")[1])
        plugin(tmp_path, 30, 1)
        setup.wait_until(lambda: len(setup.listed("tickets")) == 1)
        assert setup.listed("tickets")[0]["title"] == "30 wait, warning is from 20"


def test_a_name_that_no_value_can_have_is_found_by_check(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=RULES.replace('max("waiting"', 'max("Waiting"'))
    checked = setup.command("check")
    assert checked.returncode == 1
    assert "the nagios prober produces no value 'Waiting'" in checked.stderr
