"""Rule files: what rules match, ask and open, and what is said of mistakes."""

import pytest

from tests.config.folder import DAEMON, PROBES, RULES, Folder
from watchkeeper.domain.probe import Category
from watchkeeper.domain.rule import (
    Escalation,
    Hold,
    IncidentPolicy,
    Level,
    Match,
    Rule,
    Severity,
    Thresholds,
)

MORE_PROBES = (
    PROBES
    + """\
  - {id: root, prober: volume, service: shop, path: /, labels: {env: prod}}
  - {id: nightly, prober: dump, service: shop, path: /dumps/*}
"""
)
HTTP_VALUES = "resolve_seconds, connect_seconds, tls_seconds, first_byte_seconds, size_bytes, status_code"


@pytest.fixture
def folder(folder: Folder) -> Folder:
    folder.write("probes.yaml", MORE_PROBES)
    return folder


def rule_of(folder: Folder, body: str) -> Rule:
    folder.write("rules.yaml", f"groups: [{{name: all, rules: [{{id: r, {body}}}]}}]\n")
    return folder.load().plan.rules["r"]


def test_a_rule_gets_what_is_usual(folder: Folder) -> None:
    rule = rule_of(folder, "when: up")
    assert (rule.match, rule.hold, rule.severity) == (Match(), Hold(flapping=Thresholds(0.3, 0.25)), Severity.MAJOR)
    assert rule.incident == IncidentPolicy()
    assert set(rule.conditions) == {"http", "volume", "dump"}


def test_all_that_is_said_of_a_rule_is_taken_over(folder: Folder) -> None:
    rule = rule_of(
        folder,
        "match: {category: capacity, prober: volume, service: s*, probe: root, labels: {env: prod}}, "
        "when: values.used_percent > 90, for: 2m, keep_firing_for: 1h30m, severity: info, "
        "incident: {impact: high, group_by: [service, env], backend: desk}, runbook: 'https://wiki/'",
    )
    assert rule.match == Match(Category.CAPACITY, "volume", "s*", "root", {"env": "prod"})
    assert rule.hold == Hold(120_000, 5_400_000, flapping=Thresholds(0.3, 0.25))
    assert rule.incident == IncidentPolicy(Level.HIGH, None, ("service", "env"), "desk")
    assert (rule.severity, rule.runbook, rule.when) == (Severity.INFO, "https://wiki/", "values.used_percent > 90")
    assert set(rule.conditions) == {"volume"}


def test_all_that_is_said_of_holding_is_taken_over(folder: Folder) -> None:
    rule = rule_of(
        folder,
        "match: {prober: volume}, when: values.used_percent > 90, resolve_when: values.used_percent < 80, "
        "for: {failures: 3, of: 5}, no_data: {alert_after: 10m}, flapping: {high: 50%}, "
        "escalate: [{after: 1h, severity: critical}], labels: {team: '{{ service.owner }}'}, "
        "annotations: {description: 'see {{ probe.id }}'}, incident: {key: disk}",
    )
    assert rule.hold == Hold(failures=3, of=5, no_data_ms=600_000, flapping=Thresholds(0.5, 0.25))
    assert (rule.resolve_when, set(rule.relief)) == ("values.used_percent < 80", {"volume"})
    assert rule.incident == IncidentPolicy(key="disk", escalation=(Escalation(3_600_000, Severity.CRITICAL),))
    assert (set(rule.labels), set(rule.annotations)) == ({"team"}, {"description"})


@pytest.mark.parametrize(
    ("body", "hold"),
    [
        ("for: {failures: 4}", Hold(failures=4, of=4)),
        ("for: 0s, no_data: ignore", Hold()),
        ("keep_firing_for: 3s", Hold(keep_firing_for_ms=3_000)),
    ],
)
def test_what_is_held_for_may_be_said_in_several_ways(folder: Folder, body: str, hold: Hold) -> None:
    assert rule_of(folder, f"when: up, flapping: off, {body}").hold == hold


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("whn: up", ("7:9: whn: unknown key (did you mean 'when'?); accepted: annotations, escalate, "
         "flapping, for, id, incident, keep_firing_for, labels, match, no_data, problem, resolve_when, runbook, "
         "severity, title, when")),
        ("for: {failures: 3, off: 5}", "7:28: for.off: unknown key (did you mean 'of'?); accepted: failures, of"),
        ("for: {failures: 3, of: 2}", "7:14: for: failures: 3 of 2 samples can not be"),
        ("for: {failures: 99}", "7:25: for.failures: input should be less than or equal to 21"),
        ("for: {failures: x}", "7:25: for.failures: must be a whole number"),
        ("for: [3]", ("7:14: for: [3] has no unit: accepted is a duration with its unit, such as 30s, 5m, 4h, 30d or "
         "1h30m")),
        ("resolve_when: values.used > 3", "7:30: resolve_when: the dump prober produces no value 'used'"),
        ("no_data: alert", "7:18: no_data: 'alert' is not accepted: ignore, or a mapping such as {alert_after: 10m}"),
        ("no_data: {after: 5m, alert_after: 5m}", ("7:19: no_data.after: unknown key (did you "
         "mean 'alert_after'?); accepted: alert_after")),
        ("no_data: {alert_after: 0s}", "7:32: no_data.alert_after: must be more than zero"),
        ("flapping: on", "7:19: flapping: 'on' is not accepted: off, or a mapping such as {high: 30%, low: 25%}"),
        ("flapping: {high: 20%}", "7:19: flapping: low must be more than 0% and not more than high"),
        ("flapping: {high: 0.3}", ("7:26: flapping.high: 0.3 has no unit: accepted is a ratio in percent, "
         "such as 99.9%")),
        ("escalate: {after: 5m}", "7:19: escalate: must be a list"),
        ("escalate: [{after: 5m}]", "7:20: escalate[0].severity: is required and not set"),
        ("escalate: [{after: 5m, severity: minor}]", ("7:42: escalate[0].severity: the rule's severity is major: a "
         "step must make it worse")),
        ("escalate: [{after: 5m, severity: major}, {after: 4m, severity: critical}]", ("7:19: escalate: each step "
         "must come later than the one before, with a worse severity")),
        ("labels: {team: '{{ servce }}'}", "7:24: labels.team: there is no 'servce' here (did you mean 'serv"),
        ("labels: {team: 5}", "7:24: labels.team: must be a text"),
        ("annotations: {d: '{{ x'}", ("7:26: annotations.d: is no valid template: unexpected end of template, "
         "expected 'end of print statement'.")),
        ("incident: {key: a b}", "7:25: incident.key: 'a b' is not accepted"),
        ("for: 5", ("7:14: for: 5 has no unit: accepted is a duration with its unit, such as 30s, 5m, 4h, 30d or "
         "1h30m")),
        ("severity: huge", "7:19: severity: 'huge' is not accepted: one of critical, major, minor, info"),
        ("incident: {impct: high}", ("7:20: incident.impct: unknown key (did you mean 'impact'?); accepted: backend, "
         "group_by, "
         "impact, inhibited, inhibits, key, urgency")),
        ("incident: {group_by: []}", "7:30: incident.group_by: must have at least one entry"),
        ("incident: {group_by: [probe, evn]}", ("7:38: incident.group_by[1]: no matched probe has the label 'evn' "
         "(did you mean 'env'?); accepted: probe, service, rule, env")),
        ("incident: {backend: dsk}", ("7:29: incident.backend: there is no backend 'dsk' (did you mean 'desk'?); "
         "there is desk")),
        ("match: {prober: htpt}", ("7:25: match.prober: there is no prober 'htpt' (did you mean 'http'?); "
         "there is dump, http, volume")),
        ("match: {service: shpo}", ("7:26: match.service: there is no service 'shpo' (did you mean 'shop'?); there "
         "is shop")),
        ("match: {probe: hom}", ("7:24: match.probe: there is no probe 'hom' (did you mean 'home'?); there is home, "
         "root, nightly")),
        ("match: {labels: {env: 3}}", "7:31: match.labels.env: must be a text"),
        ("title: '{{ servce.id }}'", ("7:16: title: there is no 'servce' here (did you mean 'service'?): there is "
         "age, avg, burn_rate, changed, consecutive, count, delta, ")),
        ("title: '{{ values.statsu_code }}'", ("7:16: title: there is no 'values.statsu_code' here (did you mean "
         "'values.status_code'?): there is values.resolve_seconds, values.connect_seconds, values.tls_seconds, "
         "values.first_byte_seconds, values.size_bytes, values.status_code, values.used_percent, values.free_bytes")),
    ],
)  # fmt: skip
def test_a_mistake_is_found(folder: Folder, line: str, said: str) -> None:
    folder.write(
        "rules.yaml", f"groups:\n  - name: all\n    rules:\n      - id: r\n        when: up\n#\n        {line}\n"
    )
    path, _, message = said.partition(": ")[2].partition(": ")
    place = said.partition(": ")[0]
    found = folder.problems()[0]
    assert found[: len(said) + 100].startswith(f"rules.yaml:{place}: groups[0].rules[r].{path}: {message}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("groups: {}\n", "1:9: groups: must be a list"),
        ("rules: []\n", "1:1: groups: is required and not set"),
        ("groups: [{name: a, rules: [3]}]\n", "1:28: groups[0].rules[0]: must be a mapping (key: value)"),
        ("groups: [{name: a}]\n", "1:10: groups[0].rules: is required and not set"),
        ("groups: [{name: a, rules: [{when: up}]}]\n", "1:28: groups[0].rules[0].id: is required and not set"),
        ("groups: [{name: a, rules: [{id: r}]}]\n", "1:28: groups[0].rules[r].when: is required and not set"),
        ("groups: [{name: a, rules: [{id: r, when: true}]}]\n", "1:42: groups[0].rules[r].when: must be a text"),
    ],
)
def test_a_file_of_another_shape_is_refused(folder: Folder, text: str, said: str) -> None:
    folder.write("rules.yaml", text)
    assert f"rules.yaml:{said}" in folder.problems()


def test_an_id_is_given_once_over_all_files(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON.replace("[rules.yaml]", "[rules.yaml, more.yaml]"))
    folder.write("more.yaml", "# another file\n" + RULES)
    assert folder.problem() == (
        "more.yaml:5:13: groups[0].rules[down].id: the id 'down' is taken by the rule at rules.yaml:4:13"
    )


FIRST_WORDS = "groups:\n  - name: all\n    rules:\n      - id: r\n        match: {prober: http}\n"


def when_said(folder: Folder, when: str) -> list[str]:
    """What is said of a `when`, written as it stands after the colon."""
    folder.write("rules.yaml", f"{FIRST_WORDS}        when: {when}\n")
    return [line.replace("groups[0].rules[r].when: ", "").removeprefix("rules.yaml:") for line in folder.problems()]


@pytest.mark.parametrize(
    "when",
    [
        "up && values.status_cod > 3",
        "'up && values.status_cod > 3'",
        "'message == ''b'' && values.status_cod > 3'",
        r'"message == \"b\" && values.status_cod > 3"',
        r'"message == \x27b\u0027 \n && values.status_cod > 3"',
        '"up &&\n          \\\n          values.status_cod > 3"',
        "up &&\n          values.status_cod > 3",
        "|\n          up &&\n            values.status_cod > 3",
        "|2-  # two more\n\n          up &&\n          values.status_cod > 3",
        "|\n          up // values.x\n          && values.status_cod > 3",
        ">\n          up &&\n          values.status_cod > 3",
        ">-\n          up &&\n\n\n          duration > 1 && values.status_cod > 3",
        ">\n          up &&\n             duration > 1 &&\n          values.status_cod > 3",
        "&shared up && values.status_cod > 3",
        "!!str up && values.status_cod > 3",
        "message == 'größer 😀' && values.status_cod > 3",
    ],
)
def test_a_mistake_in_a_condition_is_found_at_its_column(folder: Folder, when: str) -> None:
    [said] = when_said(folder, when)
    before = (folder.path / "rules.yaml").read_text().partition("status_cod")[0].split("\n")
    place = f"{len(before)}:{len(before[-1]) + 1}"
    name = "the http prober produces no value 'status_cod' (did you mean 'status_code'?)"
    assert said == f"{place}: {name}: it has {HTTP_VALUES}"


@pytest.mark.parametrize(
    ("when", "column"),
    [("duration / 0 > 1", 26), ("duration / 0.0 > 1", 26), ("size(message) % 0 == 1", 31), ("1 / 0x0 > 1", 19)],
)
def test_a_division_by_a_zero_that_stands_there_is_a_mistake(folder: Folder, when: str, column: int) -> None:
    assert when_said(folder, when) == [f"6:{column}: divides by zero"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("when: labels.evn == 'prod'", "6:22: groups[0].rules[r].when"),
        ("when: up\n        title: '{{ labels.evn }} is down'", "7:27: groups[0].rules[r].title"),
        ("when: up\n        annotations: {a: 'of {{ labels.evn }}'}", "7:40: groups[0].rules[r].annotations.a"),
    ],
)
def test_a_label_that_no_matched_probe_has_is_a_mistake(folder: Folder, line: str, place: str) -> None:
    folder.write("rules.yaml", f"groups:\n  - name: all\n    rules:\n      - id: r\n#\n        {line}\n")
    assert folder.problem() == (
        f"rules.yaml:{place}: no matched probe has the label 'evn' (did you mean 'env'?): there is env"
    )


@pytest.mark.parametrize(
    "when", ["has(labels.quiet) && up", "message == 'labels.quiet' || up", "labels.env == 'prod'"]
)
def test_a_label_may_be_asked_for_where_it_may_be_missing(folder: Folder, when: str) -> None:
    rule_of(folder, f'when: "{when}"')


def test_what_is_right_in_a_rule_with_a_mistake_is_looked_at_all_the_same(folder: Folder) -> None:
    folder.write(
        "rules.yaml",
        "groups: [{name: all, rules: [{id: r, whn: 3, when: values.nope > 1, for: 5, title: '{{ nope }}'}]}]\n",
    )
    said = [line.partition(": ")[2].partition(": ")[0] for line in folder.problems()]
    assert set(said) == {f"groups[0].rules[r].{key}" for key in ("whn", "when", "for", "title")}


NEVER = 'can not be: a sample that is unknown is not judged, so that a rule sees "up" or "down" only'


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('facts.failur == "x"', [("6:21: the http prober produces no fact 'failur' (did you mean 'failure'?): it has "
         "failure")]),
        ("has(values.foo)", [f"6:26: the http prober produces no value 'foo': it has {HTTP_VALUES}"]),
        ("has( values . foo )", [f"6:29: the http prober produces no value 'foo': it has {HTTP_VALUES}"]),
        ('avg("size_byte", "10m") > 3', [("6:20: the http prober produces no value 'size_byte' (did you mean "
         "'size_bytes'?): "
         f"it has {HTTP_VALUES}, duration")]),
        ('.avg("size_byte", "10m") > 3', [("6:21: the http prober produces no value 'size_byte' (did you mean "
         "'size_bytes'?): "
         f"it has {HTTP_VALUES}, duration")]),
        ('up && age("last_backup") > 3', ["6:26: the http prober produces no time 'last_backup': it has none"]),
        ('avg("duration", "10") > 3', [("6:32: '10' is not a duration: accepted is a duration with its unit, such as "
         "30s, 5m, "
         "4h, 30d or 1h30m")]),
        ('avg("duration", "0s") > 3', ["6:32: '0s' is no time at all: a window must be longer"]),
        ('avg("duration") > 3', ["6:15: avg takes 2 arguments: avg(series, window)"]),
        ('avg(duration, "10m") > 3', ['6:19: avg: a series is written as a text in quotes, such as "10m"']),
        ('quantile("x", "duration", "10m") > 3', ["6:15: 'quantile' can not be applied to text and text and text"]),
        ('status == "unknown"', [f"6:25: {NEVER}"]),
        ('up || "unknown" != status', [f"6:21: {NEVER}"]),
        ("status in ['down', 'unknown']", [f"6:34: {NEVER}"]),
        ("up && avg", ["6:21: avg is a function: avg(series, window)"]),
        ("values", [f"6:15: name what you ask of values: values.{HTTP_VALUES.replace(', ', ', values.')}"]),
        ("duration", ["6:15: must be true or false, but is a number: compare it with something"]),
        ("status", ["6:15: must be true or false, but is a text: compare it with something"]),
        ("1 + 2", ["6:15: must be true or false, but is a whole number: compare it with something"]),
        ("up && status > 3", ["6:28: '>' can not be applied to text and whole number"]),
        ("duration > size(status) && now.getHours() > 3", [("6:24: '>' can not be applied to number and whole "
         "number: "
         "write double(…) around the whole number")]),
        ("up &&", ["6:20: is not valid: mismatched input 'end of the expression'"]),
        ("up ) && up", ["6:18: is not valid: mismatched input ')' expecting end of the expression"]),
        ("''", ["6:16: is not valid: mismatched input 'end of the expression'"]),
        ("values.foo > 3 && facts.bar == 3", [f"6:22: the http prober produces no value 'foo': it has {HTTP_VALUES}",
         "6:39: the http prober produces no fact 'bar': it has failure"]),
        ("duration > 99999999999999999999", ["6:26: is not valid: invalid int literal"]),
        ("'" + "(" * 300 + "up" + ")" * 300 + "'", ["6:16: is nested too deeply"]),
        ("'" + "up && " * 800 + "up'", ["6:16: is longer than 4000 characters"]),
    ],
)  # fmt: skip
def test_a_condition_that_can_not_be_is_refused(folder: Folder, when: str, said: list[str]) -> None:
    assert when_said(folder, when) == said


@pytest.mark.parametrize(
    ("when", "name"),
    [("avgg(\"duration\", \"1h\") > 3", "'avgg' here (did you mean 'avg'?)"), ("staus == 'up'", ("'staus' here (did "
     "you mean 'status'?)")),
     ("service.ownr == 'me'", "'service.ownr' here (did you mean 'service.owner'?)"), ("p('values.size_bytes')",
      "'p' here (did you mean 'up'?)")],
)  # fmt: skip
def test_a_name_that_is_unknown_everywhere_gets_the_nearest(folder: Folder, when: str, name: str) -> None:
    [said] = when_said(folder, when)
    assert f"there is no {name}: there is status, up, duration" in said


def test_a_rule_is_checked_for_each_prober_that_it_matches(folder: Folder) -> None:
    folder.write(
        "rules.yaml", RULES.replace("{prober: http}", "{}").replace('status == "down"', "values.size_bytes > 1")
    )
    assert folder.problem() == (
        "rules.yaml:6:22: groups[0].rules[down].when: the volume prober produces no value 'size_bytes' "
        "(did you mean 'free_bytes'?): it has used_percent, free_bytes"
    )


def test_a_rule_that_matches_nothing_is_checked_for_the_prober_that_it_names(folder: Folder) -> None:
    folder.write("probes.yaml", PROBES)
    folder.write("rules.yaml", RULES.replace("http", "volume").replace('status == "down"', "values.used > 1"))
    assert "the volume prober produces no value 'used'" in folder.problem()
