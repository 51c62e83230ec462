"""Events for ServiceNow's Event Management: one alert for each ticket key."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.test_ticket_backend import draft
from tests.itsm.servicenow_backend import made
from tests.itsm.test_servicenow_traps import outcome_of
from tests.simulators import faults as f
from tests.simulators.servicenow import INTEGRATION, Instance
from tests.simulators.servicenow_store import Row
from watchkeeper.domain.rule import Level, Named
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketState
from watchkeeper.itsm.base import Ambiguous, Denied, Rejected, TicketBackend, Unavailable

RESOLVE = TicketChange("It answers again", TicketState.RESOLVED, key="over")


@pytest.fixture
def events(instance: Instance, tmp_path: Path) -> Iterator[TicketBackend]:
    with made(instance, tmp_path, mode="events") as backend:
        yield backend


def alert(instance: Instance) -> Row:
    instance.process_events()
    [row] = instance.rows("em_alert")
    return row


def test_a_ticket_is_an_alert_that_says_what_is_wrong_and_where(instance: Instance, events: TicketBackend) -> None:
    wanted = replace(draft(), ci="web01", rule="service-down", labels=(Named("region", "eu"),))

    ticket = events.create(wanted)

    row = alert(instance)
    assert (row["state"], row["message_key"], row["severity"]) == ("Open", "wk-1", "3")
    assert (row["source"], row["node"], row["type"], row["resource"]) == (
        "watchkeeper",
        "web01",
        "service-down",
        "shop",
    )
    assert row["description"] == "Web shop is down\n\nDo something."
    assert json.loads(row["additional_info"])["label_region"] == "eu"
    assert instance.rows("em_event")[0]["time_of_event"] == "2026-11-24 11:38:00"
    assert (ticket.number, ticket.key, ticket.state) == ("wk-1", "wk-1", TicketState.OPEN)


@pytest.mark.parametrize(
    ("impact", "urgency", "severity"),
    [
        (Level.HIGH, Level.HIGH, "1"),
        (Level.MEDIUM, Level.HIGH, "2"),
        (Level.MEDIUM, Level.LOW, "3"),
        (Level.LOW, Level.LOW, "4"),
    ],
)
def test_the_severity_is_that_of_the_rule(
    instance: Instance, events: TicketBackend, impact: Level, urgency: Level, severity: str
) -> None:
    events.create(replace(draft(), impact=impact, urgency=urgency))

    assert alert(instance)["severity"] == severity


def test_what_is_over_clears_its_alert_and_what_comes_back_opens_it(
    instance: Instance, events: TicketBackend
) -> None:
    ticket = events.create(draft())
    resolved = events.update(ticket, RESOLVE)
    cleared = alert(instance)
    reopened = events.update(resolved, TicketChange("Down again", TicketState.OPEN, key="again"))

    assert (cleared["state"], cleared["severity"]) == ("Closed", "0")
    assert (resolved.state, reopened.state) == (TicketState.RESOLVED, TicketState.OPEN)
    assert (alert(instance)["state"], alert(instance)["severity"]) == ("Reopen", "3")


def test_a_note_keeps_the_severity_and_an_escalation_raises_it(instance: Instance, events: TicketBackend) -> None:
    ticket = events.create(draft())
    noted = events.update(ticket, TicketChange("p2 joined", key="a"))
    severity = alert(instance)["severity"]
    worse = events.update(noted, TicketChange("Raised", key="b", impact=Level.HIGH, urgency=Level.HIGH))
    events.update(worse, TicketChange("p3 joined", key="c"))

    assert (severity, alert(instance)["severity"], alert(instance)["description"]) == ("3", "1", "p3 joined")


def test_a_note_on_what_is_over_does_not_open_it(instance: Instance, events: TicketBackend) -> None:
    resolved = events.update(events.create(draft()), RESOLVE)

    events.update(resolved, TicketChange("A last word", key="z"))

    assert alert(instance)["state"] == "Closed"


def test_an_event_that_is_sent_again_makes_no_second_alert(instance: Instance, events: TicketBackend) -> None:
    instance.faults.then(f.COMMITS_AND_CLOSES)

    assert type(outcome_of(lambda: events.create(draft()))) is Ambiguous
    assert list(events.find("wk-1")) == []
    events.create(draft())

    assert alert(instance)["state"] == "Open"


def test_what_became_of_an_event_is_not_told(events: TicketBackend) -> None:
    assert type(outcome_of(lambda: events.fetch(["3:wk-1"]))) is Unavailable


def test_a_ticket_that_is_no_event_is_rejected(instance: Instance, events: TicketBackend) -> None:
    incident = Ticket("incident/" + "a" * 32, "INC1", "wk-1", TicketState.OPEN, "made before the mode was changed")

    assert type(outcome_of(lambda: events.update(incident, RESOLVE))) is Rejected
    assert instance.requests() == []


def test_who_lacks_the_role_is_denied_and_the_self_test_names_it(instance: Instance, events: TicketBackend) -> None:
    assert list(events.check()) == []
    instance.auth.users[INTEGRATION[0]].roles.discard("evt_mgmt_integration")

    assert type(outcome_of(lambda: events.create(draft()))) is Denied
    [finding] = events.check()
    assert "needs the role evt_mgmt_integration" in finding.message
    instance.process_events()
    assert instance.rows("em_alert") == []


def test_a_preview_shows_the_event(instance: Instance, events: TicketBackend) -> None:
    [create], [resolve] = events.preview(draft()), events.preview(RESOLVE)

    assert (create.method, create.url) == ("POST", f"{instance.url}/api/global/em/jsonv2")
    assert create.body["records"][0]["message_key"] == "wk-1"
    assert resolve.body["records"][0]["severity"] == "0"
    assert instance.requests() == []
