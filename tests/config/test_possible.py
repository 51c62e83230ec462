"""That a condition is called impossible only if it is: against what it answers to everything there is."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.config.folder import VOLUME
from tests.config.scope import sample, scope
from watchkeeper import probers
from watchkeeper.config.celboolean import MAX_DEPTH, NotUnderstood, parse
from watchkeeper.config.expression import CompiledCondition, Compiler
from watchkeeper.config.pace import Pace, shortest_gap_ms
from watchkeeper.config.possible import impossible
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.window import Unanswerable

COMPILER: Final = Compiler(VOLUME)
MINUTELY: Final = Pace(60_000, 10_000)

NUMBERS: Final = ("duration", "values.used_percent", "values.free_bytes")
LITERALS: Final = ("-5", "0", "50", "100", "150")
OPERATORS: Final = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
OPAQUE: Final = ("status > 'm'", "duration > values.free_bytes", "(up ? 1.0 : 2.0) < duration", "has(labels.env)")
ATOMS: Final = st.one_of(
    st.sampled_from(["up", "true", "false", "up == false", "true != up", "'down' != status"]),
    st.sampled_from(["status == 'up'", "status in ['up', 'dwon']", "labels.env == 'prod'", "'x' == labels.env"]),
    st.sampled_from(OPAQUE),
    st.builds("{} {} {}".format, st.sampled_from(NUMBERS), OPERATORS, st.sampled_from(LITERALS)),
    st.builds("{} {} {}".format, st.sampled_from(LITERALS), OPERATORS, st.sampled_from(NUMBERS)),
    st.builds("{} in [{}, 50]".format, st.sampled_from(NUMBERS), st.sampled_from(LITERALS)),
)  # fmt: skip
EXPRESSIONS: Final = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) || ({})".format, inner, inner),
        st.builds("{} && {}".format, ATOMS, ATOMS),
        st.builds("!({})".format, inner),
        st.builds("({}) ? ({}) : {}".format, inner, inner, inner),
    ),
    max_leaves=8,
)


def everything() -> Iterator[Scope]:
    """A scope for each answer that the tests above can give."""
    numbers = (0.0, 20.0, 50.0, 70.0, 100.0)
    beyond = (*numbers, 120.0, 150.0, 200.0)
    for status, used, free, duration in product((Status.UP, Status.DOWN), (None, *numbers), beyond, beyond):
        values = {"free_bytes": free} if used is None else {"used_percent": used, "free_bytes": free}
        one = scope(sample(status, values, duration_s=duration))
        yield one
        for env in ("x", "neither"):
            yield replace(one, probe=replace(one.probe, labels={"env": env}))


EVERYTHING: Final = list(everything())[::7]  # seven divides none of the numbers above: each answer is still there


def answers(condition: CompiledCondition) -> set[bool]:
    found = set()
    for one in EVERYTHING:
        try:
            found.add(condition(one))
        except Unanswerable:
            continue
        if len(found) == 2:
            break
    return found


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS)
@example("!(values.used_percent > 50) && (values.used_percent >= 100)")
@example("up ? status == 'down' : status == 'up'")
@example("(!(labels.env == 'prod')) && (!('x' == labels.env))")
def test_a_condition_is_impossible_if_it_never_holds_and_only_then(text: str) -> None:
    given_answers = answers(COMPILER.compile(text))
    formula = parse(text)
    if True in given_answers:
        assert impossible([(formula, True)], MINUTELY.most_samples) is None
    elif not any(opaque in text for opaque in OPAQUE):
        assert impossible([(formula, True)], MINUTELY.most_samples) is not None
    if False in given_answers:
        assert impossible([(formula, False)], MINUTELY.most_samples, has_answers=True) is None


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS)
def test_two_conditions_exclude_each_other_only_if_they_do(when: str, relief: str) -> None:
    first, second = COMPILER.compile(when), COMPILER.compile(relief)
    for one in EVERYTHING[::5]:
        try:
            if not first(one) and second(one):
                goals = [(parse(when), False), (parse(relief), True)]
                assert impossible(goals, MINUTELY.most_samples) is None
                return
        except Unanswerable:
            continue


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 50),
    st.integers(0, 50),
    st.integers(1, 300),
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
)
def test_no_window_holds_more_samples_than_is_said(interval: int, timeout: int, span: int, took: list[float]) -> None:
    pace = Pace(interval, min(timeout, interval))
    times = [number * interval + share * pace.timeout_ms for number, share in enumerate(took)]
    for now in times:
        assert sum(now - span < at <= now for at in times) <= pace.most_samples(span)


@pytest.mark.parametrize(
    ("cron", "minutes"),
    [
        ("* * * * *", 1),
        ("*/5 * * * *", 5),
        ("*/7 * * * *", 1),  # 56 and 0
        ("3 * * * *", 60),
        ("3 */6 * * *", 5 * 60),  # an hour less where the clock is changed
        ("3 1,2 * * *", 60),
        ("30 6 * * mon-fri", 23 * 60),
        ("30 6 * * mon", 7 * 24 * 60 - 60),
        ("0 0 1 * *", 28 * 24 * 60 - 60),
        ("0 0 1 1 *", 365 * 24 * 60 - 60),
        ("0 0 1 * 1", 23 * 60),
    ],
)
def test_cron_leaves_at_least_so_much_between_two_runs(cron: str, minutes: int) -> None:
    assert shortest_gap_ms(cron) == minutes * 60_000


def test_what_is_nested_too_deeply_is_not_looked_into() -> None:
    deep = "(" * (MAX_DEPTH + 2) + "up" + ")" * (MAX_DEPTH + 2)
    with pytest.raises(NotUnderstood):
        parse(deep)


def test_what_is_called_a_percentage_lies_between_0_and_100() -> None:
    """Conditions are judged by it. Of a new value, make sure that it does, or give it another name."""
    known = {"disk.used_percent", "disk.inodes_used_percent", "memory.used_percent", "memory.swap_used_percent"}
    known |= {f"cpu.{share}_percent" for share in ("used", "user", "system", "iowait", "steal")}
    known |= {"descriptors.used_percent", "process.descriptors_used_percent", "network.used_percent"}
    known |= {"icmp.loss_percent", "redis.memory_used_percent"}
    kinds = [probers.find(name) for name in probers.names()]
    assert {f"{kind.name}.{name}" for kind in kinds for name in kind.values if name.endswith("_percent")} <= known
