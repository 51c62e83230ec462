"""What silences there can be, and when they are over."""

from dataclasses import replace

import pytest

from watchkeeper.domain.expected import Because
from watchkeeper.domain.matchers import parse_matcher
from watchkeeper.domain.silence import Silence, SilenceDraft, WrongSilence, require_sensible

NOW, HOUR, DAY = 1_795_520_280_000, 3_600_000, 86_400_000
SHOP = (parse_matcher('service="shop"'),)
DRAFT = SilenceDraft(SHOP, "alice", "the switch is replaced", NOW, NOW + HOUR)
SILENCE = Silence(1, SHOP, "alice", "the switch is replaced", NOW, NOW, NOW + HOUR)


def test_a_sensible_silence_is_accepted() -> None:
    require_sensible(DRAFT, NOW)


@pytest.mark.parametrize(
    ("draft", "said"),
    [
        (replace(DRAFT, author=" "), "its author is missing"),
        (replace(DRAFT, reason=""), "its reason is missing"),
        (replace(DRAFT, reason="x" * 1001), "its reason is longer than 1,000 characters"),
        (replace(DRAFT, from_ms=NOW - HOUR), "it would begin at 2026-11-24 10:38:00Z, which is over"),
        (replace(DRAFT, to_ms=NOW), "before it begins"),
        (replace(DRAFT, to_ms=NOW + 31 * DAY + 1), "a silence lasts 31d at most"),
        (replace(DRAFT, from_ms=NOW + 400 * DAY, to_ms=NOW + 401 * DAY), "begins within a year"),
        (replace(DRAFT, matchers=SHOP * 21), "more than 20 matchers"),
        (replace(DRAFT, matchers=()), "it would silence everything, or nearly so: everything"),
        (replace(DRAFT, matchers=(parse_matcher('service!="x"'),)), 'it would silence everything, or nearly so: ser'),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(draft: SilenceDraft, said: str) -> None:
    with pytest.raises(WrongSilence, match=said):
        require_sensible(draft, NOW)


def test_all_can_be_silenced_where_that_is_meant() -> None:
    require_sensible(replace(DRAFT, matchers=()), NOW, everything=True)


def test_its_window_ends_when_it_is_over_or_was_ended() -> None:
    ended = replace(SILENCE, ended_ms=NOW + 5, ended_by="bob")
    windows = [SILENCE.window(), ended.window(), replace(ended, from_ms=NOW + 10).window()]

    assert [None if one is None else (one.because, one.id, one.from_ms, one.to_ms) for one in windows] == [
        (Because.SILENCE, "SIL-1", NOW, NOW + HOUR),
        (Because.SILENCE, "SIL-1", NOW, NOW + 5),
        None,
    ]


def test_it_is_planned_then_silent_then_over() -> None:
    states = [SILENCE.state(at) for at in (NOW - 1, NOW, NOW + HOUR - 1, NOW + HOUR)]
    assert states == ["planned", "silent", "silent", "over"]
