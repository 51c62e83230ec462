"""What people find out about a problem is read from its ticket, as a text of bounded length."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.test_ticket_backend import draft
from tests.itsm import jira_backend, rt_desk
from tests.peers.requesttracker import Person, RequestTracker
from tests.simulators.jira import Jira, running
from tests.simulators.servicenow import Instance
from watchkeeper.domain.ticket import MAX_FINDING, ProblemFindings, TicketKind
from watchkeeper.itsm._text import found_out
from watchkeeper.itsm.base import TicketBackend

PROBLEM = draft("wk-p", TicketKind.PROBLEM)
NOTHING = ProblemFindings()


@pytest.fixture(params=["cloud", "server"])
def jira(request: pytest.FixtureRequest) -> Iterator[Jira]:
    with running(request.param) as site:
        yield site


def test_servicenow_tells_texts_and_whether_it_is_a_known_error(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(PROBLEM)
    assert ticket.findings == NOTHING
    instance.person().change(
        ticket.ref.removeprefix("problem/"),
        workaround="<p>Restart the pool &amp; wait.</p><p>Then look.</p>",
        cause_notes="The pool leaks",
        fix_notes="Version 7",
        known_error="true",
    )

    [found] = snow.fetch([ticket.ref])

    assert found.findings == ProblemFindings(
        "Restart the pool & wait.\nThen look.", "The pool leaks", resolution="Version 7", is_known_error=True
    )


def test_an_incident_has_no_findings(snow: TicketBackend) -> None:
    assert snow.create(draft()).findings == NOTHING


def test_jira_tells_the_fields_that_are_named_and_the_resolution(jira: Jira, tmp_path: Path) -> None:
    fields = {"workaround_field": "dedupe key", "root_cause_field": "customfield_10044"}
    with jira_backend.made(jira, tmp_path, **fields) as backend:
        ticket = backend.create(PROBLEM)
        person = jira.person("alice")
        person.edits(ticket.number, customfield_10041="Restart it", customfield_10044="It leaks")
        [open_] = backend.fetch([ticket.ref])
        person.transitions(ticket.number, "Done", "10000")
        [done] = backend.fetch([ticket.ref])

    assert open_.findings == ProblemFindings("Restart it", "It leaks")
    assert done.findings == ProblemFindings("Restart it", "It leaks", resolution="Done")


def test_a_field_that_a_jira_does_not_have_is_told_and_costs_nothing(jira: Jira, tmp_path: Path) -> None:
    with jira_backend.made(jira, tmp_path, known_error_field="Known error") as backend:
        ticket = backend.create(PROBLEM)
        [found] = backend.fetch([ticket.ref])
        findings = [one.message for one in backend.check()]

    assert found.findings == NOTHING
    assert findings == [
        "there is no field 'Known error', in which `known_error_field` is looked for: give its name or its id"
    ]


@pytest.mark.xdist_group("requesttracker")
def test_request_tracker_tells_the_custom_fields_that_are_named(rt: RequestTracker, alice: Person) -> None:
    backend = rt_desk.backend(rt, queue=rt_desk.LEVELS, known_error_field="Impact")
    ticket = backend.create(draft("wk-found-out", TicketKind.PROBLEM))
    assert ticket.findings == NOTHING

    alice.client.put(f"/ticket/{ticket.ref}", {"CustomFields": {"Impact": rt_desk.VALUES["high"]}})

    [found] = backend.fetch([ticket.ref])
    assert found.findings == ProblemFindings(known_error=rt_desk.VALUES["high"], is_known_error=True)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", ""),
        ("a < b and c > d", "a < b and c > d"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
        ("<!-- hidden --><b>seen</b>&nbsp;&lt;tag&gt;", "seen <tag>"),
        ("  many \t blanks \n\n\n and lines ", "many blanks\nand lines"),
        ("nothing\0to see", "nothing\N{REPLACEMENT CHARACTER}to see"),
    ],
)
def test_a_text_is_read_without_the_marks_of_html(written: str, read: str) -> None:
    assert found_out(written) == read


def test_a_text_has_a_bounded_length() -> None:
    assert len(found_out("<p>" + "much to say. " * 100_000)) <= MAX_FINDING
