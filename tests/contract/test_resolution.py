"""What people say when they resolve a ticket is told by every backend that keeps it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.ending import WORKED, Worked
from tests.contract.test_ticket_backend import RT, draft
from tests.peers import databases
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketState
from watchkeeper.itsm.base import MOST_RESOLUTION, TellsResolution


@pytest.fixture(params=["memory", "servicenow", "cloud", "server", RT, *databases.KINDS])
def worked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worked]:
    with WORKED[request.param](tmp_path) as made:
        yield made


def said_of(worked: Worked, ticket: Ticket) -> str:
    assert isinstance(worked.backend, TellsResolution)
    return worked.backend.resolution(ticket)


def test_what_a_person_said_when_they_resolved_a_ticket_is_told(worked: Worked) -> None:
    ticket = worked.backend.create(draft())

    worked.resolve(ticket, "The disk was full: removed old dumps.\nGrößer ist bestellt.")

    assert said_of(worked, ticket).endswith("The disk was full: removed old dumps.\nGrößer ist bestellt.")


def test_of_a_ticket_that_nobody_has_resolved_nothing_is_told(worked: Worked) -> None:
    assert said_of(worked, worked.backend.create(draft())) == ""


def test_of_a_ticket_that_was_resolved_without_a_word_nothing_is_told(worked: Worked) -> None:
    ticket = worked.backend.create(draft())
    worked.backend.update(ticket, TicketChange("still down", key="a"))

    worked.resolve(ticket, "")

    assert said_of(worked, ticket) == ""


def test_what_watchkeeper_itself_said_when_it_resolved_a_ticket_is_not_told(worked: Worked) -> None:
    ticket = worked.backend.create(draft())

    worked.backend.update(ticket, TicketChange("Over after 5m.", TicketState.RESOLVED, key="a"))

    assert said_of(worked, ticket) == ""


def test_what_was_said_before_a_ticket_was_opened_again_is_not_told(worked: Worked) -> None:
    ticket = worked.backend.create(draft())
    worked.resolve(ticket, "Restarted.")

    worked.reopen(ticket)

    assert said_of(worked, ticket) == ""


def test_a_long_story_is_told_as_far_as_it_can_be_kept(worked: Worked) -> None:
    ticket = worked.backend.create(draft())

    worked.resolve(ticket, "Very long. " * 300)

    said = said_of(worked, ticket)
    assert said.startswith(("Very long.", "Done: Very long.", "Solution provided: Very long."))
    assert 1000 < len(said) <= MOST_RESOLUTION
