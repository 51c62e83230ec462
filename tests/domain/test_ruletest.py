"""Rule tests: expected against got, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.made import AT_ONCE, plan, probe, rule
from watchkeeper.domain.comparison import Containing, compare
from watchkeeper.domain.outcome import Listed, exact_duration
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rule import Hold, Match
from watchkeeper.domain.ruletest import Expectation, Failure, Result, RuleTest, run
from watchkeeper.domain.series import Finding, Findings, Series, Stretch

MINUTE = 60_000
UP, DOWN, UNKNOWN, MISSED = Finding.UP, Finding.DOWN, Finding.UNKNOWN, Finding.MISSED


def runs(*findings: Finding | None) -> Series:
    return tuple(map(Stretch, findings))


def home(*findings: Finding | None) -> Findings:
    """What the probe `home` finds, minute by minute."""
    return Findings("home", MINUTE, runs(*findings))


def outcome(*found: Findings, at_minute: int, hold: Hold = AT_ONCE, **lists: Sequence[Mapping[str, Any]]) -> Result:
    """What comes of one expectation."""
    watched = plan(probe("home"), probe("shop-api"), rule("down", hold=hold))
    expectation = Expectation(at_minute * MINUTE, {Listed(what): items for what, items in lists.items()})
    return run(RuleTest("one", watched, 0, found, (expectation,)))


def failure(result: Result) -> Failure:
    [one] = result.failures
    return one


def diff(result: Result) -> list[str]:
    return [line for one in failure(result).differences for line in one.lines()]


def samples(findings: Findings) -> list[Sample]:
    return list(findings.samples(0))


def test_a_run_is_an_interval_after_the_one_before() -> None:
    assert [(one.at_ms, one.status) for one in samples(home(UP, DOWN))] == [(0, Status.UP), (MINUTE, Status.DOWN)]


def test_where_nothing_is_written_no_run_took_place() -> None:
    values = {"used": (Stretch(Decimal(1)), Stretch(None), Stretch(Decimal(3)))}
    assert [one.at_ms for one in samples(home(UP, None, UP))] == [0, 2 * MINUTE]
    assert [one.at_ms for one in samples(Findings("home", MINUTE, values=values))] == [0, 2 * MINUTE]
    with_status = samples(Findings("home", MINUTE, runs(UP), values=values))
    assert [dict(one.values) for one in with_status] == [{"used": 1}, {}, {"used": 3}]


def test_missed_runs_are_counted_in_a_row_and_have_no_values() -> None:
    found = Findings("home", MINUTE, runs(MISSED, MISSED, UP, MISSED), values={"used": (Stretch(Decimal(1)),)})
    assert [one.missed for one in samples(found)] == [1, 2, 0, 1]
    assert [dict(one.values) for one in samples(found)] == [{}, {}, {"used": 1}, {}]


def test_what_is_as_expected_passes() -> None:
    result = outcome(
        home(UP, DOWN, DOWN, UP),
        at_minute=2,
        alerts=[{"rule": "down", "probe": "home", "state": "firing", "since": "1m"}],
        incidents=[{"key": "down/probe=home", "severity": "major", "probes": ["home"]}],
        resolved=[],
        tickets=[{"title": "home is down", "state": "open", "notes": []}],
    )
    assert result.passed
    assert (list(result.fired), result.samples) == (["down"], 3)


def test_an_expectation_is_looked_at_when_all_of_its_time_has_happened() -> None:
    hold = Hold(for_ms=MINUTE)
    assert outcome(home(DOWN, DOWN), hold=hold, at_minute=1, alerts=[{"state": "firing", "since": "1m"}]).passed
    assert outcome(home(DOWN, UP), hold=hold, at_minute=1, alerts=[]).passed


def test_the_order_of_expectations_does_not_matter() -> None:
    watched = plan(probe("home"), rule("down"))
    later, sooner = Expectation(MINUTE, {Listed.ALERTS: ()}), Expectation(0, {Listed.ALERTS: ({"rule": "down"},)})
    assert run(RuleTest("one", watched, 0, (home(DOWN, UP),), (later, sooner))).passed


def test_a_state_that_is_not_as_expected_is_shown_with_its_reason() -> None:
    result = outcome(
        home(UP, DOWN), hold=Hold(for_ms=3 * MINUTE), at_minute=2, alerts=[{"rule": "down", "state": "firing"}]
    )
    assert diff(result) == ["  rule: down", "  probe: home", "- state: firing", "+ state: pending"]
    [reason] = failure(result).reasons
    assert reason == (
        "down on home: pending since 1m; the last sample, at 1m, was down; `when` (up) held; "
        "it fires at 4m if this goes on"
    )


def test_one_too_many_and_one_too_few_are_failures() -> None:
    too_few = outcome(home(UP), at_minute=0, incidents=[{"rule": "down"}])
    assert diff(too_few) == ["- rule: down"]
    too_many = outcome(home(DOWN), at_minute=0, tickets=[])
    assert "+ title: home is down" in diff(too_many)


@pytest.mark.parametrize(
    ("findings", "at_minute", "reason"),
    [
        ((), 1, "down on home: the probe has not run yet"),
        ((UP,), 1, "inactive; the last sample, at 0s, was up; `when` (up) did not hold"),
        ((UNKNOWN,), 1, "the rule had no answer: the probe could not tell"),
        ((DOWN, UNKNOWN), 1, "its clock stands since 1m"),
        ((DOWN,), 5, "nothing was heard after that, so clocks stand since 1m"),
    ],
)
def test_why_an_alert_does_not_fire_is_told(findings: Sequence[Finding], at_minute: int, reason: str) -> None:
    found = [home(*findings)] if findings else []
    wanted = [{"rule": "down", "probe": "home", "state": "firing"}]
    result = outcome(*found, hold=Hold(for_ms=9 * MINUTE), at_minute=at_minute, alerts=wanted)
    assert reason in failure(result).reasons[0]


def test_a_probe_that_a_rule_does_not_look_at_is_told() -> None:
    watched = plan(probe("home", tier="2"), rule("down", match=Match(prober="http", labels={"tier": "1"})))
    wanted = Expectation(0, {Listed.ALERTS: ({"rule": "down", "probe": "home"},)})
    result = run(RuleTest("one", watched, 0, (home(DOWN),), (wanted,)))
    assert failure(result).reasons == [
        "down on home: the rule does not look at this probe: its label tier is 2, not 1"
    ]


def test_a_mapping_states_what_it_cares_about_and_a_text_what_it_contains() -> None:
    got = [{"key": "a", "title": "disk is full", "labels": {"team": "web", "tier": "1"}}]
    assert compare(Listed.TICKETS, [{"labels": {"team": "web"}, "title": Containing(("disk", "full"))}], got) == []
    [one] = compare(Listed.TICKETS, [{"key": "a", "labels": {"team": "db"}, "title": Containing(("disc",))}], got)
    assert list(one.lines()) == [
        "  key: a",
        "- title: {contains: disc}",
        "+ title: disk is full",
        "  labels:",
        "-   team: db",
        "+   team: web",
    ]


def test_texts_of_several_lines_are_shown_line_by_line() -> None:
    [one] = compare(Listed.TICKETS, [{"key": "a", "title": "x: y"}], [{"key": "a", "title": "two\n\nlines"}])
    assert list(one.lines()) == ["  key: a", '- title: "x: y"', "+ title: |", "+   two", "+ ", "+   lines"]


things = st.lists(
    st.fixed_dictionaries({"key": st.sampled_from("abc"), "title": st.sampled_from("xy"), "state": st.just("open")}),
    max_size=6,
)


@given(things, st.randoms(use_true_random=False), st.data())
def test_all_there_is_passes_in_any_order_and_however_little_is_stated(
    got: list[dict[str, str]], random: Any, data: st.DataObject
) -> None:
    wanted = [{name: one[name] for name in data.draw(st.sets(st.sampled_from(sorted(one))))} for one in got]
    random.shuffle(wanted)
    assert compare(Listed.TICKETS, wanted, [{**one, "backend": "desk"} for one in got]) == []


def _frozen(thing: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(thing.items())


@given(things, things)
def test_a_different_number_of_things_never_passes(wanted: list[dict[str, str]], got: list[dict[str, str]]) -> None:
    everything = [{**one, "backend": "desk"} for one in got]
    differences = compare(Listed.TICKETS, wanted, everything)
    assert sum(one.expected is not None for one in differences) - sum(
        one.got is not None for one in differences
    ) == len(wanted) - len(got)
    assert bool(differences) == (Counter(map(_frozen, wanted)) != Counter(map(_frozen, got)))


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0s"), (90_061_001, "1d1h1m1s1ms"), (-300_000, "-5m"), (60_000, "1m"), (1, "1ms")]
)
def test_durations_are_written_to_the_millisecond(ms: int, text: str) -> None:
    assert exact_duration(ms) == text
