"""`watchkeeper check`: what people, editors and code review read of a configuration with mistakes and oddities."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from tests.e2e.daemon import ROOT, Setup
from watchkeeper import __version__
from watchkeeper.cli.check import command
from watchkeeper.config.codes import HELP

DAEMON: Final = """\
probe_files: [probes.yaml]
rule_files: [rules/*.yaml]
services:
  shop: {title: Web shop}
"""
PROBES: Final = """\
defaults: {service: shop}
probes:
  - id: shop-home
    prober: http
    url: https://shop.example.com/
    every: 30s
    labels: {tier: edge}
  - id: "shop-disk-{host}"
    prober: disk
    each: {host: [a, b]}
    path: "/srv/{host}"
    every: 5m
  - id: shop-port
    prober: tcp
    address: shop.example.com:443
"""
MISTAKES: Final = """\
groups:
  - name: mistakes
    rules:
      - id: wrong-type
        match: {prober: http}
        when: status == "down"
        for: 5
      - id: unknown-name
        match: {prober: disk}
        when: values.used_percnt > 90
      - id: bad-pattern
        match: {prober: http}
        when: message.matches("(timeout")
      - id: unknown-key
        match: {prober: http}
        when: status == "down"
        sevrity: major
      - id: bad-template
        title: "{{ probe.id }} is {{ values.used_percent | rond(1) }}% full"
        match: {prober: disk}
        when: values.used_percent > 90
"""
ODDITIES: Final = """\
groups:
  - name: oddities
    rules:
      - id: matches-nothing
        match: {prober: http, labels: {tier: egde}}
        when: status == "down"
      - id: never-fires
        match: {prober: http}
        when: status == "down" && duration < 2 && duration > 5
      - id: in-haste
        match: {prober: disk}
        when: values.used_percent > 90
        for: 2m
      - id: never-over
        match: {prober: http}
        when: duration > 5
        resolve_when: duration > 10
      - id: too-short
        match: {prober: disk}
        when: avg("used_percent", "5m") > 80
"""
ODD: Final = [
    (
        "rules/oddities.yaml:5:16: warning: groups[0].rules[matches-nothing].match: no probe has the "
        "label tier: egde "
        "(did you mean 'edge'?); correct it, or remove the rule [rule-matches-nothing]"
    ),
    (
        "rules/oddities.yaml:9:51: warning: groups[0].rules[never-fires].when: can never be true: duration < 2 and "
        "duration > 5 exclude each other; correct it, as nothing can open like this [never-holds]"
    ),
    (
        "rules/oddities.yaml:13:14: warning: groups[0].rules[in-haste].for: 2m is over by the next sample of "
        "shop-disk-a and shop-disk-b (every 5m): the alert fires without a second look; make it longer, or count "
        "samples instead: {failures: 2} [for-within-interval]"
    ),
    (
        "rules/oddities.yaml:17:23: warning: groups[0].rules[never-over].resolve_when: can never be "
        "true once `when` "
        "is not: not (duration > 5) and duration > 10 exclude each other; correct it, or incidents "
        "will never be over "
        "[never-resolves]"
    ),
    (
        "rules/oddities.yaml:20:35: warning: groups[0].rules[too-short].when: a window of 5m holds "
        "hardly more than "
        "one sample of shop-disk-a and shop-disk-b (every 5m); make it longer, 15m or more [window-within-interval]"
    ),
]
UNSEEN: Final = (
    "probes.yaml:13:9: warning: probes[shop-port].id: no rule looks at this probe; add a rule that "
    "matches, or remove "
    "what nobody minds [probe-without-rule]"
)
WRONG: Final = [
    (
        "rules/mistakes.yaml:7:14: groups[0].rules[wrong-type].for: 5 has no unit: accepted is a "
        "duration with its unit, "
    ),
    "rules/mistakes.yaml:10:22: groups[0].rules[unknown-name].when: the disk prober produces no value 'used_percnt' ",
    (
        "rules/mistakes.yaml:13:31: groups[0].rules[bad-pattern].when: is not valid: invalid regular "
        "expression: missing "
    ),
    (
        "rules/mistakes.yaml:17:9: groups[0].rules[unknown-key].sevrity: unknown key (did you mean "
        "'severity'?); accepted"
    ),
    (
        "rules/mistakes.yaml:19:16: groups[0].rules[bad-template].title: there is no filter 'rond' (did "
        "you mean 'round'?)"
    ),
]


@pytest.fixture
def odd(tmp_path: Path) -> Setup:
    """Valid, and odd in six ways."""
    setup = Setup(tmp_path)
    (tmp_path / "rules").mkdir()
    setup.write("config.yaml", DAEMON)
    setup.write("probes.yaml", PROBES)
    setup.write("rules/oddities.yaml", ODDITIES)
    return setup


def check(setup: Setup, *arguments: str) -> Result:
    """The command, in this process: the test of its output need not wait for an interpreter to start."""
    return CliRunner().invoke(command, [*arguments, "-c", str(setup.config)])


def told(setup: Setup, stderr: str) -> list[str]:
    """Lines with file names as seen from the folder."""
    return [line.removeprefix(f"{setup.folder}/") for line in stderr.splitlines()]


def test_warnings_are_told_and_change_nothing_else(odd: Setup) -> None:
    done = odd.command("check")
    assert done.returncode == 0
    assert told(odd, done.stderr) == [UNSEEN, *ODD, "6 warnings found"]
    assert done.stdout.endswith("is valid: 4 probes, 5 rules, 1 service, 1 backend. Tickets go to desk.\n")


def test_mistakes_and_warnings_are_told_together_by_place(odd: Setup) -> None:
    odd.write("rules/mistakes.yaml", MISTAKES)
    done = check(odd)
    assert (done.exit_code, done.stdout) == (1, "")
    lines = told(odd, done.stderr)
    for line, begin in zip(lines[:5], WRONG, strict=True):
        assert line.startswith(begin)
    assert lines[5:] == [*ODD, "5 problems and 5 warnings found"], "who looks at shop-port is not known"


def test_warnings_count_where_that_is_asked(odd: Setup) -> None:
    assert check(odd, "--strict").exit_code == 1
    codes = [line.rpartition("[")[2].removesuffix("]") for line in (UNSEEN, *ODD)]
    ignoring = [argument for code in codes for argument in ("--ignore", code)]
    done = check(odd, "--strict", *ignoring)
    assert (done.exit_code, done.stderr) == (0, "")
    assert told(odd, check(odd, *ignoring[2:]).stderr) == [UNSEEN, "1 warning found"]
    wrong = check(odd, "--ignore", "never-hold")
    assert wrong.exit_code == 2
    assert "there is no 'never-hold' (did you mean 'never-holds'?)" in wrong.stderr
    assert check(odd, "--ignore", "invalid").exit_code == 2


def test_json_holds_all_problems_beside_what_would_run(odd: Setup) -> None:
    done = check(odd, "--format", "json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (found["valid"], found["rules"][0], len(found["problems"])) == (True, "matches-nothing", 6)
    assert found["problems"][2] == {
        "level": "warning",
        "code": "never-holds",
        "file": str(odd.folder / "rules/oddities.yaml"),
        "line": 9,
        "column": 51,
        "path": "groups[0].rules[never-fires].when",
        "message": "can never be true: duration < 2 and duration > 5 exclude each other; correct it, "
        "as nothing can "
        "open like this",
    }
    assert check(odd, "--json").stdout == done.stdout


def test_json_is_json_of_what_is_not_valid_too(odd: Setup) -> None:
    odd.write("rules/mistakes.yaml", MISTAKES)
    done = check(odd, "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert found.keys() == {"config", "valid", "problems", "backend_findings"}
    assert found["valid"] is False
    assert [one["level"] for one in found["problems"]] == ["error"] * 5 + ["warning"] * 5
    assert {one["code"] for one in found["problems"][:5]} == {"invalid"}
    missing = CliRunner().invoke(command, ["--json", "-c", str(odd.folder / "none.yaml")])
    assert missing.exit_code == 1
    assert [one["message"] for one in json.loads(missing.stdout)["problems"]] == ["there is no such file"]


def sarif(setup: Setup) -> dict[str, Any]:
    done = check(setup, "--format", "sarif")
    log: dict[str, Any] = json.loads(done.stdout)
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    assert isinstance(run, dict)
    return run


def test_sarif_has_what_the_format_asks_for(odd: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(odd.folder)
    odd.write("rules/mistakes.yaml", MISTAKES)
    run = sarif(odd)
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("watchkeeper", __version__)
    assert [rule["id"] for rule in driver["rules"]] == [code.value for code in HELP]
    for rule in driver["rules"]:
        assert all(rule[text]["text"] for text in ("shortDescription", "fullDescription", "help"))
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["originalUriBaseIds"] == {"%SRCROOT%": {"uri": f"file://{odd.folder}/"}}
    assert [invocation["executionSuccessful"] for invocation in run["invocations"]] == [True]
    assert len(run["results"]) == 10
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == ("error" if result["ruleId"] == "invalid" else "warning")
        [location] = result["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        region = location["physicalLocation"]["region"]
        assert artifact["uriBaseId"] == "%SRCROOT%"
        assert artifact["uri"] in ("rules/mistakes.yaml", "rules/oddities.yaml")
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
        path = location["logicalLocations"][0]["fullyQualifiedName"]
        assert result["message"]["text"].startswith(f"{path}: ")


def test_sarif_without_findings_is_a_run_without_results(tmp_path: Path) -> None:
    assert sarif(Setup.example(tmp_path))["results"] == []


def test_sarif_names_files_elsewhere_by_their_whole_path(odd: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    odd.write("a b#ü.yaml", "groups: 3\n")
    odd.write("config.yaml", DAEMON.replace("rules/*", "a b#ü"))
    for folder, place in (
        (odd.folder, {"uri": "a%20b%23%C3%BC.yaml", "uriBaseId": "%SRCROOT%"}),
        (odd.folder / "rules", {"uri": f"file://{odd.folder}/a%20b%23%C3%BC.yaml"}),
    ):
        monkeypatch.chdir(folder)
        [result] = sarif(odd)["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"] == place


def test_every_code_stands_in_the_documentation() -> None:
    page = (ROOT / "docs/how-to/check-a-configuration.md").read_text()
    assert [code for code in HELP if f"`{code}`" not in page] == []


def test_a_token_that_is_not_there_is_an_error_where_that_is_asked(odd: Setup) -> None:
    sources = "sources: {am: {type: alertmanager, token: {env: NOPE}, service: shop}}\n"
    odd.write("config.yaml", f"{DAEMON}web: {{token: {{file: empty}}}}\n{sources}")
    odd.write("empty", "\n")
    assert "NOPE" not in check(odd).stderr
    done = check(odd, "--online")
    assert done.exit_code == 1
    assert "config.yaml:5:14: web.token: " in done.stderr
    assert f"web.token: {odd.folder}/empty is empty\n" in done.stderr
    assert "sources.am.token: the environment variable NOPE is not set\n" in done.stderr
    read = json.loads(check(odd, "--online", "--json").stdout)
    assert {one["path"]: one["code"] for one in read["problems"] if one["level"] == "error"} == {
        "web.token": "secret-unavailable",
        "sources.am.token": "secret-unavailable",
    }
