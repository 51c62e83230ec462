"""Matchers, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.expected import Matcher, Operator
from watchkeeper.domain.matchers import parse_matcher, take_everything, written


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ('service="web-shop"', Matcher("service", Operator.IS, "web-shop")),
        ("service=web-shop", Matcher("service", Operator.IS, "web-shop")),
        (' env != "a b" ', Matcher("env", Operator.IS_NOT, "a b")),
        ('probe=~"db-.*"', Matcher("probe", Operator.MATCHES, "db-.*")),
        (r'probe!~"db\.[0-9]+"', Matcher("probe", Operator.MATCHES_NOT, r"db\.[0-9]+")),
        (r'title="say \"no\""', Matcher("title", Operator.IS, 'say "no"')),
        ('env=""', Matcher("env", Operator.IS, "")),
    ],
)
def test_a_matcher_is_read(text: str, matcher: Matcher) -> None:
    assert parse_matcher(text) == matcher


@pytest.mark.parametrize(
    "text",
    ["", "service", "=x", '1a="x"', 'service=="x"', 'service="x', 'a="b" c="d"', "a=b c", 'a="' + "x" * 500 + '"'],
)
def test_what_is_none_says_what_one_is_like(text: str) -> None:
    with pytest.raises(ValueError, match='is not a matcher: accepted is NAME="VALUE"'):
        parse_matcher(text)


def test_a_regular_expression_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match=r"'\(' is not a regular expression"):
        parse_matcher('probe=~"("')


@pytest.mark.parametrize("refused", [r"(a)\\1", "(?=a)a", "(?<!a)b", r"\\bdb", "(?>a)", "(?m)^a$", "a{501}"])
def test_a_regular_expression_that_could_take_long_is_refused_with_what_is_accepted(refused: str) -> None:
    with pytest.raises(ValueError, match="accepted are characters, classes, alternatives and repetition"):
        parse_matcher(f'probe=~"{refused}"')


@pytest.mark.parametrize("operator", [Operator.MATCHES, Operator.MATCHES_NOT])
def test_what_was_stored_when_it_was_accepted_takes_nothing(operator: Operator) -> None:
    assert not Matcher("probe", operator, r"(a)\1").takes("aa")


@given(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True),
    st.sampled_from([Operator.IS, Operator.IS_NOT]),
    st.text(max_size=30),
)
def test_what_is_written_is_read_as_the_same(name: str, operator: Operator, value: str) -> None:
    matcher = Matcher(name, operator, value)
    assert parse_matcher(written(matcher)) == matcher


@pytest.mark.parametrize(
    ("texts", "wide"),
    [
        ([], True),
        (['service=~".*"'], True),
        (['service=~".+"'], True),
        (['service!="x"'], True),
        (['service!~"x|y"', 'env=~".*"'], True),
        (['service="x"'], False),
        (['service=~".*"', 'severity="low"'], False),
        (['service=~"web-.*"'], False),
    ],
)
def test_matchers_that_ask_for_nothing_take_everything(texts: list[str], wide: bool) -> None:
    assert take_everything(map(parse_matcher, texts)) is wide
