"""`watchkeeper problems`, as people and scripts use it."""

import json
from pathlib import Path

from tests.domain.repeats import DAY, Desk
from tests.e2e.daemon import Setup, free_port
from tests.e2e.test_restart import DOWN, tcp_probes
from tests.peers import databases
from watchkeeper.app.parts import now_ms
from watchkeeper.domain.effect import Happening, IncidentChanged
from watchkeeper.domain.incident import Incident
from watchkeeper.store.record import record


class Recording(Desk):
    """A desk that keeps all effects, for a database."""

    def _follow(self, incident: Incident, happening: Happening, at_ms: int, text: str) -> None:
        self.effects.append(IncidentChanged(incident, happening, at_ms, incident.affected[0], text))
        super()._follow(incident, happening, at_ms, text)


def with_a_problem(folder: Path) -> Setup:
    setup = Setup.of(folder, probes=tcp_probes([free_port()]), rules=DOWN)
    desk = Recording()
    begin = now_ms() - 10 * DAY
    for day in range(4):
        desk.happens(begin + day * DAY)
    with databases.migrated("sqlite", folder) as database:
        record(database, desk.effects)
    return setup


def test_problems_are_listed_and_shown_with_their_evidence(tmp_path: Path) -> None:
    setup = with_a_problem(tmp_path)
    listed = setup.command("problems").stdout
    assert listed.splitlines()[0].split() == [
        "PROBLEM", "STATE", "SERVICE", "TIMES", "DOWN", "OPENED", "LAST", "TICKET", "TITLE",
    ]  # fmt: skip
    assert "PRB-1    open   shop" in listed
    shown = setup.command("problems", "prb-1").stdout
    assert "times     4, 20m down in all" in shown
    assert "all 4 times; chance 1 in" in shown
    assert "INC-4" in shown
    assert setup.command("problems", "show", "1").stdout == shown


def test_problems_can_be_read_by_scripts(tmp_path: Path) -> None:
    setup = with_a_problem(tmp_path)
    [row] = json.loads(setup.command("problems", "list", "--json", "--state", "open").stdout)
    assert (row["number"], row["times"], row["ticket"]) == ("PRB-1", 4, None)
    assert json.loads(setup.command("problems", "--json", "--service", "other").stdout) == []
    detail = json.loads(setup.command("problems", "PRB-1", "--json").stdout)
    assert [one["number"] for one in detail["incidents"]] == ["INC-1", "INC-2", "INC-3", "INC-4"]
    assert "interval" in {one["kind"] for one in detail["evidence"]}


def test_a_problem_that_there_is_not_is_said(tmp_path: Path) -> None:
    setup = with_a_problem(tmp_path)
    missing, wrong = setup.command("problems", "PRB-9"), setup.command("problems", "show", "INC-1")
    assert (missing.returncode, missing.stderr) == (1, "there is no problem PRB-9\n")
    assert wrong.returncode == 2
    assert "'INC-1' is not a problem's number, such as PRB-3" in wrong.stderr
