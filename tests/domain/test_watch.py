"""Keeping watch: samples and time go in, what follows comes out."""

from collections.abc import Iterable
from dataclasses import replace

from tests.domain.made import Text, When, is_full, plan, probe, rule, sample
from watchkeeper.domain.alert import AlertRef, AlertState, stall
from watchkeeper.domain.effect import AlertChanged, Effect, Happening, IncidentChanged, ProbeGone, StatusChanged
from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Hold, Match, Rule, Scope
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import Command, CommandKind, TicketChange, TicketDraft, TicketState
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.domain.window import Points

UP, DOWN, UNKNOWN = Status.UP, Status.DOWN, Status.UNKNOWN
REF = AlertRef("down", "home")


def watch_of(one: Plan) -> Watch:
    watch = Watch(one)
    assert watch.revise(one, 0) == []
    return watch


def happenings(effects: Iterable[Effect]) -> list[tuple[str, int, int]]:
    """What happened to incidents: what, to which, when."""
    return [(one.happening.value, one.incident.id, one.at_ms) for one in effects if isinstance(one, IncidentChanged)]


def commands(effects: Iterable[Effect]) -> list[Command]:
    return [one for one in effects if isinstance(one, Command)]


def waiting(for_ms: int = 0, keep_ms: int = 0, group_by: tuple[str, ...] = ("probe",)) -> Rule:
    return rule(hold=Hold(for_ms, keep_ms), group_by=group_by)


def test_a_failure_opens_one_incident_and_recovery_resolves_it() -> None:
    watch = watch_of(plan(probe(), rule()))
    watch.observe(sample(1000))
    opened = watch.observe(sample(2000, DOWN, message="refused"))
    assert [type(effect) for effect in opened] == [StatusChanged, AlertChanged, IncidentChanged, Command]
    [create] = commands(opened)
    incident = watch.incidents["down/probe=home"]
    assert (incident.id, incident.number, incident.title) == (1, "INC-1", "home is down")
    assert (incident.started_ms, incident.opened_ms, incident.runbook) == (2000, 2000, "https://wiki/run")
    assert (create.kind, create.incident_id, create.backend, create.created_ms) == (
        CommandKind.CREATE,
        1,
        "desk",
        2000,
    )
    assert isinstance(create.payload, TicketDraft)
    assert create.payload.description.startswith("home is down: refused\n")
    assert watch.observe(sample(3000, DOWN)) == []
    resolved = watch.observe(sample(65_000, UP, message="200 OK"))
    assert happenings(resolved) == [("resolved", 1, 65_000)]
    [resolve] = commands(resolved)
    assert (resolve.kind, resolve.key) == (CommandKind.RESOLVE, create.key)
    text = "Over since 1970-01-01 00:01:05Z, after 1m3s: 200 OK\nAffected: home"
    assert resolve.payload == TicketChange(text, TicketState.RESOLVED)
    assert watch.incidents == {}


def test_trouble_that_comes_back_is_a_new_incident_with_a_ticket_of_its_own() -> None:
    watch = watch_of(plan(probe(), rule()))
    first = watch.observe(sample(1000, DOWN))
    watch.observe(sample(2000))
    second = watch.observe(sample(3000, DOWN))
    assert happenings(second) == [("opened", 2, 3000)]
    assert commands(first)[0].key != commands(second)[0].key


def test_a_rule_may_name_its_backend() -> None:
    watch = watch_of(plan(probe(), rule(backend="snow")))
    assert [one.backend for one in commands(watch.observe(sample(1000, DOWN)))] == ["snow"]


def test_a_change_of_status_tells_what_was_before() -> None:
    watch = watch_of(plan(probe()))
    seen = [watch.observe(sample(at, status)) for at, status in ((1, UP), (2, UP), (3, UNKNOWN), (4, DOWN))]
    assert [[(one.before, one.status) for one in step if isinstance(one, StatusChanged)] for step in seen] == [
        [(None, UP)],
        [],
        [(UP, UNKNOWN)],
        [(UNKNOWN, DOWN)],
    ]


def test_a_sample_of_a_probe_that_is_not_watched_is_passed_over() -> None:
    watch = watch_of(plan(probe(), rule()))
    assert watch.observe(sample(1000, DOWN, "other")) == []


def test_what_is_unknown_neither_opens_nor_resolves() -> None:
    watch = watch_of(plan(probe(), rule()))
    assert happenings(watch.observe(sample(1000, UNKNOWN))) == []
    watch.observe(sample(2000, DOWN))
    assert happenings(watch.observe(sample(3000, UNKNOWN))) == []
    assert happenings(watch.observe(sample(4000, UP))) == [("resolved", 1, 4000)]


def test_a_condition_without_an_answer_decides_nothing_and_is_counted() -> None:
    watch = watch_of(plan(probe(), rule("full", is_full)))
    watch.observe(sample(1000, used=95.0))
    assert happenings(watch.observe(sample(2000))) == []
    assert watch.unanswered_total == 1
    [binding] = watch.subjects["home"].bindings
    assert binding.unanswered == "no used"
    assert happenings(watch.observe(sample(3000, used=50.0))) == [("resolved", 1, 3000)]


def test_a_clock_fires_at_its_own_time_with_the_words_of_the_last_sample() -> None:
    watch = watch_of(plan(probe(), waiting(for_ms=60_000)))
    assert happenings(watch.observe(sample(1000, DOWN, message="refused"))) == []
    assert watch.next_deadline() == 61_000
    assert watch.advance(60_999) == []
    effects = watch.advance(99_000)
    assert happenings(effects) == [("opened", 1, 61_000)]
    incident = watch.incidents["down/probe=home"]
    assert (incident.started_ms, incident.opened_ms) == (1000, 61_000)
    assert "refused" in str(commands(effects)[0].payload)
    assert watch.next_deadline() is None


def test_a_clock_that_is_served_by_a_later_sample_does_not_take_that_samples_words() -> None:
    watch = watch_of(plan(probe(), waiting(for_ms=60_000)))
    watch.observe(sample(1000, DOWN, message="refused"))
    effects = watch.observe(sample(90_000, UP, message="200 OK"))
    assert happenings(effects) == [("opened", 1, 61_000), ("resolved", 1, 90_000)]
    create, resolve = commands(effects)
    assert isinstance(create.payload, TicketDraft)
    assert create.payload.title == "home is down"
    assert create.payload.description.startswith("home is down: refused\n")
    assert isinstance(resolve.payload, TicketChange)
    assert resolve.payload.note.endswith(": 200 OK\nAffected: home")


def test_a_clock_of_another_probe_is_served_before_a_later_sample() -> None:
    one = plan(probe("a"), probe("b"), waiting(for_ms=100, group_by=("service",)))
    watch = watch_of(one)
    watch.observe(sample(10, DOWN, "a"))
    watch.observe(sample(20, DOWN, "b"))
    effects = watch.observe(sample(500, UP, "b"))
    assert happenings(effects) == [("opened", 1, 110), ("joined", 1, 120), ("left", 1, 500)]


def test_a_pending_alert_that_recovers_opens_nothing() -> None:
    watch = watch_of(plan(probe(), waiting(for_ms=60_000)))
    watch.observe(sample(1000, DOWN))
    watch.observe(sample(31_000, UP))
    assert watch.next_deadline() is None
    assert watch.advance(10**9) == []


def test_a_short_recovery_does_not_end_an_incident_that_is_kept() -> None:
    watch = watch_of(plan(probe(), waiting(keep_ms=60_000)))
    watch.observe(sample(1000, DOWN))
    assert happenings(watch.observe(sample(2000, UP, message="back"))) == []
    assert watch.next_deadline() == 62_000
    assert happenings(watch.observe(sample(3000, DOWN))) == [("returned", 1, 3000)]
    watch.observe(sample(4000, UP, message="back again"))
    effects = watch.advance(64_000)
    assert happenings(effects) == [("resolved", 1, 64_000)]
    assert "back again" in str(commands(effects)[0].payload)


def test_alerts_of_one_key_are_one_incident_until_the_last_is_over() -> None:
    watch = watch_of(plan(probe("a"), probe("b"), rule(group_by=("service",))))
    steps = [
        watch.observe(sample(at, status, name))
        for at, status, name in (
            (1, DOWN, "a"), (2, DOWN, "b"), (3, UP, "a"), (4, DOWN, "a"), (5, UP, "a"), (6, UP, "b"),
        )
    ]  # fmt: skip
    told = [happened for effects in steps for happened in happenings(effects)]
    assert [(what, number) for what, number, _ in told] == [
        ("opened", 1), ("joined", 1), ("left", 1), ("joined", 1), ("left", 1), ("resolved", 1),
    ]  # fmt: skip
    sent = [command for effects in steps for command in commands(effects)]
    assert [one.kind.value for one in sent] == ["create", "update", "update", "update", "update", "resolve"]
    assert len({one.key for one in sent}) == 1


def test_two_rules_on_one_probe_are_two_incidents() -> None:
    watch = watch_of(plan(probe(), rule("one"), rule("two")))
    assert [what for what, _, _ in happenings(watch.observe(sample(1, DOWN)))] == ["opened", "opened"]
    assert {incident.id for incident in watch.incidents.values()} == {1, 2}


def test_rules_look_back_as_far_as_conditions_and_titles_ask() -> None:
    def mean(scope: Scope) -> float:
        values = scope.window.points("used", 1000, scope.now_ms).values
        return sum(values) / len(values)

    asks = When(lambda scope: mean(scope) > 50, {"used": 1000})
    says = Text(lambda scope: f"{len(scope.window.points('free', 2000, scope.now_ms).values)} free", {"free": 2000})
    watch = watch_of(plan(probe(), rule(when=asks, title=says)))
    assert happenings(watch.observe(sample(100, used=40.0, free=1.0))) == []
    assert happenings(watch.observe(sample(1200, used=80.0, free=1.0))) == [("opened", 1, 1200)]
    assert watch.incidents["down/probe=home"].title == "2 free"


def restarted(watch: Watch, one: Plan, now_ms: int) -> tuple[Watch, list[Effect]]:
    """A watch that begins with what the store has of another: what its effects told."""
    bindings = [binding for subject in watch.subjects.values() for binding in subject.bindings]
    stored = [
        stall(alert, now_ms)
        for alert in (binding.alert for binding in bindings)
        if alert.state is not AlertState.INACTIVE
    ]
    again = Watch(one, open_alerts=stored, open_incidents=list(watch.incidents.values()), next_incident_id=50)
    return again, again.revise(one, now_ms)


def test_a_restart_opens_no_second_incident_and_resolves_the_first() -> None:
    one = plan(probe("a"), probe("b"), rule(group_by=("service",)))
    watch = watch_of(one)
    watch.observe(sample(1000, DOWN, "a"))
    again, effects = restarted(watch, one, 5000)
    assert effects == []
    assert again.next_deadline() is None
    assert happenings(again.observe(sample(6000, DOWN, "a"))) == []
    assert happenings(again.observe(sample(6001, DOWN, "b"))) == [("joined", 1, 6001)]
    again.observe(sample(7000, UP, "b"))
    assert happenings(again.observe(sample(7001, UP, "a"))) == [("resolved", 1, 7001)]
    assert happenings(again.observe(sample(8000, DOWN, "a"))) == [("opened", 50, 8000)]


def test_a_restart_keeps_the_clock_of_a_pending_alert_but_lets_it_fire_on_news_only() -> None:
    one = plan(probe(), waiting(for_ms=60_000))
    watch = watch_of(one)
    watch.observe(sample(1000, DOWN))
    again, _ = restarted(watch, one, 31_000)
    assert again.advance(10**6) == []
    assert happenings(again.observe(sample(40_000, DOWN))) == []
    assert again.next_deadline() == 70_000  # half of it had run, and nobody watched for nine seconds
    assert happenings(again.advance(70_000)) == [("opened", 50, 70_000)]
    assert again.incidents["down/probe=home"].started_ms == 1000


def test_the_time_of_a_long_stop_does_not_count_as_trouble() -> None:
    one = plan(probe(), waiting(for_ms=60_000))
    watch = watch_of(one)
    watch.observe(sample(1000, DOWN))
    again, _ = restarted(watch, one, 11_000)
    assert happenings(again.observe(sample(500_000, DOWN))) == []
    assert happenings(again.advance(550_000)) == [("opened", 50, 550_000)]


def test_a_probe_that_is_not_heard_of_stops_its_clocks() -> None:
    """As after the machine stood still: what was mended meanwhile must not open a ticket."""
    watch = watch_of(plan(probe(), waiting(for_ms=600_000)))
    watch.observe(sample(1_000, DOWN))
    assert watch.advance(10_000_000) != []
    assert watch.incidents == {}
    assert happenings(watch.observe(sample(10_000_001, UP))) == []
    assert watch.incidents == {}


def test_a_silence_in_which_no_clock_ran_out_does_not_count_either() -> None:
    watch = watch_of(plan(probe(), waiting(for_ms=600_000)))
    watch.observe(sample(0, DOWN))
    watch.observe(sample(400_000, DOWN))  # every minute, so it should have been heard of at 60 s
    assert watch.next_deadline() == 400_000 + 540_000


def test_missed_runs_can_be_ruled_on_and_are_over_with_the_first_run() -> None:
    missing = rule("missing", When(lambda scope: scope.sample.missed >= 2, asks_missed=True))
    watch = watch_of(plan(probe(), rule(), missing))
    assert happenings(watch.observe(replace(sample(1_000, UNKNOWN), missed=1))) == []
    assert happenings(watch.observe(replace(sample(2_000, UNKNOWN), missed=2))) == [("opened", 1, 2_000)]
    assert happenings(watch.observe(sample(3_000, UNKNOWN))) == [], "it ran, but could not tell"
    assert happenings(watch.observe(sample(4_000, UP))) == [("resolved", 1, 4_000)]


def test_a_condition_that_fails_decides_nothing_and_costs_no_other_rule_its_incident() -> None:
    def fails(_: Scope) -> bool:
        raise ZeroDivisionError

    watch = watch_of(plan(probe(), rule("broken", fails), rule()))
    assert happenings(watch.observe(sample(1000, DOWN))) == [("opened", 1, 1000)]
    assert watch.subjects["home"].bindings[0].unanswered.startswith("the evaluation failed")


def test_another_target_under_the_same_id_begins_anew() -> None:
    asks = When(lambda scope: len(scope.window.points("used", 10_000, scope.now_ms).values) > 1, {"used": 10_000})
    first = replace(probe(), options="/srv")
    watch = watch_of(plan(first, rule("two", asks)))
    watch.observe(sample(1_000, used=10.0))
    watch.revise(plan(replace(first, options="/home"), rule("two", asks)), 2_000)
    assert watch.subjects["home"].status is None
    assert happenings(watch.observe(sample(3_000, used=80.0))) == []


def test_a_probe_that_moves_to_another_service_counts_for_that_one_from_then_on() -> None:
    other = Service("other", "Other")
    watch = watch_of(plan(probe(), other))
    watch.observe(sample(1_000, DOWN))
    [moved] = watch.revise(plan(probe(service="other"), other), 2_000)
    assert isinstance(moved, StatusChanged)
    assert (moved.service, moved.status, moved.at_ms) == ("other", DOWN, 2_000)


def test_a_window_forgets_what_lies_ahead_when_the_clock_is_set_back() -> None:
    asks = When(lambda scope: max(scope.window.points("used", 60_000, scope.now_ms).values) > 90, {"used": 60_000})
    watch = watch_of(plan(probe(), rule("full", asks)))
    watch.observe(sample(3_600_000, used=10.0))
    assert happenings(watch.observe(sample(1_000, used=95.0))) == [("opened", 1, 1_000)]


def test_a_restart_without_a_rule_resolves_what_it_opened_and_says_why() -> None:
    watch = watch_of(plan(probe(), rule()))
    watch.observe(sample(1000, DOWN))
    _, effects = restarted(watch, plan(probe()), 5000)
    assert happenings(effects) == [("resolved", 1, 5000)]
    [resolve] = commands(effects)
    assert isinstance(resolve.payload, TicketChange)
    assert resolve.payload.note.endswith(": rule removed\nAffected: home")


def reason(effects: Iterable[Effect]) -> str:
    [said] = {one.reason for one in effects if isinstance(one, AlertChanged)}
    return said


def test_a_reload_keeps_the_state_of_what_stays() -> None:
    watch = watch_of(plan(probe(), waiting(for_ms=60_000), rule("other")))
    watch.observe(sample(1000, DOWN))
    assert watch.revise(plan(probe(), probe("more"), waiting(for_ms=60_000), rule("other")), 2000) == []
    assert watch.next_deadline() == 61_000
    assert watch.subjects["home"].status is DOWN
    assert happenings(watch.observe(sample(3000, DOWN))) == []
    assert happenings(watch.advance(61_000)) == [("opened", 2, 61_000)]


def test_a_reload_keeps_what_windows_hold() -> None:
    asks = When(lambda scope: len(scope.window.points("used", 10_000, scope.now_ms).values) > 1, {"used": 10_000})
    one = plan(probe(), rule(when=asks))
    watch = watch_of(one)
    watch.observe(sample(1000, used=1.0))
    watch.revise(one, 1500)
    assert happenings(watch.observe(sample(2000, used=1.0))) == [("opened", 1, 2000)]


def test_a_shorter_wait_counts_from_the_same_beginning() -> None:
    watch = watch_of(plan(probe(), waiting(for_ms=60_000)))
    watch.observe(sample(1000, DOWN))
    watch.revise(plan(probe(), waiting(for_ms=10_000)), 2000)
    assert watch.next_deadline() == 11_000


def test_a_rule_that_is_removed_ends_its_incident() -> None:
    watch = watch_of(plan(probe(), rule()))
    watch.observe(sample(1000, DOWN))
    effects = watch.revise(plan(probe()), 2000)
    assert happenings(effects) == [("resolved", 1, 2000)]
    assert reason(effects) == "rule removed"
    assert watch.incidents == {}


def test_a_probe_that_is_removed_leaves_its_incident() -> None:
    by_service = rule(group_by=("service",))
    watch = watch_of(plan(probe("a"), probe("b"), by_service))
    watch.observe(sample(1000, DOWN, "a"))
    watch.observe(sample(1001, DOWN, "b"))
    effects = watch.revise(plan(probe("a"), by_service), 2000)
    assert ProbeGone("b", 2000) in effects
    assert happenings(effects) == [("left", 1, 2000)]
    assert reason(effects) == "probe removed"
    assert watch.observe(sample(3000, UP, "b")) == []
    assert happenings(watch.observe(sample(3001, UP, "a"))) == [("resolved", 1, 3001)]


def test_a_rule_that_no_longer_looks_at_a_probe_ends_its_incident() -> None:
    watch = watch_of(plan(probe(), rule()))
    watch.observe(sample(1000, DOWN))
    effects = watch.revise(plan(probe(), rule(match=Match(probe="other"))), 2000)
    assert reason(effects) == "the rule no longer looks at the probe"
    assert happenings(effects) == [("resolved", 1, 2000)]


def test_an_incident_ends_under_the_key_it_was_opened_with() -> None:
    watch = watch_of(plan(probe(), rule()))
    watch.observe(sample(1000, DOWN))
    watch.revise(plan(probe(), rule(group_by=("service",))), 2000)
    effects = watch.observe(sample(3000, UP))
    assert happenings(effects) == [("resolved", 1, 3000)]
    [resolved] = [one.incident for one in effects if isinstance(one, IncidentChanged)]
    assert (resolved.key, resolved.state, resolved.resolved_ms) == ("down/probe=home", IncidentState.RESOLVED, 3000)
    assert resolved.affected == (REF,)
    assert Happening.RESOLVED in {one.happening for one in effects if isinstance(one, IncidentChanged)}


def test_after_a_restart_a_window_has_no_answer_until_its_history_is_there() -> None:
    def count(scope: Scope) -> int:
        return len(scope.window.points("used", 60_000, scope.now_ms).values)

    one = plan(probe(), rule("many", When(lambda scope: count(scope) >= 3, {"used": 60_000})))
    first = watch_of(one)
    for at_ms in (1_000, 2_000, 3_000):
        first.observe(sample(at_ms, used=1.0))
    again = Watch(
        one,
        open_alerts=[stall(binding.alert, 3_000) for binding in first.subjects["home"].bindings],
        open_incidents=list(first.incidents.values()),
        next_incident_id=2,
        has_history=True,
    )
    again.revise(one, 4_000)
    assert [subject.probe.id for subject in again.awaits_history()] == ["home"]

    assert happenings(again.observe(sample(5_000, used=1.0))) == [], "one sample of a minute is no answer"
    again.fill("home", {"used": Points([1_000, 2_000, 3_000], [1.0, 1.0, 1.0])}, 4_000)
    assert again.awaits_history() == []
    assert happenings(again.observe(sample(6_000, used=1.0))) == []
    assert count(again.subjects["home"].scope(sample(6_000), 6_000)) == 5
    assert [incident.id for incident in again.incidents.values()] == [1]


def test_a_window_whose_history_is_not_stored_goes_on_with_what_comes() -> None:
    asks = When(lambda scope: len(scope.window.points("used", 60_000, scope.now_ms).values) >= 2, {"used": 60_000})
    one = plan(probe(), rule("two", asks))
    watch = Watch(one, has_history=True)
    watch.revise(one, 0)
    watch.fill("home", {"used": Points([], [])}, 4_000)
    watch.observe(sample(1_000, used=1.0))
    assert happenings(watch.observe(sample(2_000, used=1.0))) == [("opened", 1, 2_000)]


def test_history_that_is_awaited_during_a_reload_is_awaited_after_it() -> None:
    asks = When(lambda scope: len(scope.window.points("used", 60_000, scope.now_ms).values) >= 2, {"used": 60_000})
    one = plan(probe(), rule("two", asks))
    watch = Watch(one, has_history=True)
    watch.revise(one, 0)
    watch.observe(sample(1_000, used=1.0))
    watch.revise(one, 2_000)
    assert [subject.probe.id for subject in watch.awaits_history()] == ["home"]
