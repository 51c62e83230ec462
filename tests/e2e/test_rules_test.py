"""`watchkeeper rules test`, as people and pipelines use it."""

import json
import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import jsonschema
import pytest
from click.testing import CliRunner, Result

from tests.e2e.daemon import ROOT, run_command
from watchkeeper.app.parts import catalogue
from watchkeeper.cli.rules import command
from watchkeeper.config.document import Document
from watchkeeper.config.jsonschema import schemas

RULES: Final = """\
groups:
  - name: all
    rules:
      - {id: down, match: {prober: http}, when: status == "down", for: 1m, labels: {team: "{{ service.owner }}"}}
      - {id: full, match: {prober: disk}, when: values.used_percent > 90}
"""
TOP: Final = """\
rule_files: [rules.yaml]
probes:
  - {id: home, prober: http, service: shop, every: 30s}
  - {id: root, prober: disk, every: 1h}
tests:
"""
GOOD: Final = """\
  - name: a short outage opens nothing
    series: {home: up down up}
    expect: [{at: 5m, alerts: [], tickets: []}]
  - name: a full disk is told at once
    series: {root: {values.used_percent: 80 95}}
    expect: [{at: 1h, incidents: [{rule: full, opened: 1h, labels: {}}]}]
"""
BAD: Final = """\
  - name: an outage opens at once
    series: {home: downx3}
    expect:
      - at: 30s
        incidents: [{rule: down}]
"""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("rules.yaml", RULES)

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def tests(self, tests: str, top: str = TOP) -> Path:
        return self.write("tests.yaml", top + tests)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, ["test", *(arguments or (str(self.path / "tests.yaml"),))])

    def problems(self) -> list[str]:
        done = self.run()
        assert done.exit_code == 1
        return [line.replace(f"{self.path}/", "") for line in done.stderr.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_the_how_to_shows_is_what_is_printed(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/test-rules.md").read_text()
    rules, tests = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    [shown] = re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    line, _, output = shown.partition("\n")
    (tmp_path / "rules/tests").mkdir(parents=True)
    (tmp_path / "rules/shop.yaml").write_text(rules)
    (tmp_path / "rules/tests/shop.yaml").write_text(tests)
    done = run_command(*line.split()[2:], folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, output, "")


def test_the_shipped_rules_pass_their_tests_and_each_of_them_is_tested(folder: Folder) -> None:
    done = folder.run(str(ROOT / "rules/tests"), "--coverage")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("path", sorted((ROOT / "rules/tests").glob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_tests_are_what_the_schema_accepts(path: Path) -> None:
    schema = schemas(catalogue())["ruletests"]
    data = Document(path).data
    jsonschema.validate(data, schema)
    for wrong in ({"name": "x"}, {**data["tests"][0], "series": {"home": {"statsu": "up"}}}, {"expect": [{"at": 3}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, "tests": [wrong]}, schema)


def test_all_that_pass_is_a_line_and_a_summary(folder: Folder) -> None:
    path = folder.tests(GOOD)
    done = folder.run()
    assert done.exit_code == 0
    assert done.output == f"ok      {path}: 2 tests\n2 of 2 tests passed; 1 of 2 rules fired in no test: down\n"
    assert "  ok      a full disk is told at once\n" in folder.run(str(path), "--verbose").output


def test_a_rule_that_no_test_made_fire_fails_where_that_is_asked_for(folder: Folder) -> None:
    path = str(folder.tests(GOOD))
    assert folder.run(path, "--coverage").exit_code == 1
    some = folder.run(path, "--coverage", "--filter", "SHORT")
    assert (some.exit_code, some.output.splitlines()[-1]) == (0, "1 of 1 test passed"), "of some tests nobody can say"


def test_a_filter_that_nothing_passes_is_no_success(folder: Folder) -> None:
    done = folder.run(str(folder.tests(GOOD)), "--filter", "nosuch")
    assert (done.exit_code, done.output) == (1, "0 of 0 tests passed; no name contains 'nosuch'\n")


def test_json_holds_everything(folder: Folder) -> None:
    path = folder.tests(GOOD + BAD)
    found = json.loads(folder.run(str(path), "--json").stdout)
    assert (found["passed"], found["failed"], found["invalid"], found["rules_not_fired"]) == (2, 1, 0, ["down"])
    [file] = found["files"]
    [failure] = file["tests"][2]["failures"]
    assert (failure["line"], failure["column"], failure["at"], failure["what"]) == (16, 9, "30s", "incidents")
    assert failure["differences"] == [{"expected": {"rule": "down"}, "got": None}]
    assert "fires at 1m" in failure["reasons"][0]


def test_a_junit_report_has_a_case_for_each_test(folder: Folder) -> None:
    report = folder.path / "report.xml"
    folder.run(str(folder.tests(GOOD + BAD)), "--junit", str(report))
    root = ElementTree.parse(report).getroot()
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    [failure] = root.iter("failure")
    assert "- rule: down" in (failure.text or "")
    assert folder.run(str(folder.path / "tests.yaml"), "--junit", "/proc/nowhere").exit_code == 3


def test_a_broken_file_does_not_keep_others_from_being_run(folder: Folder) -> None:
    folder.write("t/bad.yaml", "tests: []\n")
    folder.write("t/good.yaml", TOP.replace("[rules", "[../rules") + GOOD)
    done = folder.run(str(folder.path / "t"))
    assert done.exit_code == 1
    assert "FAILED" in done.stdout
    assert "good.yaml: 2 tests" in done.stdout
    assert done.stdout.endswith("2 of 2 tests passed; 1 file could not be run\n")
    assert "bad.yaml:1:8: tests: must have at least one entry\n" in done.stderr


def test_files_are_named_by_globs_too(folder: Folder) -> None:
    folder.tests(GOOD)
    assert folder.run(str(folder.path / "te*.yaml")).exit_code == 0
    for nothing, words in (("nosuch*", "there is no such file"), (".", "")):
        done = folder.run(str(folder.path / nothing))
        assert done.exit_code == 1
        assert words in done.stderr
    (folder.path / "empty").mkdir()
    assert "a folder without YAML files" in folder.run(str(folder.path / "empty")).stderr
    assert CliRunner().invoke(command, ["test"]).exit_code == 2


def test_every_mistake_is_told_at_once_and_at_its_place(folder: Folder) -> None:
    folder.tests("""\
  - name: a short outage
    intervall: 30s
    series:
      home: {status: up dwon, values.size_byte: 1}
      hme: up
      root: {values.used_percent: "1 2", duration: 1+1x3}
    expect:
      - {at: 60, alerts: []}
      - at: 1m
        alerts: [{rule: dwn, prob: home}]
      - at: 2m
        alerts: [{rule: dwn, probe: hom}]
      - at: 3m
""")
    said = folder.problems()
    starts = [
        "tests.yaml:7:5: tests[a short outage].intervall: unknown key (did you mean 'interval'?)",
        "tests.yaml:9:25: tests[a short outage].series.home.status: 'dwon' is no status (did you mean 'down'?)",
        "tests.yaml:9:31: tests[a short outage].series.home.values.size_byte: the http prober produces no",
        "tests.yaml:10:7: tests[a short outage].series.hme: there is no probe 'hme' (did you mean 'home'?)",
        "tests.yaml:11:13: tests[a short outage].series.root: the series are of different length: ",
        "tests.yaml:13:14: tests[a short outage].expect[0].at: 60 has no unit",
        "tests.yaml:15:30: tests[a short outage].expect[1m].alerts[0].prob: unknown key (did you mean 'probe'?)",
        "tests.yaml:17:25: tests[a short outage].expect[2m].alerts[0].rule: there is no rule 'dwn' (did you mean",
        "tests.yaml:17:37: tests[a short outage].expect[2m].alerts[0].probe: there is no probe 'hom'",
        "tests.yaml:18:9: tests[a short outage].expect[3m]: expects nothing",
    ]
    assert len(said) == len(starts)
    for line, start in zip(said, starts, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ("probes: []\ntests:\n", "names no rules: `rule_files` or `config` is required"),
        ("rule_files: [nosuch.yaml]\ntests:\n", "no file matches"),
        ("config: nosuch.yaml\ntests:\n", "there is no such file"),
        ("config: rules.yaml\nprobes: []\ntests:\n", "stands beside `config`, which has its own"),
        (TOP.replace("http", "htpp"), "there is no prober 'htpp' (did you mean 'http'?)"),
        (TOP.replace("every: 30s", "evry: 30s"), "evry: unknown key (did you mean 'every'?)"),
        (TOP.replace("id: root", "id: home"), "the id 'home' is taken by another probe"),
        (
            TOP.replace("probes:", "services: {shpo: {}}\nprobes:"),
            "there is no service 'shop' (did you mean 'shpo'?)",
        ),
        ("groups: []\n" + TOP, "groups: unknown key"),
    ],
)
def test_mistakes_at_the_top_of_a_file_are_told(folder: Folder, top: str, words: str) -> None:
    folder.tests(GOOD, top)
    assert any(words in line for line in folder.problems())


def test_mistakes_in_rules_are_told_where_they_stand(folder: Folder) -> None:
    folder.write("rules.yaml", RULES.replace("used_percent", "used_prcent"))
    folder.tests(GOOD)
    [line] = folder.problems()
    assert line.startswith("rules.yaml:5:")
    assert "used_prcent" in line


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ("upx999999 up", "more than 1,000,000 samples"),
        ("{status: [up]}", "must be a text such as `upx3 down`"),
        ("{}", "says nothing"),
        ("{status: }", "is empty"),
        ("{message: [a, 3]}", "must be a text, or _ for none"),
        ("{status: up, message: 5}", "must be a text, for all runs, or a list"),
        ("[up, down]", "must be a text such as `upx3 down`"),
    ],
)
def test_a_series_that_is_none_is_told(folder: Folder, series: str, words: str) -> None:
    folder.tests(f"  - name: one\n    series: {{home: {series}}}\n    expect: [{{at: 1m, alerts: []}}]\n")
    assert words in "\n".join(folder.problems())


def test_numbers_are_read_as_they_are_written_and_not_as_yaml_reads_them(folder: Folder) -> None:
    """Of 0x3 YAML would make the number three: it is zero, and three more."""
    folder.tests("""\
  - name: one
    series: {root: {values.used_percent: 0x3 , duration: 0}}
    expect: [{at: 3h, alerts: []}]
  - name: two
    series: {root: {status: upx3, values.used_percent: 0x3}}
    expect: [{at: 3h, alerts: []}]
""")
    done = folder.run()
    assert done.exit_code == 0, done.output


def test_probes_run_as_often_as_the_test_says(folder: Folder) -> None:
    """What is heard of less often than its own interval is no silence then."""
    folder.tests("""\
  - name: one
    interval: 10m
    series: {home: downx3}
    expect: [{at: 1m, alerts: [{state: firing, since: 1m}]}]
  - name: at night
    start: 2024-02-29T23:30+01:00
    interval: 1h
    series: {home: downx1}
    expect: [{at: 1h, tickets: [{description: {contains: ["Since:    2024-02-29 22:30:00Z"]}}]}]
""")
    done = folder.run()
    assert done.exit_code == 0, done.output


def test_a_probe_without_series_is_not_watched_and_one_that_never_runs_is(folder: Folder) -> None:
    folder.write("rules.yaml", RULES.replace("when: values", "no_data: {alert_after: 10m}, when: values"))
    folder.tests("""\
  - name: one
    series: {home: up}
    expect: [{at: 1h, alerts: []}]
  - name: two
    series: {root: _}
    expect: [{at: 1h, alerts: [{rule: full, probe: root, state: firing, since: 10m}]}]
""")
    done = folder.run()
    assert done.exit_code == 0, done.output
    folder.tests("  - {name: one, series: {home: up}, expect: [{at: 1h, incidents: [{probes: [root]}]}]}\n")
    assert "this test has no series of root, so it is not watched" in folder.problems()[0]


def test_what_else_a_rule_may_say_can_be_tested(folder: Folder) -> None:
    folder.write(
        "rules.yaml",
        """\
groups:
  - name: all
    rules:
      - {id: missed, match: {prober: tcp}, when: missed >= 3}
      - id: full
        match: {prober: disk}
        when: values.used_percent > 90
        resolve_when: values.used_percent < 80
        severity: minor
        escalate: [{after: 30m, severity: critical}]
      - {id: some, match: {prober: http}, when: status == "down", for: {failures: 3, of: 5}}
      - {id: old, match: {prober: files}, when: age("last_backup") > 26 * 3600}
""",
    )
    folder.tests(
        """\
  - name: missed runs
    series: {port: up missed missed up missedx2 unknown up}
    expect:
      - {at: 3m, alerts: []}
      - {at: 6m, alerts: [{rule: missed, state: firing, since: 6m}]}
      - {at: 7m, alerts: [{rule: missed}]}
      - {at: 8m, alerts: []}
  - name: a disk that stays nearly full gets worse
    series: {root: {values.used_percent: 95 85x40 70}}
    expect:
      - {at: 29m, incidents: [{rule: full, severity: minor}]}
      - {at: 30m, incidents: [{rule: full, severity: critical, priority: 1}]}
      - {at: 42m, incidents: [], tickets: [{state: resolved, priority: 1}]}
  - name: failures are counted
    series: {web: down up down up down up}
    expect:
      - {at: 3m, alerts: [{rule: some, state: pending, since: 0s}]}
      - {at: 4m, alerts: [{rule: some, state: firing}]}
  - name: a backup gets old by itself, or is old when it is found
    series:
      nightly: {status: up, facts.last_backup: 2020-01-01T00:00Zx30}
      weekly: {status: up, facts.last_backup: -25h -27h _x29, facts.newest: a.gz}
    expect:
      - {at: 0s, alerts: []}
      - {at: 26h, alerts: [{rule: old, probe: weekly, since: 1h}]}
      - {at: 27h, alerts: [{rule: old, probe: weekly}, {rule: old, probe: nightly}]}
""",
        """\
rule_files: [rules.yaml]
probes:
  - {id: port, prober: tcp}
  - {id: root, prober: disk, path: /}
  - {id: web, prober: http}
  - {id: nightly, prober: files, every: 1h}
  - {id: weekly, prober: files, every: 1h}
tests:
""",
    )
    done = folder.run()
    assert done.exit_code == 0, done.output


def test_a_daemons_own_file_can_be_tested(folder: Folder) -> None:
    folder.write("probes.yaml", "probes: [{id: home, prober: http, service: shop, url: https://a/, every: 30s}]\n")
    folder.write(
        "watchkeeper.yaml",
        "probe_files: [probes.yaml]\nrule_files: [rules.yaml]\nservices: {shop: {owner: team-web}}\n",
    )
    folder.tests(
        "  - name: an outage belongs to the team\n    series: {home: downx4}\n"
        "    expect: [{at: 2m, incidents: [{rule: down, labels: {team: team-web}}]}]\n",
        "config: watchkeeper.yaml\ntests:\n",
    )
    done = folder.run()
    assert done.exit_code == 0, done.output
    folder.write("watchkeeper.yaml", "probe_files: [probes.yaml]\nrule_files: [rules.yaml]\n")
    assert any(line.startswith("probes.yaml:1:") for line in folder.problems())


def test_colours_are_for_terminals(folder: Folder) -> None:
    folder.tests(BAD)
    assert "\x1b" not in folder.run().output
    assert (
        "\x1b[31m- rule: down"
        in CliRunner().invoke(command, ["test", str(folder.path / "tests.yaml")], color=True).output
    )
