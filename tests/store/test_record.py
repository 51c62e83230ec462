"""What is recorded is remembered, and nothing twice."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from tests.store import made
from watchkeeper.domain.alert import Alert, AlertState, clear
from watchkeeper.domain.effect import AlertChanged, Effect, Happening, IncidentChanged, ProbeGone
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Level, Named, Severity
from watchkeeper.store import listing, outbox, tables
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.lock import LockLost
from watchkeeper.store.record import Decision, begin_run, note_alive, record, record_decisions, remember


def test_an_open_incident_is_remembered_as_it_was(database: Database) -> None:
    incident = made.incident()
    joined = made.joined(incident)
    left = made.over(joined.incident, made.WEB)

    record(database, [made.opened(incident)])
    assert remember(database).incidents == (incident,)
    record(database, [joined])
    assert remember(database).incidents == (joined.incident,)
    record(database, [left])
    assert remember(database).incidents == (left.incident,)
    assert left.incident.affected == (made.WEB, made.API)


def test_what_became_of_an_incident_meanwhile_is_remembered(database: Database) -> None:
    incident = replace(made.incident(), labels=(Named("team", "a"),), annotations=(Named("advice", "wait\nand see"),))
    worse = replace(incident, severity=Severity.CRITICAL, impact=Level.HIGH, urgency=Level.HIGH)
    back = replace(worse, returns=3, flapping=frozenset({made.WEB}))
    record(database, [made.opened(incident)])
    record(database, [IncidentChanged(worse, Happening.ESCALATED, 3, made.WEB, "open for long")])
    record(database, [IncidentChanged(back, Happening.RETURNED, 4, made.WEB, "")])

    assert remember(database).incidents == (back,)
    shown = listing.show_incident(database, incident.id)
    assert shown is not None
    assert (shown.incident.returns, shown.incident.flapping, shown.alerts[0].flapping) == (3, True, True)
    assert (shown.labels, shown.annotations) == (incident.labels, incident.annotations)
    assert [entry.happening for entry in shown.timeline] == [Happening.OPENED, Happening.ESCALATED]


def test_what_an_alert_has_gone_through_lately_is_remembered(database: Database) -> None:
    firing = made.fired(made.WEB, 500)
    flapping = replace(firing.after, recent=0b10101, returns=2, is_flapping=True)
    record(database, [firing, AlertChanged(firing.after, flapping, "again")])

    assert remember(database).alerts == (replace(flapping, stalled_since_ms=500),)


def test_a_resolved_incident_is_not_remembered_but_its_number_is_not_given_again(database: Database) -> None:
    incident = made.incident(7)
    record(database, [made.opened(incident), made.over(incident)])

    memory = remember(database)

    assert memory.incidents == ()
    assert memory.next_incident_id == 8


def test_nothing_is_remembered_of_a_new_database(database: Database) -> None:
    memory = remember(database)

    assert (memory.alerts, memory.incidents, memory.next_incident_id) == ((), (), 1)


def test_alerts_are_remembered_with_their_clocks_standing(database: Database) -> None:
    firing = made.fired(made.WEB, 500)
    clearing = replace(firing.after, clear_since_ms=600)
    pending = Alert(made.API, AlertState.PENDING, since_ms=550, active_since_ms=550)

    record(
        database, [firing, AlertChanged(firing.after, clearing, "well"), AlertChanged(Alert(made.API), pending, "")]
    )

    standing = (replace(pending, stalled_since_ms=550), replace(clearing, stalled_since_ms=500))
    assert remember(database).alerts == standing


def test_an_alert_that_is_over_is_forgotten_but_its_transitions_are_not(database: Database) -> None:
    firing = made.fired(made.WEB, 500)
    record(database, [firing])
    record(database, [AlertChanged(firing.after, clear(firing.after, 900), "well again")])

    assert remember(database).alerts == ()
    rows = tables.alert_transitions
    with database.read() as connection:
        found = connection.execute(select(rows.c.before, rows.c.after, rows.c.at_ms).order_by(rows.c.id)).all()
    assert [tuple(row) for row in found] == [("pending", "firing", 500), ("firing", "inactive", 900)]


def test_an_alert_that_comes_and_goes_within_one_batch_leaves_its_last_state(database: Database) -> None:
    firing = made.fired(made.WEB, 500)
    over = AlertChanged(firing.after, clear(firing.after, 600), "")

    record(database, [firing, over, made.fired(made.WEB, 700)])
    assert [alert.since_ms for alert in remember(database).alerts] == [700]
    record(database, [firing, over])
    assert remember(database).alerts == ()


def test_a_second_open_incident_of_one_key_is_refused_and_nothing_of_its_batch_is_kept(database: Database) -> None:
    record(database, [made.opened(made.incident(1, key="same"))])
    second = made.incident(2, key="same")

    with pytest.raises(StoreError, match="refuses what contradicts it"):
        record(database, [made.status("web", Status.DOWN, 100), made.opened(second), made.create(second)])

    assert made.probe_states(database) == []
    assert outbox.depths(database) == []


def test_trouble_that_ends_and_comes_back_within_one_batch_is_two_incidents(database: Database) -> None:
    first, second = made.incident(1, key="same"), made.incident(2, key="same")
    record(database, [made.opened(first)])

    record(database, [made.over(first), made.opened(second)])

    assert remember(database).incidents == (second,)


def test_a_command_for_an_incident_that_is_not_there_is_refused(database: Database) -> None:
    with pytest.raises(StoreError, match="refuses what contradicts it"):
        record(database, [made.create(made.incident())])


def test_a_decision_that_is_written_again_is_not_written_twice(database: Database) -> None:
    """The connection may be lost while the database commits: then the daemon can not tell, and tries again."""
    run_id = begin_run(database, 0, "1.0", [])
    incident = made.incident()
    effects: list[Effect] = [made.opened(incident), made.create(incident), made.note(incident)]

    record_decisions(database, run_id, [Decision(1, effects)])
    record_decisions(database, run_id, [Decision(1, effects)])
    record_decisions(database, run_id, [Decision(1, effects), Decision(2, [made.note(incident)])])

    shown = listing.show_incident(database, 1)
    assert shown is not None
    assert [command.kind for command in shown.commands] == ["create", "update", "update"]
    assert len(shown.timeline) == 1


def test_a_run_that_another_one_has_followed_writes_nothing_any_more(database: Database) -> None:
    run_id = begin_run(database, 0, "1.0", [])
    begin_run(database, 100, "1.0", [])

    with pytest.raises(LockLost, match="another watchkeeper has worked on the database"):
        record_decisions(database, run_id, [Decision(1, [made.status("web", Status.DOWN, 50)])])

    assert made.probe_states(database) == []


def test_text_that_no_database_keeps_is_kept_readable(database: Database) -> None:
    """A script may print anything: zero bytes, bytes that are no UTF-8."""
    incident = made.incident()
    odd = "one\0two" + b"\xff".decode(errors="surrogateescape") + "drei für €"
    change = IncidentChanged(incident, made.opened(incident).happening, 1, made.WEB, odd)

    record(database, [replace(made.status("web", Status.DOWN, 5), message=odd), change, made.note(incident, odd)])

    [state] = made.probe_states(database)
    assert state.message == "one\ufffdtwo\ufffddrei für €"
    assert outbox.claim(database, "desk", 10_000) is not None


def test_a_probe_that_is_gone_has_no_state_any_more(database: Database) -> None:
    record(database, [made.status("web", Status.UP, 100), made.status("api", Status.DOWN, 100)])
    record(database, [ProbeGone("web", 200)])

    assert [state.probe_id for state in made.probe_states(database)] == ["api"]


def test_a_start_takes_commands_in_flight_back_as_uncertain(database: Database) -> None:
    incident = made.incident()
    record(database, [made.opened(incident), made.create(incident)])
    assert outbox.claim(database, "desk", 10_000) is not None

    begin_run(database, 20_000, "1.0", [])

    claim = outbox.claim(database, "desk", 20_000)
    assert claim is not None
    assert (claim.uncertain, claim.attempts) == (True, 2)


def test_runs_are_noted_with_their_signs_of_life(database: Database) -> None:
    first = begin_run(database, 100, "1.0", [])
    note_alive(database, first, 200)
    second = begin_run(database, 300, "1.1", [])
    note_alive(database, second, 400, stopped=True)

    rows = tables.runs
    with database.read() as connection:
        found = connection.execute(
            select(rows.c.alive_ms, rows.c.stopped_ms, rows.c.version).order_by(rows.c.id)
        ).all()
    assert [tuple(row) for row in found] == [(200, None, "1.0"), (400, 400, "1.1")]


def test_a_storm_of_incidents_is_written_in_one_go(database: Database) -> None:
    incidents = [made.incident(number) for number in range(1, 2_001)]
    storm = [effect for incident in incidents for effect in (made.opened(incident), made.create(incident))]

    record(database, storm)

    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.outbox)).scalar() == 2_000
    assert len(remember(database).incidents) == 2_000
