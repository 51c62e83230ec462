"""Samples and clocks go in; what follows is recorded, counted and told."""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.hand_loop import START_MS, hand_loop, on_hand_loop
from watchkeeper.domain.alert import Alert
from watchkeeper.domain.effect import AlertChanged, Effect, Happening, IncidentChanged, StatusChanged
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Escalation, Hold, IncidentPolicy, Rule, Severity
from watchkeeper.domain.ticket import Command, TicketSeen, TicketState
from watchkeeper.domain.watch import Watch
from watchkeeper.engine.evaluation import Evaluation
from watchkeeper.engine.figures import Figures


class Bench:
    """An evaluation of two probes of a shop, on a loop whose time is moved by hand."""

    def __init__(self, rule: Rule, *incidents: Incident, alerts: Sequence[Alert] = ()) -> None:
        self.recorded: list[Sequence[Effect]] = []
        self.figures = Figures("1.2.3")
        self.plan = made.plan([made.probe("web"), made.probe("api")], rule)
        watch = Watch(self.plan, open_alerts=alerts, open_incidents=incidents)
        self.evaluation = Evaluation(watch, hand_loop().clock, self.recorded.append, self.figures)
        self.evaluation.revise(self.plan)

    def observe(self, status: Status, probe_id: str = "web") -> None:
        self.evaluation.observe(made.probe(probe_id), made.sample(probe_id, status, hand_loop().clock()))

    def happened(self) -> list[tuple[float, Happening]]:
        """What became of incidents, and when, in seconds since the loop began."""
        effects = [effect for decision in self.recorded for effect in decision]
        return [
            ((effect.at_ms - START_MS) / 1000, effect.happening)
            for effect in effects
            if isinstance(effect, IncidentChanged)
        ]

    def count(self, name: str) -> float | None:
        labels = {"service": "shop", "severity": "major"}
        return self.figures.registry.get_sample_value(f"watchkeeper_incidents_{name}_total", labels)

    def took(self, what: str, severity: str = "major") -> tuple[float | None, float | None]:
        """How many incidents there were, and what they took in all, in seconds."""
        labels = {"service": "shop", "severity": severity}
        name = f"watchkeeper_incident_{what}_seconds"
        value = self.figures.registry.get_sample_value
        return value(f"{name}_count", labels), value(f"{name}_sum", labels)

    def at_most(self, what: str, limit_s: float) -> float | None:
        """How many took no longer."""
        labels = {"service": "shop", "severity": "major", "le": str(float(limit_s))}
        return self.figures.registry.get_sample_value(f"watchkeeper_incident_{what}_seconds_bucket", labels)


@on_hand_loop
async def test_what_follows_from_one_sample_is_recorded_as_one_decision() -> None:
    on = Bench(made.rule())

    on.observe(Status.DOWN)

    [decision] = on.recorded
    kinds = [type(effect) for effect in decision]
    assert kinds == [StatusChanged, AlertChanged, IncidentChanged, Command]


def test_time_in_which_the_process_stood_still_is_nobodys_silence() -> None:
    now = [START_MS]
    recorded: list[Sequence[Effect]] = []
    plan = made.plan([made.probe("web")], replace(made.rule(), hold=Hold(no_data_ms=60_000)))
    evaluation = Evaluation(Watch(plan), lambda: now[0], recorded.append, Figures("1.2.3"))
    evaluation.revise(plan)
    evaluation.observe(made.probe("web"), made.sample("web", Status.UP, now[0]))
    recorded.clear()

    now[0] += 600_000  # nobody was there to call `note_alive`
    evaluation.advance()
    assert recorded == []
    for _ in range(15):
        now[0] += 5_000
        evaluation.note_alive()
        evaluation.advance()
    assert [type(effect) for effect in recorded[0]] == [AlertChanged, IncidentChanged, Command]


@on_hand_loop
async def test_a_sample_that_changes_nothing_records_nothing() -> None:
    on = Bench(made.rule())
    on.observe(Status.UP)
    on.recorded.clear()

    on.observe(Status.UP)

    assert on.recorded == []


@on_hand_loop
async def test_an_alert_fires_when_its_time_is_over_without_another_sample() -> None:
    on = Bench(made.rule(for_ms=60_000))
    on.observe(Status.DOWN)

    await hand_loop().until(59.9)
    assert on.happened() == []
    await hand_loop().until(60.1)
    assert on.happened() == [(60, Happening.OPENED)]


@on_hand_loop
async def test_an_earlier_deadline_takes_the_place_of_a_later_one() -> None:
    on = Bench(made.rule(for_ms=60_000, keep_firing_for_ms=10_000))
    on.observe(Status.DOWN, "web")
    await hand_loop().until(55)
    on.observe(Status.DOWN, "api")
    await hand_loop().until(61)
    on.observe(Status.UP, "web")

    await hand_loop().until(72)
    assert on.happened() == [(60, Happening.OPENED), (71, Happening.RESOLVED)]
    await hand_loop().until(116)
    assert on.happened()[2:] == [(115, Happening.OPENED)]


@on_hand_loop
async def test_a_timer_for_an_alert_that_recovered_does_nothing() -> None:
    on = Bench(made.rule(for_ms=60_000))
    on.observe(Status.DOWN)
    await hand_loop().until(30)
    on.observe(Status.UP)

    await hand_loop().until(300)

    assert on.happened() == []


@on_hand_loop
async def test_deadlines_are_served_after_the_timer_of_one_that_is_gone() -> None:
    on = Bench(made.rule(for_ms=60_000))
    on.observe(Status.DOWN)
    await hand_loop().until(30)
    on.observe(Status.UP)
    await hand_loop().until(40)
    on.observe(Status.DOWN)

    await hand_loop().until(101)

    assert on.happened() == [(100, Happening.OPENED)]


@on_hand_loop
async def test_incidents_are_counted_when_they_open_and_when_they_are_resolved() -> None:
    on = Bench(made.rule())
    on.observe(Status.DOWN, "web")
    on.observe(Status.DOWN, "api")
    on.observe(Status.UP, "web")
    assert (on.count("opened"), on.count("resolved")) == (1, None)

    on.observe(Status.UP, "api")

    assert (on.count("opened"), on.count("resolved")) == (1, 1)


@on_hand_loop
async def test_an_open_incident_shows_at_zero_what_it_will_be_counted_in() -> None:
    on = Bench(made.rule())
    on.observe(Status.DOWN)

    assert (on.took("acknowledge"), on.took("resolve")) == ((0, 0), (0, 0))


@on_hand_loop
async def test_how_long_it_takes_to_take_up_and_to_resolve_is_measured_from_the_opening() -> None:
    on = Bench(made.rule(for_ms=60_000))
    on.observe(Status.DOWN)
    await hand_loop().until(61)  # it has opened after 60 seconds
    for at_s, state in ((150, TicketState.IN_PROGRESS), (200, TicketState.ON_HOLD)):
        await hand_loop().until(at_s)
        on.evaluation.tickets_seen([TicketSeen(1, "T-1", state, "alice", hand_loop().clock())])
    assert (on.took("acknowledge"), on.took("resolve")) == ((1, 90), (0, 0))

    await hand_loop().until(360)
    on.observe(Status.UP)

    assert (on.took("acknowledge"), on.took("resolve")) == ((1, 90), (1, 300))
    assert [on.at_most("resolve", limit_s) for limit_s in (60, 120, 300, 86_400)] == [0, 0, 1, 1]


@on_hand_loop
async def test_an_incident_that_nobody_took_up_took_no_time_to_be_taken_up() -> None:
    on = Bench(made.rule())
    on.observe(Status.DOWN)
    on.observe(Status.UP)

    assert (on.took("acknowledge"), on.took("resolve")) == ((0, 0), (1, 0))


@on_hand_loop
async def test_what_got_worse_is_counted_as_what_it_has_become() -> None:
    worse = IncidentPolicy(escalation=(Escalation(60_000, Severity.CRITICAL),))
    on = Bench(replace(made.rule(), incident=worse))
    on.observe(Status.DOWN)
    await hand_loop().until(61)
    assert on.took("resolve", "critical") == (0, 0)
    await hand_loop().until(120)
    on.observe(Status.UP)

    assert (on.took("resolve", "critical"), on.took("resolve", "major")) == ((1, 120), (0, 0))


@on_hand_loop
async def test_an_incident_from_before_the_start_counts_from_its_opening() -> None:
    before = Bench(made.rule())
    before.observe(Status.DOWN)
    [incident] = before.evaluation.watch.incidents.values()
    await hand_loop().until(600)
    [binding] = before.evaluation.watch.subjects["web"].bindings
    on = Bench(made.rule(), incident, alerts=[binding.alert])
    assert (on.took("acknowledge"), on.took("resolve"), on.count("opened")) == ((0, 0), (0, 0), None)

    on.evaluation.tickets_seen([TicketSeen(1, "T-1", TicketState.OPEN, "alice", hand_loop().clock())])

    assert on.took("acknowledge") == (1, 600)


@on_hand_loop
async def test_what_an_operator_wants_to_know_is_logged() -> None:
    with capture_logs() as logs:
        on = Bench(made.rule(for_ms=60_000))
        on.observe(Status.UP)
        on.observe(Status.DOWN)
        await hand_loop().until(61)
        on.observe(Status.UP)

    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("probe_status_changed", "debug"),
        ("probe_status_changed", "warning"),
        ("alert_pending", "info"),
        ("alert_firing", "info"),
        ("incident_opened", "warning"),
        ("probe_status_changed", "info"),
        ("alert_over", "info"),
        ("incident_resolved", "info"),
    ]
    opened = logs[4]
    assert (opened["incident"], opened["service"], opened["severity"]) == ("INC-1", "shop", "major")
    assert opened["title"] == "The shop is down"


@on_hand_loop
async def test_a_log_that_can_not_be_written_costs_no_ticket() -> None:
    def refuse(*_: object) -> structlog.typing.EventDict:
        raise OSError("no space left on device")

    on = Bench(made.rule())
    structlog.configure(processors=[refuse])
    try:
        on.observe(Status.DOWN)
    except OSError:
        pass
    finally:
        structlog.reset_defaults()

    assert on.happened() == [(0, Happening.OPENED)]


@on_hand_loop
async def test_a_removed_probe_ends_its_trouble() -> None:
    on = Bench(made.rule())
    on.observe(Status.DOWN)

    on.evaluation.revise(made.plan([made.probe("api")], made.rule()))

    assert [happening for _, happening in on.happened()] == [Happening.OPENED, Happening.RESOLVED]


@on_hand_loop
async def test_no_clock_is_served_after_the_end() -> None:
    on = Bench(made.rule(for_ms=60_000))
    on.observe(Status.DOWN, "web")
    on.evaluation.end()

    await hand_loop().until(300)

    assert on.happened() == []


@on_hand_loop
async def test_no_clock_is_set_after_the_end() -> None:
    on = Bench(made.rule(for_ms=60_000))
    on.evaluation.end()
    on.observe(Status.DOWN)

    await hand_loop().until(300)

    assert on.happened() == []


def test_without_a_loop_clocks_are_moved_by_hand() -> None:
    now_ms, recorded = [made.NOW_MS], list[Sequence[Effect]]()
    plan = made.plan([made.probe("web")], made.rule(for_ms=60_000))
    evaluation = Evaluation(Watch(plan), lambda: now_ms[0], recorded.append, Figures("1.2.3"))
    evaluation.revise(plan)
    evaluation.observe(made.probe("web"), made.sample("web", Status.DOWN, now_ms[0]))
    recorded.clear()

    now_ms[0] += 60_000
    evaluation.advance()

    [decision] = recorded
    assert any(isinstance(effect, IncidentChanged) for effect in decision)


@on_hand_loop
async def test_a_run_that_was_under_way_when_its_probe_became_another_says_nothing_of_that_one() -> None:
    on = Bench(made.rule())
    on.evaluation.observe(made.probe("web", options="the old target"), made.sample("web", Status.DOWN))

    assert on.evaluation.watch.subjects["web"].status is None


@on_hand_loop
async def test_the_time_between_failures_and_repeats_are_counted() -> None:
    on = Bench(made.rule())
    on.observe(Status.DOWN)
    assert on.count("repeated") == 0
    on.observe(Status.UP)
    await hand_loop().until(600)
    on.observe(Status.DOWN)
    value, labels = on.figures.registry.get_sample_value, {"service": "shop"}
    assert on.count("repeated") == 1
    assert value("watchkeeper_between_failures_seconds_count", labels) == 1
    assert value("watchkeeper_between_failures_seconds_sum", labels) == 600
