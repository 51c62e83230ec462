"""The alert: what one verdict after the other makes of it."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.domain.alert import Alert, AlertRef, AlertState, Verdict, clear, deadline, expire, observe
from watchkeeper.domain.flapping import MASK
from watchkeeper.domain.rule import Hold

REF = AlertRef("down", "home")
STATES = {AlertState.INACTIVE: "-", AlertState.PENDING: "p", AlertState.FIRING: "F"}
VERDICTS = {"x": Verdict.HOLDS, ".": Verdict.OVER, "?": Verdict.UNKNOWN}
STEP_MS = 10

Change = tuple[int, str]
"""When an alert's state changed, and to which."""


def changes(hold: Hold, heard: Iterable[tuple[int, Verdict]], timers: Sequence[int] = ()) -> list[Change]:
    """The changes of state of an alert that hears verdicts, with its clocks looked at now and then."""
    alert, found = Alert(REF), []
    events: list[tuple[int, Verdict | None]] = [(at_ms, None) for at_ms in timers]
    for at_ms, verdict in sorted([*events, *heard], key=lambda event: event[0]):
        steps = (expire(alert, hold, at_ms),) if verdict is None else observe(alert, hold, verdict, at_ms)
        for after in steps:
            if after.state is not alert.state:
                found.append((after.since_ms, STATES[after.state]))
            alert = after
    return found


def drawn(verdicts: str) -> list[tuple[int, Verdict]]:
    """`x.?`: holds, over, unknown, ten ms apart from 10 on. A space is a silence."""
    return [(STEP_MS * n, VERDICTS[mark]) for n, mark in enumerate(verdicts, start=1) if mark != " "]


@pytest.mark.parametrize(
    ("for_ms", "keep_ms", "verdicts", "expected"),
    [
        # Without waiting, the alert follows the condition; it passes through pending at no cost.
        (0, 0, ".x.", [(20, "F"), (30, "-")]),
        (0, 0, "xx..x", [(10, "F"), (30, "-"), (50, "F")]),
        # `for`: the condition must hold without a break.
        (30, 0, "xxx.", [(10, "p"), (40, "-")]),
        (30, 0, "xxxx.", [(10, "p"), (40, "F"), (50, "-")]),
        (25, 0, "xxxx.", [(10, "p"), (35, "F"), (50, "-")]),
        (30, 0, "xx.xxxx", [(10, "p"), (30, "-"), (40, "p"), (70, "F")]),
        (30, 0, "x   x", [(10, "p"), (40, "F")]),
        (30, 0, "x   .", [(10, "p"), (40, "F"), (50, "-")]),
        (30, 0, "x  .", [(10, "p"), (40, "-")]),
        # `keep_firing_for`: the condition must be over without a break.
        (0, 30, "x...x....", [(10, "F"), (80 + 10, "-")]),
        (0, 25, "x....", [(10, "F"), (45, "-")]),
        (0, 30, "x.   x", [(10, "F"), (50, "-"), (60, "F")]),
        (0, 30, "x.  x.", [(10, "F")]),
        # What is unknown opens nothing, ends nothing, and stops the clocks: its time does not count.
        (0, 0, "?x?.?", [(20, "F"), (40, "-")]),
        (30, 0, "x????", [(10, "p")]),
        (30, 0, "x????xxx", [(10, "p"), (80, "F")]),
        (30, 0, "x????x.", [(10, "p"), (70, "-")]),
        (30, 0, "x????.", [(10, "p"), (60, "-")]),
        (30, 0, "x?xxx", [(10, "p"), (50, "F")]),
        (30, 0, "x?x?x?xx", [(10, "p"), (70, "F")]),
        (0, 30, "x.????", [(10, "F")]),
        (0, 30, "x.????...", [(10, "F"), (90, "-")]),
        (0, 30, "x.????x", [(10, "F")]),
        (0, 30, "x.?...", [(10, "F"), (60, "-")]),
        (0, 0, "x???", [(10, "F")]),
        (30, 0, "??", []),
        # A clock that ran out before the unknown was heard has run out.
        (25, 0, "x  ?", [(10, "p"), (35, "F")]),
    ],
)  # fmt: skip
def test_an_alert_goes_its_way(for_ms: int, keep_ms: int, verdicts: str, expected: list[Change]) -> None:
    found = changes(Hold(for_ms, keep_ms), drawn(verdicts))
    assert [change for change in found if for_ms or change[1] != "p"] == expected


def test_an_alert_remembers_since_when_its_condition_holds() -> None:
    hold = Hold(for_ms=30, keep_firing_for_ms=100)
    alert = Alert(REF)
    for at_ms, verdict in drawn("xxxxx."):
        for after in observe(alert, hold, verdict, at_ms):
            alert = after
    assert alert == Alert(REF, AlertState.FIRING, since_ms=40, active_since_ms=10, clear_since_ms=60, recent=0b111110)


def test_a_verdict_that_changes_nothing_gives_no_state() -> None:
    firing = Alert(REF, AlertState.FIRING, 10, 10, recent=MASK)
    pending = Alert(REF, AlertState.PENDING, 10, 10, recent=MASK)
    assert observe(Alert(REF), Hold(), Verdict.OVER, 20) == ()
    assert observe(Alert(REF), Hold(), Verdict.UNKNOWN, 20) == ()
    assert observe(firing, Hold(), Verdict.HOLDS, 20) == ()
    assert observe(pending, Hold(50), Verdict.HOLDS, 20) == ()


def test_a_clock_runs_only_while_something_is_known() -> None:
    pending = Alert(REF, AlertState.PENDING, 10, 10)
    assert deadline(pending, Hold(30)) == 40
    [stalled] = observe(pending, Hold(30), Verdict.UNKNOWN, 20)
    assert deadline(stalled, Hold(30)) is None
    assert expire(stalled, Hold(30), 10**9) is stalled
    assert deadline(Alert(REF), Hold(30)) is None
    assert deadline(Alert(REF, AlertState.FIRING, 10, 10), Hold(30, 30)) is None


def test_a_clock_that_has_not_run_out_changes_nothing() -> None:
    pending = Alert(REF, AlertState.PENDING, 10, 10)
    assert expire(pending, Hold(30), 39) is pending
    assert expire(pending, Hold(30), 40).state is AlertState.FIRING
    assert expire(pending, Hold(30), 99).since_ms == 40


def test_clearing_leaves_nothing_behind() -> None:
    assert clear(Alert(REF, AlertState.FIRING, 10, 10, 20, stalled_since_ms=25, paused_ms=3), 30) == Alert(
        REF, since_ms=30
    )


HOLDS = st.builds(Hold, st.sampled_from((0, 1, 5, 7, 20)), st.sampled_from((0, 1, 5, 7, 20)))
HEARD = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(list(Verdict))), max_size=30).map(
    lambda gaps: [(sum(gap for gap, _ in gaps[: n + 1]), verdict) for n, (_, verdict) in enumerate(gaps)]
)


def by_the_millisecond(hold: Hold, heard: Sequence[tuple[int, Verdict]], end: int) -> list[Change]:
    """The same by brute force: what is known at each ms, and for how many ms it has been so.

    Between two verdicts the last one is taken to go on. What is unknown goes on as well: nothing is counted then.
    """
    state, found = "-", []
    held: int | None = None  # for how long the condition has held
    over: int | None = None  # for how long it has been over, while firing
    verdicts, known = dict(heard), Verdict.OVER
    for now in range(end + 1):
        if known is Verdict.HOLDS and held is not None:
            held += 1
        if known is Verdict.OVER and over is not None:
            over += 1
        # At the very time of a verdict the verdict counts, and no clock runs out before it.
        known = verdicts.get(now, known)
        if known is Verdict.UNKNOWN:
            continue
        if known is Verdict.HOLDS:
            held, over = 0 if held is None else held, None
        elif state == "F":
            over = 0 if over is None else over
        else:
            held = None
        before = state
        if state != "F":
            state = "-" if held is None else "F" if held >= hold.for_ms else "p"
        elif over is not None and over >= hold.keep_firing_for_ms:
            state, held, over = "-", None, None
        if state != before:
            found.append((now, state))
    return found


@settings(max_examples=400, deadline=None, derandomize=True)
@given(HOLDS, HEARD)
def test_an_alert_does_as_a_model_that_looks_every_millisecond(hold: Hold, heard: list[tuple[int, Verdict]]) -> None:
    end = (heard[-1][0] if heard else 0) + 50
    assert changes(hold, heard, timers=[end]) == by_the_millisecond(hold, heard, end)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(HOLDS, HEARD, st.lists(st.integers(0, 200), max_size=20))
def test_it_does_not_matter_how_often_or_late_clocks_are_looked_at(
    hold: Hold, heard: list[tuple[int, Verdict]], timers: list[int]
) -> None:
    end = (heard[-1][0] if heard else 0) + 50
    times = {at_ms for at_ms, _ in heard}
    some = [at_ms for at_ms in timers if at_ms not in times and at_ms <= end]
    assert changes(hold, heard, [*some, end]) == changes(hold, heard, [end])


def test_a_clock_that_is_set_back_does_not_make_an_alert_wait_for_what_it_remembers() -> None:
    pending = Alert(REF, AlertState.PENDING, 3_600_000, 3_600_000)
    *_, now = observe(pending, Hold(30), Verdict.HOLDS, 1_000)
    assert deadline(now, Hold(30)) == 1_030
