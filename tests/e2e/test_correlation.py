"""One trouble is one ticket, also when the daemon is killed meanwhile."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.site import Site, open_site
from tests.e2e.daemon import Daemon, Setup
from tests.e2e.test_restart import DOWN

GATEWAY, DATABASE, SHOP, OTHER_SHOP, BRANCH = range(5)
NAMES = ("gateway", "database", "shop-1", "shop-2", "branch")
SERVICES = "services: {network: {}, db: {}, shop: {depends_on: [db]}}\n"
PROBES = """\
defaults: {{every: 200ms, timeout: 200ms}}
probes:
  - {{id: gateway, prober: tcp, service: network, address: '{}'}}
  - {{id: database, prober: tcp, service: db, address: '{}'}}
  - {{id: shop-1, prober: tcp, service: shop, address: '{}'}}
  - {{id: shop-2, prober: tcp, service: shop, address: '{}'}}
  - {{id: branch, prober: tcp, service: web, address: '{}', parents: [gateway]}}
"""


@pytest.fixture
def site() -> Iterator[Site]:
    """What is probed; all is up at first."""
    with open_site(len(NAMES)) as opened:
        yield opened


def watching(folder: Path, site: Site, more: str = "", *, wait: str = "500ms") -> Setup:
    (folder / "services.yaml").write_text(SERVICES)
    correlation = f"correlation: {{group_wait: {wait}, group_interval: 1s, storm: off}}\n"
    probes = PROBES.format(*(site.address(n) for n in range(len(NAMES))))
    return Setup.of(
        folder, probes=probes, rules=DOWN, more=f"service_files: [services.yaml]\nproblems: off\n{correlation}{more}"
    )


def flip(site: Site, *targets: int) -> None:
    for target in targets:
        site.flip(target)


def incident(setup: Setup, number: str) -> dict[str, Any]:
    done = setup.command("incidents", number, "--json")
    found: dict[str, Any] = json.loads(done.stdout or "{}")  # nothing as long as there is none
    return found


def ticket(setup: Setup, number: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(setup.command("tickets", number, "--json").stdout)
    return found


def impacted(setup: Setup, number: str) -> set[str]:
    """The probes that an incident explains now."""
    return {one["probe"] for one in incident(setup, number).get("impacted", ()) if one["now"]}


def metric(setup: Setup, name: str) -> str:
    lines = [line for line in setup.get("/metrics")[1].splitlines() if line.startswith(f"{name} ")]
    return lines[0].split()[-1] if lines else ""


def keys(setup: Setup) -> list[tuple[str, str]]:
    """All incidents, the oldest first, and how each stands."""
    found = setup.listed("incidents")
    return [(one["key"].removeprefix("down/probe="), one["state"]) for one in reversed(found)]


def states(setup: Setup) -> list[tuple[str, str]]:
    return [(one["number"], one["state"]) for one in reversed(setup.listed("tickets"))]


def all_over(daemon: Daemon, setup: Setup) -> None:
    setup.wait_until(lambda: {state for _, state in states(setup)} == {"resolved"})
    assert daemon.stop() == 0


def test_what_depends_on_what_is_down_is_told_in_its_ticket_and_gets_its_own_when_that_is_over(
    tmp_path: Path, site: Site
) -> None:
    setup = watching(tmp_path, site)
    flip(site, SHOP, OTHER_SHOP, DATABASE)
    with setup.daemon() as daemon:
        setup.wait_until(lambda: impacted(setup, "INC-1") == {"shop-1", "shop-2"})
        assert keys(setup) == [("database", "open")]
        assert metric(setup, 'watchkeeper_alerts_held_back{reason="explained"}') == "2"
        assert metric(setup, "watchkeeper_incident_impacted_alerts") == "2"
        assert json.loads(setup.get("/api/v1/status")[1])["alerts_held_back"] == 2
        shown = setup.command("incidents", "INC-1").stdout
        assert "Impacted" in shown
        assert ["shop-2", "down", "impacted"] in [line.split() for line in shown.splitlines()]

        flip(site, DATABASE, SHOP)
        daemon.wait_for("ticket_resolved", ticket="DESK-1")
        daemon.wait_for("ticket_opened", ticket="DESK-2")
        assert keys(setup) == [("database", "resolved"), ("shop-2", "open")]
        assert "(2 more, 2 in all)" in str(ticket(setup, "DESK-1")["notes"])
        flip(site, OTHER_SHOP)
        all_over(daemon, setup)
    assert len(setup.listed("tickets")) == 2


def test_a_cause_that_is_found_late_takes_over_and_the_tickets_before_it_are_its_duplicates(
    tmp_path: Path, site: Site
) -> None:
    setup = watching(tmp_path, site)
    flip(site, SHOP, OTHER_SHOP, BRANCH)
    with setup.daemon() as daemon:
        setup.wait_until(lambda: len(setup.listed("tickets")) == 3)
        flip(site, DATABASE)
        setup.wait_until(lambda: incident(setup, "INC-4").get("merged", []) != [])
        merged = {one["number"] for one in setup.listed("incidents") if one["merged_into"] == "INC-4"}
        assert merged == {one["number"] for one in setup.listed("incidents") if one["service"] == "shop"}
        assert set(incident(setup, "INC-4")["merged"]) == merged
        setup.wait_until(lambda: impacted(setup, "INC-4") == {"shop-1", "shop-2"})
        for number in sorted(merged):
            desk = incident(setup, number)["ticket"]
            setup.wait_until(lambda desk=desk: ticket(setup, desk)["state"] == "resolved")  # type: ignore[misc]
            assert ticket(setup, desk)["duplicate_of"] == incident(setup, "INC-4")["ticket"]
            assert "part of   INC-4" in setup.command("incidents", number).stdout
        assert sorted(state for _, state in states(setup)) == ["open", "open", "resolved", "resolved"]
        flip(site, DATABASE, SHOP, OTHER_SHOP, BRANCH)
        all_over(daemon, setup)
    assert len(setup.listed("incidents")) == len(setup.listed("tickets")) == 4


def test_killed_while_alerts_gather_it_opens_the_one_ticket_afterwards(tmp_path: Path, site: Site) -> None:
    setup = watching(tmp_path, site, wait="2s")
    flip(site, SHOP, OTHER_SHOP, DATABASE)
    with setup.daemon() as first:
        for _ in range(3):
            first.wait_for("alert_firing")
        setup.wait_until(lambda: metric(setup, "watchkeeper_store_effects_waiting") == "0")
        first.kill()
    assert setup.listed("incidents") == []
    with setup.daemon() as second:
        second.wait_for("ticket_opened", ticket="DESK-1")
        setup.wait_until(lambda: impacted(setup, "INC-1") == {"shop-1", "shop-2"})
        flip(site, SHOP, OTHER_SHOP, DATABASE)
        all_over(second, setup)
    assert keys(setup) == [("database", "resolved")]
    assert states(setup) == [("DESK-1", "resolved")]


def test_killed_while_a_cause_explains_others_it_doubles_nothing_and_loses_nothing(
    tmp_path: Path, site: Site
) -> None:
    setup = watching(tmp_path, site)
    flip(site, SHOP, OTHER_SHOP, DATABASE, GATEWAY, BRANCH)
    with setup.daemon() as first:
        setup.wait_until(lambda: len(setup.listed("tickets")) == 2)
        setup.wait_until(lambda: metric(setup, "watchkeeper_incident_impacted_alerts") == "3")
        first.kill()
    with setup.daemon() as second:
        setup.wait_until(lambda: metric(setup, 'watchkeeper_alerts_held_back{reason="explained"}') == "3")
        assert len(keys(setup)) == 2
        second.kill()
    flip(site, DATABASE, SHOP)  # while nobody looks
    with setup.daemon() as third:
        third.wait_for("ticket_opened", ticket="DESK-3")
        setup.wait_until(
            lambda: sorted(keys(setup)) == [("database", "resolved"), ("gateway", "open"), ("shop-2", "open")]
        )
        flip(site, OTHER_SHOP, GATEWAY, BRANCH)
        all_over(third, setup)
    assert len(setup.listed("incidents")) == len(setup.listed("tickets")) == 3


def test_what_outlasts_a_maintenance_window_gets_its_ticket_at_the_end(tmp_path: Path, site: Site) -> None:
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=8)
    window = f"{{id: switch, services: [db], from: '{now - timedelta(hours=1):%FT%T}Z', to: '{ends:%FT%T}Z'}}"
    setup = watching(tmp_path, site, f"maintenance: [{window}]\n")
    flip(site, DATABASE, SHOP)
    with setup.daemon() as daemon:
        for _ in range(2):
            daemon.wait_for("alert_firing")
        assert metric(setup, 'watchkeeper_alerts_held_back{reason="maintenance"}') == "1"
        assert metric(setup, 'watchkeeper_alerts_held_back{reason="explained"}') == "1"
        assert setup.listed("incidents") == []
        opened = daemon.wait_for("incident_opened")
        assert opened["timestamp"] >= f"{ends:%FT%T}"
        setup.wait_until(lambda: impacted(setup, "INC-1") == {"shop-1"})
        assert keys(setup) == [("database", "open")]
        flip(site, DATABASE, SHOP)
        all_over(daemon, setup)


def test_past_a_limit_one_major_incident_gathers_the_rest(tmp_path: Path) -> None:
    with open_site(8) as site:
        lines = "".join(
            f"  - {{id: target-{n}, prober: tcp, service: web, address: '{site.address(n)}'}}\n" for n in range(8)
        )
        setup = Setup.of(
            tmp_path,
            probes=f"defaults: {{every: 200ms, timeout: 200ms}}\nprobes:\n{lines}",
            rules=DOWN,
            more="problems: off\ncorrelation: {group_wait: 1s, storm: {over: 3, within: 1m}}\n",
        )
        flip(site, *range(8))
        with setup.daemon() as daemon:
            daemon.wait_for("incident_opened", incident="INC-4")
            setup.wait_until(lambda: len(setup.listed("tickets")) == 4)
            assert metric(setup, "watchkeeper_storm") == "1"
            assert json.loads(setup.get("/api/v1/status")[1])["storm"] is True
            *first, gathering = (key for key, _ in keys(setup))
            assert (len(first), gathering) == (3, "@storm")
            rest = {f"target-{n}" for n in range(8)} - set(first)
            setup.wait_until(lambda: {one["probe"] for one in incident(setup, "INC-4")["alerts"]} == rest)
            flip(site, *range(8))
            all_over(daemon, setup)
        assert {state for _, state in keys(setup)} == {"resolved"}
