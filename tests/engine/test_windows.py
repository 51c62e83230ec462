"""The windows that the engine collects: from silences, maintenance and sources, reachable or not."""

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.engine.planners import DAY, HOUR, MINUTE, NOW, Desk, HandSource, window
from tests.engine.stores import FaultyDatabase, StoreFault, until
from watchkeeper.config.planned import Planned
from watchkeeper.domain.change import Change, ChangeState
from watchkeeper.domain.expected import Because, Selection
from watchkeeper.domain.maintenance import Maintenance, Once, Recurring, Span
from watchkeeper.domain.matchers import parse_matcher
from watchkeeper.domain.silence import SilenceDraft
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.windows import MAX_WINDOWS
from watchkeeper.store.silences import StoredSilences

SHOP = Selection(frozenset({"shop"}))
DRAFT = SilenceDraft((parse_matcher('service="shop"'),), "alice", "why", NOW, NOW + HOUR)


def hourly(after_ms: int) -> int:
    return after_ms - after_ms % HOUR + HOUR


def test_a_silence_counts_from_when_it_is_made_until_it_is_ended(database: FaultyDatabase, figures: Figures) -> None:
    desk = Desk(database, figures)
    stored = StoredSilences(database)
    assert desk.look() == []
    stored.add(DRAFT, NOW)
    assert desk.look() == ["SIL-1"]
    assert figures.registry.get_sample_value("watchkeeper_windows", {"because": "silence"}) == 1

    desk.now_ms += MINUTE
    stored.end("SIL-1", "bob", desk.now_ms)
    assert desk.look() == []
    assert [one.to_ms for one in desk.told[-1]] == [NOW + MINUTE]
    assert figures.registry.get_sample_value("watchkeeper_windows", {"because": "silence"}) == 0


def test_silences_stay_while_the_database_is_away(database: FaultyDatabase, figures: Figures) -> None:
    desk = Desk(database, figures)
    StoredSilences(database).add(DRAFT, NOW)
    desk.look()
    database.close()
    assert database.file is not None
    database.file.rename(database.file.with_suffix(".away"))
    with capture_logs() as logs:
        assert desk.look() == ["SIL-1"]
        assert desk.look() == ["SIL-1"]
        desk.now_ms = NOW + HOUR
        assert desk.look() == []

    assert [one["event"] for one in logs if one["event"] == "silences_unread"] == ["silences_unread"]


def test_maintenance_is_planned_a_week_ahead_and_anew_each_hour(database: FaultyDatabase, figures: Figures) -> None:
    often = Maintenance("often", "often", SHOP, Recurring(hourly, MINUTE, ""))
    desk = Desk(database, figures, planned=Planned(maintenance=(often,)))
    desk.look()
    [first] = desk.told
    desk.now_ms += HOUR - 1
    desk.look()
    assert desk.told == [first]
    desk.now_ms += 1
    assert desk.look() == ["often"]

    then = desk.told[-1]
    assert (first[0].from_ms, first[-1].from_ms) == (NOW - DAY, NOW + 7 * DAY)
    assert (then[0].from_ms, then[-1].from_ms) == (NOW - DAY + HOUR, NOW + 7 * DAY + HOUR)


def test_changes_stay_for_a_week_after_they_are_over_and_others_for_a_day(
    database: FaultyDatabase, figures: Figures
) -> None:
    source = HandSource("cab", window("chg", NOW - 6 * DAY, NOW - 5 * DAY))
    old = Maintenance("old", "old", SHOP, Once(Span(NOW - 3 * DAY, NOW - 2 * DAY)))
    desk = Desk(database, figures, source, planned=Planned(maintenance=(old,)))
    desk.look()
    assert [one.id for one in desk.told[-1]] == ["chg"]


def test_a_change_that_nobody_approved_holds_nothing_back(database: FaultyDatabase, figures: Figures) -> None:
    common = (Because.CHANGE, "chg", "chg", NOW, NOW + HOUR, SHOP, "cab")
    states = [Change(*common, ref=state.value, state=state) for state in ChangeState]
    desk = Desk(database, figures, HandSource("cab", *states))
    desk.look()
    assert [one.ref for one in desk.told[-1]] == ["approved", "done", "under_way"]


def test_a_source_that_can_not_be_reached_keeps_what_it_told_and_is_told_once(
    database: FaultyDatabase, figures: Figures
) -> None:
    source = HandSource("cab", window("chg", NOW, NOW + HOUR))
    desk = Desk(database, figures, source)
    desk.look()
    source.away = "can not be reached"
    with capture_logs() as logs:
        for _ in range(5):
            desk.now_ms += 10 * MINUTE
            assert desk.look() == ["chg"]
        [state] = desk.windows.states()
        assert (state.failure, state.read_ms, state.windows) == ("can not be reached", NOW, 1)
        assert figures.registry.get_sample_value("watchkeeper_window_source_stale", {"source": "cab"}) == 1
        desk.now_ms += 10 * MINUTE
        assert desk.look() == []
        source.away = ""
        desk.now_ms += MINUTE
        desk.look()

    assert [one["event"] for one in logs] == ["window_source_failing", "window_source_back"]
    assert (logs[0]["source"], logs[0]["windows"], logs[0]["read"]) == ("cab", 1, "2026-11-25 00:00:00Z")
    assert figures.registry.get_sample_value("watchkeeper_window_source_stale", {"source": "cab"}) == 0


def test_a_restart_forgets_nothing_that_was_told_before_a_source_went_away(
    database: FaultyDatabase, figures: Figures
) -> None:
    source = HandSource("cab", window("chg", NOW, NOW + HOUR))
    Desk(database, figures, source).look()
    source.away = "can not be reached"
    again = Desk(database, figures, source)
    again.windows.load()
    again.windows.step()
    assert [one.id for one in again.told[-1]] == ["chg"]
    assert again.look() == ["chg"]
    assert again.windows.states()[0].read_ms == NOW


def test_what_is_told_no_more_is_expected_no_more(database: FaultyDatabase, figures: Figures) -> None:
    source = HandSource("cab", window("chg", NOW, NOW + HOUR))
    desk = Desk(database, figures, source)
    desk.look()
    source.windows = ()
    desk.now_ms += 5 * MINUTE
    assert desk.look() == []
    source.away = "can not be reached"
    again = Desk(database, figures, source)
    assert again.look() == []


def test_a_source_that_is_configured_no_more_is_forgotten(database: FaultyDatabase, figures: Figures) -> None:
    desk = Desk(database, figures, HandSource("cab", window("chg", NOW, NOW + HOUR)))
    assert desk.look() == ["chg"]
    desk.windows.revise(Planned())
    assert desk.look() == []
    assert figures.registry.get_sample_value("watchkeeper_window_source_stale", {"source": "cab"}) is None


def test_a_reload_keeps_what_a_source_told_until_it_was_read_again(
    database: FaultyDatabase, figures: Figures
) -> None:
    desk = Desk(database, figures, HandSource("cab", window("chg", NOW, NOW + HOUR)))
    desk.look()
    other = HandSource("cab")
    other.away = "can not be reached"
    desk.windows.revise(Planned(), [other])
    assert desk.look() == ["chg"]
    assert other.reads == 1


def test_windows_are_known_though_the_database_does_not_take_them(database: FaultyDatabase, figures: Figures) -> None:
    source = HandSource("cab", window("chg", NOW, NOW + HOUR))
    desk = Desk(database, figures, source)
    database.faults.extend([StoreFault.REFUSED] * 2)
    with capture_logs() as logs:
        assert desk.look() == ["chg"]
    assert {one["event"] for one in logs} == {"windows_not_written"}
    desk.now_ms += 5 * MINUTE
    desk.look()
    source.away = "can not be reached"
    assert Desk(database, figures, source).look() == ["chg"]


def test_too_many_windows_are_bounded_the_next_ones_first(database: FaultyDatabase, figures: Figures) -> None:
    def many(source: str) -> HandSource:
        return HandSource(
            source, *(window(f"{n}", NOW + n * MINUTE, NOW + n * MINUTE + 1, source=source) for n in range(5000))
        )

    desk = Desk(database, figures, many("a"), many("b"), many("c"))
    with capture_logs() as logs:
        desk.look()
        desk.look()

    assert len(desk.told[-1]) == MAX_WINDOWS
    assert desk.told[-1][-1].from_ms == NOW + (MAX_WINDOWS // 3) * MINUTE
    assert [one["windows"] for one in logs if one["event"] == "windows_too_many"] == [15_000]


spans = st.lists(st.tuples(st.integers(-30, 30), st.integers(1, 60)), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans, st.integers(0, 20), st.lists(st.integers(0, 90), min_size=1, max_size=5), st.booleans())
def test_a_window_of_an_unreachable_source_ends_at_its_end(
    database: FaultyDatabase, lengths: list[tuple[int, int]], away_from: int, looks: list[int], restarted: bool
) -> None:
    windows = [
        window(f"chg{n}", NOW + begin * MINUTE, NOW + (begin + lasts) * MINUTE)
        for n, (begin, lasts) in enumerate(lengths)
    ]
    source = HandSource("cab", *windows)
    desk = Desk(database, Figures("1"), source)
    desk.look()
    desk.now_ms += away_from * MINUTE
    source.away = "can not be reached"
    if restarted:
        desk = Desk(database, Figures("1"), source)
        desk.windows.load()
    for minute in sorted(looks):
        desk.now_ms = NOW + max(minute, away_from) * MINUTE
        expected = [one.id for one in windows if one.from_ms <= desk.now_ms < one.to_ms]
        assert sorted(desk.look()) == sorted(expected)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans, st.randoms(use_true_random=False))
def test_the_order_in_which_windows_are_told_does_not_matter(
    database: FaultyDatabase, lengths: list[tuple[int, int]], random: Random
) -> None:
    sources = [
        HandSource(f"s{n}", window("chg", NOW + begin * MINUTE, NOW + (begin + lasts) * MINUTE, source=f"s{n}"))
        for n, (begin, lasts) in enumerate(lengths)
    ]
    first = Desk(database, Figures("1"), *sources)
    first.look()
    random.shuffle(sources)
    then = Desk(database, Figures("1"), *sources)
    then.look()
    assert then.told[-1] == first.told[-1]


def test_it_works_by_itself_and_hears_of_a_silence_at_once(database: FaultyDatabase, figures: Figures) -> None:
    desk = Desk(database, figures, HandSource("cab", window("chg", NOW, NOW + HOUR)))
    desk.windows.begin()
    try:
        until(lambda: bool(desk.told) and [one.id for one in desk.told[-1]] == ["chg"])
        StoredSilences(database).add(replace(DRAFT, from_ms=NOW + 1), NOW)
        desk.windows.wake()
        until(lambda: [one.id for one in desk.told[-1]] == ["chg", "SIL-1"])
    finally:
        desk.windows.end(5)
