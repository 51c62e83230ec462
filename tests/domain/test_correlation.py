"""One trouble, one incident: what is explained by something upstream, what is expected, and storms."""

from dataclasses import replace

from tests.domain.made import AT_ONCE, plan, probe, rule, sample
from watchkeeper.domain.alert import AlertState, stall
from watchkeeper.domain.effect import AlertChanged, Effect, Happening, IncidentChanged
from watchkeeper.domain.expected import Because, Selection, Window
from watchkeeper.domain.plan import CorrelationPolicy, Plan
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Scope, Severity
from watchkeeper.domain.service import Service
from watchkeeper.domain.standing import Standing
from watchkeeper.domain.storm import STORM_KEY, StormPolicy
from watchkeeper.domain.ticket import ChangeRef, Command, CommandKind, TicketChange, TicketDraft, TicketState
from watchkeeper.domain.watch import Watch

DOWN, UP = Status.DOWN, Status.UP
WAITING = CorrelationPolicy(group_wait_ms=3_000, group_interval_ms=60_000)
DB = Service("db", "Database")
SHOP = Service("shop", "Web shop", depends_on=("db",))
APP = Service("app", "App", depends_on=("shop",))


def world(policy: CorrelationPolicy = WAITING) -> Plan:
    """A database, a shop that needs it, an app that needs the shop; the app's probe goes through a gateway."""
    through = replace(probe("app-1", "app"), parents=("gateway",))
    parts = (DB, SHOP, APP, Service("net", "Network"), probe("db-1", "db"), probe("shop-1"), probe("shop-2"), through)
    return replace(plan(*parts, probe("gateway", "net"), rule(hold=AT_ONCE)), correlation=policy)


def watching(policy: CorrelationPolicy = WAITING) -> Watch:
    one = world(policy)
    watch = Watch(one)
    watch.revise(one, 0)
    return watch


def told(effects: list[Effect]) -> list[tuple[str, str]]:
    """What happened to which incident, by its key."""
    return [
        (effect.happening.value, effect.incident.key.removeprefix("down/probe="))
        for effect in effects
        if isinstance(effect, IncidentChanged)
    ]


def hear(watch: Watch, at_ms: int, *down: str, up: tuple[str, ...] = ()) -> list[Effect]:
    effects = []
    for name in down:
        effects += watch.observe(sample(at_ms, DOWN, name))
    for name in up:
        effects += watch.observe(sample(at_ms, UP, name))
    return effects


def test_what_fails_together_with_what_it_depends_on_is_one_incident_in_whatever_order_it_is_noticed() -> None:
    for order in (("db-1", "shop-1", "app-1"), ("app-1", "shop-1", "db-1"), ("shop-1", "db-1", "app-1")):
        watch = watching()
        effects = [effect for n, name in enumerate(order) for effect in hear(watch, 1_000 + n, name)]
        effects += watch.advance(60_000)
        assert told(effects) == [("opened", "db-1"), ("impacted", "db-1")]
        [incident] = watch.incidents.values()
        assert {ref.probe_id for ref in incident.impacted} == {"shop-1", "app-1"}


def test_a_cause_that_is_found_late_takes_over_the_incidents_that_it_explains() -> None:
    watch = watching()
    hear(watch, 1_000, "shop-1", "shop-2")
    watch.advance(10_000)
    assert sorted(watch.incidents) == ["down/probe=shop-1", "down/probe=shop-2"]
    hear(watch, 20_000, "db-1")
    effects = watch.advance(25_000)
    assert told(effects) == [("opened", "db-1"), ("merged", "shop-1"), ("merged", "shop-2"), ("impacted", "db-1")]
    merged = [effect.incident for effect in effects if isinstance(effect, IncidentChanged)][1]
    assert merged.merged_into == watch.incidents["down/probe=db-1"].id
    resolves = [one for one in effects if isinstance(one, Command) and one.kind is CommandKind.RESOLVE]
    assert [one.payload.state for one in resolves if hasattr(one.payload, "state")] == [TicketState.RESOLVED] * 2


def test_what_goes_on_failing_when_its_cause_is_over_has_an_incident_of_its_own_then() -> None:
    watch = watching()
    hear(watch, 1_000, "db-1", "shop-1")
    watch.advance(10_000)
    effects = hear(watch, 30_000, up=("db-1",))
    assert told(effects) == [("resolved", "db-1")]
    hear(watch, 61_000, "shop-1")
    assert told(watch.advance(99_000)) == []  # its probe may not have had its turn yet
    assert told(watch.advance(101_000)) == [("opened", "shop-1")]


def test_what_recovers_after_its_cause_never_was_an_incident() -> None:
    watch = watching()
    hear(watch, 1_000, "db-1", "shop-1")
    watch.advance(10_000)
    effects = hear(watch, 30_000, up=("db-1",)) + hear(watch, 61_000, up=("shop-1",)) + watch.advance(600_000)
    assert told(effects) == [("resolved", "db-1")]


def test_a_gateway_explains_whatever_is_behind_it() -> None:
    watch = watching()
    hear(watch, 1_000, "app-1", "gateway")
    assert told(watch.advance(60_000)) == [("opened", "gateway"), ("impacted", "gateway")]


def test_what_is_over_while_it_gathers_opens_nothing() -> None:
    watch = watching()
    hear(watch, 1_000, "shop-1")
    assert told(hear(watch, 2_000, up=("shop-1",)) + watch.advance(60_000)) == []


def test_what_joins_an_incident_is_part_of_it_though_the_first_one_is_over() -> None:
    one = replace(world(), rules={"down": rule(group_by=("service",))})
    watch = Watch(one)
    watch.revise(one, 0)
    hear(watch, 1_000, "shop-1")
    watch.advance(10_000)
    effects = hear(watch, 20_000, "shop-2") + hear(watch, 20_100, up=("shop-1",))
    assert told(effects) == [("joined", "down/service=shop"), ("left", "down/service=shop")]
    assert watch.incidents["down/service=shop"].firing == {("down", "shop-2")}


def maintenance(because: Because = Because.MAINTENANCE, service: str = "db") -> Window:
    return Window(because, "patch", "Patch night", 0, 100_000, Selection(frozenset({service})))


def test_what_begins_in_a_window_and_outlasts_it_opens_at_its_end() -> None:
    watch = watching()
    watch.expect([maintenance()], 0)
    assert told(hear(watch, 1_000, "db-1") + watch.advance(99_999)) == []
    assert watch.correlator.standings() == {(Standing.EXPECTED, "maintenance"): 1}
    assert told(watch.advance(103_000)) == [("opened", "db-1")]


def test_work_on_a_service_explains_trouble_downstream_but_a_silence_does_not() -> None:
    for because, opened in ((Because.MAINTENANCE, []), (Because.CHANGE, []), (Because.SILENCE, ["shop-1"])):
        watch = watching()
        watch.expect([maintenance(because)], 0)
        effects = hear(watch, 1_000, "db-1", "shop-1") + watch.advance(50_000)
        assert told(effects) == [("opened", name) for name in opened]


def test_what_was_open_before_a_window_stays_open_in_it() -> None:
    watch = watching()
    hear(watch, 1_000, "db-1")
    watch.advance(10_000)
    watch.expect([replace(maintenance(), from_ms=20_000)], 10_000)
    assert told(watch.advance(99_000)) == []
    assert "down/probe=db-1" in watch.incidents


def test_trouble_soon_after_a_change_is_attributed_to_it() -> None:
    watch = watching()
    change = replace(maintenance(Because.CHANGE), id="CHG0030001", to_ms=50_000)
    watch.expect([change], 0)
    hear(watch, 60_000, "db-1")
    [opened] = [effect for effect in watch.advance(70_000) if isinstance(effect, IncidentChanged)]
    assert opened.incident.caused_by == "CHG0030001"
    hear(watch, 70_000, "gateway")
    [other] = [effect for effect in watch.advance(80_000) if isinstance(effect, IncidentChanged)]
    assert other.incident.caused_by == ""


def test_the_ticket_is_linked_to_a_change_that_its_own_backend_knows() -> None:
    for backend, linked in (("", []), ("other", []), ("desk", [ChangeRef("desk", "sys1", "CHG0030001")])):
        watch = watching()
        change = replace(maintenance(Because.CHANGE), id="CHG0030001", to_ms=50_000, backend=backend, ref="sys1#2")
        watch.expect([change], 0)
        hear(watch, 60_000, "db-1")
        commands = [one for one in watch.advance(70_000) if isinstance(one, Command)]
        assert commands[0].kind is CommandKind.CREATE
        assert [one.payload.caused_by for one in commands[1:] if isinstance(one.payload, TicketChange)] == linked


def test_in_a_storm_one_incident_gathers_the_rest_and_the_most_important_come_first() -> None:
    policy = replace(WAITING, storm=StormPolicy(over=3, within_ms=60_000))
    names = [f"p{n}" for n in range(10)]
    major = replace(rule(), match=replace(rule().match, labels={"grade": "a"}))
    one = replace(
        plan(*(probe(name, grade="b" if n < 5 else "a") for n, name in enumerate(names)), major), correlation=policy
    )
    minor = replace(
        rule("minor"), severity=list(type(major.severity))[2], match=replace(major.match, labels={"grade": "b"})
    )
    one = replace(one, rules={"down": major, "minor": minor})
    watch = Watch(one)
    watch.revise(one, 0)
    effects = hear(watch, 1_000, *names) + watch.advance(10_000)
    opened = [key for what, key in told(effects) if what == "opened"]
    assert opened == ["p5", "p6", "p7", STORM_KEY]
    assert watch.correlator.is_storm
    assert len(watch.incidents[STORM_KEY].firing) == 7
    hear(watch, 20_000, up=tuple(names))
    assert not watch.incidents
    hear(watch, 200_000, "p1")
    assert told(watch.advance(210_000)) == [("opened", "minor/probe=p1")]


def test_a_cause_that_is_noticed_in_the_storm_that_it_makes_takes_all_of_it_over() -> None:
    policy = replace(WAITING, storm=StormPolicy(over=3, within_ms=60_000))
    names = [f"p{n}" for n in range(10)]
    below = [replace(probe(name), parents=("gateway",)) for name in names]
    one = replace(plan(*below, probe("gateway", "net"), Service("net", "Network"), rule()), correlation=policy)
    watch = Watch(one)
    watch.revise(one, 0)
    hear(watch, 1_000, *names)
    watch.advance(10_000)
    assert [STORM_KEY in watch.incidents, len(watch.incidents)] == [True, 4]
    hear(watch, 20_000, "gateway")
    effects = watch.advance(30_000)
    assert told(effects)[0] == ("opened", "gateway")
    assert sorted(told(effects)[1:]) == [
        ("impacted", "gateway"),
        *(("merged", key) for key in (STORM_KEY, "p0", "p1", "p2")),
    ]
    [incident] = watch.incidents.values()
    assert len(incident.impacted) == 10
    assert not watch.correlator.is_storm


def test_of_causes_of_one_service_only_the_first_that_explains_a_storm_has_a_ticket_beyond_the_limit() -> None:
    policy = replace(WAITING, storm=StormPolicy(over=2, within_ms=60_000))
    probes = [*(probe(f"db-{n}", "db") for n in range(5)), *(probe(f"shop-{n}") for n in range(5))]
    one = replace(plan(DB, SHOP, *probes, rule()), correlation=policy)
    watch = Watch(one)
    watch.revise(one, 0)
    hear(watch, 1_000, *(f"shop-{n}" for n in range(5)))
    watch.advance(10_000)
    hear(watch, 20_000, *(f"db-{n}" for n in range(5)))
    watch.advance(30_000)
    assert sorted(watch.incidents) == [STORM_KEY, "down/probe=db-0"]
    assert len(watch.incidents["down/probe=db-0"].impacted) == 5
    assert len(watch.incidents[STORM_KEY].firing) == 4


def test_after_a_restart_nothing_is_told_twice_and_nothing_forgotten() -> None:
    watch = watching()
    effects = hear(watch, 1_000, "db-1", "shop-1", "gateway") + watch.advance(100_000)
    alerts = {one.after.ref: one.after for one in effects if hasattr(one, "after")}
    one = world()
    again = Watch(one, open_alerts=alerts.values(), open_incidents=watch.incidents.values(), next_incident_id=9)
    begun = again.revise(one, 200_000)
    assert told(begun + again.advance(1_000_000)) == []
    assert watch.incidents == again.incidents
    effects = hear(again, 1_000_000, up=("db-1",)) + hear(again, 1_001_000, "shop-1")
    assert told(effects + again.advance(2_000_000)) == [("resolved", "db-1"), ("opened", "shop-1")]
    assert Happening.MERGED not in {effect.happening for effect in effects if isinstance(effect, IncidentChanged)}


def test_a_large_incident_tells_of_what_is_over_together_and_ends_with_the_last() -> None:
    names = [f"p{n}" for n in range(100)]
    one = replace(plan(*(probe(name) for name in names), rule(group_by=("rule",))), correlation=WAITING)
    watch = Watch(one)
    watch.revise(one, 0)
    effects = hear(watch, 1_000, *names) + watch.advance(10_000)
    assert [(what, key) for what, key in told(effects)] == [("opened", "down")]
    assert told(hear(watch, 20_000, up=tuple(names[:50]))) == []
    assert told(watch.advance(22_000)) == [("left", "down")]
    assert len(watch.incidents["down"].firing) == 50
    hear(watch, 30_000, up=(names[60],))
    assert told(hear(watch, 30_500, names[60])) == [("left", "down")]  # it was over for a moment
    assert told(watch.advance(40_000)) == [("joined", "down")]
    left = told(hear(watch, 50_000, up=tuple(names[50:])))
    assert left[-1] == ("resolved", "down")
    assert not watch.incidents
    assert told(watch.advance(100_000)) == []


def test_of_what_is_over_when_the_watch_ends_nothing_stays_open() -> None:
    names = [f"p{n}" for n in range(30)]
    one = replace(plan(*(probe(name) for name in names), rule(group_by=("rule",))), correlation=WAITING)
    watch = Watch(one)
    watch.revise(one, 0)
    effects = hear(watch, 1_000, *names) + watch.advance(10_000) + hear(watch, 20_000, up=(names[0],))
    alerts = {effect.after.ref: effect.after for effect in effects if isinstance(effect, AlertChanged)}
    alive = [alert for alert in alerts.values() if alert.state is not AlertState.INACTIVE]
    again = Watch(one, open_alerts=alive, open_incidents=watch.incidents.values(), next_incident_id=9)
    assert told(again.revise(one, 30_000)) == [("left", "down")]
    assert told(hear(again, 100_000, up=tuple(names)))[-1] == ("resolved", "down")


def test_an_incident_is_as_bad_as_its_worst_alert_whichever_came_first() -> None:
    shared = replace(rule().incident, key="trouble", impact=None, urgency=None)
    slow = replace(rule("slow"), severity=Severity.MINOR, incident=shared)
    down = replace(rule("down", is_very_down), severity=Severity.CRITICAL, incident=shared)
    outcomes = []
    for first, second in ((0.0, 1.0), (1.0, 1.0)):
        one = replace(plan(probe(), slow, down), correlation=WAITING)
        watch = Watch(one)
        watch.revise(one, 0)
        watch.observe(sample(1_000, DOWN, very=first))
        watch.observe(sample(3_000, DOWN, very=second))
        watch.advance(20_000)
        [incident] = watch.incidents.values()
        outcomes.append((incident.severity, incident.impact, incident.urgency, len(incident.firing)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] is Severity.CRITICAL


def is_very_down(scope: Scope) -> bool:
    return scope.sample.values["very"] > 0


def test_what_an_incident_told_of_is_told_of_by_another_one_when_it_is_over() -> None:
    one = replace(
        plan(DB, SHOP, probe("db-1", "db"), probe("db-2", "db"), probe("shop-1"), rule()), correlation=WAITING
    )
    watch = Watch(one)
    watch.revise(one, 0)
    hear(watch, 1_000, "db-1", "db-2", "shop-1")
    watch.advance(70_000)
    assert {key for key, incident in watch.incidents.items() if incident.impacted} == {"down/probe=db-1"}
    hear(watch, 80_000, up=("db-1",))
    watch.advance(200_000)
    assert [len(incident.impacted) for incident in watch.incidents.values()] == [1]


def test_of_windows_that_change_often_one_clock_runs() -> None:
    watch = watching()
    for n in range(100):
        watch.expect([replace(maintenance(), id=f"patch-{n}")], n)
    hear(watch, 1_000, "db-1")
    assert watch.next_deadline() == 100_000
    watch.advance(100_000)
    assert watch.next_deadline() == 103_000  # nothing but what gathers


def test_what_is_held_back_moves_with_its_probe_to_another_service() -> None:
    watch = watching()
    watch.expect([maintenance()], 0)
    hear(watch, 1_000, "db-1")
    probes = {**watch.plan.probes, "db-1": replace(watch.plan.probes["db-1"], service="net")}
    watch.revise(replace(watch.plan, probes=probes), 10_000)
    watch.advance(200_000)
    [incident] = watch.incidents.values()
    assert incident.service == "net"


def test_a_probe_that_is_gone_is_no_longer_told_of() -> None:
    watch = watching()
    hear(watch, 1_000, "db-1", "shop-1", "shop-2")
    watch.advance(10_000)
    probes = {name: one for name, one in watch.plan.probes.items() if name != "shop-2"}
    watch.revise(replace(watch.plan, probes=probes), 20_000)
    watch.advance(200_000)
    assert [ref.probe_id for ref in watch.incidents["down/probe=db-1"].impacted] == ["shop-1"]


def test_what_fired_before_a_restart_opens_though_nothing_is_heard_of_it() -> None:
    watch = watching()
    effects = hear(watch, 1_000, "db-1")
    alive = [effect.after for effect in effects if isinstance(effect, AlertChanged)]
    one = world()
    again = Watch(one, open_alerts=[stall(alert, 2_000) for alert in alive])
    again.revise(one, 5_000)
    assert told(again.advance(74_000)) == []
    assert told(again.advance(76_000)) == [("opened", "db-1")]


def test_a_ticket_tells_what_held_it_back() -> None:
    watch = watching()
    watch.expect([maintenance()], 0)
    effects = hear(watch, 1_000, "db-1") + watch.advance(200_000)
    [create] = [one.payload for one in effects if isinstance(one, Command)]
    assert isinstance(create, TicketDraft)
    assert "Was held back until 1970-01-01 00:01:40Z by patch, Patch night" in create.description
    watch = watching()
    effects = hear(watch, 1_000, "db-1", "shop-1") + watch.advance(10_000)
    effects = hear(watch, 30_000, up=("db-1",)) + hear(watch, 61_000, "shop-1") + watch.advance(200_000)
    [create] = [one.payload for one in effects if isinstance(one, Command) and one.kind is CommandKind.CREATE]
    assert isinstance(create, TicketDraft)
    assert "Was explained by INC-1, and went on when that was over" in create.description
