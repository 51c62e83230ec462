"""What conditions answer."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.config.folder import DUMP, VOLUME
from tests.config.scope import NOW_MS, sample, scope
from watchkeeper.config.celmistakes import ExpressionError
from watchkeeper.config.expression import Compiler
from watchkeeper.domain.probe import NOTHING, Sample, Status
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.window import Unanswerable

VOLUMES = Compiler(VOLUME)
DUMPS = Compiler(DUMP)
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


def answer(when: str, earlier: list[Sample], **values: float) -> bool:
    condition = VOLUMES.compile(when)
    return condition(scope(sample(values=values), condition.spans_ms, earlier))


@pytest.mark.parametrize(
    "when",
    [
        "up",
        'status == "up"',
        "status in ['up', 'down']",
        "values.used_percent > 90",
        "90 < values.used_percent",
        "values.used_percent + 1 > 90 * 1 + 2",
        "values.used_percent in [95, 96]",
        "values.used_percent > 90 && duration < 2 && 1 < duration",
        "values.used_percent > (up ? 90 : 99)",
        "values.used_percent == 95",
        "duration > 1 && size(status) > 1",
        "double(size(status)) < values.used_percent",
        "has(values.used_percent) && !has(values.free_bytes)",
        "up || values.free_bytes > 1",
        "labels.env == 'prod' && has(labels.env) && !has(labels.zone)",
        "probe.id == 'root' && probe.category == 'capacity' && service.owner == 'team-web'",
        "now > timestamp('2020-01-01T00:00:00Z')",
        "[1, 2].all(n, n < 3)",
        "service.title.startsWith('Web') && service.title.matches('^W')",
    ],
)
def test_a_condition_holds(when: str) -> None:
    assert answer(when, [], used_percent=95) is True


@pytest.mark.parametrize("when", ["!has(labels.env)", "!('env' in labels)", "labels.all(name, false)"])
def test_a_probe_without_labels_is_asked_about_them_like_any_other(when: str) -> None:
    bare = replace(scope(sample()).probe, labels=NOTHING)
    assert VOLUMES.compile(when)(replace(scope(sample()), probe=bare)) is True


def test_a_condition_says_which_series_it_asks_for_and_how_far_back() -> None:
    when = 'avg("used_percent", "5m") > 1 && max("used_percent", "1h") > 1 || down_ratio("2m") > 0 && up'
    assert VOLUMES.compile(when).spans_ms == {"used_percent": 3_600_000, "up": 120_000}
    assert VOLUMES.compile('predict("free_bytes", "24h", "7d") < 0').spans_ms == {"free_bytes": 604_800_000}


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("values.used_percent > 90", "the sample has no values.used_percent"),
        ('avg("used_percent", "5m") > 90', "0 samples of 'used_percent' in the last 5m, 1 needed"),
        ('rate("used_percent", "5m") > 90', "0 samples of 'used_percent' in the last 5m, 2 needed"),
        ('quantile(2, "duration", "5m") > 90', "a quantile is between 0 and 1, not 2"),
        ("labels.zone == 'eu'", "there is no label or entry 'zone'"),
        ("1 / (1 - 1) == 1", "a division by zero"),
        ("1 % (1 - 1) == 1", "a division by zero"),
        ("9223372036854775807 + 1 > 1", "a whole number becomes too large"),
        ("int(status) > 1", "cannot convert string to int"),
        ("now.getHours(status) > 1", "there is no such time zone"),
        ("duration(status) > duration('1h')", "a duration is written as"),
        ("timestamp(status) > now", "a time is written as"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1h') > now", "timestamp overflow"),
        ("[1, 2][5] == 1", "Index error"),
    ],
)
def test_what_can_not_be_told_is_no_answer_and_says_why(when: str, why: str) -> None:
    with pytest.raises(Unanswerable) as caught:
        answer(when, [])
    assert str(caught.value).startswith(why)


@pytest.mark.parametrize("value", [1, True, math.nan, math.inf, -math.inf])
def test_numbers_of_any_kind_do_no_harm(value: float) -> None:
    assert answer("values.used_percent > 90", [], used_percent=value) is (value > 90)


def test_a_number_that_is_too_large_is_no_answer() -> None:
    with pytest.raises(Unanswerable, match="too large"):
        answer("values.used_percent > 90", [], used_percent=10**400)


@pytest.mark.parametrize("text", ["", "a\0b", "half \ud800 pair", "größe"])
def test_text_of_any_kind_does_no_harm(text: str) -> None:
    condition = DUMPS.compile("facts.file == message")
    assert condition(scope(sample(facts={"file": text}, message=text)))


def test_a_fact_of_another_type_than_declared_is_no_answer() -> None:
    with pytest.raises(Unanswerable, match=r"facts\.file"):
        DUMPS.compile("facts.file == 'x'")(scope(sample(facts={"file": 3})))
    with pytest.raises(Unanswerable, match="no time"):
        DUMPS.compile('age("last_backup") > 1')(scope(sample(facts={"last_backup": "x"})))


def test_conditions_of_one_compiler_do_not_see_each_others_samples() -> None:
    first, second = (VOLUMES.compile('avg("used_percent", "5m") > 50') for _ in range(2))
    high: Scope = scope(sample(values={"used_percent": 90}), first.spans_ms)
    low: Scope = scope(sample(values={"used_percent": 10}), second.spans_ms)
    assert [first(high), second(low), first(low), second(high)] == [True, False, False, True]


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ExpressionError, match="surrogate") as caught:
        VOLUMES.compile("status == '\ud800'")
    assert caught.value.mistakes[0].offset == 11


def test_a_condition_on_the_status_alone_answers_each_status_right_however_often_it_is_asked() -> None:
    condition = VOLUMES.compile('status == "down" || !up')
    asked = [Status.UP, Status.DOWN, Status.UP, Status.DOWN]

    assert [condition(scope(sample(status=status), {}, [])) for status in asked] == [False, True, False, True]


def test_a_condition_that_asks_for_more_than_the_status_is_asked_each_time() -> None:
    condition = VOLUMES.compile("up && has(values.free_bytes)")

    assert not condition(scope(sample(), {}, []))
    assert condition(scope(sample(values={"free_bytes": 1.0}), {}, []))


def test_missed_runs_can_be_asked_for() -> None:
    condition = VOLUMES.compile("missed >= 3")

    assert condition.asks_missed
    assert not VOLUMES.compile("up").asks_missed
    assert [condition(scope(replace(sample(), missed=count), {}, [])) for count in (0, 2, 3)] == [False, False, True]
