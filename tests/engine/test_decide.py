"""What follows from a call to a backend that did not end well."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.engine.circuit import (
    MAX_BACKOFF_S,
    MAX_DENIED_S,
    MAX_THROTTLE_S,
    Circuit,
    Reject,
    Retry,
    decide,
)
from watchkeeper.itsm.base import Ambiguous, Conflict, Denied, Outcome, Rejected, Throttled, Unavailable

JITTERS = st.floats(min_value=0, max_value=1)
TIMES = st.integers(min_value=1, max_value=10**9)


def paused(pause_s: float) -> Retry:
    return Retry(0.0, uncertain=False, pause_s=pause_s)


@pytest.mark.parametrize(
    ("outcome", "attempts", "failures", "decision"),
    [
        # What was not reached is asked again as a whole, by how often it failed, whichever command it was.
        (Unavailable("refused"), 1, 1, paused(1.0)),
        (Unavailable("refused"), 1, 5, paused(16.0)),
        (Unavailable("refused"), 9, 50, paused(300.0)),
        (Throttled("later"), 1, 3, paused(4.0)),
        (Throttled("later", 30), 1, 1, paused(31.0)),
        (Throttled("later", 2.5), 9, 9, paused(3.5)),
        (Throttled("later", 0), 1, 1, paused(2.0)),
        (Throttled("later", -5), 1, 1, paused(2.0)),
        (Throttled("later", 86_400), 1, 1, paused(3601.0)),
        (Denied("wrong password"), 1, 1, paused(60.0)),
        (Denied("wrong password"), 1, 3, paused(240.0)),
        (Denied("wrong password"), 1, 30, paused(1800.0)),
        # What concerns one ticket holds up no other.
        (Throttled("later", 30, of_ticket=True), 1, 1, Retry(31.0, uncertain=False)),
        (Conflict("changed"), 1, 0, Retry(0.5, uncertain=False)),
        (Conflict("changed"), 4, 0, Retry(7.5, uncertain=False)),
        # What may have been done is asked for by and by; a command that always ends so must not hold up the others.
        (Ambiguous("no answer"), 1, 1, Retry(1.0, uncertain=True, pause_s=0.25)),
        (Ambiguous("no answer"), 4, 1, Retry(8.0, uncertain=True, pause_s=0.25)),
        (Outcome("something new"), 1, 3, Retry(1.0, uncertain=True, pause_s=1.0)),
        (Rejected("no such field"), 7, 0, Reject()),
    ],
)
def test_each_outcome_has_its_consequence(
    outcome: Outcome, attempts: int, failures: int, decision: Retry | Reject
) -> None:
    assert decide(outcome, attempts, failures, 1.0) == decision


OUTCOMES = st.sampled_from((Unavailable("x"), Denied("x"), Ambiguous("x"), Throttled("x"), Conflict("x")))


@given(OUTCOMES, TIMES, TIMES, JITTERS)
def test_a_wait_is_never_longer_than_its_bound(outcome: Outcome, attempts: int, failures: int, jitter: float) -> None:
    decision = decide(outcome, attempts, failures, jitter)

    assert isinstance(decision, Retry)
    assert 0 <= decision.after_s <= MAX_BACKOFF_S
    assert 0 <= decision.pause_s <= (MAX_DENIED_S if isinstance(outcome, Denied) else MAX_BACKOFF_S)
    assert decision.after_s + decision.pause_s > 0 or isinstance(outcome, Conflict)


@given(st.integers(min_value=1, max_value=30), JITTERS)
def test_a_pause_does_not_shrink_with_more_failures(failures: int, jitter: float) -> None:
    sooner, later = (decide(Unavailable("refused"), 1, n, jitter) for n in (failures, failures + 1))

    assert isinstance(sooner, Retry)
    assert isinstance(later, Retry)
    assert sooner.pause_s <= later.pause_s


@given(st.floats() | st.integers(), JITTERS)
def test_whatever_a_backend_asks_for_the_wait_is_bounded(wanted: float, jitter: float) -> None:
    decision = decide(Throttled("later", wanted), 1, 1, jitter)

    assert isinstance(decision, Retry)
    assert math.isfinite(decision.pause_s)
    assert 1 <= decision.pause_s <= MAX_THROTTLE_S + 1


def test_a_circuit_opens_with_the_first_failure_and_closes_with_the_first_success() -> None:
    circuit = Circuit()
    assert (circuit.is_open, circuit.wait_ms(0)) == (False, 0)
    circuit.failed(Unavailable("refused"))
    circuit.pause(5_000)
    assert (circuit.is_open, circuit.reason, circuit.wait_ms(1_000)) == (True, "refused", 4_000)
    circuit.well()
    assert (circuit.is_open, circuit.reason, circuit.wait_ms(1_000)) == (False, "", 0)


def test_what_concerns_one_ticket_does_not_open_the_circuit() -> None:
    circuit = Circuit()
    circuit.failed(Conflict("changed"))
    circuit.failed(Throttled("later", 5, of_ticket=True))
    assert not circuit.is_open


def test_a_clock_that_is_set_back_does_not_keep_the_circuit_open_for_ever() -> None:
    circuit = Circuit()
    circuit.failed(Unavailable("refused"))
    circuit.pause(10**12)
    assert circuit.wait_ms(0) <= (MAX_THROTTLE_S + 1) * 1000
