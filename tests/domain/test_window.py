"""The window of recent samples."""

import math
from datetime import UTC, datetime

import pytest

from tests.domain.made import sample
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.streak import MOST, change_of, streak_of
from watchkeeper.domain.window import DURATION, UP, Points, Unanswerable, Window

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
DOWN = Status.DOWN


def test_a_window_keeps_only_the_series_that_are_asked_for() -> None:
    window = Window({"used": 1000, DURATION: 1000, UP: 1000})
    window.append(sample(100, Status.UP, used=5.0, free=3.0))
    window.append(sample(200, Status.DOWN))
    window.append(sample(300, Status.UNKNOWN, used=9.0))
    window.append(sample(400, Status.UP, used=math.nan))
    assert [list(part) for part in window.points("used", 1000, 400)] == [[100], [5.0]]
    assert [list(part) for part in window.points(UP, 1000, 400)] == [[100, 200, 400], [1.0, 0.0, 1.0]]
    assert list(window.points(DURATION, 1000, 400).values) == [0.25, 0.25, 0.25]
    with pytest.raises(Unanswerable, match="0 samples of 'free' in the last 1s, 1 needed"):
        window.points("free", 1000, 400)


def test_a_window_ends_now_and_begins_just_after_its_length_ago() -> None:
    window = Window({"used": 1000})
    for at_ms in (100, 200, 300):
        window.append(sample(at_ms, used=float(at_ms)))
    assert list(window.points("used", 200, 300).values) == [200.0, 300.0]
    assert list(window.points("used", 200, 250).values) == [100.0, 200.0]
    with pytest.raises(Unanswerable):
        window.points("used", 200, 300, at_least=3)
    with pytest.raises(Unanswerable):
        window.points("used", 50, 400)


def test_a_window_that_replaces_another_takes_over_its_points() -> None:
    old = Window({"used": 1000, "free": 1000})
    for at_ms in (100, 900, 1000):
        old.append(sample(at_ms, used=1.0, free=2.0))
    new = Window({"used": 500, UP: 500})
    new.keep(old)
    assert list(new.points("used", 500, 1000).times) == [900, 1000]
    with pytest.raises(Unanswerable):
        new.points(UP, 500, 1000)


def test_history_that_is_awaited_has_no_answers_until_it_is_there() -> None:
    names = {"used": 1000, change_of("used"): 1000, streak_of(Status.DOWN): 1000}
    window = Window(names)
    window.await_history()
    assert window.awaited == names
    window.append(sample(900, Status.DOWN, used=1.0))
    for ask in (
        lambda: window.points("used", 1000, 900),
        lambda: window.changed("used", 1000, 900),
        lambda: window.in_a_row(Status.DOWN),
    ):
        with pytest.raises(Unanswerable, match="is not read yet"):
            ask()
    window.fill(dict.fromkeys(names, Points([700, 800], [0.0, 0.0])))
    assert window.awaited == {}
    assert list(window.points("used", 1000, 900).times) == [700, 800, 900]
    assert window.changed("used", 1000, 900)
    assert window.in_a_row(Status.DOWN) == 3


def test_a_window_that_became_longer_awaits_what_it_lacks() -> None:
    old = Window({"used": 500, "free": 500, change_of("used"): 500})
    old.append(sample(100, used=1.0, free=1.0))
    new = Window({"used": 1000, "free": 500, change_of("used"): 1000})
    new.keep(old)
    new.await_history()
    assert new.awaited == {"used": 1000, change_of("used"): 1000}
    new.fill({"used": Points([10, 100], [3.0, 4.0]), change_of("used"): Points([10, 100], [3.0, 4.0])})
    assert list(new.points("used", 1000, 100).values) == [3.0, 1.0]
    assert new.changed("used", 1000, 100)


# Runs in a row.


def in_a_row(statuses: str, status: Status) -> int:
    """Of u(p), d(own) and ?, one each second."""
    window = Window({streak_of(status): 1})
    for at, letter in enumerate(statuses):
        window.append(sample(1000 * at, {"u": Status.UP, "d": Status.DOWN, "?": Status.UNKNOWN}[letter]))
    return window.in_a_row(status)


@pytest.mark.parametrize(
    ("statuses", "downs", "ups"),
    [
        ("", 0, 0),
        ("u", 0, 1),
        ("d", 1, 0),
        ("udd", 2, 0),
        ("ddu", 0, 1),
        ("d?d", 2, 0),
        ("dd??", 2, 0),
        ("?u?", 0, 1),
    ],
)
def test_runs_in_a_row_are_counted_and_unknown_ones_neither_count_nor_break(
    statuses: str, downs: int, ups: int
) -> None:
    assert (in_a_row(statuses, Status.DOWN), in_a_row(statuses, Status.UP)) == (downs, ups)


def test_no_more_runs_in_a_row_are_counted_than_are_found_again_after_a_start() -> None:
    assert in_a_row("d" * (MOST + 10), Status.DOWN) == MOST


@pytest.mark.parametrize(
    ("before", "since", "expected"),
    [([0, 0], "d", 3), ([0, 1], "d", 1), ([1, 0, 0], "?d", 3), ([0, 0], "u", 0), ([0, 0], "ud", 1), ([0, 0], "", 2),
     ([], "dd", 2)],
)  # fmt: skip
def test_runs_in_a_row_go_on_from_history(before: list[float], since: str, expected: int) -> None:
    window = Window({streak_of(Status.DOWN): 1})
    window.await_history()
    for at, letter in enumerate(since):
        window.append(sample(1000 + at, {"u": Status.UP, "d": Status.DOWN, "?": Status.UNKNOWN}[letter]))
    # What history says of the time after the first sample is known already.
    times = [*range(len(before)), 1001, 1002]
    window.fill({streak_of(Status.DOWN): Points(times, [*before, 0.0, 0.0])})
    assert window.in_a_row(Status.DOWN) == (expected if since else expected + 2)


def test_history_that_is_read_twice_counts_once() -> None:
    history = {streak_of(DOWN): Points([1, 2], [0.0, 0.0]), change_of("used"): Points([1, 2], [0.0, 1.0])}
    window = Window(dict.fromkeys(history, 1000))
    window.fill(history)
    again = Window(dict.fromkeys(history, 2000))
    again.keep(window)
    again.fill(history)
    again.append(sample(3, DOWN, used=1.0))
    assert again.in_a_row(DOWN) == 3
    assert again.changed("used", 1000, 3)


def test_runs_in_a_row_go_on_over_a_reload() -> None:
    old, new = Window({streak_of(Status.DOWN): 1}), Window({streak_of(Status.DOWN): 1})
    old.append(sample(1, Status.DOWN))
    new.keep(old)
    new.await_history()
    new.append(sample(2, Status.DOWN))
    assert (new.awaited, new.in_a_row(Status.DOWN)) == ({}, 2)


# Changes.


def changed(values: list[float | None], span_ms: int = 10_000) -> bool:
    window = Window({change_of("used"): span_ms})
    for at, value in enumerate(values):
        window.append(sample(1000 * at) if value is None else sample(1000 * at, used=value))
    return window.changed("used", span_ms, 1000 * (len(values) - 1))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0], False),
        ([1.0, 1.0], False),
        ([1.0, 2.0], True),
        ([1.0, 2.0, 1.0, 1.0], True),
        ([1.0, None, 1.0], False),
        ([1.0, None, 2.0], True),
        ([1.0, 1.0 + 2.0**-23], False),
        ([0.0, 5e-324], True),
        ([1.0, math.nan, 1.0], False),
        ([1.0, math.inf, 1.0], False),
        ([0.0, -0.0], False),
    ],
)
def test_a_value_changed_if_two_samples_that_follow_one_another_differ(
    values: list[float | None], expected: bool
) -> None:
    assert changed(values) is expected


def test_both_samples_of_a_change_are_in_its_window() -> None:
    values: list[float | None] = [1.0, 2.0, 2.0, 2.0]
    assert changed(values, 3001)
    assert not changed(values, 3000)
    with pytest.raises(Unanswerable, match="0 samples of 'used' in the last 1s, 1 needed"):
        changed([1.0, 2.0, None, None], 1000)


def test_facts_and_the_status_change_too() -> None:
    window = Window({change_of("file"): HOUR_MS, change_of("serial"): HOUR_MS, change_of("status"): HOUR_MS})

    def after(at_ms: int, status: Status, file: str, serial: float) -> tuple[bool, bool, bool]:
        window.append(Sample("home", at_ms, status, facts={"file": file, "serial": serial}))
        return (
            window.changed("status", 2500, at_ms),
            window.changed("file", 2500, at_ms),
            window.changed("serial", 2500, at_ms),
        )

    assert after(1000, Status.UP, "a", 2026010101.0) == (False, False, False)
    assert after(2000, Status.DOWN, "a", 2026010101.0) == (True, False, False)
    assert after(3000, Status.DOWN, "b", 2026010102.0) == (True, True, True), "facts are compared exactly"
    assert after(4000, Status.UNKNOWN, "c", 1.0) == (False, True, True), "what is unknown says nothing"


def test_a_fact_may_be_of_any_type() -> None:
    window = Window({change_of("last"): HOUR_MS})
    for at_ms, fact in enumerate((datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))):
        window.append(Sample("home", at_ms, Status.UP, facts={"last": fact}))
    assert not window.changed("last", 1000, 1)
    window.append(Sample("home", 2, Status.UP, facts={"last": "never"}))
    assert window.changed("last", 1000, 2)


def after_a_start(history: Points, at_ms: int, value: float) -> Window:
    window = Window({change_of("used"): 24 * HOUR_MS})
    window.await_history()
    window.append(sample(at_ms, used=value))
    window.fill({change_of("used"): history})
    return window


def test_a_change_is_known_from_history() -> None:
    history = Points([10 * MINUTE_MS, 20 * MINUTE_MS, 30 * MINUTE_MS], [1.0, 2.0, 2.0])
    window = after_a_start(history, 40 * MINUTE_MS, 2.0)
    assert window.changed("used", 31 * MINUTE_MS, 40 * MINUTE_MS)
    assert not window.changed("used", 30 * MINUTE_MS, 40 * MINUTE_MS)
    assert after_a_start(history, 40 * MINUTE_MS, 3.0).changed("used", 11 * MINUTE_MS, 40 * MINUTE_MS)


def test_what_history_is_off_by_is_no_change() -> None:
    third = 1 / 3
    stored = float.fromhex("0x1.555556p-2")  # as 32 bits
    window = after_a_start(Points([0, MINUTE_MS], [stored, stored]), 2 * MINUTE_MS, third)
    assert not window.changed("used", HOUR_MS, 2 * MINUTE_MS)

    # Minutes of past hours are steps of 1/63 of what the hour varied by.
    times = [n * MINUTE_MS for n in range(60)]
    steps = [0.0, 100.0] + [63 * 100 / 126] * 58
    window = after_a_start(Points(times, steps), HOUR_MS, 50.4)
    assert not window.changed("used", 30 * MINUTE_MS, HOUR_MS)
    assert window.changed("used", HOUR_MS, HOUR_MS)
    window = after_a_start(Points(times, steps), HOUR_MS, 60.0)
    assert window.changed("used", 30 * MINUTE_MS, HOUR_MS)


def test_the_first_sample_after_history_may_come_later() -> None:
    window = Window({change_of("used"): HOUR_MS})
    window.fill({change_of("used"): Points([0, MINUTE_MS], [1.0, 1.0])})
    window.append(sample(2 * MINUTE_MS, used=1.0))
    assert not window.changed("used", HOUR_MS, 2 * MINUTE_MS)
    window.append(sample(3 * MINUTE_MS, used=2.0))
    assert window.changed("used", HOUR_MS, 3 * MINUTE_MS)


def test_a_clock_that_is_set_back_makes_no_change() -> None:
    window = Window({change_of("used"): 10_000})
    for at_ms in (5000, 6000, 2000, 3000):
        window.append(sample(at_ms, used=1.0))
    assert not window.changed("used", 10_000, 3000)
    window.append(sample(2500, used=2.0))
    assert window.changed("used", 10_000, 2500)


def test_what_is_not_kept_has_no_answer() -> None:
    with pytest.raises(Unanswerable, match="is not kept"):
        Window({}).changed("used", 1, 1)
    with pytest.raises(Unanswerable, match="is not kept"):
        Window({}).in_a_row(Status.UP)
