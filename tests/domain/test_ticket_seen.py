"""What people do to tickets, and what follows from it while the trouble goes on."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.domain.made import plan, probe, rule, sample
from watchkeeper.domain.effect import Effect, IncidentChanged
from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Escalation, IncidentPolicy, Severity
from watchkeeper.domain.ticket import Command, CommandKind, TicketDraft, TicketPolicy, TicketSeen, TicketState
from watchkeeper.domain.watch import Watch

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
POLICY = TicketPolicy(reopen_after_ms=10 * MINUTE, reopen_within_ms=60 * MINUTE)
PLAN = replace(plan(probe("a"), probe("b"), rule(group_by=("service",))), policies={"desk": POLICY})


def seen(state: TicketState, at_ms: int, assignee: str = "", incident: int = 1) -> TicketSeen:
    return TicketSeen(incident, "T-1", state, assignee, at_ms)


def trouble(one: Watch | None = None) -> Watch:
    """Two probes down, in one incident."""
    watch = Watch(PLAN) if one is None else one
    watch.revise(PLAN, 0)
    for name in "ab":
        watch.observe(sample(0, Status.DOWN, name))
    return watch


def stays_down(watch: Watch, until_ms: int) -> list[Effect]:
    """What follows while both are heard of, minute by minute."""
    begin = max(subject.sample.at_ms for subject in watch.subjects.values() if subject.sample) // MINUTE + 1
    times = range(begin, until_ms // MINUTE + 1)
    return [effect for n in times for name in "ab" for effect in watch.observe(sample(n * MINUTE, Status.DOWN, name))]


def told(effects: Sequence[Effect]) -> list[tuple[str, int, int]]:
    return [(one.happening.value, one.incident.id, one.at_ms) for one in effects if isinstance(one, IncidentChanged)]


def asked(effects: Sequence[Effect]) -> list[CommandKind]:
    return [one.kind for one in effects if isinstance(one, Command)]


@pytest.mark.parametrize(
    ("state", "assignee"),
    [
        (TicketState.IN_PROGRESS, ""),
        (TicketState.ON_HOLD, ""),
        (TicketState.OPEN, "alice"),
        (TicketState.RESOLVED, ""),
    ],
)
def test_an_incident_is_acknowledged_when_somebody_takes_its_ticket_up(state: TicketState, assignee: str) -> None:
    watch = trouble()
    assert watch.ticket_seen(seen(TicketState.OPEN, MINUTE)) != []  # its number is known now
    effects = watch.ticket_seen(seen(state, 2 * MINUTE, assignee))
    assert told(effects) == [("acknowledged", 1, 2 * MINUTE)]
    assert asked(effects) == []
    [incident] = watch.incidents.values()
    assert incident.acknowledged_ms == 2 * MINUTE
    again = watch.ticket_seen(seen(TicketState.ON_HOLD, 3 * MINUTE, "bob"))
    assert watch.incidents[incident.key].acknowledged_ms == 2 * MINUTE
    assert [what for what, *_ in told(again)] in ([], ["ticket_moved"])


def test_a_ticket_that_was_resolved_too_early_is_opened_again_after_a_grace() -> None:
    watch = trouble()
    watch.ticket_seen(seen(TicketState.RESOLVED, 5 * MINUTE, "alice"))
    assert asked(stays_down(watch, 14 * MINUTE)) == []
    effects = stays_down(watch, 16 * MINUTE)
    assert told(effects) == [("reopened", 1, 15 * MINUTE)]
    assert asked(effects) == [CommandKind.REOPEN]
    assert asked(stays_down(watch, 60 * MINUTE)) == []


def test_trouble_that_is_over_within_the_grace_opens_nothing_again() -> None:
    watch = trouble()
    watch.ticket_seen(seen(TicketState.RESOLVED, 5 * MINUTE))
    for name in "ab":
        watch.observe(sample(6 * MINUTE, Status.UP, name))
    assert asked(watch.advance(DAY)) == []


def test_a_ticket_that_a_person_opens_again_is_not_opened_twice() -> None:
    watch = trouble()
    watch.ticket_seen(seen(TicketState.RESOLVED, 5 * MINUTE))
    watch.ticket_seen(seen(TicketState.IN_PROGRESS, 8 * MINUTE))
    assert asked(stays_down(watch, 60 * MINUTE)) == []


def test_a_ticket_that_is_closed_for_good_gets_a_successor_that_points_at_it() -> None:
    watch = trouble()
    watch.ticket_seen(seen(TicketState.CLOSED, 5 * MINUTE))
    effects = stays_down(watch, 16 * MINUTE)
    assert told(effects) == [("resolved", 1, 15 * MINUTE), ("opened", 2, 15 * MINUTE)]
    [create] = [one for one in effects if isinstance(one, Command)]
    assert isinstance(create.payload, TicketDraft)
    assert "INC-1, ticket T-1" in create.payload.description
    [incident] = watch.incidents.values()
    assert (incident.id, incident.state, len(incident.firing)) == (2, IncidentState.OPEN, 2)
    for name in "ab":
        last = watch.observe(sample(17 * MINUTE, Status.UP, name))
    assert told(last) == [("resolved", 2, 17 * MINUTE)]


def test_what_was_resolved_long_ago_gets_a_successor_too() -> None:
    policy = replace(POLICY, reopen_within_ms=MINUTE)
    watch = Watch(replace(PLAN, policies={"desk": policy}))
    watch.revise(watch.plan, 0)
    watch.observe(sample(0, Status.DOWN, "a"))
    watch.ticket_seen(seen(TicketState.RESOLVED, 5 * MINUTE))
    assert [what for what, *_ in told(watch.advance(20 * MINUTE))] == ["resolved", "opened"]


def test_a_reopening_that_is_refused_gives_a_successor() -> None:
    watch = trouble()
    effects = watch.reopening_refused(1, "T-1 is closed", 20 * MINUTE)
    assert told(effects) == [("resolved", 1, 20 * MINUTE), ("opened", 2, 20 * MINUTE)]
    assert watch.reopening_refused(1, "T-1 is closed", 21 * MINUTE) == []


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_ticket_that_a_person_cancelled_or_deleted_is_left_alone(is_gone: bool) -> None:
    watch = trouble()
    effects = watch.ticket_seen(replace(seen(TicketState.CANCELLED, 5 * MINUTE), is_gone=is_gone))
    assert asked(effects) == []
    assert ("deleted" in str(effects)) is is_gone
    assert asked(stays_down(watch, 300 * MINUTE)) == []
    assert len(watch.incidents) == 1


def test_a_restart_remembers_that_a_ticket_was_abandoned() -> None:
    watch = trouble()
    watch.ticket_seen(seen(TicketState.RESOLVED, 5 * MINUTE))
    [incident] = watch.incidents.values()
    alerts = [binding.alert for subject in watch.subjects.values() for binding in subject.bindings]
    again = Watch(PLAN, open_alerts=alerts, open_incidents=[incident], next_incident_id=2)
    again.revise(PLAN, 60 * MINUTE)
    assert told(again.advance(60 * MINUTE)) == [("reopened", 1, 60 * MINUTE)]


def test_what_is_seen_of_an_incident_that_is_over_is_passed_over() -> None:
    watch = trouble()
    assert watch.ticket_seen(seen(TicketState.CLOSED, MINUTE, incident=9)) == []


def test_a_successor_gets_worse_by_its_own_age() -> None:
    steps = IncidentPolicy(group_by=("service",), escalation=(Escalation(30 * MINUTE, Severity.CRITICAL),))
    one = replace(PLAN, rules={"down": replace(rule(), incident=steps)})
    watch = Watch(one)
    watch.revise(one, 0)
    watch.observe(sample(0, Status.DOWN, "a"))
    watch.ticket_seen(seen(TicketState.CLOSED, 5 * MINUTE))
    happened = told(watch.advance(200 * MINUTE))
    assert happened == [("resolved", 1, 15 * MINUTE), ("opened", 2, 15 * MINUTE), ("escalated", 2, 45 * MINUTE)]
