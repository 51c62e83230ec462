"""The functions over recent samples, as rules and titles call them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.config.folder import DUMP, VOLUME
from tests.config.scope import NOW_MS, sample, scope
from watchkeeper.config.celmistakes import ExpressionError
from watchkeeper.config.expression import Compiler
from watchkeeper.config.template import TemplateError, compile_template
from watchkeeper.config.vocabulary import FUNCTIONS, Kind
from watchkeeper.domain.probe import Fact, Sample, Status
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.service import Objectives
from watchkeeper.domain.window import Unanswerable

VOLUMES, DUMPS = Compiler(VOLUME), Compiler(DUMP)
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
UP, DOWN, UNKNOWN = Status.UP, Status.DOWN, Status.UNKNOWN


def growing(per_minute: float, minutes: int) -> list[Sample]:
    """One sample a minute until now, ending at 90 percent."""
    return [
        sample(values={"used_percent": 90 - per_minute * back}, at_ms=NOW_MS - back * 60_000, duration_s=float(back))
        for back in range(minutes, 0, -1)
    ]


def runs(statuses: str, every_ms: int = 60_000) -> list[Sample]:
    """Samples of u(p), d(own) and ?, the last one now."""
    kinds = {"u": UP, "d": DOWN, "?": UNKNOWN}
    last = len(statuses) - 1
    return [sample(kinds[letter], at_ms=NOW_MS - (last - at) * every_ms) for at, letter in enumerate(statuses)]


def answer(when: str, earlier: list[Sample], **values: float) -> bool:
    condition = VOLUMES.compile(when)
    return condition(scope(sample(values=values), condition.spans_ms, earlier))


def of_runs(when: str, statuses: str, objective_ppm: int | None = None) -> bool:
    condition = VOLUMES.compile(when)
    *earlier, last = runs(statuses)
    asked = scope(last, condition.spans_ms, earlier)
    asked.service = replace(asked.service, objectives=Objectives(objective_ppm))
    return condition(asked)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ('avg("used_percent", "4m") == 88.5', True),
        ('min("used_percent", "4m") == 87', True),
        ('max("used_percent", "1h") == 90', True),
        ('sum("used_percent", "2m") == 179', True),
        ('count("used_percent", "5m") == 5', True),
        ('quantile(0.5, "used_percent", "3m") == 89', True),
        ('quantile(1, "duration", "3m") > 1', True),
        ('stddev("used_percent", "2m") == 0.5', True),
        ('stddev("used_percent", "1m") == 0', True),
        ('delta("used_percent", "5m") == 4', True),
        ('delta("used_percent", "2m") < 1', False),
        ('predict("used_percent", "10m", "1h") > 99.9', True),
        ('predict("used_percent", "10m", "1h") > 100.1', False),
        ('time_to("used_percent", 100, "1h") < 601', True),
        ('time_to("used_percent", 100, "1h") > 599', True),
        ('rate("used_percent", "5m") * 60 > 0.99', True),
        ('down_ratio("5m") == 0', True),
        ('changed("used_percent", "2m")', True),
        ('changed("used_percent", "1m")', False),
        ('changed("status", "1h")', False),
        ('consecutive("up") == 31', True),
        ('consecutive("down") == 0 && consecutive("up") >= 3', True),
        ('changed("used_percent", "1h") ? avg("used_percent", "1m") == 90 : false', True),
    ],
)
def test_functions_look_back_over_the_recent_samples(when: str, expected: bool) -> None:
    assert answer(when, growing(1, 30), used_percent=90) is expected


def test_each_function_is_tried_in_this_file() -> None:
    assert {*FUNCTIONS} == {
        "avg", "min", "max", "sum", "count", "quantile", "stddev", "delta", "predict", "time_to", "rate",
        "down_ratio", "changed", "consecutive", "burn_rate", "age",
    }  # fmt: skip


def test_answers_lie_within_the_bounds_that_are_told_of_a_function() -> None:
    earlier = [
        sample(DOWN if at % 3 else UP, {"used_percent": math.sin(at) * 10**9}, at_ms=NOW_MS - 60_000 * (50 - at))
        for at in range(50)
    ]
    over = ("used_percent", "1h")
    calls: dict[str, tuple[str | float, ...]] = {
        **dict.fromkeys(("avg", "min", "max", "sum", "count", "stddev", "delta", "changed"), over),
        "rate": ("duration", "1h"), "quantile": (0.5, *over), "down_ratio": ("1h",), "burn_rate": ("1h",),
        "predict": (over[0], "1h", "1h"), "time_to": (over[0], 10.0**12, "1h"), "consecutive": ("down",),
    }  # fmt: skip
    assert {*calls} == {*FUNCTIONS} - {"age"}
    for name, arguments in calls.items():
        function = FUNCTIONS[name]
        spans = {"used_percent": 3_600_000, "duration": 3_600_000, "up": 3_600_000}
        spans |= {"changed used_percent": 3_600_000, "consecutive down": 1}
        asked = scope(sample(values={"used_percent": 3.0}), spans, earlier)
        asked.service = replace(asked.service, objectives=Objectives(999_000))
        found = function.call(asked, *arguments)
        assert function.low <= found <= function.high, name
        assert isinstance(found, bool) is (function.result is Kind.BOOLEAN), name


@pytest.mark.parametrize("name", ["avg", "stddev", "delta", "rate", "count"])
def test_a_function_has_an_answer_from_as_many_samples_as_are_told_of_it(name: str) -> None:
    condition, least = VOLUMES.compile(f'{name}("used_percent", "1h") >= 0'), FUNCTIONS[name].least
    samples = [sample(values={"used_percent": 1.0}, at_ms=NOW_MS - at) for at in range(least)][::-1]
    assert condition(scope(samples[-1], condition.spans_ms, samples[:-1]))
    with pytest.raises(Unanswerable, match=f"{least - 1} samples of 'used_percent' in the last 1h, {least} needed"):
        condition(scope(sample(at_ms=NOW_MS), condition.spans_ms, samples[1:]))


def test_the_share_of_failures_leaves_out_what_could_not_be_told() -> None:
    assert of_runs('down_ratio("1h") == 0.5', "d?d?uu")
    assert of_runs('down_ratio("10m") >= 0.1', "uuuuduuuuu"), "one in ten is exactly a tenth"


def test_age_counts_from_a_facts_time() -> None:
    day_old = scope(sample(facts={"last_backup": NOW - timedelta(hours=25)}))
    assert DUMPS.compile('age("last_backup") > 24 * 3600')(day_old)
    assert not DUMPS.compile('age("last_backup") > 26 * 3600')(day_old)
    assert DUMPS.compile("now - facts.last_backup > duration('24h')")(day_old)


# Runs in a row.


@pytest.mark.parametrize(
    ("statuses", "expected"), [("uddd", True), ("dd?d", True), ("udd", False), ("dddu", False), ("dudd", False)]
)
def test_three_runs_in_a_row_that_were_down(statuses: str, expected: bool) -> None:
    assert of_runs('consecutive("down") >= 3', statuses) is expected


@pytest.mark.parametrize("status", ["dwn", "unknown", "UP", ""])
def test_only_runs_that_were_up_or_down_can_be_counted(status: str) -> None:
    said = f"{status!r} is no status that runs have in a row: accepted are up and down"
    with pytest.raises(ExpressionError) as caught:
        VOLUMES.compile(f'up && consecutive("{status}") > 1')
    assert [(one.offset, one.message) for one in caught.value.mistakes] == [(19, said)]
    with pytest.raises(TemplateError, match=said):
        compile_template(f"{{{{ consecutive('{status}') }}}}")


# Changes.


def dumps(when: str, earlier: Iterable[Mapping[str, Fact]], last: Mapping[str, Fact]) -> bool:
    condition = DUMPS.compile(when)
    samples = [sample(facts=facts, at_ms=NOW_MS - 60_000 * (at + 1)) for at, facts in enumerate(reversed([*earlier]))]
    return condition(scope(sample(facts=last), condition.spans_ms, samples[::-1]))


def test_a_fact_may_have_changed() -> None:
    old: Mapping[str, Fact] = {"file": "a", "locked": False}
    new: Mapping[str, Fact] = {"file": "b", "locked": False}
    assert dumps('changed("file", "5m")', [old, old], new)
    assert not dumps('changed("locked", "5m")', [old, old], new)
    assert not dumps('changed("file", "1m")', [old, old], new), "the sample before is not in the window"
    assert dumps('changed("file", "5m") && !changed("file", "2m")', [old, new, new], new)
    assert not dumps('changed("file", "5m")', [], new)
    with pytest.raises(Unanswerable, match="0 samples of 'file' in the last 5m, 1 needed"):
        dumps('changed("file", "5m")', [], {})


def test_what_the_prober_does_not_produce_can_not_have_changed() -> None:
    said = (
        "the dump prober produces no value or fact 'fil' (did you mean 'file'?): it has size_bytes, last_backup, file"
    )
    with pytest.raises(ExpressionError) as caught:
        DUMPS.compile('changed("fil", "5m")')
    assert (caught.value.mistakes[0].offset, caught.value.mistakes[0].message[: len(said)]) == (9, said)
    with pytest.raises(ExpressionError, match="'duration'"):
        DUMPS.compile('changed("duration", "5m")')
    with pytest.raises(ExpressionError, match="true/false and whole number"):
        DUMPS.compile('changed("file", "5m") > 1')


# Burn rate.


def test_the_burn_rate_is_the_share_of_failures_over_the_share_that_may_fail() -> None:
    assert of_runs('burn_rate("1h") == 100', "uuuuuuuuud", 999_000)
    assert of_runs('burn_rate("1h") == 0', "uuuu", 999_000)
    assert of_runs('burn_rate("1h") == 2', "ud", 750_000)
    assert of_runs('burn_rate("1h") > 14.4', "u" * 13 + "d", 995_049), "14.43 times"
    assert not of_runs('burn_rate("2m") > 0', "ddddu?", 999_000)


@pytest.mark.parametrize(
    ("objective_ppm", "why"),
    [(None, "has no availability objective"), (1_000_000, "there is no error budget")],
)
def test_without_an_error_budget_there_is_no_burn_rate(objective_ppm: int | None, why: str) -> None:
    with pytest.raises(Unanswerable, match=f"^the service shop .*{why}$"):
        of_runs('burn_rate("1h") > 14.4', "ud", objective_ppm)


# What is asked for, and titles.


def test_calls_say_what_they_ask_of_the_window() -> None:
    when = 'changed("file", "1h") || changed("file", "2h") || changed("status", "5m") || burn_rate("6h") > 1'
    assert DUMPS.compile(when).spans_ms == {"changed file": 7_200_000, "changed status": 300_000, "up": 21_600_000}
    assert [*DUMPS.compile('consecutive("down") > 2 && consecutive("up") < 1').spans_ms] == [
        "consecutive down", "consecutive up",
    ]  # fmt: skip


def title(text: str, of: Scope) -> str:
    return compile_template(text, [VOLUME, DUMP])(of)


def test_titles_know_the_functions_too() -> None:
    text = (
        "{{ consecutive('down') | round }} {{ changed('used_percent', '5m') }} {{ changed('file', '5m') }} "
        "{{ changed('status', '5m') }} {{ delta('used_percent', '5m') }} {{ stddev('used_percent', '5m') }} "
        "{{ burn_rate('1h') | round(1) }} {% if changed('status', '5m') %}moved{% endif %}"
    )
    earlier = [
        sample(status, {"used_percent": value}, {"file": "a"}, at_ms=NOW_MS - at)
        for status, value, at in ((UP, 1.0, 3000), (DOWN, 2.0, 2000), (DOWN, 2.0, 1000))
    ]
    last = sample(DOWN, {"used_percent": 3.0}, {"file": "a"})
    asked = scope(last, compile_template(text, [VOLUME, DUMP]).spans_ms, earlier)
    assert title(text, asked) == "3.0 True False True 2.0 0.7071067811865476 ? moved"
    asked.service = replace(asked.service, objectives=Objectives(900_000))
    assert title(text, asked) == "3.0 True False True 2.0 0.7071067811865476 7.5 moved"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{{ changed('fil', '1h') }}",
            "there is no value or fact 'fil' here (did you mean 'file'?): there is used_percent,",
        ),
        ("{{ changed('duration', '1h') }}", "there is no value or fact 'duration' here"),
        ("{{ changed(status, '1h') }}", "changed: the name is written as a plain text in quotes"),
        ("{{ changed('file') }}", "changed is called as changed(name, window)"),
        ("{{ changed('file', '0s') }}", "'0s' is no time at all: a window must be longer"),
        ("{{ consecutive() }}", "consecutive is called as consecutive(status)"),
    ],
)
def test_a_title_with_a_wrong_call_is_refused(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(text, [VOLUME, DUMP])
    assert str(caught.value).startswith(said)
