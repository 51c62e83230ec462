"""A ticket system that was away for a day: what waited for it comes in order, once, and no quicker than it takes."""

import pytest

from tests.engine.outage import OUTAGES, PER_MINUTE, fresh_database, outage
from watchkeeper.domain.ticket import TicketState


@pytest.mark.parametrize(("name", "incidents"), [("refuses connections", 100), ("does not answer", 40)])
def test_after_a_day_without_its_backend_each_ticket_has_one_summary_of_all_that_happened(
    name: str, incidents: int
) -> None:
    with fresh_database() as database:
        drained = outage(database, OUTAGES[name], incidents)

    backend = drained.backend
    assert drained.undelivered == 0
    assert len({ticket.key for ticket in backend.tickets}) == len(backend.tickets) == incidents
    for ticket in backend.tickets:
        number = int(ticket.title.removeprefix("Trouble "))
        [summary] = backend.notes[ticket.ref]
        texts = drained.commands[number]
        places = [summary.index(text) for text in texts]
        assert places == sorted(places), "what happened is told in its order"
        assert summary.count(f"incident {number}") == len(texts), "and once"
        assert (ticket.state is TicketState.RESOLVED) == (number in drained.resolved)
    assert backend.impatient == 0, "it is not asked before the time is over that it has asked for"
    # What has begun is finished: a change is two calls, and the second may come before its time.
    assert drained.most_in_a_minute <= PER_MINUTE + 1
    assert drained.calls_per_ticket < 3.5, "one to create it, two for all that happened"
    assert drained.drain_s < 300 + incidents * 3, "the longest pause, and three seconds for each"
    assert backend.asked_in_vain < 1600, "a day of pauses of some minutes"
