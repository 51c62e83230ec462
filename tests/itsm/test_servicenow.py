"""Incidents and problems in ServiceNow."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.contract.test_ticket_backend import draft
from tests.itsm.servicenow_backend import made, notes_of, options, row_of
from tests.simulators.servicenow import Instance
from watchkeeper import itsm
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.ticket import TicketChange, TicketKind, TicketState
from watchkeeper.itsm.base import Conflict, Rejected, TicketBackend

RESOLVE = TicketChange("Over since 12:00: it answers again", TicketState.RESOLVED, key="over")
REOPEN = TicketChange("The trouble goes on", TicketState.OPEN, key="again")
PROBLEM = replace(draft("wk-p"), kind=TicketKind.PROBLEM, title="The shop goes down each night")


def test_an_incident_says_what_is_wrong_how_bad_it_is_and_whose_it_is(instance: Instance, tmp_path: Path) -> None:
    given = {
        "fields": {"category": "network", "contact_type": "monitoring", "assignment_group": "Network"},
        "fields_by": [{"service": "sh*", "fields": {"business_service": "Web shop", "category": "web"}}],
    }
    with made(instance, tmp_path, **given) as snow:
        ticket = snow.create(replace(draft(), ci="web01"))

    row = row_of(instance, ticket)
    assert (row["short_description"], row["description"]) == ("Web shop is down", "Do something.")
    assert (row["impact"], row["urgency"], row["priority"]) == ("1", "3", "3")  # the priority is the instance's
    assert (row["correlation_id"], row["correlation_display"]) == ("wk-1", "service-down/p1")
    assert (row["category"], row["contact_type"]) == ("web", "monitoring")
    assert row["assignment_group"] == instance.id_of("sys_user_group", "Network")
    assert row["cmdb_ci"] == instance.id_of("cmdb_ci", "web01")
    assert row["business_service"] == instance.id_of("cmdb_ci_service", "Web shop")
    assert ticket.number == row["number"] == "INC0010001"
    assert ticket.url == f"{instance.url}/nav_to.do?uri=incident.do%3Fsys_id%3D{row['sys_id']}"
    assert "priority" not in instance.posts("wk-1")[0].request.json()


def test_a_long_text_ends_with_a_sentence(instance: Instance, snow: TicketBackend) -> None:
    long = replace(draft(), title="It is down. " * 30, description="It is still down.\n" * 500, correlation="k" * 300)

    row = row_of(instance, snow.create(long))

    assert (len(row["short_description"]), row["short_description"][-6:]) == (156, " down.…"[1:])
    assert row["description"].endswith("It is still down.…")
    assert len(row["description"]) <= 4000
    assert len(row["correlation_display"]) == 100


def test_a_problem_is_created_as_new_and_its_state_is_left_to_people(instance: Instance, tmp_path: Path) -> None:
    with made(instance, tmp_path, problem_fields={"assignment_group": "Network"}) as snow:
        problem = snow.create(PROBLEM)
        noted = snow.update(problem, RESOLVE)
        found = snow.find("wk-p")

    assert problem.ref.startswith("problem/")
    assert (problem.number, problem.state, noted.state) == ("PRB0040001", TicketState.OPEN, TicketState.OPEN)
    assert row_of(instance, problem)["assignment_group"] == instance.id_of("sys_user_group", "Network")
    assert notes_of(instance, problem) == [RESOLVE.note]
    assert list(found) == [noted]


def test_an_incident_is_linked_to_its_problem(instance: Instance, snow: TicketBackend) -> None:
    problem, incident = snow.create(PROBLEM), snow.create(draft())

    snow.update(incident, TicketChange("Part of a problem", key="link", problem=problem.ref))

    assert row_of(instance, incident)["problem_id"] == problem.ref.removeprefix("problem/")
    assert row_of(instance, problem)["related_incidents"] == "1"


def test_a_link_that_a_person_made_stays(instance: Instance, snow: TicketBackend) -> None:
    problem, incident = snow.create(PROBLEM), snow.create(draft())
    theirs = instance.add("problem", short_description="another")["sys_id"]
    instance.person().change(incident.ref.removeprefix("incident/"), problem_id=theirs)

    snow.update(incident, TicketChange("Part of a problem", key="link", problem=problem.ref))

    assert row_of(instance, incident)["problem_id"] == theirs
    assert notes_of(instance, incident) == ["Part of a problem"]


def test_resolving_says_how_and_why(instance: Instance, snow: TicketBackend) -> None:
    incident = snow.create(draft())

    assert snow.update(incident, RESOLVE).state is TicketState.RESOLVED

    row = row_of(instance, incident)
    assert (row["close_code"], row["close_notes"]) == ("Solution provided", RESOLVE.note)
    assert notes_of(instance, incident) == [RESOLVE.note]


def test_resolving_says_what_is_configured(instance: Instance, tmp_path: Path) -> None:
    given = {
        "close_code": "Resolved by caller",
        "close_notes": "By itself.",
        "resolve_fields": {"subcategory": "none"},
    }
    instance.rules.mandatory.add(("incident", "category"))
    with made(instance, tmp_path, fields={"category": "network"}, **given) as snow:
        incident = snow.create(draft())
        snow.update(incident, RESOLVE)

    row = row_of(instance, incident)
    assert (row["close_code"], row["close_notes"], row["subcategory"]) == ("Resolved by caller", "By itself.", "none")


def test_a_resolved_incident_goes_on_in_progress(instance: Instance, snow: TicketBackend) -> None:
    incident = snow.update(snow.create(draft()), RESOLVE)

    reopened = snow.update(incident, REOPEN)

    assert reopened.state is TicketState.IN_PROGRESS
    assert row_of(instance, incident)["reopen_count"] == "1"


@pytest.mark.parametrize("end", ["close", "cancel"])
def test_an_ended_incident_is_not_opened_again(instance: Instance, snow: TicketBackend, end: str) -> None:
    incident = snow.create(draft())
    getattr(instance.person(), end)(incident.ref.removeprefix("incident/"))

    with pytest.raises(Rejected, match=r"INC0010001 is (closed|cancelled), and ServiceNow does not open it again"):
        snow.update(incident, REOPEN)

    assert notes_of(instance, incident) == []


def test_each_state_has_a_meaning(instance: Instance, tmp_path: Path) -> None:
    sys_id = instance.add("incident", correlation_id="wk-1", state="1")["sys_id"]
    ref = f"incident/{sys_id}"
    means = {
        "1": TicketState.OPEN,
        "2": TicketState.IN_PROGRESS,
        "3": TicketState.ON_HOLD,
        "6": TicketState.RESOLVED,
        "7": TicketState.CLOSED,
        "8": TicketState.CANCELLED,
        "4": TicketState.ON_HOLD,
        "-7": TicketState.IN_PROGRESS,
    }
    with made(instance, tmp_path, states={"4": "on_hold"}) as snow:
        for code, state in means.items():
            with instance.lock:
                instance.store.get("incident", sys_id)["state"] = code  # type: ignore[index]
            assert [ticket.state for ticket in snow.fetch([ref])] == [state]


# Who has touched a ticket.


def test_nobody_but_watchkeeper_has_touched_a_ticket_of_its_own(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    snow.update(ticket, TicketChange("worse", key="a", impact=Level.HIGH))

    assert [each.is_touched for each in snow.fetch([ticket.ref])] == [False]


def test_a_person_who_takes_a_ticket_up_is_told_and_has_touched_it(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.person().assign(ticket.ref.removeprefix("incident/"), "Network")
    noted = snow.update(ticket, TicketChange("still down", key="a"))

    assert (noted.assignee, noted.is_touched, noted.state) == ("Fred Luddy", True, TicketState.IN_PROGRESS)
    assert list(snow.fetch([ticket.ref])) == [noted]


def test_a_comment_of_a_person_touches_a_ticket_and_stays_known(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.person().comment(ticket.ref.removeprefix("incident/"), "I look at it.")
    [seen] = snow.fetch([ticket.ref])

    noted = snow.update(seen, TicketChange("still down", key="a"))  # the instance tells only who was last

    assert (seen.is_touched, noted.is_touched) == (True, True)


def test_a_rule_that_assigns_a_new_ticket_has_not_touched_it(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    with instance.lock:
        row = instance.store.get("incident", ticket.ref.removeprefix("incident/"))
        assert row is not None
        instance.store.replace(row, {**row, "assigned_to": instance.auth.users["fred.luddy"].sys_id}, "system")

    assert [(each.assignee, each.is_touched) for each in snow.fetch([ticket.ref])] == [("Fred Luddy", False)]


def test_what_a_person_takes_up_while_it_is_resolved_is_read_again_first(
    instance: Instance, snow: TicketBackend
) -> None:
    ticket = snow.create(draft())
    instance.person().assign(ticket.ref.removeprefix("incident/"), "Network")

    with pytest.raises(Conflict, match="somebody has taken up INC0010001 meanwhile"):
        snow.update(ticket, RESOLVE)

    [now] = snow.fetch([ticket.ref])
    assert snow.update(now, RESOLVE).state is TicketState.RESOLVED  # whoever decided knew it


# Configuration.


def test_the_configuration_of_the_example_is_accepted(tmp_path: Path) -> None:
    accepted = options(
        "https://example.service-now.com", tmp_path, fields={"category": "network", "contact_type": "monitoring"}
    )

    assert (accepted.close_code, accepted.mode) == ("Solution provided", "incidents")
    assert itsm.find("servicenow").options.model_fields["timeout"].default == 65_000


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"fields": {"priority": 1}}, "priority is not set: ServiceNow computes it"),
        ({"fields": {"correlation_id": "x"}}, "correlation_id is watchkeeper's own to set"),
        ({"fields": {"Category": "x"}}, "'Category' is no field"),
        ({"fields": {"category": ["x"]}}, "category must be a text, a number, true or false"),
        ({"fields_by": [{"fields": {"state": 2}}]}, "state is watchkeeper's own to set"),
        ({"problem_fields": {"priority": 1}}, "priority is not set"),
        ({"resolve_fields": {"close_code": "x"}}, "close_code is a key of its own"),
        ({"auth": {"username": "x"}}, "must be one of {username, password}, {client_id, client_secret} or {api_key}"),
        ({"auth": {"api_key": {"env": "A"}, "username": "x"}}, "must be one of"),
        ({"auth": {"username": "x", "password": "y"}}, "a secret does not stand in the file"),
        ({"states": {"4": "waiting"}}, "Input should be 'open'"),
        ({"mode": "alerts"}, "Input should be 'incidents' or 'events'"),
    ],
)
def test_what_can_not_work_is_refused_when_it_is_read(tmp_path: Path, given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as raised:
        options("https://example.service-now.com", tmp_path, **given)

    assert why in str(raised.value)


def test_names_are_looked_up_and_then_a_ticket_is_certain_within_the_instances_own_time(tmp_path: Path) -> None:
    kind = itsm.find("servicenow")

    assert kind.certain_after_ms(options("https://x.example", tmp_path, timeout="65s")) == 130_000
    assert kind.certain_after_ms(options("https://x.example", tmp_path, timeout="5s")) == 65_000
    assert kind.certain_after_ms(options("https://x.example", tmp_path, mode="events")) == 0


# What would be sent.


def test_a_preview_of_a_ticket_shows_what_is_asked_and_what_is_sent(instance: Instance, tmp_path: Path) -> None:
    with made(instance, tmp_path, fields={"assignment_group": "Network", "caller_id": "0" * 32}) as snow:
        look, create = snow.preview(replace(draft(), ci=""))

    assert (look.method, look.url) == ("GET", f"{instance.url}/api/now/table/sys_user_group")
    assert look.body == {"sysparm_query": "name=Network^ORDERBYsys_id"}
    assert (create.method, create.url) == ("POST", f"{instance.url}/api/now/table/incident")
    assert create.body["assignment_group"] == "(sys_id of Network)"
    assert (create.body["caller_id"], create.body["impact"]) == ("0" * 32, "1")
    assert instance.requests() == []


def test_a_preview_of_a_change_shows_the_record_that_would_be_written(snow: TicketBackend) -> None:
    look, write = snow.preview(RESOLVE)

    assert (look.method, write.method) == ("GET", "PATCH")
    assert write.body["state"] == "6"
    assert write.body["close_code"] == "Solution provided"
    assert "correct horse" not in json.dumps([look.body, write.body])


def test_the_severity_of_a_ticket_may_decide_on_its_group(instance: Instance, tmp_path: Path) -> None:
    by = [{"severity": "critical", "fields": {"assignment_group": "Network"}}]
    with made(instance, tmp_path, fields={"assignment_group": "Service Desk"}, fields_by=by) as snow:
        worst = snow.create(replace(draft(), severity=Severity.CRITICAL))
        usual = snow.create(draft("wk-2"))

    groups = [row_of(instance, ticket)["assignment_group"] for ticket in (worst, usual)]
    assert groups == [instance.id_of("sys_user_group", name) for name in ("Network", "Service Desk")]
