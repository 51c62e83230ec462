"""`watchkeeper backtest`, as people use it."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import ROOT, Setup
from watchkeeper.app.parts import load_config, open_database
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.watch import Watch
from watchkeeper.engine.rollups import Rollups
from watchkeeper.store import migrate
from watchkeeper.store.record import begin_run, note_alive, record

BEGIN_MS = 1_790_000_000_000 // 3_600_000 * 3_600_000  # 2026-09-21 14:00:00Z
MINUTE_MS = 60_000
PROBES = """
defaults: {service: web, every: 1m}
probes:
  - {id: root, prober: disk, path: /}
  - {id: home, prober: disk, path: /home}
"""
RULES = """
groups:
  - name: disks
    rules:
      - {id: gone, title: "{{ probe.id }} is gone", match: {prober: disk}, when: status == "down", for: 1m}
      - id: full
        title: "{{ probe.id }} is {{ values.used_percent | round }}% full"
        match: {prober: disk}
        when: values.used_percent > 90
        for: 5m
        severity: minor
"""


def recorded(setup: Setup) -> None:
    """An hour: root is full from minute 10 to 30, home is gone from minute 40 to 43 and from 50 on."""
    config = load_config(setup.config)
    database = open_database(config)
    migrate.upgrade(database)
    plan, watch = config.plan, Watch(config.plan)
    run = begin_run(database, BEGIN_MS, "1.2.3", [(probe.id, probe.service) for probe in plan.probes.values()])
    now_ms = BEGIN_MS
    rollups = Rollups(lambda: now_ms, database)
    effects: list[Effect] = list(watch.revise(plan, BEGIN_MS))
    for minute in range(60):
        now_ms = BEGIN_MS + minute * MINUTE_MS
        used = 95.0 if 10 <= minute < 30 else 50.0
        gone = 40 <= minute < 43 or minute >= 50
        for sample in (
            Sample("root", now_ms + 15_000, Status.UP, 0.25, {"used_percent": used}, {}, "it is there"),
            Sample("home", now_ms + 30_000, Status.DOWN, 0.25, {}, {}, "it is gone")
            if gone
            else Sample("home", now_ms + 30_000, Status.UP, 0.25, {"used_percent": 20.0}, {}, "it is there"),
        ):
            rollups.add(sample)
            effects += watch.observe(sample)
    record(database, effects)
    now_ms = BEGIN_MS + 60 * MINUTE_MS
    rollups.end(5)
    note_alive(database, run, now_ms, stopped=True)
    database.close()


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    setup = Setup.of(tmp_path_factory.mktemp("backtest"), probes=PROBES, rules=RULES, more=AT_ONCE)
    recorded(setup)
    setup.write("stricter.yaml", RULES.replace("> 90", "> 97").replace("for: 1m", "for: 5m"))
    return setup


AT_ONCE = "correlation: {group_wait: 0s}\n"
RANGE = ("--from", "2026-09-21", "--to", "2026-09-22")


def said(setup: Setup, *arguments: str) -> str:
    done = setup.command("backtest", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def refused(setup: Setup, *arguments: str, status: int = 1) -> str:
    done = setup.command("backtest", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    return done.stderr.rstrip()


def told(setup: Setup, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(setup, *arguments, "--json"))
    return found


SHOWN = """\
INCIDENT  SERVICE  SEVERITY  RULE  PROBES  OPENED                RESOLVED              LASTED  TITLE
INC-1     web      minor     full  root    2026-09-21 14:15:30Z  2026-09-21 14:30:30Z  20m     root is 95.0% full
INC-2     web      major     gone  home    2026-09-21 14:41:30Z  2026-09-21 14:43:30Z  3m      home is gone
INC-3     web      major     gone  home    2026-09-21 14:51:30Z  open                  9m30s+  home is gone

RULE  INCIDENTS  STILL OPEN  MEDIAN  LONGEST  TIME OPEN  SHORT  REPEATS  RETURNS
gone  2          1           5m15s   8m30s    10m30s     1      1        0
full  1          0           15m     15m      15m        0      0        0
all   3          1           8m30s   15m      25m30s     1      1        0

short: resolved within 5m of its opening; repeats: opened within 1h of the last one's end

Without an answer
RULE  TIMES  WHY
full  13     the sample has no values.used_percent

note: history begins at 2026-09-21 14:00:15Z: there is nothing before
2026-09-21 14:00:15Z to 2026-09-21 15:00:00Z: 120 samples of 2 probes"""


def test_it_prints_the_incidents_and_what_they_are_like_to_live_with(setup: Setup) -> None:
    text = said(setup, *RANGE)
    assert text[: text.rindex(", in ")] == SHOWN


def test_json_has_all_of_it(setup: Setup) -> None:
    found = told(setup, *RANGE, "--short", "1m")
    assert [(one["number"], one["key"], one["resolved"]) for one in found["incidents"]] == [
        ("INC-1", "full/probe=root", "2026-09-21 14:30:30Z"),
        ("INC-2", "gone/probe=home", "2026-09-21 14:43:30Z"),
        ("INC-3", "gone/probe=home", None),
    ]
    assert (found["total"]["incidents"], found["total"]["short"], found["by_rule"]["gone"]["repeats"]) == (3, 0, 1)
    assert (found["samples"], found["interrupted"]) == (120, False)
    assert found["unanswered"] == [{"rule": "full", "times": 13, "why": "the sample has no values.used_percent"}]


def test_a_part_of_the_history_is_judged_on_its_own(setup: Setup) -> None:
    found = told(setup, "--from", "2026-09-21T14:41+00:00", "--to", "2026-09-21T16:45+02:00")
    assert [(one["opened"], one["resolved"]) for one in found["incidents"]] == [
        ("2026-09-21 14:42:30Z", "2026-09-21 14:43:30Z")
    ]


def test_other_rules_can_be_judged(setup: Setup) -> None:
    found = told(setup, *RANGE, "--rules", "stricter.yaml")
    assert [one["opened"] for one in found["incidents"]] == ["2026-09-21 14:55:30Z"]
    setup.write("wrong.yaml", RULES.replace("values.used_percent > 90", "values.used_precent > 90"))
    message = refused(setup, *RANGE, "--rules", "wrong.yaml")
    assert message.startswith(f"{setup.folder}/wrong.yaml:9:")
    assert "used_percent" in message
    assert refused(setup, "--rules", "nothing-*.yaml") == (
        "watchkeeper: nothing-*.yaml: no rule file is there; accepted is a file, a folder or a glob"
    )


def test_two_sets_of_rules_are_compared(setup: Setup) -> None:
    assert said(setup, *RANGE, "--compare", "rules.yaml", "stricter.yaml").startswith(COMPARED)


COMPARED = """\
CHANGE   SERVICE  SEVERITY  RULE  PROBES  OPENED                                       RESOLVED              LASTED  TITLE
removed  web      minor     full  root    2026-09-21 14:15:30Z                         2026-09-21 14:30:30Z  20m     root is 95.0% full
removed  web      major     gone  home    2026-09-21 14:41:30Z                         2026-09-21 14:43:30Z  3m      home is gone
changed  web      major     gone  home    2026-09-21 14:51:30Z → 2026-09-21 14:55:30Z  open                  9m30s+  home is gone

0 added, 2 removed, 1 changed, 0 same

            rules.yaml  stricter.yaml
incidents   3           1
still open  1           1
median      8m30s       4m30s
longest     15m         4m30s
time open   25m30s      4m30s
short       1           0
repeats     1           0
returns     0           0
"""  # noqa: E501


def test_files_are_replayed_without_any_database(tmp_path: Path) -> None:
    setup = Setup.of(tmp_path, probes=PROBES, rules=RULES, more=AT_ONCE)
    (tmp_path / "root.csv").write_text(
        "".join(f"{1_790_000_000 + 60 * n},{95 if n > 5 else 50}\n" for n in range(20))
    )
    found = told(setup, "--csv", "root=root.csv:used_percent")
    assert [(one["key"], one["opened"]) for one in found["incidents"]] == [
        ("full/probe=root", "2026-09-21 14:24:20Z")
    ]
    assert found["samples"] == 20
    assert refused(setup, "--csv", "rot=root.csv:used_percent") == (
        "watchkeeper: --csv rot=root.csv:used_percent: there is no probe 'rot' (did you mean 'root'?); "
        "there is root, home"
    )
    assert "has no value 'usedpercent' (did you mean 'used_percent'?)" in refused(
        setup, "--csv", "root=root.csv:usedpercent"
    )
    assert refused(setup, "--csv", "root=root.csv").startswith("root.csv:1: which value is the second column?")
    there = "they go from 2026-09-21 14:13:20Z to 2026-09-21 14:32:20Z"
    assert refused(setup, "--csv", "root=root.csv:used_percent", "--from", "2026-10-01") == (
        f"watchkeeper: no sample of the files is in the time that is asked for: {there}"
    )


def test_a_time_without_history_is_told_with_what_there_is(setup: Setup) -> None:
    there = "history goes from 2026-09-21 14:00:15Z to 2026-09-21 15:00:00Z"
    assert refused(setup, "--from", "2026-01-01", "--to", "2026-01-02") == (
        f"watchkeeper: nothing is recorded between 2026-01-01 00:00:00Z and 2026-01-02 00:00:00Z: {there}"
    )
    assert refused(setup, "--from", "2026-01-02", "--to", "2026-01-02") == (
        "watchkeeper: --from is 2026-01-02 00:00:00Z, which is not before --to, 2026-01-02 00:00:00Z"
    )
    assert "is no time: accepted is a date such as 2026-11-01" in refused(setup, "--from", "soon", status=2)


def test_ctrl_c_ends_it_with_what_was_found_so_far(tmp_path: Path) -> None:
    Setup.of(tmp_path, probes=PROBES, rules=RULES)
    pipe = tmp_path / "root.csv"
    subprocess.run(["mkfifo", str(pipe)], check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "watchkeeper", "backtest", "-c", "config.yaml", "--csv", "root=root.csv:used_percent"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # A pipe holds a few thousand lines: what is written is read, and more than the first slice of it.
    with suppress(BrokenPipeError), pipe.open("w") as feed:
        for minute in range(60_000):
            feed.write(f"{1_790_000_000 + 60 * minute},95\n")
            if minute == 50_000:
                feed.flush()
                process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "INC-1" in out
    assert "note: interrupted at " in out
