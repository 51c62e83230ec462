"""The incident, the keys under which it is counted, and of their tickets."""

import pytest

from tests.domain.made import probe, rule
from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.correlation import incident_key, ticket_key
from watchkeeper.domain.incident import AlertsFired, AlertsOver, Incident, IncidentState, step
from watchkeeper.domain.rule import Level, Match, Severity, priority

A, B = AlertRef("down", "a"), AlertRef("down", "b")
OPEN = Incident(
    id=7,
    key="down/service=shop",
    rule_id="down",
    service="shop",
    title="Shop is down",
    severity=Severity.MAJOR,
    impact=Level.MEDIUM,
    urgency=Level.HIGH,
    backend="desk",
    started_ms=1_700_000_000_000,
    opened_ms=1_700_000_060_000,
    firing=frozenset({A}),
    affected=(A,),
)


def test_an_incident_lasts_until_its_last_alert_is_over() -> None:
    both = step(OPEN, AlertsFired((B,), 200))
    assert (both.firing, both.affected) == (frozenset({A, B}), (A, B))
    one = step(both, AlertsOver((A,), 300))
    assert (one.firing, one.affected, one.state) == (frozenset({B}), (A, B), IncidentState.OPEN)
    again = step(one, AlertsFired((A,), 400))
    assert (again.firing, again.affected) == (frozenset({A, B}), (A, B))
    done = step(step(again, AlertsOver((A,), 500)), AlertsOver((B,), 600))
    assert (done.state, done.resolved_ms, done.firing) == (IncidentState.RESOLVED, 600, frozenset())


def test_what_an_incident_knows_already_changes_nothing() -> None:
    assert step(OPEN, AlertsFired((A,), 200)) is OPEN
    assert step(OPEN, AlertsOver((B,), 200)) is OPEN


def test_a_resolved_incident_stays_resolved() -> None:
    done = step(OPEN, AlertsOver((A,), 200))
    assert step(done, AlertsFired((A,), 300)) is done
    assert step(done, AlertsOver((A,), 300)) is done


@pytest.mark.parametrize(
    ("group_by", "key"),
    [
        (("probe",), "down/probe=home"),
        (("service",), "down/service=shop"),
        (("rule",), "down"),
        (("service", "env"), "down/service=shop/env=prod"),
        (("zone",), "down/zone="),
        (("odd",), "down/odd=a%2Fb=50%25"),
    ],
)
def test_alerts_that_agree_in_what_is_grouped_by_are_one_incident(group_by: tuple[str, ...], key: str) -> None:
    assert incident_key(rule(group_by=group_by), probe(env="prod", odd="a/b=50%")) == key


def test_labels_that_look_like_each_other_do_not_meet() -> None:
    by_both = rule(group_by=("a", "b"))
    first, second = probe(a="x/b=y", b="z"), probe(a="x", b="y/b=z")
    assert incident_key(by_both, first) != incident_key(by_both, second)


def test_a_tickets_key_is_safe_stable_and_its_own() -> None:
    key = ticket_key("down/service=shop", 1000)
    assert key == "wk-" + key[3:]
    assert len(key) == 27
    assert set(key[3:]) <= set("0123456789abcdef")
    assert key == ticket_key("down/service=shop", 1000)
    assert len({key, ticket_key("down/service=shop", 1001), ticket_key("down/service=shoq", 1000)}) == 3


def test_priorities_follow_the_matrix() -> None:
    matrix = [[priority(impact, urgency) for urgency in Level] for impact in Level]
    assert matrix == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (Match(), True),
        (Match(prober="http", service="sh*", probe="h?me", labels={"env": "prod"}), True),
        (Match(prober="tcp"), False),
        (Match(service="Shop"), False),
        (Match(probe="home2"), False),
        (Match(labels={"env": "prod", "zone": "eu"}), False),
        (Match(labels={"env": "test"}), False),
    ],
)
def test_a_rule_looks_at_the_probes_that_agree_with_all_it_says(match: Match, expected: bool) -> None:
    assert match(probe(env="prod")) is expected
