"""A few kills at each ticket system; `make chaos` has hundreds."""

import pytest

from tests.chaos import adapters
from tests.chaos.run import run

KILLS = 3
RUNS = [(backend, False) for backend in adapters.names()] + [("local", True), ("servicenow", True)]


# One after the other: daemons that wait for the processor prove less.
@pytest.mark.xdist_group("chaos")
@pytest.mark.parametrize(
    ("backend", "people"), RUNS, ids=[f"{backend}-{'with-people' if people else 'alone'}" for backend, people in RUNS]
)
def test_whenever_it_is_killed_each_incident_has_exactly_one_ticket_with_all_of_its_history(
    backend: str, people: bool
) -> None:
    result = run(backend, seed=1, kills=KILLS, people=people)

    assert not result.wrong, f"see {result.folder}: {result.wrong}"
    assert (result.kills, result.tickets) == (KILLS, result.incidents + result.problems)
    assert result.tickets > 0
