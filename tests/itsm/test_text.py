"""Texts are cut where a reader would, and changes are known again by their mark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.itsm._text import cut, mark, marked, unmarked


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_text_is_never_longer_than_it_may_be_and_keeps_its_beginning(text: str, limit: int) -> None:
    short = cut(text, limit)

    assert len(short) <= limit
    assert short == text if len(text) <= limit else text.startswith(short.removesuffix("…"))


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("fits", 4, "fits"),
        ("One thing. Another thing.", 20, "One thing.…"),
        ("One thing is 1.5 times more.", 22, "One thing is 1.5…"),
        ("first line\nsecond line", 20, "first line…"),
        ("a line that fits.\nmore", 18, "a line that fits.…"),
        ("words without an end of any kind", 20, "words without an…"),
        ("a. verylongwordwithoutend", 20, "a. verylongwordwith…"),
        ("x" * 30, 10, "x" * 9 + "…"),
        ("long", 1, "…"),
    ],
)
def test_a_text_ends_with_a_line_a_sentence_or_at_least_a_word(text: str, limit: int, short: str) -> None:
    assert cut(text, limit) == short


@given(st.text(), st.text(min_size=1), st.integers(min_value=30, max_value=80))
def test_a_marked_note_fits_and_is_known_by_its_key(note: str, key: str, limit: int) -> None:
    written = marked(note, key, limit)

    assert len(written) <= limit
    assert written.endswith(mark(key))
    assert unmarked(written) == cut(note, limit - len(mark(key)) - 2).rstrip("\n")


def test_marks_are_short_and_differ() -> None:
    assert len(mark("wk-1-17")) == 17
    assert mark("wk-1-17") != mark("wk-1-18")


def test_a_change_without_a_key_has_no_mark() -> None:
    assert marked("still down", "", 4000) == "still down"
    assert unmarked("still down") == "still down"
