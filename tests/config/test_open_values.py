"""Rules, titles and rule tests on probers of which only the target knows all values."""

import pytest

from tests.config.folder import DiskOptions, FakeKind
from watchkeeper.config.celmistakes import ExpressionError
from watchkeeper.config.expression import Compiler
from watchkeeper.config.template import TemplateError, compile_template
from watchkeeper.config.vocabulary import names_in_text, produces
from watchkeeper.domain.probe import Category, Every, FactType, Probe, Sample, Status
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.service import Service
from watchkeeper.domain.window import Unanswerable

PLUGIN = FakeKind(
    "plugin",
    Category.HEALTH,
    DiskOptions,
    {"known": "a number"},
    {"state": (FactType.TEXT, "which")},
    open_values="any",
)
CLOSED = FakeKind("closed", Category.HEALTH, DiskOptions, {"known": "a number"})
PROBE = Probe("it", "plugin", "shop", Category.HEALTH, Every(60_000), 1000, None)


def scope(**values: float) -> Scope:
    sample = Sample("it", 0, Status.UP, 1.0, values, {"state": "warning"})
    return Scope(sample, PROBE, Service("shop", "Shop"), 0)


def test_a_rule_may_ask_for_any_value_and_mixes_it_with_those_that_are_known() -> None:
    compiler = Compiler(PLUGIN)
    condition = compiler.compile('values.time > 5 && values.known < 3 && facts.state == "warning"')
    assert condition(scope(time=6, known=1))
    assert not condition(scope(time=4, known=1))


def test_conditions_compiled_before_and_after_one_with_a_new_name_keep_their_answers() -> None:
    compiler = Compiler(PLUGIN)
    before = compiler.compile("values.known > 1")
    between = compiler.compile("values.root > 1")
    after = compiler.compile("values.known > 1")
    assert [one(scope(known=2, root=0)) for one in (before, between, after)] == [True, False, True]


def test_a_value_that_a_sample_lacks_gives_no_answer_and_can_be_asked_for() -> None:
    compiler = Compiler(PLUGIN)
    with pytest.raises(Unanswerable, match=r"values\.time"):
        compiler.compile("values.time > 5")(scope())
    assert not compiler.compile("has(values.time) && values.time > 5")(scope())


def test_functions_take_any_value() -> None:
    compiler = Compiler(PLUGIN)
    condition = compiler.compile('avg("rta", "5m") > 1 || changed("pl", "10m")')
    assert set(condition.spans_ms) >= {"rta"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("facts.stat == 'x'", "no fact 'stat'"),
        ("values.Time > 5", "no value 'Time'"),
        ('avg("free space", "5m") > 1', "no value 'free space'"),
        ('age("since") > 1', "no time 'since'"),
        ("value.time > 5", "value"),
    ],
)
def test_what_can_be_no_value_is_a_mistake(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Compiler(PLUGIN).compile(text)
    assert said in "; ".join(mistake.message for mistake in caught.value.mistakes)


def test_a_prober_that_declares_all_its_values_takes_no_others() -> None:
    with pytest.raises(ExpressionError):
        Compiler(CLOSED).compile("values.time > 5")
    assert not produces(CLOSED, "time")
    assert names_in_text(CLOSED, "values.time") == {}
    with pytest.raises(TemplateError):
        compile_template("{{ values.time }}", [CLOSED])


def test_titles_take_any_value() -> None:
    template = compile_template('slow: {{ values.time | round(1) }} s, {{ avg("time", "5m") }} on average', [PLUGIN])
    assert template(scope(time=2.34)) == "slow: 2.3 s, ? on average"
    with pytest.raises(TemplateError):
        compile_template("{{ facts.nonsense }}", [PLUGIN])
