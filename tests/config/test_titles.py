"""Titles: what templates may say, and how they come out."""

from time import monotonic

import pytest

from tests.config.folder import DUMP, VOLUME
from tests.config.scope import NOW_MS, sample, scope
from watchkeeper.config.template import MAX_RENDERED, TemplateError, compile_template
from watchkeeper.domain.probe import Status


def title(text: str, **values: float) -> str:
    template = compile_template(text)
    earlier = [sample(values={"used_percent": 80.0}, at_ms=NOW_MS - 60_000)]
    return template(scope(sample(Status.DOWN, values, message="no  space\nleft"), template.spans_ms, earlier))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ service.title }}: {{ probe.id }} is {{ status }}", "Web shop: root is down"),
        ("{{ message }}", "no space left"),
        ("{{ labels.env }} {{ labels.zone }}", "prod ?"),
        ("{{ values.used_percent }} {{ values.free_bytes }} {{ facts.file }}", "90.0 ? ?"),
        ("{{ values.used_percent | round(1) }} %", "90.0 %"),
        ("{{ values.used_percent * 2 + 1 }} {{ values.used_percent % 7 }}", "181.0 6.0"),
        ("{{ time_to('used_percent', 100, '7d') | duration }}", "1m"),
        ("{{ avg('used_percent', '1h') }} {{ avg('free_bytes', '1h') }}", "85.0 ?"),
        ("{{ time_to('duration', 100, '7d') | duration }} {{ (1e300 * 1e300) | size }}", "? ?"),
        ("{{ 3221225472 | size }} {{ 93784 | duration }}", "3.0GiB 1d2h"),
        ("{% if up %}fine{% elif duration > 1 %}slow{% else %}bad{% endif %}", "slow"),
        ("{{ status | upper }} {{ service.ci | default('none', true) }} {{ 'a-b' | replace('-', '+') }}", ("DOWN "
         "none a+b")),
        ("{{ 'x' if up else 'y' }} {{ status is defined }} {{ not up }}", "y True True"),
        ("{{ status.__class__ }}{{ service.title.__init__ }}", "??"),
        ("{{ (values.free_bytes * 2 / 3 + 1) | round }} {{ 'low' if values.free_bytes < 5 else 'fine' }}", "? fine"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ],
)  # fmt: skip
def test_a_title_comes_out(text: str, expected: str) -> None:
    assert title(text, used_percent=90.0) == expected


def test_a_title_says_which_series_it_asks_for() -> None:
    assert compile_template("{{ avg('used_percent', '1h') }}{{ down_ratio('5m') }}").spans_ms == {
        "used_percent": 3_600_000,
        "up": 300_000,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ servce.id }}", "there is no 'servce' here (did you mean 'service'?): there is age, avg,"),
        ("{{ service.titel }}", ("there is no 'service.titel' here (did you mean 'service.title'?): there is "
         "service.id,")),
        ("{{ values.used_prcent }}", "there is no 'values.used_prcent' here (did you mean 'values.used_percent'?)"),
        ("{{ values['used_prcent'] }}", ("there is no 'values.used_prcent' here (did you mean "
         "'values.used_percent'?)")),
        ("{{ facts.foo }}", "there is no 'facts.foo' here (did you mean 'facts.file'?): there is facts.last_backup,"),
        ("{{ avg('used_prcent', '1h') }}", ("there is no 'values.used_prcent' here (did you mean "
         "'values.used_percent'?)")),
        ("{{ age('backup') }}", "there is no 'facts.backup' here (did you mean 'facts.last_backup'?)"),
        ("{{ avg('used_percent', '1') }}", "'1' is not a duration: accepted is a duration with its unit"),
        ("{{ avg('used_percent', '0s') }}", "'0s' is no time at all: a window must be longer"),
        ("{{ avg('used_percent') }}", "avg is called as avg(series, window)"),
        ("{{ avg(status, '1h') }}", "avg: the series is written as a plain text in quotes"),
        ("{{ avg }}", "avg is a function: avg(series, window)"),
        ("{{ status.upper() }}", "only the functions of rules can be called here"),
        ("{{ status | uper }}", "there is no filter 'uper' (did you mean 'upper'?): there is abs,"),
        ("{{ status is odder }}", "is no valid template: No test named 'odder'"),
        ("{% for a in values %}{% endfor %}", "for is not accepted in a template"),
        ("{% set a = 1 %}", "assign is not accepted in a template"),
        ("{% include '/etc/passwd' %}", "include is not accepted in a template"),
        ("{% macro a() %}{% endmacro %}", "macro is not accepted in a template"),
        ("{{ [1] * 9 }}", "list is not accepted in a template"),
        ("{{ 9 ** 9 ** 9 ** 9 }}", "pow is not accepted in a template"),
        ("{{ 'x' * 999999999 }}", "* is for numbers"),
        ("{{ '%0999999999d' % 1 }}", "% is for numbers"),
        ("{{ 1e999 }}", "a number is too large"),
        ("{{ status ", "is no valid template: unexpected end of template"),
        ("{% if up %}", "is no valid template: Unexpected end of template"),
        ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "is nested too deeply"),
        ("{{ " + "not " * 300 + "up }}", "is nested too deeply"),
        ("{% if up %}" * 60 + "{% endif %}" * 60, "is nested too deeply"),
        ("x" * 2001, "is longer than 2000 characters"),
        ("{{ status * 999999999 }}", "can not be made into a text: * is for numbers"),
        ("{{ 999999999 * status }}", "can not be made into a text: * is for numbers"),
        ("{{ (status ~ '%0999999999d') % 1 }}", "can not be made into a text: % is for numbers"),
        ("{{ status + 1 }}", "can not be made into a text: can only concatenate str"),
        ("{{ now > values.used_percent }}", "can not be made into a text: '>' not supported between instances of"),
        ("{{ facts.file - 1 }}", "can not be made into a text: unsupported operand type(s) for -"),
        ("{{ duration | round(999999999, 'ceil') }}", "can not be made into a text: _round() takes from 1 to 2"),
        ("{{ message | truncate(2) }}", "can not be made into a text: expected length >= 3, got 2"),
        ("{{ message is divisibleby 'x' }}", "can not be made into a text: not all arguments converted"),
    ],
)  # fmt: skip
def test_a_title_that_can_not_be_is_refused_and_soon(text: str, said: str) -> None:
    began = monotonic()
    with pytest.raises(TemplateError) as caught:
        compile_template(text, [VOLUME, DUMP])
    assert str(caught.value).startswith(said)
    assert monotonic() - began < 2


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'aaaaaaaaaa' " + "| replace('a', 'aaaaaaaaaa') " * 30 + "}}",
        "{{ 1 / 0 }}",
        "{{ status | round }}",
        "{{ message | truncate(duration | int) }}",
        "{% if not up %}{{ message * 999999999 }}{% endif %}",
        "{{ (" + " * ".join(["9" * 50] * 30) + ") | float }}",
    ],
)
def test_a_title_that_fails_still_says_what_is_wrong_and_soon(text: str) -> None:
    began = monotonic()
    assert title(text).startswith("root: no space left (template failed: ")
    assert monotonic() - began < 2


@pytest.mark.parametrize(
    "text",
    [
        "{{ 1 / (values.used_percent - 41) }} {{ labels.weight | float + 1 }} {{ facts.file | round }}",
        "{{ message | truncate(values.used_percent | int) }} {{ 'a' if labels.env in 'prod,test' else 'b' }}",
        "{{ now - facts.last_backup }} {{ age('last_backup') | duration }} {{ changed('status', '1h') }}",
        "{{ quantile(0.5, 'duration', '1h') | round(2) }} {{ time_to('used_percent', 100, '1d') / 3600 }}",
        "{% if status == 'down' %}{{ status + 1 }}{% endif %}",
    ],
)
def test_what_may_come_out_is_accepted(text: str) -> None:
    assert compile_template(text, [VOLUME, DUMP]).source == text
    assert compile_template("{{ values.anything + 1 }} {{ facts.anything.year }}").source


def test_a_long_title_is_cut() -> None:
    template = compile_template("{{ message }}")
    assert len(template(scope(sample(message="x" * 10_000)))) == MAX_RENDERED
