"""What is accepted and hardly was meant: what `watchkeeper check` warns of, and where."""

from pathlib import Path
from typing import Final

import pytest

from tests.config.folder import DAEMON, Folder
from watchkeeper import itsm, probers
from watchkeeper.config.codes import HELP, Code
from watchkeeper.config.load import Catalogue, load
from watchkeeper.config.problems import ConfigError

EXAMPLE: Final = Path(__file__).parents[2] / "config.example.yaml"
VOLUMES: Final = """\
defaults: {service: shop, every: 1m, timeout: 10s}
probes:
  - {id: root, prober: volume, path: /}
  - {id: data, prober: volume, path: /data, every: 5m, labels: {tier: slow}}
"""


def warnings(folder: Folder) -> list[str]:
    """What loading a valid configuration warns of, with file names as seen from the folder."""
    return [str(one).replace(f"{folder.path}/", "") for one in folder.load().warnings]


def of_rule(folder: Folder, rule: str, probes: str = VOLUMES) -> list[str]:
    """The same of one rule, in lines that begin at its key. Each line of it is indented by eight spaces."""
    folder.write("probes.yaml", probes)
    folder.write("rules.yaml", f"groups:\n  - name: all\n    rules:\n      - id: r\n{rule}")
    begin = "rules.yaml:"
    lines = [line for line in warnings(folder) if line.startswith(begin)]
    return [line.removeprefix(begin).replace("groups[0].rules[r].", "") for line in lines]


def of_condition(folder: Folder, when: str, more: str = "") -> list[str]:
    return of_rule(folder, f'        when: "{when}"\n{more}')


def test_what_is_shipped_gives_no_warnings() -> None:
    catalogue = Catalogue(probers.names(), probers.find, itsm.names(), itsm.find)
    assert load(EXAMPLE, catalogue).warnings == ()


def test_a_plain_configuration_gives_no_warnings(folder: Folder) -> None:
    assert warnings(folder) == []


def test_every_code_is_explained_in_one_sentence() -> None:
    assert {*HELP} == {*Code}
    assert all(text.endswith(".") and text.count(". ") == 0 for text in HELP.values())


# What looks at what


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ("{category: backup}", "no probe has the category backup"),
        ("{prober: dump}", "no probe has the prober dump"),
        ("{service: web-*}", "no probe has the service web-*"),
        ("{probe: shop-*}", "no probe has the id shop-*"),
        ("{labels: {tier: slwo}}", "no probe has the label tier: slwo (did you mean 'slow'?)"),
        ("{labels: {teir: slow}}", "no probe has the label teir: slow (did you mean 'tier'?)"),
        ("{probe: root, labels: {tier: slow}}", "no probe has all of this, though some have each of it"),
    ],
)
def test_a_rule_that_matches_nothing_is_told_with_what_is_to_blame(folder: Folder, match: str, why: str) -> None:
    assert of_rule(folder, f"        match: {match}\n        when: up\n") == [
        f"5:16: warning: match: {why}; correct it, or remove the rule [rule-matches-nothing]"
    ]


def test_a_rule_without_any_probe_is_told(folder: Folder) -> None:
    assert of_rule(folder, "        when: up\n", "probes: []\n") == [
        (
            "4:9: warning: match: there is no probe that the rule could look at; correct it, or remove the rule "
            "[rule-matches-nothing]"
        )
    ]


def test_a_probe_that_no_rule_looks_at_is_told(folder: Folder) -> None:
    folder.write("probes.yaml", VOLUMES)
    folder.write("rules.yaml", "groups: [{name: a, rules: [{id: r, match: {probe: root}, when: up}]}]\n")
    assert warnings(folder) == [
        (
            "probes.yaml:4:10: warning: probes[data].id: no rule looks at this probe; add a rule "
            "that matches, or remove "
            "what nobody minds [probe-without-rule]"
        )
    ]


def test_an_entry_that_makes_many_probes_is_told_once(folder: Folder) -> None:
    folder.write(
        "probes.yaml",
        'probes:\n  - {id: "v{n}", prober: volume, service: shop, path: "/{n}", each: {n: [1, 2, 3, 4]}}\n',
    )
    folder.write("rules.yaml", "groups: [{name: a, rules: [{id: r, match: {probe: v3}, when: up}]}]\n")
    [line] = warnings(folder)
    assert "probes[v{n}].id: no rule looks at 3 of its 4 probes: v1, v2 and v4;" in line
    folder.write("rules.yaml", "groups: [{name: a, rules: [{id: r, match: {probe: x*}, when: up}]}]\n")
    [line, _] = warnings(folder)
    assert "probes[v{n}].id: no rule looks at any of its 4 probes;" in line


def test_many_probes_that_no_rule_looks_at_make_few_lines(folder: Folder) -> None:
    lines = "".join(f"  - {{id: v{n}, prober: volume, service: shop, path: /{n}}}\n" for n in range(300))
    folder.write("probes.yaml", f"probes:\n{lines}")
    folder.write("rules.yaml", "groups: [{name: a, rules: [{id: r, match: {probe: v0}, when: up}]}]\n")
    told = warnings(folder)
    assert len(told) == 10
    assert "nobody minds; so it is with 289 more of this file [" in told[-1]


def test_a_configuration_without_rules_is_told_once(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON.replace("[rules.yaml]", "[]"))
    [line] = warnings(folder)
    assert line.startswith("watchkeeper.yaml:2:13: warning: rule_files: there are no rules")


# Conditions


@pytest.mark.parametrize(
    ("when", "column", "why"),
    [
        ("values.used_percent > 90 && values.used_percent < 80", 44,
         "values.used_percent > 90 and values.used_percent < 80 exclude each other"),
        ("status == 'down' && up", 36, "status == 'down' and up exclude each other"),
        ("status == 'dwon'", 16, "status == 'dwon', but status is \"up\" or \"down\""),
        ("status in ['dwon', 'dead']", 16, "status in ['dwon', 'dead'], but status is \"up\" or \"down\""),
        ("values.used_percent > 100", 16, "values.used_percent > 100, but values.used_percent is 0 to 100"),
        ("100 < max('used_percent', '1h')", 16,
         "100 < max('used_percent', '1h'), but max('used_percent', '1h') is 0 to 100"),
        ("duration < 0", 16, "duration < 0, but duration is never below 0"),
        ("down_ratio('15m') > 1", 16, "down_ratio('15m') > 1, but down_ratio('15m') is 0 to 1"),
        ("quantile(95, 'duration', '1h') > 2", 16, (
            "quantile(95, 'duration', '1h') > 2, but quantile(95, 'duration', '1h') is asked for a quantile that is "
            "not between 0 and 1")),
        ("count('duration', '1h') > 100", 16, (
            "count('duration', '1h') > 100, but count('duration', '1h') is 61 at most, as its window holds no more "
            "samples")),
        ("rate('free_bytes', '20s') > 1", 16, (
            "rate('free_bytes', '20s') > 1, but rate('free_bytes', '20s') needs 2 samples, and its window holds 1 at "
            "most")),
        ("up ? status == 'down' : status == 'up'", 21, "up and status == 'down' exclude each other"),
        ("duration in []", 16, "duration in []"),
        ("up && false", 15, "it is false whatever a sample says"),
        ("labels.tier == 'a' && !(labels.tier != 'b')", 40,
         "labels.tier == 'a' and not (labels.tier != 'b') exclude each other"),
    ],
)  # fmt: skip
def test_a_condition_that_can_not_hold_is_told_with_its_contradiction(
    folder: Folder, when: str, column: int, why: str
) -> None:
    advice = "correct it, as nothing can open like this [never-holds]"
    assert of_condition(folder, when) == [f"5:{column}: warning: when: can never be true: {why}; {advice}"]


def test_a_condition_that_can_not_hold_for_some_probes_names_them(folder: Folder) -> None:
    assert of_condition(folder, "count('duration', '1h') >= 30") == [
        (
            "5:16: warning: when: can never be true for data (every 5m): count('duration', '1h') >= 30, but "
            "count('duration', '1h') is 13 at most, as its window holds no more samples; correct it, "
            "as nothing can open "
            "like this [never-holds]"
        )
    ]


@pytest.mark.parametrize(
    "when",
    [
        "values.used_percent > 90 || values.used_percent < 80",
        "values.used_percent >= 90 && values.used_percent <= 90",
        "status == 'down' || status == 'dwon'",
        "values.used_percent > 90 && values.free_bytes < 80",
        "count('duration', '1h') > 12",
        "missed > 2 && status != 'up' && status != 'down'",
        "values.used_percent > (up ? 90 : 80) && values.used_percent < 80",
        "labels.tier == 'a . b' || labels.tier == 'a.b'",
        "[1, 2].exists(n, n > 1 && n < 3) && up",
        "!up && status.startsWith('d')",
        "rate('free_bytes', '20m') > 1 || duration > 3",
        "rate('free_bytes', '20s') > 1 || duration > 3",
        "now > timestamp('2020-01-01T00:00:00Z') && now < timestamp('2040-01-01T00:00:00Z')",
        "values.used_percent > 4 * 20 && values.used_percent < 5 * 20",
    ],
)
def test_a_condition_that_can_hold_gives_no_such_warning(folder: Folder, when: str) -> None:
    assert not [line for line in of_condition(folder, when) if "-holds]" in line]


def test_silence_is_a_reason_to_open_whatever_the_condition(folder: Folder) -> None:
    assert of_condition(folder, "false", "        no_data: {alert_after: 30m}\n") == []


@pytest.mark.parametrize("when", ["true", "up || status == 'down'", "missed >= 0", "status != 'dwon'"])
def test_a_condition_that_always_holds_is_told(folder: Folder, when: str) -> None:
    [line] = of_condition(folder, when)
    assert line.startswith(
        "5:15: warning: when: is true whatever a sample says: the incident opens at once and stays"
    )


def test_a_window_that_never_has_an_answer_makes_no_condition_true(folder: Folder) -> None:
    when = "rate('free_bytes', '20s') > 1 || duration > 3"
    assert all(line.endswith("[window-within-interval]") for line in of_condition(folder, when))


@pytest.mark.parametrize(
    ("resolve_when", "code"),
    [
        ("values.used_percent > 95", "never-resolves"),
        ("values.used_percent < 0", "never-resolves"),
        ("values.used_percent < 95", "resolve-when-without-effect"),
        ("values.used_percent <= 90", "resolve-when-without-effect"),
        ("values.used_percent < 85", None),
        ("values.used_percent < 85 && up", None),
    ],
)
def test_the_end_of_an_incident_must_be_possible_and_different(
    folder: Folder, resolve_when: str, code: str | None
) -> None:
    told = of_condition(folder, "values.used_percent > 90", f"        resolve_when: {resolve_when}\n")
    assert [line.rpartition("[")[2] for line in told] == ([f"{code}]"] if code else [])
    assert all(line.startswith("6:23: warning: resolve_when: ") for line in told)


def test_a_condition_of_many_parts_is_not_looked_at_for_ever(folder: Folder) -> None:
    alternatives = [f"(duration > {n} || values.free_bytes > {n})" for n in range(60)]
    assert of_condition(folder, " && ".join([*alternatives, "duration < 0"])) == []


# Times


def test_a_wait_that_is_over_by_the_next_sample_is_told(folder: Folder) -> None:
    assert of_condition(folder, "up", "        for: 2m\n") == [
        (
            "6:14: warning: for: 2m is over by the next sample of data (every 5m): the alert fires "
            "without a second look; "
            "make it longer, or count samples instead: {failures: 2} [for-within-interval]"
        )
    ]
    assert "data and root (every 1m to 5m)" in of_condition(folder, "up", "        for: 1m\n")[0]
    for enough in ("6m", "0s", "{failures: 2}"):
        assert of_condition(folder, "up", f"        for: {enough}\n") == []


def test_a_wait_is_compared_with_what_cron_leaves_at_least_between_two_runs(folder: Folder) -> None:
    nightly = 'probes: [{id: d, prober: volume, service: shop, path: /, cron: "30 2 * * mon-fri"}]\n'
    [line] = of_rule(folder, "        when: up\n        for: 1h\n", nightly)
    assert "1h is over by the next sample of d (by cron)" in line
    assert of_rule(folder, "        when: up\n        for: 1d\n", nightly) == []


def test_silence_that_is_none_is_told(folder: Folder) -> None:
    assert of_condition(folder, "up", "        no_data: {alert_after: 3m}\n") == [
        (
            "6:32: warning: no_data.alert_after: 3m is over between two runs of data (every 5m): it "
            "alerts though nothing "
            "is missing; make it longer, such as 10m10s [no-data-within-interval]"
        )
    ]
    assert of_condition(folder, "up", "        no_data: {alert_after: 15m}\n") == []


def test_a_window_of_one_sample_is_told_where_it_stands(folder: Folder) -> None:
    assert of_condition(folder, "avg('duration', '5m') > 3") == [
        (
            "5:32: warning: when: a window of 5m holds hardly more than one sample of data (every "
            "5m); make it longer, 15m "
            "or more [window-within-interval]"
        )
    ]
    [line] = of_condition(folder, "up && rate('free_bytes', '5m') > 3")
    assert "data (every 5m), and rate needs 2; make it longer, 15m or more" in line
    assert of_condition(folder, "avg('duration', '6m') > 3") == []
    assert of_condition(folder, "predict('free_bytes', '1m', '7d') < 3") == [], "how far ahead is no window"


def test_a_window_beyond_what_is_kept_is_told(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON + "retention: {rollups: 30d}\n")
    told = of_condition(folder, "avg('duration', '60d') > 3", "        title: \"{{ max('duration', '31d') }}\"\n")
    assert told == [
        (
            "5:32: warning: when: a window of 60d is longer than the 30d for which numbers are kept, "
            "and not full after a "
            "restart; shorten it, or lengthen retention.rollups [window-beyond-retention]"
        ),
        (
            "6:16: warning: title: a window of 31d is longer than the 30d for which numbers are "
            "kept, and not full after a "
            "restart; shorten it, or lengthen retention.rollups [window-beyond-retention]"
        ),
    ]


# What goes together


def test_services_without_an_objective_have_no_error_budget(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON + "  pay: {objectives: {availability: 99.9%}}\n")
    probes = VOLUMES + "  - {id: other, prober: volume, path: /p, service: pay}\n"
    assert of_rule(folder, "        when: up && burn_rate('1h') > 14.4\n", probes) == [
        (
            "5:21: warning: when: burn_rate has no answer for the service shop without "
            "objectives.availability; set that, "
            "or match other services [no-objective]"
        )
    ]
    folder.write("watchkeeper.yaml", DAEMON.replace("shop: {}", "shop: {objectives: {availability: 99.9%}}"))
    assert of_rule(folder, "        when: burn_rate('1h') > 14.4\n") == []


def test_steps_that_do_not_change_the_priority_are_told(folder: Folder) -> None:
    steps = "        escalate: [{after: 1h, severity: critical}]\n"
    [line] = of_condition(folder, "up", steps + "        incident: {impact: low, urgency: low}\n")
    assert line.startswith("6:19: warning: escalate: changes the severity only")
    assert of_condition(folder, "up", steps + "        incident: {impact: low}\n") == []


def two_rules(folder: Folder, first: str, second: str) -> list[str]:
    folder.write("probes.yaml", VOLUMES)
    begin = "groups:\n  - name: all\n    rules:\n"
    folder.write("rules.yaml", f"{begin}      - {{id: a, {first}}}\n      - {{id: b, {second}}}\n")
    return warnings(folder)


def test_two_rules_with_one_condition_are_two_tickets(folder: Folder) -> None:
    assert two_rules(folder, "when: values.used_percent>90", "when: 'values.used_percent > 90', severity: minor") == [
        (
            "rules.yaml:5:23: warning: groups[0].rules[b].when: is also the condition of the rule a "
            "(rules.yaml:4:14), and "
            "both look at root and data: one trouble opens two tickets; give both one incident.key, or remove one "
            "[same-condition]"
        )
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("when: up, match: {probe: root}", "when: up, match: {probe: data}"),
        ("when: up, incident: {key: k}", "when: up, incident: {key: k}, severity: minor"),
        ("when: up", "when: up, incident: {key: a}"),
        ("when: up", "when: '!up'"),
        ("when: up", "when: up, incident: {backend: other}"),
    ],
)
def test_two_rules_that_are_meant_to_be_two_are_not_told(folder: Folder, first: str, second: str) -> None:
    folder.write("watchkeeper.yaml", DAEMON + TWO_BACKENDS)
    assert two_rules(folder, first, second) == []


TWO_BACKENDS: Final = "itsm: {default: desk, backends: {desk: {type: local}, other: {type: local}}}\n"


def test_rules_with_one_key_that_group_differently_are_told(folder: Folder) -> None:
    told = two_rules(
        folder,
        "when: up, incident: {key: k, group_by: [service]}",
        "when: duration > 3, incident: {key: k, group_by: [probe, rule]}",
    )
    assert told == [
        (
            "rules.yaml:5:47: warning: groups[0].rules[b].incident: shares the key k with the rule a "
            "(rules.yaml:4:14), "
            "which groups by [service], this one by [probe, rule]: they never open one incident; "
            "give both the same "
            "group_by, or keys of their own [keys-do-not-meet]"
        )
    ]
    assert two_rules(folder, "when: up, incident: {key: k}", "when: duration > 3, incident: {key: k}") == []


def test_rules_of_one_incident_that_name_two_backends_are_told(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", DAEMON + TWO_BACKENDS)
    first, second = "when: up, incident: {key: k}", "when: duration > 3, incident: {key: k, backend: other}"
    [line] = two_rules(folder, first, second)
    assert "whose tickets go to desk, this one's to other: the first to fire decides; give both one backend" in line
    apart = two_rules(folder, f"{first}, match: {{probe: root}}", f"{second}, match: {{probe: data}}")
    assert apart == [], "they open incidents of their own"


# Beside errors


def test_a_mistake_in_one_rule_leaves_the_warnings_of_others(folder: Folder) -> None:
    folder.write("probes.yaml", VOLUMES)
    folder.write(
        "rules.yaml",
        "groups: [{name: a, rules: [{id: r, when: up, match: {probe: root}, for: 1m}, {id: s, when: upp}]}]\n",
    )
    with pytest.raises(ConfigError) as told:
        folder.load()
    assert [one.code for one in told.value.problems] == [Code.INVALID]
    assert [one.code for one in told.value.warnings] == [Code.FOR_WITHIN_INTERVAL], "nor who looks at what is known"


def test_a_mistake_in_a_probe_leaves_no_warnings(folder: Folder) -> None:
    folder.write("probes.yaml", VOLUMES + "  - {id: third, prober: volume, service: nobody, path: /}\n")
    with pytest.raises(ConfigError) as told:
        folder.load()
    assert told.value.warnings == []
