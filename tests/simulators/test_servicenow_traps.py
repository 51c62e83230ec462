"""The simulated ServiceNow does what the real one does to those who trust it."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import requests

from tests.simulators import faults as f
from tests.simulators.http import Fault, came
from tests.simulators.servicenow import ADMIN, Instance, running
from tests.simulators.servicenow_asking import Asking
from tests.simulators.servicenow_faults import (
    COMMITS_AND_IS_CANCELLED,
    COMMITS_AND_IS_CANCELLED_TIDILY,
    HIBERNATES,
    IS_CANCELLED,
    IS_CANCELLED_IN_QUEUE,
)

RESOLUTION = {"close_code": "Solution provided", "close_notes": "Over."}


@pytest.fixture
def instance() -> Iterator[Instance]:
    with running() as instance:
        yield instance


@pytest.fixture
def client(instance: Instance) -> Iterator[Asking]:
    with Asking(instance) as client:
        yield client


# A part of a query that is wrong is dropped, and the rest is run.


def test_a_misspelt_field_in_a_query_finds_the_tickets_of_strangers(client: Asking) -> None:
    client.created(short_description="a stranger's", correlation_id="other")

    found = client.found("incident", "corelation_id=wk-1^active=true")

    assert [row["short_description"] for row in found] == ["a stranger's"]


@pytest.mark.parametrize(
    "query", ["Active=true", "active = true", "active@true", "correlation_id.name=wk-1", "activelike"]
)
def test_names_and_operators_must_be_written_exactly(client: Asking, query: str) -> None:
    client.created(correlation_id="other")

    assert len(client.found("incident", f"correlation_id=wk-1^{query}")) == 0
    assert len(client.found("incident", query)) == 1


def test_a_property_makes_a_wrong_query_find_nothing(instance: Instance, client: Asking) -> None:
    instance.properties.invalid_query_returns_no_rows = True
    client.created(correlation_id="wk-1")

    assert client.found("incident", "corelation_id=wk-1^active=true") == []
    assert len(client.found("incident", "correlation_id=wk-1^active=true")) == 1


# A caret in a value is no part of it.


@pytest.mark.parametrize("key", ["no-such^ORcorrelation_id=theirs", "no-such^NQactive=true"])
def test_a_caret_in_a_key_asks_for_something_else(client: Asking, key: str) -> None:
    client.created(correlation_id="theirs")

    assert [row["correlation_id"] for row in client.found("incident", f"correlation_id={key}")] == ["theirs"]


# Two tickets of one correlation_id are no affair of the instance.


@pytest.mark.parametrize("fault", f.COMMITTED, ids=str)
def test_a_create_that_is_sent_again_after_a_lost_answer_makes_two_tickets(
    instance: Instance, client: Asking, fault: Fault
) -> None:
    instance.faults.then(fault, when=f.writes)

    with suppress(requests.RequestException):
        client.create("incident", {"correlation_id": "wk-1"}, timeout=0.1)
    instance.server.wait_until(came(1))
    client.created(correlation_id="wk-1")
    instance.server.release()

    assert len(instance.tickets("wk-1")) == 2
    assert len(instance.posts("wk-1")) == 2


def test_a_cancelled_create_may_be_committed_after_somebody_looked(instance: Instance, client: Asking) -> None:
    instance.faults.then(f.HANGS_AND_COMMITS, when=f.writes)

    with suppress(requests.ReadTimeout):
        client.create("incident", {"correlation_id": "wk-1"}, timeout=0.05)
    instance.server.wait_until(came(1))
    looked = client.found("incident", "correlation_id=wk-1")
    instance.server.release()

    assert (looked, len(client.found("incident", "correlation_id=wk-1"))) == ([], 1)


# 200 with an error inside.


def test_a_transaction_that_is_cancelled_while_it_answers_says_200_and_no_json(
    instance: Instance, client: Asking
) -> None:
    instance.faults.then(COMMITS_AND_IS_CANCELLED)

    answered = client.create("incident", {"correlation_id": "wk-1"})

    assert answered.status_code == 200
    assert '"status": "failure"' in answered.text
    with pytest.raises(json.JSONDecodeError):
        json.loads(answered.text)
    assert len(instance.tickets("wk-1")) == 1


def test_a_cancelled_list_may_be_good_json_that_lacks_rows(instance: Instance, client: Asking) -> None:
    for _ in range(4):
        client.created()
    instance.faults.then(COMMITS_AND_IS_CANCELLED_TIDILY)

    answered = client.listed("incident").json()

    assert len(answered["result"]) == 2
    assert "maximum execution time exceeded" in answered["error"]["message"]


def test_a_transaction_that_is_cancelled_early_may_say_200_or_500(instance: Instance, client: Asking) -> None:
    instance.faults.then(IS_CANCELLED, IS_CANCELLED_IN_QUEUE)

    answered = [client.create("incident", {"correlation_id": "wk-1"}) for _ in range(2)]

    assert [(each.status_code, "error" in each.json()) for each in answered] == [(200, True), (500, True)]
    assert instance.tickets("wk-1") == []


# Three sorts of 429.


def test_a_rate_limit_says_when_to_come_back(instance: Instance, client: Asking) -> None:
    instance.limits.per_hour = 1
    client.created()

    refused = client.create("incident", {"correlation_id": "wk-1"})
    instance.clock.advance(int(refused.headers["Retry-After"]))
    later = client.create("incident", {"correlation_id": "wk-2"})

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1320")  # 11:38 to 12:00
    assert refused.headers["X-RateLimit-Limit"] == "1"
    assert datetime.fromtimestamp(int(refused.headers["X-RateLimit-Reset"]), UTC).hour == 12
    assert instance.tickets("wk-1") == []
    assert later.status_code == 201


def test_a_full_queue_does_not_say_when_to_come_back(instance: Instance, client: Asking) -> None:
    instance.limits.at_once = 1
    instance.faults.then(f.HANGS)
    with pytest.raises(requests.ReadTimeout):
        client.create("incident", {}, timeout=0.05)
    instance.server.wait_until(came(1))

    refused = client.create("incident", {"correlation_id": "wk-1"})
    instance.server.release()

    assert (refused.status_code, "Retry-After" in refused.headers) == (429, False)
    assert instance.tickets("wk-1") == []
    assert client.create("incident", {"correlation_id": "wk-1"}).status_code == 201


def test_a_tables_quota_leaves_other_tables_alone(instance: Instance, client: Asking) -> None:
    instance.limits.table_per_hour["incident"] = 1
    client.created()

    refused = client.create("incident", {})

    assert (refused.status_code, "Retry-After" in refused.headers) == (429, False)
    assert client.listed("sys_user").status_code == 200


# Sessions.


@pytest.mark.parametrize("run", [True, False])
def test_parallel_requests_of_one_session_get_202_whether_they_are_run_or_not(
    instance: Instance, client: Asking, run: bool
) -> None:
    instance.limits.session_queue, instance.limits.queued_are_run = 0, run
    client.listed("sys_user")
    instance.faults.then(f.HANGS)
    with pytest.raises(requests.ReadTimeout):
        client.ask("GET", "/api/now/table/incident", timeout=0.05)
    instance.server.wait_until(came(2))

    accepted = client.create("incident", {"correlation_id": "wk-1"})
    with Asking(instance) as other:
        own_session = other.create("incident", {"correlation_id": "wk-2"})
    instance.server.release()

    assert (accepted.status_code, accepted.content) == (202, b"")
    assert len(instance.tickets("wk-1")) == int(run)
    assert own_session.status_code == 201


def test_who_sends_no_cookie_begins_a_session_with_each_request(instance: Instance, client: Asking) -> None:
    for _ in range(3):
        client.listed("sys_user")
    kept = instance.auth.sessions
    for _ in range(3):
        client.session.cookies.clear()
        client.listed("sys_user")

    assert (kept, instance.auth.sessions) == (1, 4)


# What is not stored, nobody says.


def test_unknown_forbidden_and_read_only_fields_are_dropped_with_201(instance: Instance, client: Asking) -> None:
    instance.acl.unwritable.add(("incident", "correlation_id"))

    sent = {
        "correlation_id": "wk-1",
        "shortdescription": "x",
        "priority": "1",
        "reopen_count": "7",
        "sys_id": "0" * 32,
    }
    made = client.created(**sent)

    assert (made["correlation_id"], made["priority"], made["reopen_count"]) == ("", "5", "0")
    assert "shortdescription" not in made
    assert made["sys_id"] != "0" * 32


def test_a_state_that_is_not_ones_own_to_write_is_dropped_with_200(instance: Instance, client: Asking) -> None:
    instance.acl.unwritable.add(("incident", "state"))
    made = client.created()

    assert client.changed(made["sys_id"], state="6", **RESOLUTION)["state"] == "1"


def test_what_is_too_long_is_cut_without_a_word(client: Asking) -> None:
    made = client.created(short_description="x" * 200, correlation_id="k" * 120)

    assert (len(made["short_description"]), len(made["correlation_id"])) == (160, 100)


# References.


def test_a_name_instead_of_a_sys_id_is_stored_as_a_reference_to_nothing(instance: Instance, client: Asking) -> None:
    made = client.create("incident", {"assignment_group": "Network"}, exclude_reference_link="true").json()["result"]

    assert made["assignment_group"] == "Network"
    assert client.found("incident", "assignment_group.name=Network") == []


def test_a_name_instead_of_a_sys_id_may_be_dropped(instance: Instance, client: Asking) -> None:
    instance.properties.dangling_references_are_stored = False

    assert client.created(assignment_group="Network")["assignment_group"] == ""


def test_names_are_looked_up_when_asked_for_and_lost_when_unknown(instance: Instance, client: Asking) -> None:
    def group(name: str) -> str:
        answered = client.create(
            "incident", {"assignment_group": name}, input_display_value="true", exclude_reference_link="true"
        )
        stored: str = answered.json()["result"]["assignment_group"]
        return stored

    assert group("Network") == instance.id_of("sys_user_group", "Network")
    assert group("Nobody") == ""
    assert group("Database") in [row["sys_id"] for row in instance.rows("sys_user_group", name="Database")]


# Rules overwrite.


def test_rules_overwrite_what_was_written(instance: Instance, client: Asking) -> None:
    desk, network = (instance.id_of("sys_user_group", name) for name in ("Service Desk", "Network"))
    instance.rules.assign = lambda row: desk if row["category"] == "" else None

    made = client.created(assignment_group=network, impact="1", urgency="2", priority="5")

    assert made["assignment_group"]["value"] == desk
    assert made["priority"] == "2"
    assert client.changed(made["sys_id"], assignment_group=network)["assignment_group"]["value"] == desk


# Rows that are not shown count all the same.


def test_the_limit_is_applied_before_anybody_asks_who_may_see_what(instance: Instance, client: Asking) -> None:
    first, second = (client.created(correlation_id="wk-1")["sys_id"] for _ in range(2))
    instance.acl.hidden.add(min(first, second))

    answered = client.listed("incident", "correlation_id=wk-1^ORDERBYsys_id", limit="1")
    wider = client.found("incident", "correlation_id=wk-1^ORDERBYsys_id", limit="10")

    assert answered.json() == {"result": []}
    assert answered.headers["X-Total-Count"] == "2"
    assert [row["sys_id"] for row in wider] == [max(first, second)]


def test_a_record_that_is_not_shown_is_not_found(instance: Instance, client: Asking) -> None:
    made = client.created()
    instance.acl.hidden.add(made["sys_id"])

    assert client.read("incident", made["sys_id"]).status_code == 404
    assert client.change("incident", made["sys_id"], work_notes="?").status_code == 404
    with Asking(instance, ADMIN) as admin:
        assert admin.read("incident", made["sys_id"]).status_code == 200


def test_a_table_without_a_role_seems_empty(instance: Instance, client: Asking) -> None:
    made = client.created(work_notes="hello")
    instance.auth.users["watchkeeper"].roles.discard("journal_reader")

    answered = client.listed("sys_journal_field", f"element_id={made['sys_id']}")

    assert (answered.json(), answered.headers["X-Total-Count"]) == ({"result": []}, "1")


# Order.


def test_pages_without_an_order_repeat_and_lose_rows(client: Asking) -> None:
    for _ in range(20):
        client.created()

    def pages(query: str) -> list[str]:
        return [
            row["sys_id"]
            for offset in range(0, 20, 5)
            for row in client.found("incident", query, limit="5", offset=str(offset), fields="sys_id")
        ]

    assert len(set(pages(""))) < 20
    assert len(set(pages("ORDERBYsys_id"))) == 20


# Shapes and times.


def test_a_reference_has_three_shapes(instance: Instance, client: Asking) -> None:
    group = instance.id_of("sys_user_group", "Network")
    made = client.created(assignment_group=group)

    def shape(**parameters: str) -> object:
        return client.read("incident", made["sys_id"], **parameters).json()["result"]["assignment_group"]

    link = f"{instance.url}/api/now/table/sys_user_group/{group}"
    assert made["cmdb_ci"] == ""
    assert shape() == {"link": link, "value": group}
    assert shape(exclude_reference_link="true") == group
    assert shape(display_value="true") == {"display_value": "Network", "link": link}
    assert shape(display_value="true", exclude_reference_link="true") == "Network"
    assert shape(display_value="all") == {"display_value": "Network", "value": group, "link": link}


def test_raw_times_are_utc_and_shown_ones_the_users(client: Asking) -> None:
    made = client.created()
    shown = client.read("incident", made["sys_id"], display_value="all").json()["result"]["opened_at"]

    assert made["opened_at"] == "2026-11-24 11:38:00"
    assert shown == {"value": "2026-11-24 11:38:00", "display_value": "24/11/2026 03:38:00"}


# There is no optimistic lock.


def test_an_update_pulls_back_what_a_person_resolved_since(instance: Instance, client: Asking) -> None:
    made = client.created()
    instance.person().resolve(made["sys_id"])

    answered = client.ask(
        "PATCH", f"/api/now/table/incident/{made['sys_id']}", json={"state": "2"}, headers={"If-Match": '"0"'}
    )

    assert answered.status_code == 200
    assert (answered.json()["result"]["state"], answered.json()["result"]["reopen_count"]) == ("2", "1")


def test_every_change_counts_and_no_change_does_not(instance: Instance, client: Asking) -> None:
    made = client.created()
    instance.clock.advance(60)

    same = client.changed(made["sys_id"], urgency=made["urgency"])
    changed = client.changed(made["sys_id"], urgency="1")
    noted = client.changed(made["sys_id"], work_notes="hello")

    assert [each["sys_mod_count"] for each in (same, changed, noted)] == ["0", "1", "2"]
    assert (same["sys_updated_on"], changed["sys_updated_on"]) == ("2026-11-24 11:38:00", "2026-11-24 11:39:00")


# 403 need not be about permissions.


def test_to_resolve_without_saying_how_is_a_403_of_a_data_policy(instance: Instance, client: Asking) -> None:
    made = client.created()

    refused = client.change("incident", made["sys_id"], state="6")

    assert refused.status_code == 403
    assert refused.json() == {
        "error": {
            "message": "Operation Failed",
            "detail": "Data Policy Exception: The following mandatory fields are not filled in: "
            "Resolution code, Resolution notes",
        },
        "status": "failure",
    }
    assert instance.tickets("")[0]["state"] == "1"


def test_a_missing_or_unknown_caller_may_be_a_403(instance: Instance, client: Asking) -> None:
    instance.rules.caller_is_mandatory = True
    abel = instance.id_of("sys_user", "Abel Tuter")

    assert [client.create("incident", {"caller_id": caller}).status_code for caller in ("", "Abel", abel)] == [
        403,
        403,
        201,
    ]


# Open is not what active says.


def test_a_resolved_ticket_is_active(instance: Instance, client: Asking) -> None:
    made = client.created()
    instance.person().resolve(made["sys_id"])

    assert len(client.found("incident", "active=true")) == 1
    assert client.found("incident", "active=true^stateNOT IN6,7,8") == []


# HTML.


@pytest.mark.parametrize(
    ("fault", "status"),
    [(HIBERNATES, 200), (f.SAYS_LOGIN_PAGE, 200), (f.SAYS_502, 502), (f.COMMITS_AND_SAYS_504, 504)],
    ids=str,
)
def test_html_comes_where_json_should(instance: Instance, client: Asking, fault: Fault, status: int) -> None:
    instance.faults.then(fault)

    answered = client.listed("incident")

    assert answered.status_code == status
    assert answered.headers["Content-Type"].startswith("text/html")


def test_tickets_that_many_create_at_once_are_as_many_tickets(instance: Instance) -> None:
    def create() -> None:
        with Asking(instance) as client:
            client.created(correlation_id="wk-1")

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({row["number"] for row in instance.tickets("wk-1")}) == 8
