"""How many changes succeeded and failed."""

import pytest

from watchkeeper.domain.change import ChangeOutcome
from watchkeeper.domain.change_record import ChangeRecord, rates_of

UNKNOWN, GOOD, SOME, BAD = ChangeOutcome


def record(told: ChangeOutcome, *incidents: str) -> ChangeRecord:
    return ChangeRecord("CHG1", "snow", "Patch", 0, 1, told, incidents)


@pytest.mark.parametrize("told", ChangeOutcome)
def test_a_change_that_caused_an_incident_has_failed_whatever_was_told(told: ChangeOutcome) -> None:
    assert record(told).outcome is told
    assert record(told, "INC-1").outcome is BAD


def test_the_failure_rate_is_of_all_and_the_success_rate_of_those_that_were_told() -> None:
    rates = rates_of([record(GOOD), record(GOOD, "INC-1"), record(SOME), record(UNKNOWN), record(UNKNOWN, "INC-2")])

    assert rates.counts == {UNKNOWN: 1, GOOD: 1, SOME: 1, BAD: 2}
    assert rates.failure == pytest.approx(2 / 5)
    assert rates.success == pytest.approx(1 / 3)


def test_of_nothing_there_is_no_rate() -> None:
    assert (rates_of([]).failure, rates_of([]).success) == (None, None)
    assert (rates_of([record(UNKNOWN)]).failure, rates_of([record(UNKNOWN)]).success) == (0, None)
