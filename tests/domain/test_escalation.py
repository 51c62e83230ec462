"""How bad an incident is: from severity and service, raised by what joins it and by time."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.domain.made import Text, plan, probe, rule, sample
from watchkeeper.domain.effect import Effect, IncidentChanged
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Escalation, Hold, IncidentPolicy, Level, Rule, Severity, assess, priority
from watchkeeper.domain.service import Criticality, Service
from watchkeeper.domain.ticket import Command, TicketChange, TicketDraft
from watchkeeper.domain.watch import Plan, Watch

DOWN = Status.DOWN
MINUTE = 60_000
ORDINARY = Service("shop", "Web shop")
VITAL = Service("shop", "Web shop", criticality=Criticality.HIGH)
STEPS = (Escalation(30 * MINUTE, Severity.MAJOR), Escalation(60 * MINUTE, Severity.CRITICAL))


STEP_BY_STEP = IncidentPolicy(escalation=STEPS)


def minor(name: str = "down", policy: IncidentPolicy = STEP_BY_STEP) -> Rule:
    return replace(rule(name), severity=Severity.MINOR, incident=policy)


def watch_of(one: Plan, now_ms: int = 0) -> Watch:
    watch = Watch(one)
    assert watch.revise(one, now_ms) == []
    return watch


def told(effects: Sequence[Effect]) -> list[tuple[str, int]]:
    return [(one.happening.value, one.at_ms) for one in effects if isinstance(one, IncidentChanged)]


@pytest.mark.parametrize(
    ("severity", "service", "expected"),
    [
        (Severity.CRITICAL, ORDINARY, 1),
        (Severity.MAJOR, ORDINARY, 2),
        (Severity.MINOR, ORDINARY, 4),
        (Severity.INFO, ORDINARY, 5),
        (Severity.CRITICAL, VITAL, 1),
        (Severity.MAJOR, VITAL, 1),
        (Severity.MINOR, VITAL, 3),
        (Severity.INFO, VITAL, 4),
    ],
)
def test_a_vital_service_raises_the_priority(severity: Severity, service: Service, expected: int) -> None:
    assert priority(*assess(minor(policy=IncidentPolicy()), severity, service)) == expected


def test_what_the_rule_says_goes_before_severity_and_service() -> None:
    one = minor(policy=IncidentPolicy(Level.LOW, Level.MEDIUM))
    assert assess(one, Severity.CRITICAL, VITAL) == (Level.LOW, Level.MEDIUM)


def test_an_incident_gets_worse_step_by_step_and_its_ticket_is_told() -> None:
    watch = watch_of(plan(probe(), minor()))
    watch.observe(sample(0, DOWN))
    first = watch.advance(45 * MINUTE)
    assert told(first) == [("escalated", 30 * MINUTE)]
    [command] = [one for one in first if isinstance(one, Command)]
    text = "Raised from minor to major, priority 2: it has been open for 30m, since 1970-01-01 00:00:00Z"
    assert command.payload == TicketChange(text, impact=Level.MEDIUM, urgency=Level.HIGH)
    watch.observe(sample(59 * MINUTE, DOWN))
    assert told(watch.advance(90 * MINUTE)) == [("escalated", 60 * MINUTE)]
    [incident] = watch.incidents.values()
    assert (incident.severity, incident.impact, incident.urgency) == (Severity.CRITICAL, Level.HIGH, Level.HIGH)
    assert watch.next_deadline() is None


def test_what_is_over_before_does_not_get_worse() -> None:
    watch = watch_of(plan(probe(), minor()))
    watch.observe(sample(0, DOWN))
    watch.observe(sample(10 * MINUTE))
    assert watch.advance(90 * MINUTE) == []
    watch.observe(sample(100 * MINUTE, DOWN))
    assert told(watch.advance(131 * MINUTE)) == [("escalated", 130 * MINUTE)]


def test_a_step_that_came_due_while_nobody_watched_is_made_up_for_once() -> None:
    one = plan(probe(), minor())
    watch = watch_of(one)
    watch.observe(sample(0, DOWN))
    [incident] = watch.incidents.values()
    [binding] = watch.subjects["home"].bindings
    again = Watch(one, open_alerts=[binding.alert], open_incidents=[incident], next_incident_id=2)
    again.revise(one, 300 * MINUTE)
    assert told(again.advance(300 * MINUTE)) == [("escalated", 300 * MINUTE)]
    assert again.incidents[incident.key].severity is Severity.CRITICAL
    assert again.advance(900 * MINUTE) == []


def test_steps_that_a_reload_brings_count_from_the_opening() -> None:
    watch = watch_of(plan(probe(), minor(policy=IncidentPolicy())))
    watch.observe(sample(0, DOWN))
    assert watch.revise(plan(probe(), minor()), 10 * MINUTE) == []
    assert told(watch.advance(31 * MINUTE)) == [("escalated", 30 * MINUTE)]


def test_rules_with_one_key_make_one_incident_as_bad_as_the_worst() -> None:
    shared = IncidentPolicy(key="disk")
    full = replace(minor("full", shared), severity=Severity.MAJOR, hold=Hold(for_ms=5 * MINUTE))
    watch = watch_of(plan(probe(), minor("filling", shared), full))
    opened = watch.observe(sample(0, DOWN))
    [draft] = [one.payload for one in opened if isinstance(one, Command)]
    assert isinstance(draft, TicketDraft)
    assert draft.correlation == "disk/probe=home"
    worse = [effect for n in range(1, 6) for effect in watch.observe(sample(n * MINUTE, DOWN))]
    assert told(worse) == [("joined", 5 * MINUTE), ("escalated", 5 * MINUTE)]
    [incident] = watch.incidents.values()
    assert (incident.severity, incident.urgency) == (Severity.MAJOR, Level.HIGH)
    assert told(watch.observe(sample(6 * MINUTE))) == [("left", 6 * MINUTE), ("resolved", 6 * MINUTE)]


def test_labels_and_annotations_are_written_when_the_incident_is_opened() -> None:
    team = {"team": Text(lambda scope: scope.service.owner)}
    advice = {"advice": Text(lambda scope: f"look at {scope.probe.id}\nand wait")}
    watch = watch_of(plan(probe(), replace(rule(), labels=team, annotations=advice)))
    effects = watch.observe(sample(0, DOWN))
    [incident] = watch.incidents.values()
    assert incident.labels == (("team", "team-web"),)
    [draft] = [one.payload for one in effects if isinstance(one, Command)]
    assert isinstance(draft, TicketDraft)
    assert "Labels: team=team-web" in draft.description
    assert "\n\nadvice: look at home\nand wait\n" in draft.description


def test_an_incident_whose_rule_has_another_name_now_gets_worse_by_the_steps_of_that() -> None:
    shared = replace(STEP_BY_STEP, key="home")
    watch = watch_of(plan(probe(), minor("old", shared)))
    watch.observe(sample(0, DOWN))
    assert told(watch.revise(plan(probe(), minor("new", shared)), 1000)) == [("joined", 1000), ("left", 1000)]
    assert told(watch.advance(60 * MINUTE)) == [("escalated", 30 * MINUTE), ("escalated", 60 * MINUTE)]


def test_a_ticket_has_a_title_where_the_rules_comes_to_nothing() -> None:
    watch = watch_of(plan(probe(), rule(title=Text(lambda _: ""))))
    commands = [one for one in watch.observe(sample(0, DOWN)) if isinstance(one, Command)]
    assert [one.payload.title for one in commands if isinstance(one.payload, TicketDraft)] == ["Web shop: home"]


def test_where_rules_share_an_incident_its_history_tells_them_apart() -> None:
    shared = IncidentPolicy(key="disk")
    full = replace(minor("full", shared), hold=Hold(for_ms=5 * MINUTE))
    watch = watch_of(plan(probe(), minor("filling", shared), full))
    effects = [effect for n in range(7) for effect in watch.observe(sample(n * MINUTE, DOWN))]
    texts = [one.text for one in effects if isinstance(one, IncidentChanged)]
    assert texts[-1].startswith("home (full) joined")
