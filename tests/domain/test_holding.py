"""How long trouble must hold, and what makes it over: failures, relief, silence, flapping."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.made import AT_ONCE, When, plan, probe, rule, sample
from tests.domain.test_alert import REF, STATES, VERDICTS, Change, changes, drawn
from watchkeeper.domain.alert import Alert, AlertState, Verdict, fall_silent, observe
from watchkeeper.domain.effect import AlertChanged, Effect, IncidentChanged
from watchkeeper.domain.flapping import flaps
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Hold, Rule, Scope, Thresholds
from watchkeeper.domain.ticket import Command, CommandKind
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.domain.window import Unanswerable

UP, DOWN, UNKNOWN = Status.UP, Status.DOWN, Status.UNKNOWN
MINUTE = 60_000


@pytest.mark.parametrize(
    ("failures", "of", "verdicts", "expected"),
    [
        (3, 3, "xx.xxx.", [(10, "p"), (30, "-"), (40, "p"), (60, "F"), (70, "-")]),
        (3, 5, "x.x.x.", [(10, "p"), (50, "F"), (60, "-")]),
        (3, 5, "x.x.x..xx", [(10, "p"), (50, "F"), (60, "-"), (80, "p"), (90, "F")]),
        (2, 5, "x...x", [(10, "p"), (50, "F")]),
        (2, 5, "x....x", [(10, "p")]),
        (2, 5, "x.....x", [(10, "p"), (60, "-"), (70, "p")]),
        (2, 3, "x..", [(10, "p")]),
        (2, 3, "x...", [(10, "p"), (40, "-")]),
        # What could not be told counts neither way.
        (3, 3, "x?x?x", [(10, "p"), (50, "F")]),
        (3, 3, "x??.", [(10, "p"), (40, "-")]),
        (1, 1, "x.", [(10, "F"), (20, "-")]),
        # What fired is over as soon as too few of the last ones hold.
        (3, 5, "xxx..", [(10, "p"), (30, "F")]),
        (3, 5, "xxx...", [(10, "p"), (30, "F"), (60, "-")]),
    ],
)
def test_failures_are_counted(failures: int, of: int, verdicts: str, expected: list[Change]) -> None:
    found = changes(Hold(failures=failures, of=of), drawn(verdicts))
    assert [change for change in found if failures > 1 or change[1] != "p"] == expected


MARKS = st.lists(st.sampled_from(list(VERDICTS)), max_size=60)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(MARKS, st.integers(2, 8), st.integers(0, 5))
def test_it_fires_when_so_many_of_the_last_hold_and_at_no_other_time(
    marks: list[str], failures: int, more: int
) -> None:
    hold = Hold(failures=failures, of=failures + more)
    alert, known = Alert(REF), list[bool]()
    for n, mark in enumerate(marks, start=1):
        for after in observe(alert, hold, VERDICTS[mark], 10 * n):
            alert = after
        if mark != "?":
            known.append(mark == "x")
        enough = sum(known[-hold.of :]) >= failures
        assert (alert.state is AlertState.FIRING) == enough


FLAPPY = Hold(flapping=Thresholds(0.30, 0.25))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(MARKS, st.integers(0, 40))
def test_an_alert_that_flaps_is_never_over_and_any_other_follows_its_condition(marks: list[str], keep: int) -> None:
    hold = replace(FLAPPY, keep_firing_for_ms=keep)
    alert, was_flapping = Alert(REF), False
    for n, mark in enumerate(marks, start=1):
        before = alert
        for after in observe(alert, hold, VERDICTS[mark], 10 * n):
            alert = after
        if mark != "?":
            assert hold.flapping is not None
            was_flapping = flaps(alert.recent, hold.flapping, before=was_flapping)
        assert alert.is_flapping == was_flapping
        if before.state is AlertState.FIRING and alert.state is AlertState.INACTIVE:
            assert not was_flapping or alert.since_ms < 10 * n  # or its time ran out before
        if mark == "x":
            assert alert.state is AlertState.FIRING


def test_flapping_ends_the_alert_when_it_has_calmed_down() -> None:
    found = changes(FLAPPY, drawn("x.x.x.x" + "." * 30))
    state = [(at, mark) for at, mark in found if mark != "p"]
    opened = [at for at, mark in state if mark == "F"]
    assert len(opened) == 3  # two short ones before there is enough to tell by, and the one that is held
    assert state[-1][1] == "-"
    assert state[-1][0] - opened[-1] > 50
    assert STATES[AlertState.FIRING] == "F"


def test_silence_is_trouble_only_to_what_does_not_fire() -> None:
    firing = Alert(REF, AlertState.FIRING, 10, 10)
    assert fall_silent(firing, 20, 50) is firing
    silent = fall_silent(Alert(REF), 20, 50)
    assert (silent.state, silent.since_ms, silent.active_since_ms) == (AlertState.FIRING, 50, 20)
    [stalled] = observe(silent, Hold(), Verdict.UNKNOWN, 60)
    assert stalled.state is AlertState.FIRING
    *_, over = observe(stalled, Hold(), Verdict.OVER, 70)
    assert over.state is AlertState.INACTIVE


def used(scope: Scope) -> float:
    if "used" not in scope.sample.values:
        raise Unanswerable("no used")
    return scope.sample.values["used"]


def over_90(hold: Hold = AT_ONCE, name: str = "full", **more: object) -> Rule:
    return replace(rule(name, When(lambda scope: used(scope) > 90), hold), **more)  # type: ignore[arg-type]


BELOW_80 = {"http": When(lambda scope: used(scope) < 80)}


def watch_of(one: Plan) -> Watch:
    watch = Watch(one)
    assert watch.revise(one, 0) == []
    return watch


def told(effects: Sequence[Effect]) -> list[tuple[str, int]]:
    return [(one.happening.value, one.at_ms) for one in effects if isinstance(one, IncidentChanged)]


def kinds(effects: Sequence[Effect]) -> list[CommandKind]:
    return [one.kind for one in effects if isinstance(one, Command)]


def test_what_has_its_own_end_goes_on_between_the_two_conditions() -> None:
    watch = watch_of(plan(probe(), over_90(relief=BELOW_80, resolve_when="used < 80")))
    said = [watch.observe(sample(n * 1000, used=value)) for n, value in enumerate((85, 95, 85, 89, 79, 85), start=1)]
    assert [told(effects) for effects in said] == [[], [("opened", 2000)], [], [], [("resolved", 5000)], []]


def test_an_end_that_can_not_be_told_ends_nothing() -> None:
    relief = {"http": When(lambda scope: scope.sample.values["other"] < 1)}
    watch = watch_of(plan(probe(), over_90(relief=relief, resolve_when="other < 1")))
    watch.observe(sample(1000, used=95))
    assert told(watch.observe(sample(2000, used=10))) == []
    assert told(watch.observe(sample(3000, used=10, other=0))) == [("resolved", 3000)]


SILENT = Hold(no_data_ms=10 * MINUTE)


def test_silence_is_ignored_unless_the_rule_minds_it() -> None:
    watch = watch_of(plan(probe(), over_90()))
    watch.observe(sample(1000, used=10))
    assert watch.advance(10**9) == []
    assert watch.next_deadline() is None


def test_a_rule_that_minds_silence_opens_an_incident_after_its_time() -> None:
    watch = watch_of(plan(probe(), over_90(SILENT)))
    watch.observe(sample(MINUTE, used=10))
    assert watch.advance(11 * MINUTE - 1) == []
    opened = watch.advance(30 * MINUTE)
    assert told(opened) == [("opened", 11 * MINUTE)]
    [incident] = watch.incidents.values()
    assert (incident.started_ms, incident.opened_ms) == (MINUTE, 11 * MINUTE)
    assert "nothing has been known for 10m" in str(opened)
    assert told(watch.observe(sample(31 * MINUTE, used=95))) == []  # it is trouble all the same
    assert told(watch.observe(sample(32 * MINUTE, used=10))) == [("resolved", 32 * MINUTE)]
    assert told(watch.advance(60 * MINUTE)) == [("opened", 42 * MINUTE)]


@pytest.mark.parametrize("status", [UNKNOWN, UP])
def test_samples_that_tell_nothing_are_silence(status: Status) -> None:
    watch = watch_of(plan(probe(), over_90(SILENT)))
    found = [effect for n in range(1, 12) for effect in watch.observe(sample(n * MINUTE, status))]
    assert told(found) == [("opened", 10 * MINUTE)]


def test_what_nobody_asked_after_a_restart_is_not_silence_yet() -> None:
    one = plan(probe(), over_90(SILENT))
    watch = Watch(one)
    watch.revise(one, 100 * MINUTE)
    assert watch.advance(110 * MINUTE - 1) == []
    assert told(watch.advance(110 * MINUTE)) == [("opened", 110 * MINUTE)]


def test_a_reload_does_not_start_silence_anew() -> None:
    watch = watch_of(plan(probe(), over_90(SILENT)))
    watch.observe(sample(MINUTE, used=10))
    watch.revise(plan(probe(), over_90(SILENT)), 5 * MINUTE)
    assert told(watch.advance(11 * MINUTE)) == [("opened", 11 * MINUTE)]


def test_a_bad_sample_after_silence_does_not_end_what_failures_would_not_have_begun() -> None:
    counting = Hold(failures=3, of=3, no_data_ms=10 * MINUTE)
    watch = watch_of(plan(probe(), over_90(counting)))
    assert told(watch.advance(10 * MINUTE)) == [("opened", 10 * MINUTE)]
    assert told(watch.observe(sample(11 * MINUTE, used=95))) == []
    assert told(watch.observe(sample(12 * MINUTE, used=10))) == [("resolved", 12 * MINUTE)]


def test_time_in_which_nothing_could_be_heard_is_no_silence() -> None:
    watch = watch_of(plan(probe(), over_90(SILENT)))
    watch.observe(sample(MINUTE, used=10))
    watch.stood_still(60 * MINUTE)
    assert told(watch.advance(71 * MINUTE - 1)) == []
    assert told(watch.advance(71 * MINUTE)) == [("opened", 71 * MINUTE)]


def flapping_watch() -> Watch:
    return watch_of(plan(probe(), rule(hold=FLAPPY)))


def test_an_alert_that_flaps_holds_one_incident_with_its_count() -> None:
    watch = flapping_watch()
    effects: list[Effect] = []
    for n in range(1, 201):
        effects += watch.observe(sample(n * 1000, DOWN if n % 2 else UP))
    opened = [at for what, at in told(effects) if what == "opened"]
    assert len(opened) <= 4
    assert kinds(effects).count(CommandKind.CREATE) == len(opened)
    [incident] = watch.incidents.values()
    assert incident.flapping == {REF}
    assert incident.returns == (200 - opened[-1] // 1000) // 2
    assert kinds(effects)[-1] is CommandKind.UPDATE  # that it flaps; nothing for each time it came back
    calm = [effect for n in range(201, 240) for effect in watch.observe(sample(n * 1000))]
    assert [what for what, _ in told(calm)] == ["resolved"]
    assert f"trouble came back {incident.returns} times" in str(calm)


def test_flapping_is_remembered_with_what_is_stored() -> None:
    watch = flapping_watch()
    effects: list[Effect] = []
    for n in range(1, 41):
        effects += watch.observe(sample(n * 1000, DOWN if n % 2 else UP))
    [incident] = watch.incidents.values()
    alert = [one.after for one in effects if isinstance(one, AlertChanged)][-1]
    again = Watch(watch.plan, open_alerts=[alert], open_incidents=[incident], next_incident_id=99)
    more = again.revise(watch.plan, 41_000)
    for n in range(41, 61):
        more += again.observe(sample(n * 1000, DOWN if n % 2 else UP))
    assert {what for what, _ in told(more)} == {"returned"}
    assert kinds(more) == []
