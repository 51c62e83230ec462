"""What incidents in ServiceNow are linked to, and how they are closed as duplicates."""

from dataclasses import replace

from tests.contract.test_ticket_backend import draft
from tests.itsm import servicenow_backend
from tests.simulators.servicenow import Instance
from watchkeeper.domain.ticket import TicketChange, TicketState
from watchkeeper.itsm.base import TicketBackend


def test_a_duplicate_is_closed_as_one_where_the_instance_knows_how(instance: Instance, snow: TicketBackend) -> None:
    first, second, third = (snow.create(draft(f"wk-{n}")) for n in range(3))
    over = TicketChange("over", TicketState.RESOLVED, "over")
    snow.update(second, replace(over, duplicate=first.ref))
    snow.update(third, over)

    rows = [servicenow_backend.row_of(instance, ticket) for ticket in (second, third)]
    assert [row["close_code"] for row in rows] == ["Duplicate", "Solution provided"]
    assert [row["parent_incident"] for row in rows] == [first.ref.removeprefix("incident/"), ""]


def test_a_duplicate_is_closed_as_everything_else_where_it_does_not(instance: Instance, snow: TicketBackend) -> None:
    for choice in instance.store.rows("sys_choice"):
        choice["inactive"] = str(choice["value"] == "Duplicate").lower()
    first, second = snow.create(draft("wk-1")), snow.create(draft("wk-2"))

    snow.update(second, TicketChange("over", TicketState.RESOLVED, "over", duplicate=first.ref))

    assert servicenow_backend.row_of(instance, second)["close_code"] == "Solution provided"


def test_an_incident_names_the_change_that_caused_it_unless_somebody_named_one(
    instance: Instance, snow: TicketBackend
) -> None:
    ours, theirs = (instance.add("change_request", short_description=name)["sys_id"] for name in ("ours", "theirs"))
    first, second = snow.create(draft("wk-1")), snow.create(draft("wk-2"))
    instance.person().change(second.ref.removeprefix("incident/"), caused_by=theirs)
    for ticket in (first, second):
        snow.update(ticket, TicketChange("caused", key="linked", cause=f"change_request/{ours}"))

    assert [servicenow_backend.row_of(instance, ticket)["caused_by"] for ticket in (first, second)] == [ours, theirs]
