"""The simulated ServiceNow as ServiceNow's own Python client sees it: a judge that knows nothing of this project.

What a ticket's life asks of it is in `tests/contract`, which this client passes as well; here is what goes beyond.
"""

from collections.abc import Iterator
from pathlib import Path

import pysnc
import pytest
from pysnc.exceptions import AuthenticationException, RequestException, RoleException

from tests.itsm.servicenow_changes import plan
from tests.probers.servers import certificate, tls_by
from tests.simulators import faults as f
from tests.simulators.servicenow import INTEGRATION, OAUTH_CLIENT, PERSON, Instance, running
from tests.simulators.servicenow_faults import COMMITS_AND_IS_CANCELLED, COMMITS_AND_IS_CANCELLED_TIDILY
from tests.simulators.servicenow_times import raw_time


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def instance(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Over TLS, which is all that pysnc speaks. It believes this variable more than its own argument."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running(tls=tls_by(made)) as instance:
        yield instance


@pytest.fixture
def client(instance: Instance) -> Iterator[pysnc.ServiceNowClient]:
    client = pysnc.ServiceNowClient(instance.url, INTEGRATION)
    with client.session:
        yield client


def insert(client: pysnc.ServiceNowClient, table: str = "incident", **values: str) -> str:
    record = client.GlideRecord(table)
    record.initialize()
    for name, value in (values or {"short_description": "Down"}).items():
        record.set_value(name, value)
    return str(record.insert())


def test_a_record_is_inserted_and_read(instance: Instance, client: pysnc.ServiceNowClient) -> None:
    group = instance.id_of("sys_user_group", "Network")
    sys_id = insert(client, short_description="Down", impact="1", urgency="1", assignment_group=group)

    record = client.GlideRecord("incident")

    assert record.get(sys_id)
    assert record.number == "INC0010001"
    assert (record.priority.get_value(), record.priority.get_display_value()) == ("1", "1 - Critical")
    assert (record.get_value("assignment_group"), record.get_display_value("assignment_group")) == (group, "Network")
    assert record.opened_at.date_numeric_value() == instance.clock.now_ms
    assert record.get_link(no_stack=True) == f"{instance.url}/incident.do?sys_id={sys_id}"


def test_links_of_references_are_shown_when_asked_for(instance: Instance, client: pysnc.ServiceNowClient) -> None:
    group = instance.id_of("sys_user_group", "Network")
    insert(client, assignment_group=group)
    record = client.GlideRecord("incident")
    record.exclude_reference_link = False
    record.query()

    assert record.next()
    assert record.assignment_group.get_link() == f"{instance.url}/api/now/table/sys_user_group/{group}"
    assert record.cmdb_ci.get_link() is None


def test_fields_of_references_are_reached_through_dots(instance: Instance, client: pysnc.ServiceNowClient) -> None:
    insert(client, assignment_group=instance.id_of("sys_user_group", "Network"))
    record = client.GlideRecord("incident")
    record.fields = ["number", "assignment_group.name"]
    record.add_query("assignment_group.name", "Network")
    record.query()

    assert record.next()
    assert record.get_value("assignment_group.name") == "Network"
    assert record.get_value("short_description") is None


def test_an_update_sends_what_changed_and_reads_what_the_rules_made_of_it(
    instance: Instance, client: pysnc.ServiceNowClient
) -> None:
    record = client.GlideRecord("incident")
    record.get(insert(client, short_description="Down"))
    record.urgency = "1"
    record.impact = "2"

    assert record.update() == record.sys_id
    assert (record.priority, record.short_description, record.sys_mod_count) == ("2", "Down", "1")
    assert instance.requests("PATCH")[0].request.json() == {"urgency": "1", "impact": "2"}


def test_a_record_goes_through_its_life(instance: Instance, client: pysnc.ServiceNowClient) -> None:
    record = client.GlideRecord("incident")
    record.get(insert(client))
    for changes in (
        {"state": "2"},
        {"state": "3", "hold_reason": "4"},
        {"state": "6", "close_code": "Solution provided", "close_notes": "Over."},
        {"state": "2"},
    ):
        for name, value in changes.items():
            record.set_value(name, value)
        record.update()

    assert (record.state.get_display_value(), record.incident_state, record.reopen_count) == ("In Progress", "2", "1")


def test_a_refused_update_tells_its_reason(client: pysnc.ServiceNowClient) -> None:
    record = client.GlideRecord("incident")
    record.get(insert(client))
    record.state = "6"

    with pytest.raises(RoleException, match="Data Policy Exception"):
        record.update()


def test_work_notes_are_empty_and_shown_as_one_text(instance: Instance, client: pysnc.ServiceNowClient) -> None:
    record = client.GlideRecord("incident")
    record.get(insert(client, work_notes="first"))
    instance.clock.advance(60)
    record.work_notes = "second"
    record.update()

    assert record.get_value("work_notes") == ""
    assert record.get_display_value("work_notes") == (
        "24/11/2026 03:39:00 - watchkeeper (Work notes)\nsecond\n\n"
        "24/11/2026 03:38:00 - watchkeeper (Work notes)\nfirst\n\n"
    )
    entries = client.GlideRecord("sys_journal_field")
    entries.add_query("element_id", record.sys_id)
    entries.add_query("element", "work_notes")
    entries.order_by("sys_created_on")
    entries.query()
    assert [entry.value.get_value() for entry in entries] == ["first", "second"]


def test_queries_are_answered_page_by_page(instance: Instance, client: pysnc.ServiceNowClient) -> None:
    made = {insert(client, correlation_id=f"wk-{number}") for number in range(7)}
    record = client.GlideRecord("incident", batch_size=3)
    record.fields = "number"
    record.query()

    assert len(record) == 7
    assert {str(each.sys_id) for each in record} == made
    pages = [each.request.query["sysparm_offset"] for each in instance.requests("GET", "/api/now/table/incident")]
    assert pages == ["0", "3", "6"]


def test_a_limit_holds_over_pages(client: pysnc.ServiceNowClient) -> None:
    for _ in range(7):
        insert(client)
    record = client.GlideRecord("incident", batch_size=3)
    record.limit = 4
    record.query()

    assert len(list(record)) == 4


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (("correlation_id", "b"), ["b"]),
        (("correlation_id", "!=", "b"), ["a", "c"]),
        (("correlation_id", "IN", "a,c"), ["a", "c"]),
        (("correlation_id", "NOT IN", "a,c"), ["b"]),
        (("short_description", "STARTSWITH", "Web"), ["a", "b"]),
        (("short_description", "ENDSWITH", "slow"), ["b", "c"]),
        (("short_description", "LIKE", "is"), ["a", "b", "c"]),
        (("short_description", "CONTAINS", "b is"), ["a", "b"]),
        (("short_description", "DOES NOT CONTAIN", "down"), ["b", "c"]),
        (("urgency", ">", "1"), ["b", "c"]),
        (("urgency", ">=", "2"), ["b", "c"]),
        (("urgency", "<", "2"), ["a"]),
        (("urgency", "<=", "2"), ["a", "b"]),
        (("opened_at", "<", "2026-11-24 12:00:00"), ["a", "b", "c"]),
    ],
)
def test_conditions_find_what_they_say(
    client: pysnc.ServiceNowClient, condition: tuple[str, ...], found: list[str]
) -> None:
    insert(client, correlation_id="a", short_description="Web is down", urgency="1")
    insert(client, correlation_id="b", short_description="Web is slow", urgency="2")
    insert(client, correlation_id="c", short_description="Mail is slow", urgency="3")
    record = client.GlideRecord("incident")
    record.add_query(*condition)
    record.order_by("correlation_id")
    record.query()

    assert [str(each.correlation_id) for each in record] == found


def test_alternatives_empty_fields_and_order_are_understood(client: pysnc.ServiceNowClient) -> None:
    for key in ("a", "b", ""):
        insert(client, correlation_id=key)

    def found(*, empty: bool) -> list[str]:
        record = client.GlideRecord("incident")
        if empty:
            record.add_null_query("correlation_id")
        else:
            record.add_not_null_query("correlation_id")
            record.add_query("correlation_id", "a").add_or_condition("correlation_id", "b")
        record.order_by_desc("correlation_id")
        record.query()
        return [str(each.correlation_id) for each in record]

    assert found(empty=False) == ["b", "a"]
    assert found(empty=True) == [""]


def test_an_encoded_query_may_have_several_queries_in_it(client: pysnc.ServiceNowClient) -> None:
    for key, urgency in (("a", "1"), ("b", "2"), ("c", "3")):
        insert(client, correlation_id=key, urgency=urgency)
    record = client.GlideRecord("incident")
    record.add_encoded_query("correlation_id=a^urgency=1^NQcorrelation_id=b^urgency=1^NQurgency=3")
    record.order_by("correlation_id")
    record.query()

    assert [str(each.correlation_id) for each in record] == ["a", "c"]


def test_changes_are_found_by_the_definition_of_a_change_window(
    instance: Instance, client: pysnc.ServiceNowClient
) -> None:
    right = plan(instance, "right", hours=(-1, 1), more=["db01"], services=["Web shop"])
    plan(instance, "worked on", hours=(-9, -8), worked=(-1, 1), state="-1")
    plan(instance, "held", hours=(-1, 1), on_hold="true")
    plan(instance, "asked for", hours=(-1, 1), approval="requested")
    plan(instance, "new", hours=(-1, 1), state="-5")
    plan(instance, "over", hours=(-3, -2))
    now = raw_time(instance.clock())
    common = f"cmdb_ci={instance.id_of('cmdb_ci', 'web01')}^stateIN-2,-1,1,2^approval=approved^on_hold=false"
    changes = client.GlideRecord("change_request")
    changes.add_encoded_query(
        f"{common}^start_date<={now}^end_date>={now}^NQ{common}^work_start<={now}^work_end>={now}"
    )
    changes.query()

    assert {str(each.short_description) for each in changes} == {"right", "worked on"}
    for table, field, name in (
        ("task_ci", "ci_item", "db01"),
        ("task_cmdb_ci_service", "cmdb_ci_service", "Web shop"),
    ):
        related = client.GlideRecord(table)
        related.add_query("task", right["sys_id"])
        related.add_query("task.sys_class_name", "change_request")
        related.query()
        assert [each.get_display_value(field) for each in related] == [name]


def test_only_an_admin_deletes(instance: Instance, client: pysnc.ServiceNowClient) -> None:
    sys_id = insert(client)
    record = client.GlideRecord("incident")
    record.get(sys_id)
    with pytest.raises(RoleException):
        record.delete()

    admin = pysnc.ServiceNowClient(instance.url, (PERSON, "secret"))
    with admin.session:
        record = admin.GlideRecord("incident")
        record.get(sys_id)
        assert record.delete()

    assert instance.rows("incident") == []


def test_many_are_updated_and_deleted_in_one_batch(instance: Instance) -> None:
    client = pysnc.ServiceNowClient(instance.url, (PERSON, "secret"))
    with client.session:
        for _ in range(3):
            insert(client)
        record = client.GlideRecord("incident")
        record.query()
        for each in record:
            each.urgency = "1"
        assert record.update_multiple()
        urgencies = [row["urgency"] for row in instance.rows("incident")]
        assert client.GlideRecord("incident").delete_multiple()

    assert urgencies == ["1", "1", "1"]
    assert instance.rows("incident") == []
    assert len(instance.requests("POST", "/api/now/v1/batch")) == 2


def test_a_wrong_password_is_an_authentication_error(instance: Instance) -> None:
    client = pysnc.ServiceNowClient(instance.url, ("watchkeeper", "wrong"))
    with client.session, pytest.raises(AuthenticationException, match="User Not Authenticated"):
        client.GlideRecord("incident").get("0" * 32)


def test_client_credentials_are_exchanged_for_a_token(instance: Instance) -> None:
    client = pysnc.ServiceNowClient(instance.url, pysnc.ServiceNowClientCredentialsFlow(*OAUTH_CLIENT))
    with client.session:
        insert(client)
        instance.clock.advance(instance.auth.token_life_s)
        with pytest.raises(AuthenticationException):
            insert(client)

    assert [row["sys_created_by"] for row in instance.rows("incident")] == ["watchkeeper"]


def test_client_credentials_that_are_not_allowed_are_told_so(instance: Instance) -> None:
    instance.auth.client_credentials_enabled = False

    with pytest.raises(AuthenticationException, match="access_denied"):
        pysnc.ServiceNowClient(instance.url, pysnc.ServiceNowClientCredentialsFlow(*OAUTH_CLIENT))


def test_a_password_is_exchanged_for_a_token_that_can_be_refreshed(instance: Instance) -> None:
    flow = pysnc.ServiceNowPasswordGrantFlow(*INTEGRATION, *OAUTH_CLIENT)
    client = pysnc.ServiceNowClient(instance.url, flow)
    with client.session:
        insert(client)
        first = client.session.token["access_token"]
        instance.clock.advance(instance.auth.token_life_s)
        client.session.refresh_token(
            f"{instance.url}/oauth_token.do", client_id=OAUTH_CLIENT[0], client_secret=OAUTH_CLIENT[1]
        )
        insert(client)
        assert client.session.token["access_token"] != first

    assert len(instance.rows("incident")) == 2


def test_a_cancelled_query_is_an_error(instance: Instance, client: pysnc.ServiceNowClient) -> None:
    for _ in range(4):
        insert(client)
    instance.faults.then(COMMITS_AND_IS_CANCELLED)
    record = client.GlideRecord("incident")

    with pytest.raises(RequestException, match="Maximum execution time exceeded"):
        record.query()


def test_even_servicenows_own_client_takes_a_part_for_the_whole(
    instance: Instance, client: pysnc.ServiceNowClient
) -> None:
    for _ in range(4):
        insert(client)
    instance.faults.then(COMMITS_AND_IS_CANCELLED_TIDILY)
    record = client.GlideRecord("incident")
    record.limit = 4
    record.query()

    assert len(instance.rows("incident")) == 4
    assert record.has_next()


def test_a_create_whose_answer_is_lost_is_made_twice_by_who_tries_again(
    instance: Instance, client: pysnc.ServiceNowClient
) -> None:
    instance.faults.then(f.COMMITS_AND_SAYS_502)
    with pytest.raises(RequestException):
        insert(client, correlation_id="wk-1")
    insert(client, correlation_id="wk-1")

    assert len(instance.tickets("wk-1")) == 2


def test_an_unknown_table_is_an_error(client: pysnc.ServiceNowClient) -> None:
    with pytest.raises(RequestException, match="Invalid table nonsense"):
        client.GlideRecord("nonsense").query()


def test_choices_and_the_dictionary_can_be_looked_up(client: pysnc.ServiceNowClient) -> None:
    choices = client.GlideRecord("sys_choice")
    choices.add_encoded_query("name=incident^element=close_code^inactive=false")
    choices.query()
    dictionary = client.GlideRecord("sys_dictionary")
    dictionary.add_query("element", "correlation_id")
    dictionary.query()

    assert "Solution provided" in [str(each.value.get_value()) for each in choices]
    assert [(str(each.get_value("name")), str(each.get_value("max_length"))) for each in dictionary] == [
        ("task", "100")
    ]
