"""Silences, changes and maintenance at the command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.daemon import Setup
from tests.peers import databases
from tests.store import made
from watchkeeper.app.parts import now_ms
from watchkeeper.domain.change import Change, ChangeOutcome, ChangeState
from watchkeeper.domain.expected import Because, Selection
from watchkeeper.store.changes import replace_told
from watchkeeper.store.record import record

PROBES = "probes:\n  - {id: shop, prober: memory, service: web}\n"
RULES = """\
groups:
  - name: all
    rules:
      - {id: down, match: {probe: shop}, when: status == "down"}
"""
HOUR = 3_600_000


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    found = Setup.of(tmp_path, probes=PROBES, rules=RULES)
    with databases.migrated("sqlite", tmp_path):
        return found


def test_a_silence_is_made_shown_and_ended(setup: Setup) -> None:
    done = setup.command(
        "silence", "add", 'service="web"', "severity!=low", "--for", "2h", "-m", "switch", "--by", "alice"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SIL-1 until 20")
    assert done.stdout.endswith(': service="web", severity!="low"\n')

    [listed] = json.loads(setup.command("silence", "--json").stdout)
    assert (listed["number"], listed["author"], listed["reason"], listed["state"]) == (
        "SIL-1",
        "alice",
        "switch",
        "silent",
    )
    assert "switch" in setup.command("silence", "SIL-1").stdout
    assert (
        setup.command("silence", "end", "sil-1", "--by", "bob").stdout
        == 'SIL-1 is over: service="web", severity!="low"\n'
    )
    assert json.loads(setup.command("silence", "list", "--json").stdout) == []
    assert ", by bob" in setup.command("silence", "list", "--past").stdout
    assert setup.command("silence", "end", "SIL-1").stderr == "SIL-1 is over already\n"
    assert (setup.command("silence", "end", "SIL-9").returncode, setup.command("silence", "SIL-9").returncode) == (
        1,
        1,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--for", "2h", "-m", "x"], 1, "or say that all is meant with --all"),
        (["service=~.*", "--for", "2h", "-m", "x"], 1, "or say that all is meant with --all"),
        (["service=web", "-m", "x"], 2, "say how long: either --for or --until"),
        (["service=web", "--for", "2h"], 2, "Missing option '-m' / '--reason'"),
        (["service=web", "--for", "2h", "-m", " "], 2, "is empty"),
        (["web", "--for", "2h", "-m", "x"], 2, "'web' is not a matcher"),
        (["service=web", "--for", "60d", "-m", "x"], 1, "a silence lasts 31d at most"),
        (["service=web", "--until", "2020-01-01T00:00Z", "-m", "x"], 1, "before it begins"),
        (["service=web", "--until", "tomorrow", "-m", "x"], 2, "is not a time"),
    ],
)  # fmt: skip
def test_a_mistake_silences_nothing(setup: Setup, arguments: list[str], status: int, said: str) -> None:
    done = setup.command("silence", "add", *arguments)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert json.loads(setup.command("silence", "--json").stdout) == []


def test_a_name_that_nothing_answers_to_is_refused_and_a_label_that_no_probe_has_is_told(setup: Setup) -> None:
    asked = ("--for", "1h", "-m", "switch")
    done = setup.command("silence", "add", "service=wbe", *asked)
    assert (done.returncode, done.stderr) == (1, "there is no service 'wbe' (did you mean 'web'?); there is web\n")
    for wrong in ("rule=dwn", "probe=shpo", "severity=mayor", "category=helth"):
        done = setup.command("silence", "add", "service=web", wrong, *asked)
        assert (done.returncode, "did you mean" in done.stderr) == (1, True), done.stderr

    done = setup.command("silence", "add", "service=web", "sevice=x", *asked)
    assert done.returncode == 0
    said = "matches no probe now: none has the label 'sevice' (did you mean 'service'?)"
    assert done.stderr == f'sevice="x" {said}\n'

    setup.write("rules.yaml", "groups: nonsense\n")
    done = setup.command("silence", "add", "service=wbe", *asked)
    assert done.returncode == 0, "where the configuration is not valid, nobody is kept from silencing"


def test_everything_is_silenced_where_that_is_meant(setup: Setup) -> None:
    assert setup.command("silence", "add", "--all", "--for", "1h", "-m", "power is cut").stdout.endswith(
        ": everything\n"
    )


def test_changes_are_listed_as_they_were_told(setup: Setup, tmp_path: Path) -> None:
    now = now_ms()
    about = Selection(frozenset({"web"}), frozenset({"CI1"}))
    change = Change(Because.CHANGE, "CHG1", "Switch", now - HOUR, now + HOUR, about, "snow", "s1")
    past = Change(Because.CHANGE, "CHG0", "Disks", now - 3 * HOUR, now - 2 * HOUR, about, "snow", "s0")
    with databases.migrated("sqlite", tmp_path) as database:
        replace_told(database, "snow", [change, past], now)

    shown = setup.command("changes").stdout
    assert shown.splitlines()[0].split() == [
        "NUMBER", "SOURCE", "STATE", "OUTCOME", "FROM", "UNTIL", "ABOUT", "TITLE", "READ",
    ]  # fmt: skip
    assert "CHG1" in shown
    assert "CHG0" not in shown
    listed = json.loads(setup.command("changes", "--past", "--json").stdout)
    assert [(one["number"], one["state"], one["services"], one["cis"]) for one in listed] == [
        ("CHG0", "approved", ["web"], ["CI1"]),
        ("CHG1", "approved", ["web"], ["CI1"]),
    ]


def test_a_report_tells_what_became_of_changes(setup: Setup, tmp_path: Path) -> None:
    now = now_ms()
    about = Selection(frozenset({"web"}))

    def ended(number: str, hours: int, outcome: ChangeOutcome) -> Change:
        begin = now - (hours + 1) * HOUR
        done = ChangeState.DONE
        return Change(
            Because.CHANGE, number, f"Patch {number}", begin, begin + HOUR, about, "snow", number, done, outcome
        )

    with databases.migrated("sqlite", tmp_path) as database:
        changes = [
            ended("CHG1", 3, ChangeOutcome.SUCCESSFUL),
            ended("CHG2", 2, ChangeOutcome.SUCCESSFUL),
            ended("CHG3", 50 * 24, ChangeOutcome.FAILED),
            ended("CHG4", 1, ChangeOutcome.UNKNOWN),
        ]
        replace_told(database, "snow", changes, now - 60 * 24 * HOUR)
        caused = replace(made.incident(7), caused_by="CHG2", opened_ms=now - 2 * HOUR)
        record(database, [made.opened(caused)])

    shown = setup.command("changes", "report").stdout
    assert [line.split()[0] for line in shown.splitlines()[1:4]] == ["CHG1", "CHG2", "CHG4"]
    assert "INC-7" in shown
    assert "3 changes: 1 unknown, 1 successful, 1 failed" in shown
    assert shown.endswith("change failure rate 33.3%, change success rate 50.0%\n")

    told = json.loads(setup.command("changes", "report", "--from", "60d", "--to", "40d", "--json").stdout)
    assert [(one["number"], one["outcome"], one["incidents"]) for one in told["changes"]] == [("CHG3", "failed", [])]
    assert (told["failure_rate"], told["success_rate"]) == (1, 0)
    none = setup.command("changes", "report", "--to", "59d", "--from", "60d").stdout
    assert none.endswith("0 changes\nchange failure rate -, change success rate -\n")
    assert setup.command("changes", "report", "--from", "1d", "--to", "2d").returncode == 2


def test_check_says_when_maintenance_is_and_which_calendars_can_not_be_read(tmp_path: Path) -> None:
    maintenance = """\
maintenance:
  - {id: patch, services: [web], cron: "0 2 * * sun", duration: 2h}
  - {id: move, services: [web], from: 2020-01-01T00:00Z, to: 2020-01-01T01:00Z}
  - {id: plan, services: [web], ical: plan.ics}
  - {id: far, services: [web], ical: "https://calendar.invalid/x.ics"}
"""
    setup = Setup.of(tmp_path, probes=PROBES, rules=RULES, more=maintenance)
    missing = setup.command("check")
    assert missing.returncode == 1
    assert f"maintenance/plan: {tmp_path}/plan.ics: No such file or directory" in missing.stderr

    setup.write("plan.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Odd\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    done = setup.command("check")
    assert done.returncode == 0, done.stderr
    warning = "maintenance[plan].ical: leaves out 'Odd': has no DTSTART"
    assert f"config.yaml:9:39: warning: {warning} [calendar-event-left-out]\n1 warning found\n" in done.stderr
    assert setup.command("check", "-q").stderr == done.stderr
    assert setup.command("check", "--strict").returncode == 1
    ignoring = setup.command("check", "--strict", "--ignore", "calendar-event-left-out")
    assert (ignoring.returncode, ignoring.stderr) == (0, "")
    [problem] = json.loads(setup.command("check", "--json").stdout)["problems"]
    assert (problem["level"], problem["code"]) == ("warning", "calendar-event-left-out")
    assert "patch        0 2 * * sun UTC for 2h" in done.stdout
    assert done.stdout.count("02:00:00Z for 2h") == 3
    told = {one["id"]: one["next"] for one in json.loads(setup.command("check", "--json").stdout)["maintenance"]}
    assert [told["move"], told["plan"], told["far"]] == [[], [], None]
