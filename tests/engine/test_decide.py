"""What follows from a call to a backend that did not end well."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.engine.delivery import MAX_BACKOFF_S, MAX_THROTTLE_S, Reject, Retry, decide
from watchkeeper.itsm.base import Ambiguous, Outcome, Rejected, Throttled, Unavailable

JITTERS = st.floats(min_value=0, max_value=1)
ATTEMPTS = st.integers(min_value=1, max_value=10**9)


@pytest.mark.parametrize(
    ("outcome", "attempts", "decision"),
    [
        (Unavailable("refused"), 1, Retry(1.0, uncertain=False)),
        (Unavailable("refused"), 2, Retry(2.0, uncertain=False)),
        (Unavailable("refused"), 5, Retry(16.0, uncertain=False)),
        (Unavailable("refused"), 50, Retry(300.0, uncertain=False)),
        (Throttled("later"), 3, Retry(4.0, uncertain=False)),
        (Throttled("later", 30), 1, Retry(31.0, uncertain=False)),
        (Throttled("later", 2.5), 9, Retry(3.5, uncertain=False)),
        (Throttled("later", 0), 1, Retry(2.0, uncertain=False)),
        (Throttled("later", -5), 1, Retry(2.0, uncertain=False)),
        (Throttled("later", 86_400), 1, Retry(3601.0, uncertain=False)),
        (Ambiguous("no answer"), 1, Retry(1.0, uncertain=True)),
        (Ambiguous("no answer"), 4, Retry(8.0, uncertain=True)),
        (Outcome("something new"), 1, Retry(1.0, uncertain=True)),
        (Rejected("no such field"), 1, Reject()),
        (Rejected("no such field"), 7, Reject()),
    ],
)
def test_each_outcome_has_its_consequence(outcome: Outcome, attempts: int, decision: Retry | Reject) -> None:
    assert decide(outcome, attempts, 1.0) == decision


@given(ATTEMPTS, JITTERS)
def test_a_backoff_is_never_longer_than_its_bound_nor_shorter_than_half_a_second(
    attempts: int, jitter: float
) -> None:
    decision = decide(Unavailable("refused"), attempts, jitter)

    assert isinstance(decision, Retry)
    assert 0.5 <= decision.after_s <= MAX_BACKOFF_S


@given(st.integers(min_value=1, max_value=30), JITTERS)
def test_a_backoff_does_not_shrink_with_more_attempts(attempts: int, jitter: float) -> None:
    sooner, later = (decide(Unavailable("refused"), n, jitter) for n in (attempts, attempts + 1))

    assert isinstance(sooner, Retry)
    assert isinstance(later, Retry)
    assert sooner.after_s <= later.after_s


@given(st.floats() | st.integers(), JITTERS)
def test_whatever_a_backend_asks_for_the_wait_is_bounded(wanted: float, jitter: float) -> None:
    decision = decide(Throttled("later", wanted), 1, jitter)

    assert isinstance(decision, Retry)
    assert math.isfinite(decision.after_s)
    assert 1 <= decision.after_s <= MAX_THROTTLE_S + 1
