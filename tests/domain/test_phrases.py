"""What watchkeeper says, in each language."""

from dataclasses import fields
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.phrases import CHINESE, ENGLISH, Phrases, phrases_in
from watchkeeper.domain.ticket import Language

NAMES = [field.name for field in fields(Phrases)]


def placeholders(pattern: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}


@pytest.mark.parametrize("language", list(Language))
def test_a_language_says_everything_that_english_says(language: Language) -> None:
    words = phrases_in(language)
    for name in NAMES:
        english, said = getattr(ENGLISH, name), getattr(words, name)
        assert type(said) is type(english), name
        if isinstance(english, str):
            assert placeholders(said) == placeholders(english), name
        elif isinstance(english, tuple):
            assert len(said) == len(english)
        elif name != "lone_units":
            assert said.keys() == english.keys(), name


def test_chinese_is_written_in_chinese() -> None:
    """No phrase was left as it is in English; what separates things may be the same."""
    for name in set(NAMES) - {"between_units", "lone_units", "priority_text"}:
        assert getattr(CHINESE, name) != getattr(ENGLISH, name), name


@pytest.mark.parametrize(
    ("elapsed_ms", "english", "chinese"),
    [
        (7_500_000, "2h5m", "2 小时 5 分"),
        (1_800_000, "30m", "30 分钟"),
        (63_000, "1m3s", "1 分 3 秒"),
        (93_784_000, "1d2h", "1 天 2 小时"),
        (250, "250ms", "250 毫秒"),
        (0, "0s", "0 秒"),
        (-60_000, "-1m", "-1 分钟"),
    ],
)
def test_durations_are_said_as_people_say_them(elapsed_ms: int, english: str, chinese: str) -> None:
    assert (ENGLISH.elapsed(elapsed_ms), CHINESE.elapsed(elapsed_ms)) == (english, chinese)


@given(st.integers(-(10**15), 10**15))
def test_every_duration_can_be_said(elapsed_ms: int) -> None:
    assert ENGLISH.elapsed(elapsed_ms)
    assert CHINESE.elapsed(elapsed_ms)
