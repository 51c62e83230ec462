"""The simulated ServiceNow keeps records, and the platform's rules, as the real one does."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.simulators import faults as f
from tests.simulators.servicenow import ADMIN, API_KEY, INTEGRATION, OAUTH_CLIENT, Instance, running
from tests.simulators.servicenow_asking import Asking
from tests.simulators.servicenow_refusal import Refused

RESOLUTION = {"close_code": "Solution provided", "close_notes": "Over."}
DAY_S = 86_400


@pytest.fixture
def instance() -> Iterator[Instance]:
    with running() as instance:
        yield instance


@pytest.fixture
def client(instance: Instance) -> Iterator[Asking]:
    with Asking(instance) as client:
        yield client


# Who may come in.


@pytest.mark.parametrize("auth", [None, ("watchkeeper", "wrong"), ("nobody", "secret"), ("", "")])
def test_who_is_not_known_is_refused(instance: Instance, auth: tuple[str, str] | None) -> None:
    with Asking(instance, auth) as client:
        refused = client.listed("incident")

    assert (refused.status_code, refused.json()["error"]["message"]) == (401, "User Not Authenticated")


def test_an_api_key_stands_for_a_user(instance: Instance) -> None:
    with Asking(instance, None, **{"x-sn-apikey": API_KEY}) as client:
        assert client.created()["sys_created_by"] == "watchkeeper"
    with Asking(instance, None) as client:
        assert client.ask("GET", f"/api/now/table/incident?x-sn-apikey={API_KEY}").status_code == 200
        assert client.ask("GET", "/api/now/table/incident?x-sn-apikey=wrong").status_code == 401


def test_who_lacks_a_second_factor_is_told_so(instance: Instance, client: Asking) -> None:
    instance.auth.users["watchkeeper"].needs_second_factor = True

    refused = client.listed("incident")

    assert (refused.status_code, refused.headers["X-MFA_TOKEN"]) == (401, "invalid")


def test_a_token_ends_and_is_refreshed(instance: Instance) -> None:
    secret = {"client_id": OAUTH_CLIENT[0], "client_secret": OAUTH_CLIENT[1]}
    login = {"grant_type": "password", "username": INTEGRATION[0], "password": INTEGRATION[1]}
    with Asking(instance, None) as client:
        granted = client.ask("POST", "/oauth_token.do", data={**login, **secret}).json()
        client.session.headers["Authorization"] = f"Bearer {granted['access_token']}"
        before = client.listed("incident").status_code
        instance.clock.advance(granted["expires_in"])
        after = client.listed("incident").status_code
        again = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"], **secret}
        refreshed = client.ask("POST", "/oauth_token.do", data=again).json()
        client.session.headers["Authorization"] = f"Bearer {refreshed['access_token']}"
        assert (before, after, client.listed("incident").status_code) == (200, 401, 200)
        instance.auth.revoke()
        assert client.listed("incident").status_code == 401
        assert client.ask("POST", "/oauth_token.do", data=again).status_code == 401


def test_who_lacks_a_role_may_not_write(instance: Instance) -> None:
    with Asking(instance, ("abel.tuter", "secret")) as client:
        refused = client.create("incident", {})

    assert (refused.status_code, "ACL Exception" in refused.json()["error"]["detail"]) == (403, True)


# What is asked wrongly.


def test_a_write_must_say_that_it_is_json_and_wants_json(client: Asking) -> None:
    path = "/api/now/table/incident"

    assert client.ask("POST", path, data="{}").status_code == 400
    assert client.ask("POST", path, data="{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.ask("POST", path, json={}, headers={"Accept": "*/*"}).status_code == 400
    assert client.ask("GET", path, headers={"Accept": "text/html"}).status_code == 406


@pytest.mark.parametrize("body", ["", "{", '"text"', "[]"])
def test_what_is_no_record_is_a_bad_request(client: Asking, body: str) -> None:
    refused = client.ask("POST", "/api/now/table/incident", data=body, headers={"Content-Type": "application/json"})

    assert (refused.status_code, refused.json()["status"]) == (400, "failure")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/now/table/nonsense", 400),
        ("GET", "/api/now/nonsense", 400),
        ("GET", "/api/now/table/incident?sysparm_offset=-1", 400),
        ("DELETE", "/api/now/table/incident", 405),
        ("GET", f"/api/now/table/incident/{'0' * 32}", 404),
        ("DELETE", f"/api/now/table/incident/{'0' * 32}", 404),
        ("GET", "/api/now/v1/table/incident", 404),
        ("GET", "/api/now/v2/table/incident", 200),
    ],
)
def test_paths_have_their_own_errors(client: Asking, method: str, path: str, status: int) -> None:
    assert client.ask(method, path).status_code == status


# Records.


def test_a_new_incident_has_what_the_platform_gives_it(instance: Instance, client: Asking) -> None:
    answered = client.create(
        "incident", {"short_description": "Down", "active": True, "urgency": 2, "category": None}
    )
    made = answered.json()["result"]

    assert answered.headers["Location"] == f"{instance.url}/api/now/table/incident/{made['sys_id']}"
    assert len(made["sys_id"]) == 32
    assert {name: made[name] for name in ("number", "state", "incident_state", "active", "reopen_count")} == {
        "number": "INC0010001",
        "state": "1",
        "incident_state": "1",
        "active": "true",
        "reopen_count": "0",
    }
    assert (made["impact"], made["urgency"], made["priority"]) == ("3", "2", "4")
    assert (made["sys_class_name"], made["sys_created_on"]) == ("incident", "2026-11-24 11:38:00")


def test_of_several_records_one_is_made(instance: Instance, client: Asking) -> None:
    client.create("incident", [{"short_description": "one"}, {"short_description": "two"}])

    assert [row["short_description"] for row in instance.rows("incident")] == ["one"]


def test_an_answer_may_be_without_its_body(instance: Instance, client: Asking) -> None:
    answered = client.ask("POST", "/api/now/table/incident", json={}, headers={"X-no-response-body": "true"})

    assert (answered.status_code, answered.content) == (201, b"")
    assert answered.headers["Location"].endswith(instance.rows("incident")[0]["sys_id"])


def test_unknown_fields_are_not_shown_and_nobody_says_so(client: Asking) -> None:
    client.created()

    assert client.found("incident", fields="number,nonsense,caller_id.name") == [
        {"number": "INC0010001", "caller_id.name": ""}
    ]


def test_a_field_that_one_may_not_read_is_left_out(instance: Instance, client: Asking) -> None:
    instance.acl.unreadable.add(("incident", "correlation_id"))

    assert "correlation_id" not in client.created(correlation_id="wk-1")
    assert len(instance.tickets("wk-1")) == 1


def test_a_list_tells_its_length_and_its_other_pages(client: Asking) -> None:
    for _ in range(5):
        client.created()

    answered = client.listed("incident", "ORDERBYnumber", limit="2", offset="2")
    bare = client.listed("incident", suppress_pagination_header="true", no_count="true")

    assert answered.headers["X-Total-Count"] == "5"
    assert set(answered.links) == {"first", "prev", "next", "last"}
    following = client.session.get(answered.links["next"]["url"], timeout=5).json()["result"]
    assert [row["number"] for row in following] == ["INC0010005"]
    assert not {"X-Total-Count", "Link"} & set(bare.headers)


def test_a_task_is_read_by_its_parents_table(client: Asking) -> None:
    client.created("incident", correlation_id="wk-1")
    client.created("problem", correlation_id="wk-1")

    found = client.found("task", "correlation_id=wk-1^ORDERBYsys_class_name", fields="number,sys_class_name")

    assert [row["number"] for row in found] == ["INC0010001", "PRB0040001"]


def test_a_field_is_described_by_the_table_that_defines_it(client: Asking) -> None:
    found = client.found("sys_dictionary", "element=correlation_id", fields="name,max_length,read_only")
    parent = client.found("sys_db_object", "name=incident", fields="super_class.name")

    assert found == [{"name": "task", "max_length": "100", "read_only": "false"}]
    assert parent == [{"super_class.name": "task"}]


def test_times_are_taken_as_they_are_meant(client: Asking) -> None:
    raw = client.created("incident", opened_at="2026-01-01 00:00:00")
    shown = client.create("incident", {"opened_at": "24/11/2026 03:00:00"}, input_display_value="true")
    neither = client.created("incident", opened_at="yesterday")

    assert raw["opened_at"] == "2026-01-01 00:00:00"
    assert shown.json()["result"]["opened_at"] == "2026-11-24 11:00:00"
    assert neither["opened_at"] == "2026-11-24 11:38:00"


def test_a_state_may_be_named_where_names_are_looked_up(client: Asking) -> None:
    named = client.create("incident", {"state": "In Progress"}, input_display_value="true").json()["result"]

    assert named["state"] == "2"
    assert client.created(state="In Progress")["state"] == "1"


def test_a_collation_may_take_upper_and_lower_case_for_the_same(instance: Instance, client: Asking) -> None:
    client.created(correlation_id="WK-1")
    strict = client.found("incident", "correlation_id=wk-1")
    instance.properties.values_ignore_case = True

    assert (len(strict), len(client.found("incident", "correlation_id=wk-1"))) == (0, 1)


# Journals.


def test_work_notes_are_added_and_never_read_back_raw(instance: Instance, client: Asking) -> None:
    made = client.created(work_notes="one")
    instance.clock.advance(1)
    changed = client.changed(made["sys_id"], work_notes="two", comments="for the caller")

    found = client.found(
        "sys_journal_field",
        f"element_id={made['sys_id']}^element=work_notes^ORDERBYsys_created_on",
        fields="value,sys_created_by",
    )

    assert changed["work_notes"] == ""
    assert [(row["value"], row["sys_created_by"]) for row in found] == [
        ("one", "watchkeeper"),
        ("two", "watchkeeper"),
    ]
    assert instance.notes(made["sys_id"], "comments") == ["for the caller"]


# The life of an incident.


def test_priority_is_looked_up_from_impact_and_urgency(client: Asking) -> None:
    looked_up = {
        (impact, urgency): client.created(impact=impact, urgency=urgency)["priority"]
        for impact in "123"
        for urgency in "123"
    }

    assert looked_up == {
        ("1", "1"): "1",
        ("1", "2"): "2",
        ("2", "1"): "2",
        ("1", "3"): "3",
        ("2", "2"): "3",
        ("3", "1"): "3",
        ("2", "3"): "4",
        ("3", "2"): "4",
        ("3", "3"): "5",
    }


def test_on_hold_wants_a_reason_and_a_word_to_the_caller_who_is_awaited(client: Asking) -> None:
    sys_id = client.created()["sys_id"]

    assert client.change("incident", sys_id, state="3").status_code == 403
    assert client.change("incident", sys_id, state="3", hold_reason="1").status_code == 403
    assert client.changed(sys_id, state="3", hold_reason="1", comments="Does it work?")["hold_reason"] == "1"
    assert client.changed(sys_id, state="2")["hold_reason"] == ""


def test_a_resolved_incident_is_reopened_and_counted(instance: Instance, client: Asking) -> None:
    sys_id = client.created()["sys_id"]
    resolved = client.changed(sys_id, state="6", **RESOLUTION)
    instance.clock.advance(60)
    reopened = client.changed(sys_id, state="2")

    assert (resolved["incident_state"], resolved["resolved_at"]) == ("6", "2026-11-24 11:38:00")
    assert (reopened["reopen_count"], reopened["reopened_time"]) == ("1", "2026-11-24 11:39:00")
    assert reopened["reopened_by"]["value"] == instance.id_of("sys_user", "Watchkeeper Integration")


def test_the_old_state_field_is_kept_in_step(client: Asking) -> None:
    sys_id = client.created()["sys_id"]

    assert client.changed(sys_id, incident_state="2")["state"] == "2"
    assert client.changed(sys_id, state="1")["incident_state"] == "1"


def test_who_has_no_more_than_itil_resolves_but_does_not_close(client: Asking) -> None:
    sys_id = client.created()["sys_id"]

    assert client.changed(sys_id, state="6", **RESOLUTION)["state"] == "6"
    assert client.change("incident", sys_id, state="7").status_code == 403


def test_a_closed_incident_stays_closed_and_takes_notes(instance: Instance, client: Asking) -> None:
    sys_id = client.created()["sys_id"]
    instance.person().close(sys_id)

    reopened = client.changed(sys_id, state="2", urgency="1", work_notes="it is back")

    assert (reopened["state"], reopened["active"], reopened["urgency"]) == ("7", "false", "3")
    assert instance.notes(sys_id) == ["it is back"]


def test_to_reopen_a_closed_incident_may_be_refused(instance: Instance, client: Asking) -> None:
    instance.rules.closed_are_refused = True
    sys_id = client.created()["sys_id"]
    instance.person().cancel(sys_id)

    refused = client.change("incident", sys_id, state="2")

    assert refused.status_code == 403
    assert "aborted by Business Rule" in refused.json()["error"]["detail"]
    with pytest.raises(Refused):
        instance.person().reopen(sys_id)


def test_what_is_resolved_is_closed_after_a_week(instance: Instance, client: Asking) -> None:
    sys_id = client.created()["sys_id"]
    client.changed(sys_id, state="6", **RESOLUTION)
    states = []
    for _ in range(2):
        instance.clock.advance(3.5 * DAY_S)
        states.append(client.read("incident", sys_id).json()["result"]["state"])

    assert states == ["6", "7"]


def test_a_data_policy_wants_a_field_filled(instance: Instance, client: Asking) -> None:
    instance.rules.mandatory.add(("incident", "category"))

    assert client.create("incident", {}).json()["error"]["detail"].endswith("not filled in: Category")
    assert client.create("incident", {"category": "network"}).status_code == 201


# Problems, changes, events.


def test_a_problem_begins_as_new_and_moves_one_state_at_a_time(instance: Instance, client: Asking) -> None:
    made = client.created("problem", state="106", short_description="Again and again")
    fred = instance.id_of("sys_user", "Fred Luddy")

    assert (made["number"], made["state"]) == ("PRB0040001", "101")
    assert client.change("problem", made["sys_id"], state="106").status_code == 403
    assert client.change("problem", made["sys_id"], state="102").status_code == 403
    assert client.changed(made["sys_id"], "problem", state="102", assigned_to=fred)["state"] == "102"


def test_a_problem_counts_its_incidents(instance: Instance, client: Asking) -> None:
    problem = client.created("problem")["sys_id"]
    incidents = [client.created(problem_id=problem)["sys_id"] for _ in range(2)]
    linked = instance.row("problem", problem)["related_incidents"]
    client.changed(incidents[0], problem_id="")

    assert (linked, instance.row("problem", problem)["related_incidents"]) == ("2", "1")
    assert len(client.found("incident", f"problem_id={problem}")) == 1


def test_a_change_window_is_found_by_what_it_touches(instance: Instance, client: Asking) -> None:
    web, db = (instance.id_of("cmdb_ci", name) for name in ("web01", "db01"))
    window = {"state": "-1", "approval": "approved", "on_hold": "false"}
    planned = {"start_date": "2026-11-24 11:00:00", "end_date": "2026-11-24 12:00:00"}
    change = instance.add("change_request", cmdb_ci=web, **window, **planned)
    instance.add(
        "change_request", cmdb_ci=db, work_start="2026-11-24 11:30:00", work_end="2026-11-24 13:00:00", **window
    )
    instance.add("task_ci", task=change["sys_id"], ci_item=db)

    def changes(ci: str, now: str) -> list[str]:
        common = f"cmdb_ci={ci}^stateIN-2,-1,1,2^approval=approved^on_hold=false"
        query = (
            f"{common}^start_date<={now}^end_date>={now}^NQ{common}^work_start<={now}^work_end>={now}^ORDERBYnumber"
        )
        return [row["number"] for row in client.found("change_request", query)]

    assert changes(web, "2026-11-24 11:38:00") == ["CHG0030001"]
    assert changes(web, "2026-11-24 12:30:00") == []
    assert changes(db, "2026-11-24 12:30:00") == ["CHG0030002"]
    affected = client.found("task_ci", f"ci_item={db}^task.sys_class_name=change_request", fields="task.number")
    assert affected == [{"task.number": "CHG0030001"}]


def test_events_become_one_alert_for_each_key_later(instance: Instance, client: Asking) -> None:
    def send(severity: str, **more: object) -> None:
        event = {"source": "watchkeeper", "message_key": "wk-1", "severity": severity, **more}
        assert client.ask("POST", "/api/global/em/jsonv2", json={"records": [event]}).status_code == 200

    def states() -> list[tuple[str, str]]:
        instance.process_events()
        return [(row["number"], row["state"]) for row in instance.rows("em_alert")]

    send("1", additional_info={"not": "text"})
    assert instance.rows("em_alert") == []
    assert instance.rows("em_event")[0]["additional_info"] == ""
    send("2")
    opened = states()
    send("0")
    closed = states()
    send("1")

    assert [opened, closed, states()] == [[("Alert0010001", state)] for state in ("Open", "Closed", "Reopen")]


def test_events_want_a_role_and_records(instance: Instance, client: Asking) -> None:
    bad = client.ask("POST", "/api/global/em/jsonv2", json={"events": []})
    instance.auth.users["watchkeeper"].roles.discard("evt_mgmt_integration")
    refused = client.ask("POST", "/api/global/em/jsonv2", json={"records": [{}]})

    assert (bad.status_code, refused.status_code) == (400, 403)


# What people do, and what tests see.


def test_people_do_to_tickets_what_people_do(instance: Instance, client: Asking) -> None:
    person = instance.person()
    kept, other = (client.created(correlation_id="wk-1")["sys_id"] for _ in range(2))

    assert person.assign(kept, "Network")["assigned_to"] == person.user.sys_id
    assert person.hold(kept)["state"] == "3"
    assert person.resolve(kept)["state"] == "6"
    assert person.reopen(kept)["reopen_count"] == "1"
    assert person.mark_as_duplicate(other, of=kept)["parent_incident"] == kept
    person.comment(kept, "hello")
    person.note(kept, "between us")
    assert [row["sys_id"] for row in instance.open_tickets("wk-1")] == [kept]
    assert person.close(other)["active"] == "false"
    assert person.cancel(kept)["state"] == "8"
    person.delete(kept)

    assert instance.notes(kept, "comments")[-1] == "hello"
    assert [row["sys_id"] for row in instance.tickets("wk-1")] == [other]
    assert all(each.request.method == "POST" for each in instance.requests())


def test_requests_are_seen_with_what_became_of_them(instance: Instance, client: Asking) -> None:
    instance.faults.then(f.THROTTLES, f.COMMITS_AND_SAYS_500, when=f.writes)
    for key in ("wk-1", "wk-1", "wk-1", "wk-11"):
        client.create("incident", {"correlation_id": key})
    client.listed("incident")

    assert [str(each) for each in instance.posts("wk-1")] == [
        "POST /api/now/table/incident not done says 429",
        "POST /api/now/table/incident 201 commits and says 500",
        "POST /api/now/table/incident 201",
    ]
    assert len(instance.requests()) == 5


def test_one_seed_gives_the_same_instance_again() -> None:
    def ids(seed: int) -> list[str]:
        with running(seed=seed) as instance:
            return [row["sys_id"] for row in instance.rows("sys_user")]

    assert ids(1) == ids(1) != ids(2)


def test_every_row_of_an_instance_is_read_page_by_page(instance: Instance) -> None:
    with Asking(instance, ADMIN) as admin:
        rows = [
            row["sys_id"]
            for offset in range(0, 400, 50)
            for row in admin.found("sys_dictionary", "ORDERBYsys_id", limit="50", offset=str(offset), fields="sys_id")
        ]

    assert all(one < other for one, other in pairwise(rows))
    assert len(rows) == len(instance.rows("sys_dictionary"))
