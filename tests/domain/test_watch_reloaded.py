"""A reload: what a rule keeps, and what follows at once when it says something else."""

from collections.abc import Sequence
from dataclasses import replace

from tests.domain.made import AT_ONCE, When, is_down, plan, probe, rule, sample
from watchkeeper.domain.alert import AlertState
from watchkeeper.domain.effect import AlertChanged, Effect, IncidentChanged
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Hold, Rule, Scope
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.domain.window import Points, Unanswerable

DOWN = Status.DOWN


def used_over(limit: float, hold: Hold = AT_ONCE, **more: object) -> Rule:
    one = rule("full", When(lambda scope: scope.sample.values["used"] > limit), hold)
    return replace(one, when=f"used > {limit}", **more)  # type: ignore[arg-type]


def watch_of(one: Plan, *, has_history: bool = False) -> Watch:
    watch = Watch(one, has_history=has_history)
    assert watch.revise(one, 0) == []
    return watch


def told(effects: Sequence[Effect]) -> list[tuple[str, int]]:
    return [(one.happening.value, one.at_ms) for one in effects if isinstance(one, IncidentChanged)]


def states(effects: Sequence[Effect]) -> list[AlertState]:
    return [one.after.state for one in effects if isinstance(one, AlertChanged)]


def test_a_rule_that_says_something_else_is_asked_at_once() -> None:
    watch = watch_of(plan(probe(), used_over(90)))
    watch.observe(sample(1000, used=85))
    assert told(watch.revise(plan(probe(), used_over(80)), 2000)) == [("opened", 2000)]
    assert told(watch.revise(plan(probe(), used_over(88)), 3000)) == [("resolved", 3000)]


def test_a_rule_that_is_new_is_asked_at_once() -> None:
    watch = watch_of(plan(probe()))
    watch.observe(sample(1000, used=85))
    assert told(watch.revise(plan(probe(), used_over(80)), 2000)) == [("opened", 2000)]


def test_a_rule_that_is_worded_anew_keeps_what_it_waits_for() -> None:
    watch = watch_of(plan(probe(), used_over(80, Hold(for_ms=60_000))))
    watch.observe(sample(1000, used=85))
    assert watch.revise(plan(probe(), used_over(80, Hold(for_ms=60_000), runbook="https://new")), 2000) == []
    assert told(watch.advance(61_000)) == [("opened", 61_000)]


def test_a_condition_that_is_broken_into_other_lines_is_the_same() -> None:
    hold = Hold(for_ms=60_000)
    watch = watch_of(plan(probe(), replace(used_over(80, hold), when="used > 80 && up")))
    watch.observe(sample(1000, used=85))
    assert watch.revise(plan(probe(), replace(used_over(80, hold), when="used > 80\n  && up")), 30_000) == []


def test_what_waits_under_another_condition_waits_anew() -> None:
    watch = watch_of(plan(probe(), used_over(80, Hold(for_ms=60_000))))
    watch.observe(sample(1000, used=85))
    revised = watch.revise(plan(probe(), used_over(70, Hold(for_ms=60_000))), 30_000)
    assert states(revised) == [AlertState.INACTIVE, AlertState.PENDING]
    assert watch.advance(89_999) == []
    assert told(watch.advance(90_000)) == [("opened", 90_000)]


def test_a_firing_alert_goes_on_where_the_new_condition_holds_too() -> None:
    watch = watch_of(plan(probe(), used_over(80)))
    watch.observe(sample(1000, used=95))
    assert told(watch.revise(plan(probe(), used_over(90)), 2000)) == []
    assert [incident.id for incident in watch.incidents.values()] == [1]


def test_a_new_end_is_asked_for_at_once() -> None:
    watch = watch_of(plan(probe(), used_over(80)))
    watch.observe(sample(1000, used=95))
    relief = {"http": When(lambda scope: scope.sample.values["used"] < 70)}
    watch.revise(plan(probe(), used_over(80, relief=relief, resolve_when="used < 70")), 2000)
    assert told(watch.observe(sample(3000, used=75))) == []
    assert told(watch.revise(plan(probe(), used_over(80)), 4000)) == [("resolved", 4000)]


def test_what_has_not_been_heard_of_for_long_is_not_asked() -> None:
    watch = watch_of(plan(probe(), used_over(90)))
    watch.observe(sample(1000, used=85))
    assert watch.revise(plan(probe(), used_over(80)), 3_600_000) == []


def mean_over_80(scope: Scope) -> bool:
    values = scope.window.points("used", 60_000, scope.now_ms).values
    return sum(values) / len(values) > 80


def test_a_rule_that_asks_for_history_is_asked_when_it_is_there() -> None:
    watch = watch_of(plan(probe(), rule()), has_history=True)
    watch.observe(sample(50_000, used=99))
    hourly = replace(rule("full", When(mean_over_80, {"used": 60_000})), when="mean over 80")
    assert watch.revise(plan(probe(), rule(), hourly), 51_000) == []
    effects = watch.fill("home", {"used": Points([30_000, 40_000], [90.0, 91.0])}, 52_000)
    assert told(effects) == [("opened", 52_000)]
    assert watch.fill("home", {}, 53_000) == []


def test_a_rule_that_can_not_tell_at_once_is_not_asked_twice() -> None:
    asked: list[int] = []

    def ask(scope: Scope) -> bool:
        asked.append(scope.now_ms)
        raise Unanswerable("no")

    watch = watch_of(plan(probe(), rule()))
    watch.observe(sample(1000))
    watch.revise(plan(probe(), rule(), rule("other", ask)), 2000)
    watch.observe(sample(3000))
    assert asked == [2000, 3000]
    assert is_down(watch.subjects["home"].scope(sample(1, DOWN), 1))


def test_a_sample_counts_once_however_often_a_rule_is_held_anew() -> None:
    watch = watch_of(plan(probe(), used_over(90, Hold(failures=3, of=3))))
    watch.observe(sample(1000, used=95))
    for now_ms in range(2000, 10_000, 1000):
        hold = Hold(failures=3, of=3, keep_firing_for_ms=now_ms)
        assert watch.revise(plan(probe(), used_over(90, hold)), now_ms) == []
    watch.observe(sample(61_000, used=95))
    assert told(watch.observe(sample(121_000, used=95))) == [("opened", 121_000)]


def test_where_fewer_failures_are_enough_they_are_enough_at_once() -> None:
    watch = watch_of(plan(probe(), used_over(90, Hold(failures=3, of=3))))
    watch.observe(sample(1000, used=95))
    watch.observe(sample(61_000, used=95))
    assert told(watch.revise(plan(probe(), used_over(90, Hold(failures=2, of=2))), 62_000)) == [("opened", 62_000)]


def test_a_wait_that_is_over_by_the_time_it_is_shortened_ends_now_and_not_before() -> None:
    watch = watch_of(plan(probe(), used_over(90, Hold(for_ms=3_600_000))))
    for at_ms in range(1000, 600_000, 60_000):
        watch.observe(sample(at_ms, used=95))
    assert told(watch.revise(plan(probe(), used_over(90, Hold(for_ms=60_000))), 600_000)) == [("opened", 600_000)]
    assert watch.advance(700_000) == []


def test_what_was_over_under_another_condition_is_over_anew() -> None:
    hold = Hold(keep_firing_for_ms=60_000)
    watch = watch_of(plan(probe(), used_over(90, hold)))
    watch.observe(sample(1000, used=95))
    watch.observe(sample(31_000, used=85))
    assert watch.revise(plan(probe(), used_over(88, hold)), 40_000) != []
    assert told(watch.advance(99_999)) == []
    assert told(watch.advance(100_000)) == [("resolved", 100_000)]
