"""What watchkeeper says of itself."""

from dataclasses import replace
from pathlib import Path

from tests.engine import made
from tests.web.standing import FINE, IDLE, told
from watchkeeper.domain.probe import Status
from watchkeeper.domain.watch import Watch
from watchkeeper.store.outbox import OutboxDepth, OutboxState
from watchkeeper.web.exposition import Reading

REFERENCE = Path(__file__).parents[2] / "docs/reference/http.md"


def waiting(*depths: tuple[str, OutboxState, int, int]) -> Reading:
    """A reading with such an outbox: backend, state, how many, and how old the oldest was when it was read, in s."""
    return replace(
        IDLE,
        outbox=[
            OutboxDepth(backend, state, count, FINE.outbox_ms - age_s * 1000)
            for backend, state, count, age_s in depths
        ],
    )


def test_a_daemon_that_is_well_has_nothing_to_complain_of() -> None:
    found = told()

    assert found["version"] == "1.2.3"
    assert found["uptime_seconds"] == 60.123
    assert (found["probes"], found["rules"], found["open_incidents"]) == (2, 1, 0)
    assert found["not_ready"] == []
    assert found["config_reload_successful"] is True
    assert (found["commands_waiting"], found["oldest_command_seconds"], found["commands_rejected"]) == (0, 0.0, 0)
    assert found["backends"] == [
        {"name": "desk", "waiting": 0, "rejected": 0, "refusing": False, "reason": None, "last_outcome": None}
    ]


def test_when_it_was_started_is_a_time_in_iso_8601() -> None:
    assert told(condition=replace(FINE, started_ms=1_795_563_896_123))["started"] == "2026-11-24T23:44:56Z"


def test_what_the_engine_counts_is_told() -> None:
    reading = replace(
        IDLE,
        samples={("fake", Status.UP): 7, ("other", Status.DOWN): 1},
        runs_in_flight=2,
        runs_waiting=1,
        effects_waiting=5,
        decisions_journaled=4,
        rollups_waiting=7,
        rollup_samples_dropped=8,
    )
    troubled = replace(
        FINE,
        not_ready=["the database has not answered for 31 s"],
        missed_runs=9,
        scheduler_lag_s=0.25,
        database_failing_s=12.5,
        database_silent_s=31.0,
        reload_successful=False,
    )

    found = told(reading, troubled)

    assert (
        found.items()
        >= {
            "samples_total": 8,
            "missed_runs_total": 9,
            "unanswered_evaluations_total": 0,
            "scheduler_lag_seconds": 0.25,
            "runs_in_flight": 2,
            "runs_waiting": 1,
            "effects_waiting": 5,
            "decisions_journaled": 4,
            "database_failing_seconds": 12.5,
            "database_silent_seconds": 31.0,
            "rollups_waiting": 7,
            "rollup_samples_dropped": 8,
            "config_reload_successful": False,
        }.items()
    )
    assert found["not_ready"] == ["the database has not answered for 31 s"]


def test_commands_that_are_in_flight_wait_and_those_that_were_rejected_do_not() -> None:
    found = told(
        waiting(
            ("desk", OutboxState.WAITING, 2, 90),
            ("desk", OutboxState.IN_FLIGHT, 1, 120),
            ("desk", OutboxState.REJECTED, 3, 9_000),
        )
    )

    assert (found["commands_waiting"], found["oldest_command_seconds"], found["commands_rejected"]) == (3, 120.0, 3)
    assert found["backends"][0].items() >= {"name": "desk", "waiting": 3, "rejected": 3}.items()


def test_a_command_grows_no_older_while_the_outbox_can_not_be_read() -> None:
    reading = waiting(("desk", OutboxState.WAITING, 1, 90))

    assert told(replace(reading, now_ms=made.NOW_MS + 3_600_000))["oldest_command_seconds"] == 90.0


def test_a_clock_that_was_set_back_makes_no_age_negative() -> None:
    assert told(waiting(("desk", OutboxState.WAITING, 1, -5)))["oldest_command_seconds"] == 0.0


def test_a_backend_that_something_waits_for_is_told_though_the_configuration_has_it_no_more() -> None:
    found = told(waiting(("gone", OutboxState.WAITING, 1, 5)))

    assert [backend["name"] for backend in found["backends"]] == ["desk", "gone"]


def test_a_backend_refuses_while_it_does_not_answer_as_it_should_and_says_why() -> None:
    [backend] = told(replace(IDLE, refusing={"desk": "connection refused"}))["backends"]
    assert (backend["refusing"], backend["reason"]) == (True, "connection refused")


def test_what_came_of_the_last_command_is_told_whether_the_backend_refuses_or_not() -> None:
    for outcome in ("", "delivered", "rejected", "throttled"):
        [backend] = told(condition=replace(FINE, last_outcomes={"desk": outcome}))["backends"]
        assert (backend["refusing"], backend["last_outcome"]) == (False, outcome or None)


def test_an_open_incident_is_counted() -> None:
    of = Watch(made.plan([made.probe("web")], made.rule()), open_incidents=[made.incident(1)])

    assert told(watch=of)["open_incidents"] == 1


def test_every_key_is_in_the_reference() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    found = told()

    assert [key for key in (*found, *found["backends"][0]) if f"`{key}`" not in text] == []
