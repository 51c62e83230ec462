"""What a ServiceNow instance does to those who trust it, and what the backend does instead."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.test_ticket_backend import draft
from tests.itsm.servicenow_backend import made, notes_of, row_of
from tests.simulators import faults as f
from tests.simulators.http import Fault, Request, Response
from tests.simulators.servicenow import Instance
from tests.simulators.servicenow_faults import (
    COMMITS_AND_IS_CANCELLED,
    COMMITS_AND_IS_CANCELLED_TIDILY,
    HIBERNATES,
    IS_CANCELLED,
    IS_CANCELLED_IN_QUEUE,
    SERVICENOW_COMMITTED,
    SERVICENOW_LOST,
)
from watchkeeper.domain.ticket import TicketChange, TicketState
from watchkeeper.itsm.base import (
    Ambiguous,
    Conflict,
    Denied,
    Outcome,
    Rejected,
    Throttled,
    TicketBackend,
    Unavailable,
)

RESOLVE = TicketChange("over", TicketState.RESOLVED, key="over")


def outcome_of(ask: Callable[[], object]) -> Outcome:
    with pytest.raises(Outcome) as raised:
        ask()
    return raised.value


def on(path: str, method: str = "") -> Callable[[Request], bool]:
    return lambda request: request.path.endswith(path) and request.method.startswith(method)


# A condition that is not understood is dropped, and the rest of the query is run.


def test_a_search_that_ignores_the_key_tells_so_and_finds_no_stranger(
    instance: Instance, snow: TicketBackend
) -> None:
    instance.add("incident", correlation_id="somebody's")
    ignored = b'{"result": [{"sys_id": "%s", "correlation_id": "somebody\'s"}]}' % (b"a" * 32)
    instance.faults.then(
        f.says("ignores it", Response(200, {**f.JSON, "X-Total-Count": "1"}, ignored), commits=False)
    )

    outcome = outcome_of(lambda: snow.find("wk-1"))

    assert type(outcome) is Unavailable
    assert "can not be searched by key: incident.correlation_id" in str(outcome)


def test_a_search_whose_key_may_not_be_read_tells_so(instance: Instance, snow: TicketBackend) -> None:
    instance.add("incident", correlation_id="wk-1")
    instance.acl.unreadable.add(("incident", "correlation_id"))

    assert type(outcome_of(lambda: snow.find("wk-1"))) is Unavailable


def test_a_key_of_other_letters_is_another_key(instance: Instance, snow: TicketBackend) -> None:
    instance.properties.values_ignore_case = True
    instance.add("incident", correlation_id="WK-1")

    assert list(snow.find("wk-1")) == []


# A caret in a query begins another condition, and there is no way to write one that does not.


@pytest.mark.parametrize("key", ["x^ORcorrelation_id=theirs", "x^NQactive=true", "javascript:gs.now()", "x y", "ü"])
def test_no_key_becomes_a_query(instance: Instance, snow: TicketBackend, key: str) -> None:
    instance.add("incident", correlation_id="theirs")

    assert list(snow.find(key)) == []
    with pytest.raises(Rejected, match="can not be the key of a ticket"):
        snow.create(draft(key))
    assert instance.requests() == []


def test_no_name_becomes_a_query(instance: Instance, tmp_path: Path) -> None:
    for name in ("x^ORnameISNOTEMPTY", "javascript:gs.getUserID()"):
        with made(instance, tmp_path, fields={"assignment_group": name}) as snow:
            ticket = snow.create(draft())

        assert row_of(instance, ticket)["assignment_group"] == ""
        assert (
            f"assignment_group: {name!r} can not be looked up by name; give its sys_id"
            in notes_of(instance, ticket)[0]
        )
    assert instance.requests("GET", "/api/now/table/sys_user_group") == []


# Nothing keeps two records of one key apart, and a call without an answer may have been carried out, even later.


@pytest.mark.parametrize("fault", [*f.COMMITTED, *SERVICENOW_COMMITTED], ids=str)
def test_a_ticket_whose_answer_was_lost_is_ambiguous_and_is_found(
    instance: Instance, tmp_path: Path, fault: Fault
) -> None:
    with made(instance, tmp_path, timeout="150ms" if "hang" in fault.name else "5s") as snow:
        instance.faults.then(fault)

        outcome = outcome_of(lambda: snow.create(draft()))
        instance.server.release()

        assert type(outcome) is Ambiguous
        assert [ticket.key for ticket in snow.find("wk-1")] == ["wk-1"]
        assert len(instance.posts("wk-1")) == 1


@pytest.mark.parametrize("fault", [*f.LOST, *SERVICENOW_LOST], ids=str)
def test_a_ticket_that_may_have_been_made_is_ambiguous_and_asked_for_once(
    instance: Instance, tmp_path: Path, fault: Fault
) -> None:
    with made(instance, tmp_path, timeout="150ms" if "hang" in fault.name else "5s") as snow:
        instance.faults.then(fault)

        outcome = outcome_of(lambda: snow.create(draft()))
        instance.server.release()

        assert type(outcome) is Ambiguous
        assert len(instance.posts("wk-1")) == 1
        assert list(snow.find("wk-1")) == []


@pytest.mark.parametrize("fault", [*f.COMMITTED, *SERVICENOW_COMMITTED], ids=str)
def test_a_change_whose_answer_was_lost_is_made_once(instance: Instance, tmp_path: Path, fault: Fault) -> None:
    with made(instance, tmp_path, timeout="150ms" if "hang" in fault.name else "5s") as snow:
        ticket = snow.create(draft())
        instance.faults.then(fault, when=on(ticket.ref.removeprefix("incident/"), "PATCH"))

        assert type(outcome_of(lambda: snow.update(ticket, RESOLVE))) is Ambiguous
        instance.server.release()
        again = snow.update(ticket, RESOLVE)

        assert again.state is TicketState.RESOLVED
        assert notes_of(instance, ticket) == ["over"]


def test_two_tickets_of_one_key_are_both_found_the_oldest_first(instance: Instance, snow: TicketBackend) -> None:
    for _ in range(5):
        snow.create(draft())
        instance.clock.advance(1)

    assert [ticket.number for ticket in snow.find("wk-1")] == [f"INC001000{n}" for n in range(1, 6)]


def test_nothing_is_created_when_looking_up_names_took_too_long(instance: Instance, tmp_path: Path) -> None:
    def slow(request: Request) -> bool:
        if request.path.endswith("sys_user_group"):
            instance.clock.advance(6)
        return False

    instance.faults.always(f.CLOSES, when=slow)
    with made(instance, tmp_path, fields={"assignment_group": "Network"}, timeout="5s") as snow:
        outcome = outcome_of(lambda: snow.create(draft()))

        assert type(outcome) is Unavailable
        assert instance.posts("wk-1") == []
        snow.create(draft())  # what was looked up is known


# 200 may hold an error.


@pytest.mark.parametrize("fault", [COMMITS_AND_IS_CANCELLED_TIDILY, COMMITS_AND_IS_CANCELLED, IS_CANCELLED], ids=str)
def test_a_list_that_lacks_rows_is_not_believed(instance: Instance, snow: TicketBackend, fault: Fault) -> None:
    ticket = snow.create(draft())
    instance.faults.then(fault, fault)

    assert type(outcome_of(lambda: snow.find("wk-1"))) is Unavailable
    assert type(outcome_of(lambda: snow.fetch([ticket.ref]))) is Unavailable


def test_why_a_call_was_cancelled_is_told(instance: Instance, snow: TicketBackend) -> None:
    instance.faults.then(COMMITS_AND_IS_CANCELLED_TIDILY, IS_CANCELLED_IN_QUEUE)

    told = [str(outcome_of(lambda: snow.create(draft()))) for _ in range(2)]

    assert all("maximum execution time exceeded" in text for text in told)


# Three sorts of 429.


def test_a_rate_limit_is_throttling_with_a_time(instance: Instance, snow: TicketBackend) -> None:
    instance.limits.per_hour = 0

    outcome = outcome_of(lambda: snow.create(draft()))

    assert isinstance(outcome, Throttled)
    assert outcome.retry_after_s == 1320  # 11:38 to 12:00
    assert instance.tickets("wk-1") == []


def test_a_tables_quota_and_a_full_queue_are_throttling_without_a_time(
    instance: Instance, snow: TicketBackend
) -> None:
    instance.limits.table_per_hour["incident"] = 0
    of_table = outcome_of(lambda: snow.create(draft()))
    instance.limits.table_per_hour.clear()
    instance.limits.at_once = 0
    of_queue = outcome_of(lambda: snow.create(draft()))

    assert [(type(each), each.retry_after_s) for each in (of_table, of_queue)] == [(Throttled, None)] * 2  # type: ignore[attr-defined]


# Sessions.


def test_calls_share_one_session(instance: Instance, snow: TicketBackend) -> None:
    for number in range(3):
        snow.create(draft(f"wk-{number}"))

    assert instance.auth.sessions == 1


@pytest.mark.parametrize("fault", [f.ACCEPTS, f.COMMITS_AND_ACCEPTS], ids=str)
def test_a_change_that_is_put_aside_is_ambiguous(instance: Instance, snow: TicketBackend, fault: Fault) -> None:
    ticket = snow.create(draft())
    instance.faults.then(None, fault)

    assert type(outcome_of(lambda: snow.update(ticket, RESOLVE))) is Ambiguous


# Fields are dropped, and 201 is said all the same.


def test_a_key_that_is_not_stored_ends_all_creating(instance: Instance, snow: TicketBackend) -> None:
    instance.acl.unwritable.add(("incident", "correlation_id"))

    outcome = outcome_of(lambda: snow.create(draft()))
    again = outcome_of(lambda: snow.create(draft("wk-2")))

    assert type(outcome) is type(again) is Rejected
    assert str(outcome).startswith("INC0010001 was made, but its incident.correlation_id does not hold 'wk-1'")
    assert len(instance.requests("POST")) == 1


def test_a_state_that_is_not_stored_is_rejected(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.acl.unwritable |= {("incident", "state"), ("incident", "incident_state")}

    outcome = outcome_of(lambda: snow.update(ticket, RESOLVE))

    assert type(outcome) is Rejected
    assert str(outcome).startswith("INC0010001 is still open: the instance did not store the state 6")


def test_other_fields_that_are_not_stored_are_told_by_the_self_test(instance: Instance, tmp_path: Path) -> None:
    instance.acl.unwritable.add(("incident", "category"))
    with made(instance, tmp_path, fields={"category": "network", "u_misspelt": "x"}) as snow:
        snow.create(draft())
        told = [finding.message for finding in snow.check()]

    assert any("INC0010001 was written without category" in text for text in told)
    assert any("INC0010001 was written without u_misspelt" in text for text in told)


def test_a_note_that_is_not_stored_is_told_by_the_self_test(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.acl.unwritable.add(("incident", "work_notes"))
    snow.update(ticket, TicketChange("still down", key="a"))

    assert any("was written without work_notes" in finding.message for finding in snow.check())


# References.


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Netwrok", "assignment_group: sys_user_group has no record of the name 'Netwrok'"),
        ("network", "assignment_group: sys_user_group has no record of the name 'network'"),
        ("Database", "assignment_group: sys_user_group has 2 records of the name 'Database'; give the sys_id of one"),
    ],
)
def test_a_name_that_is_not_one_records_is_left_out_and_said(
    instance: Instance, tmp_path: Path, name: str, why: str
) -> None:
    with made(instance, tmp_path, fields={"assignment_group": name}) as snow:
        ticket = snow.create(draft())

    assert row_of(instance, ticket)["assignment_group"] == ""
    assert notes_of(instance, ticket) == [f"watchkeeper could not set:\n- {why}"]


def test_a_name_is_looked_up_once_for_a_while(instance: Instance, tmp_path: Path) -> None:
    with made(instance, tmp_path, fields={"assignment_group": "Network"}) as snow:
        for number in range(5):
            snow.create(draft(f"wk-{number}"))
        looked = len(instance.requests("GET", "/api/now/table/sys_user_group"))
        instance.clock.advance(601)
        snow.create(draft("wk-9"))

    assert (looked, len(instance.requests("GET", "/api/now/table/sys_user_group"))) == (1, 2)


def test_a_name_that_is_made_later_is_found_soon(instance: Instance, tmp_path: Path) -> None:
    with made(instance, tmp_path, fields={"assignment_group": "Night watch"}) as snow:
        snow.create(draft())
        group = instance.add("sys_user_group", name="Night watch")
        instance.clock.advance(61)

        ticket = snow.create(draft("wk-2"))

    assert row_of(instance, ticket)["assignment_group"] == group["sys_id"]


def test_a_table_that_may_not_be_read_costs_the_field_and_not_the_ticket(instance: Instance, tmp_path: Path) -> None:
    instance.acl.read_roles["sys_user_group"] = "nobody"
    with made(instance, tmp_path, fields={"assignment_group": "Network", "location": "Berlin"}) as snow:
        ticket = snow.create(draft())

    [note] = notes_of(instance, ticket)
    assert "sys_user_group has records of the name 'Network' that are not shown to watchkeeper" in note
    assert "location: cmn_location can not be read" in note


# Rules of the instance write after everybody else.


def test_what_rules_make_of_a_ticket_is_left_to_them(instance: Instance, tmp_path: Path) -> None:
    other = instance.id_of("sys_user_group", "Service Desk")
    instance.rules.assign = lambda _row: other
    with made(instance, tmp_path, fields={"assignment_group": "Network"}) as snow:
        ticket = snow.create(draft())
        snow.update(ticket, TicketChange("still down", key="a"))

        assert list(snow.check()) == []
    assert row_of(instance, ticket)["assignment_group"] == other
    assert "assignment_group" not in instance.requests("PATCH")[0].request.json()


# Records that are hidden are counted, and nothing else shows that they are there.


def test_a_hidden_ticket_is_not_taken_for_none(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.acl.hidden.add(ticket.ref.removeprefix("incident/"))

    found, fetched = outcome_of(lambda: snow.find("wk-1")), outcome_of(lambda: snow.fetch([ticket.ref]))

    assert str(found) == "hides 1 of the records of the key wk-1 in incident from watchkeeper"
    assert str(fetched) == "hides 1 of 1 records of incident from watchkeeper"


def test_a_role_that_was_taken_away_is_not_taken_for_deleted_tickets(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.acl.read_roles["incident"] = "nobody"

    assert type(outcome_of(lambda: snow.fetch([ticket.ref]))) is Ambiguous


def test_who_may_not_create_anything_is_denied(instance: Instance, snow: TicketBackend) -> None:
    instance.acl.write_roles["incident"] = "nobody"

    outcome = outcome_of(lambda: snow.create(draft()))

    assert type(outcome) is Denied
    assert "ACL Exception Insert Failed due to security constraints" in str(outcome)


def test_who_may_not_change_a_ticket_is_rejected(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.acl.write_roles["incident"] = "nobody"

    assert isinstance(outcome_of(lambda: snow.update(ticket, RESOLVE)), Rejected)


def test_a_count_that_is_missing_is_not_taken_for_nothing(instance: Instance, snow: TicketBackend) -> None:
    instance.faults.then(f.says("no count", Response(200, f.JSON, b'{"result": []}'), commits=False))

    assert type(outcome_of(lambda: snow.find("wk-1"))) is Unavailable


# Rows come in any order, references and times in several forms.


def test_each_search_asks_for_an_order_raw_values_and_its_own_fields(instance: Instance, tmp_path: Path) -> None:
    with made(instance, tmp_path, fields={"assignment_group": "Network"}) as snow:
        ticket = snow.create(draft())
        snow.find("wk-1")
        snow.fetch([ticket.ref])
        snow.update(ticket, RESOLVE)

    for each in instance.requests("", "/api/now/table/"):
        asked = each.request.query
        assert asked["sysparm_exclude_reference_link"] == "true"
        assert "sys_id" in asked["sysparm_fields"]
        if each.request.method == "GET" and "sysparm_query" in asked:
            assert "ORDERBY" in asked["sysparm_query"]
            assert int(asked["sysparm_limit"]) >= 1
        if each.request.method != "GET":
            assert asked["sysparm_input_display_value"] == "false"


def test_many_tickets_are_fetched_page_by_page_and_each_once(instance: Instance, snow: TicketBackend) -> None:
    ids = [instance.add("incident", correlation_id=f"wk-{number}")["sys_id"] for number in range(250)]

    fetched = snow.fetch([f"incident/{sys_id}" for sys_id in [*ids, *ids]])

    assert sorted(ticket.ref for ticket in fetched) == sorted(f"incident/{sys_id}" for sys_id in ids)
    assert len(instance.requests("GET")) == 3


# People are not overruled, and ended tickets drop what is sent.


@pytest.mark.parametrize("refuses", [True, False])
def test_a_ticket_that_is_closed_while_it_is_changed_is_read_again(
    instance: Instance, snow: TicketBackend, refuses: bool
) -> None:
    instance.rules.closed_are_refused = refuses
    ticket = snow.create(draft())

    def closes_first(request: Request) -> bool:
        if request.method == "PATCH":
            instance.person().close(ticket.ref.removeprefix("incident/"))
        return False

    instance.faults.always(f.CLOSES, when=closes_first)
    outcome = outcome_of(lambda: snow.update(ticket, RESOLVE))

    assert type(outcome) is (Rejected if refuses else Conflict)
    assert [each.state for each in snow.fetch([ticket.ref])] == [TicketState.CLOSED]


def test_a_note_for_a_closed_ticket_is_not_lost_without_a_word(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.person().close(ticket.ref.removeprefix("incident/"))

    with pytest.raises(Conflict, match="INC0010001 is closed meanwhile"):
        snow.update(ticket, TicketChange("still down", key="a"))


def test_a_ticket_on_hold_stays_there(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.person().hold(ticket.ref.removeprefix("incident/"))

    noted = snow.update(ticket, TicketChange("still down", TicketState.OPEN, key="a"))

    assert (noted.state, notes_of(instance, ticket)) == (TicketState.ON_HOLD, ["still down"])


# A policy that refuses is no lack of permission.


def test_a_field_that_a_policy_wants_is_told_in_its_own_words(instance: Instance, snow: TicketBackend) -> None:
    instance.rules.caller_is_mandatory = True

    outcome = outcome_of(lambda: snow.create(draft()))

    assert type(outcome) is Rejected
    assert str(outcome) == (
        "refuses it (403): Operation Failed: Data Policy Exception: "
        "The following mandatory fields are not filled in: Caller"
    )


def test_a_field_that_is_wanted_for_resolving_is_told(instance: Instance, snow: TicketBackend) -> None:
    ticket = snow.create(draft())
    instance.rules.mandatory.add(("incident", "subcategory"))

    outcome = outcome_of(lambda: snow.update(ticket, RESOLVE))

    assert type(outcome) is Rejected
    assert "mandatory fields are not filled in: Subcategory" in str(outcome)
    assert notes_of(instance, ticket) == []


def test_tickets_of_any_state_are_found(instance: Instance, snow: TicketBackend) -> None:
    for end in ("resolve", "close", "cancel"):
        ticket = snow.create(draft())
        getattr(instance.person(), end)(ticket.ref.removeprefix("incident/"))

    assert {ticket.state for ticket in snow.find("wk-1")} == {
        TicketState.RESOLVED,
        TicketState.CLOSED,
        TicketState.CANCELLED,
    }


# Pages for people.


@pytest.mark.parametrize("fault", [HIBERNATES, f.SAYS_LOGIN_PAGE], ids=str)
def test_a_page_for_people_is_no_answer(instance: Instance, snow: TicketBackend, fault: Fault) -> None:
    instance.faults.then(fault, fault)

    assert type(outcome_of(lambda: snow.find("wk-1"))) is Unavailable
    assert type(outcome_of(lambda: snow.create(draft()))) is Ambiguous


def test_a_url_that_leads_elsewhere_is_unavailable_and_says_so(instance: Instance, snow: TicketBackend) -> None:
    instance.faults.then(f.says("no such page", Response(404, f.HTML, b"<html>Not found"), commits=False))

    outcome = outcome_of(lambda: snow.create(draft()))

    assert type(outcome) is Unavailable
    assert str(outcome).endswith("Is `url` right?")


def test_the_keys_of_problems_are_searched_too(instance: Instance, snow: TicketBackend) -> None:
    instance.add("problem", correlation_id="wk-1")

    assert [ticket.ref.partition("/")[0] for ticket in snow.find("wk-1")] == ["problem"]


def test_without_a_ci_none_is_looked_for(instance: Instance, snow: TicketBackend) -> None:
    snow.create(replace(draft(), ci=""))

    assert [each.request.method for each in instance.requests()] == ["POST"]
