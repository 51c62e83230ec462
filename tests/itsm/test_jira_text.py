"""Texts in Jira read as they were written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulators.jira_adf import is_valid, text_of
from watchkeeper.itsm._jira_text import LONGEST_TEXT, body, document, has_mark, note, title, wiki

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n\\*_-{}[]|!#:()😀"), max_size=300)


@given(TEXTS)
def test_every_text_is_a_valid_document(text: str) -> None:
    assert is_valid(document(text))


@given(st.text("ab \\*_-{[|!#?", max_size=60).map(str.strip))
def test_a_document_says_what_was_written(text: str) -> None:
    assert text_of(document(text)) == text


@settings(max_examples=20, deadline=None)
@given(st.text("ab😀\\*. \n", min_size=1, max_size=12), st.sampled_from([1, 3_000, 40_000]), st.booleans())
def test_a_text_is_never_too_long_for_jira(piece: str, times: int, cloud: bool) -> None:
    written = note(piece * times, "c1", cloud=cloud)

    text = text_of(written) if cloud else written
    assert len(text.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    assert has_mark(written, "c1")
    assert not has_mark(written, "c2")


@given(TEXTS)
def test_a_title_is_one_line(text: str) -> None:
    said = title(text)

    assert 0 < len(said) <= 255
    assert said == " ".join(said.split())


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("web-shop used_percent a*b 2026-11-24 50% - fine", "web-shop used_percent a*b 2026-11-24 50% - fine"),
        ("*not bold* _nor italic_", "\\*not bold* \\_nor italic_"),
        ("- no list\n  # nor this\n* nor that", "\\- no list\n  \\# nor this\n\\* nor that"),
        ("{code} [link] ||a||", "\\{code} \\[link] ||a||"),
        ("|a|b|", "\\|a|b|"),
        ("h1. no heading", "h1\\. no heading"),
        ("C:\\temp \\\\host\\share", "C:\\temp &#92;&#92;host\\share"),
        ("why :( and (x)", "why \\:( and \\(x)"),
        ("https://a.example/b_c_/-d", "https://a.example/b_c_/-d"),
        ("down!now !image.png!", "down!now \\!image.png!"),
    ],
)
def test_nothing_of_a_text_becomes_markup(text: str, markup: str) -> None:
    assert wiki(text) == markup


def test_links_can_be_followed() -> None:
    [paragraph] = document("see https://runbook.example/shop?a=1. Now")["content"]

    [link] = [each for each in paragraph["content"] if "marks" in each]
    assert link["text"] == link["marks"][0]["attrs"]["href"] == "https://runbook.example/shop?a=1"


def test_an_empty_text_is_an_empty_document() -> None:
    assert body("", cloud=True) == {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": []}]}
