"""Regular expressions of matchers: the standard library's answers, in bounded time."""

import re
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.regular import MAX_TEXT, read_regular

_ATOMS = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", r"\d", "A", "-", "()", "^", "$"])


def _larger(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    count = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?"])
    return st.one_of(
        st.tuples(parts, parts).map("".join),
        st.tuples(parts, parts).map("({0[0]}|{0[1]})".format),
        st.tuples(parts, count).map("(?:{0[0]}){0[1]}".format),
        parts.map("(?i:{})".format),
    )


PATTERNS = st.recursive(_ATOMS, _larger, max_leaves=8)


@given(PATTERNS, st.text("abA1-\n", max_size=7))
def test_it_answers_as_the_standard_library_does(pattern: str, text: str) -> None:
    assert read_regular(pattern).is_all_of(text) == (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(a+)+b",
            "(a|a)*b",
            "(.*)*x",
            "(a?){100}a{100}",
            "((a*)*)*b",
            "(a|aa)+$b",
            "(.*a){20}x",
            "(?:(?:(?:)*)*)*b",
        ),
        *("(.{0,20}){0,9}x", "([a-z_äöü]|.|a){0,60}Q", "(?i)(a|A|.){0,60}Q", ".*.*.*.*.*.*.*.*x"),
    ],
)
def test_what_could_take_for_ever_is_told_in_a_moment(pattern: str) -> None:
    regular, began_s = read_regular(pattern), perf_counter()
    assert not regular.is_all_of("a" * MAX_TEXT)
    assert perf_counter() - began_s < 2, "some milliseconds, and more on a machine that is busy"


@given(PATTERNS, st.sampled_from(["", "b", "x"]))
def test_no_expression_takes_long(pattern: str, end: str) -> None:
    regular, began_s = read_regular(pattern), perf_counter()
    regular.is_all_of("ab" * ((MAX_TEXT - 1) // 2) + end)
    assert perf_counter() - began_s < 2


@pytest.mark.parametrize("large", ["(?:" + "|" * 400 + "){400}", "((){9999}){9999}", "a{501}", "(.{0,20}){0,20}"])
def test_what_is_too_large_is_refused(large: str) -> None:
    with pytest.raises(ValueError, match="is too large: accepted are"):
        read_regular(large)


def test_a_text_that_is_too_long_is_like_none() -> None:
    assert read_regular("a*").is_all_of("a" * MAX_TEXT)
    assert not read_regular("a*").is_all_of("a" * (MAX_TEXT + 1))


def test_deep_nesting_is_read_or_refused() -> None:
    assert read_regular("(" * 50 + "a" + ")" * 50).is_all_of("a")
    with pytest.raises(ValueError, match="regular expression"):
        read_regular("(?:" * 3000 + "a" + ")*" * 3000)
