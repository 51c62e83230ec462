"""Silences, as they are kept: nothing of them is lost."""

import pytest

from watchkeeper.domain.matchers import parse_matcher
from watchkeeper.domain.silence import SilenceDraft, WrongSilence
from watchkeeper.store import silences
from watchkeeper.store.database import Database
from watchkeeper.store.silences import StoredSilences

DRAFT = SilenceDraft((parse_matcher('service="shop"'), parse_matcher('env=~"a|b"')), "alice", "why", 1_000, 9_000)


def test_a_silence_is_what_was_asked_for(database: Database) -> None:
    stored = StoredSilences(database)
    made = stored.add(DRAFT, 1_500)

    assert made.number == "SIL-1"
    assert (made.matchers, made.author, made.reason) == (DRAFT.matchers, "alice", "why")
    assert (made.created_ms, made.from_ms, made.to_ms) == (1_500, 1_000, 9_000)
    assert stored.find("sil-1") == made
    assert [stored.find(number) for number in ("SIL-2", "1", "")] == [None, None, None]


def test_one_is_ended_once_and_it_is_kept_by_whom(database: Database) -> None:
    stored = StoredSilences(database)
    stored.add(DRAFT, 1_500)
    ended = stored.end("SIL-1", "bob", 4_000)

    assert ended is not None
    assert (ended.ended_ms, ended.ended_by, ended.until_ms) == (4_000, "bob", 4_000)
    with pytest.raises(WrongSilence, match="SIL-1 is over already"):
        stored.end("SIL-1", "carol", 5_000)
    assert stored.find("SIL-1") == ended
    assert stored.end("SIL-7", "bob", 4_000) is None


def test_those_are_left_that_are_not_over(database: Database) -> None:
    stored = StoredSilences(database)
    for _ in range(3):
        stored.add(DRAFT, 1_500)
    stored.end("SIL-2", "bob", 4_000)

    assert [[one.id for one in stored.left(at)] for at in (3_999, 4_000, 8_999, 9_000)] == [
        [1, 2, 3],
        [1, 3],
        [1, 3],
        [],
    ]
    assert [one.id for one in stored.newest(2)] == [3, 2]


def test_there_is_an_end_to_how_many_there_are(database: Database) -> None:
    stored = StoredSilences(database)
    for _ in range(silences.MAX_AT_ONCE):
        stored.add(DRAFT, 1_500)

    with pytest.raises(WrongSilence, match="there are 1,000 silences already"):
        stored.add(DRAFT, 1_500)
    assert stored.add(DRAFT, 9_000).id == 1001  # they are over
