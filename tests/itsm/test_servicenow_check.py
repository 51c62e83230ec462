"""What the self-test of ServiceNow finds, and what to ask its administrator for."""

from pathlib import Path
from typing import Any

from tests.contract.test_ticket_backend import draft
from tests.itsm.servicenow_backend import made, secret
from tests.simulators import faults as f
from tests.simulators.http import Response
from tests.simulators.servicenow import INTEGRATION, Instance


def told(instance: Instance, folder: Path, *, tickets: int = 1, **given: Any) -> list[str]:
    """What the self-test says, after some tickets were made."""
    with made(instance, folder, **given) as snow:
        for number in range(tickets):
            snow.create(draft(f"wk-{number}"))
        return [finding.message for finding in snow.check()]


def test_an_instance_that_is_well_has_no_findings_and_is_left_as_it_was(instance: Instance, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "fields": {"category": "network", "assignment_group": "Network"},
        "problem_fields": {"approval": "x"},
    }

    assert told(instance, tmp_path, **given) == []

    [row] = instance.tickets("wk-0")
    assert (row["sys_mod_count"], instance.notes(row["sys_id"])) == ("0", [])


def test_an_instance_that_does_not_answer_is_one_finding(instance: Instance, tmp_path: Path) -> None:
    instance.faults.always(f.SAYS_503)

    [text] = told(instance, tmp_path, tickets=0)

    assert text.startswith("ServiceNow can not be asked: failed (503)")
    assert text.endswith(f"Check `url`: {instance.url}")


def test_wrong_credentials_are_one_finding(instance: Instance, tmp_path: Path) -> None:
    wrong = {"username": INTEGRATION[0], "password": secret(tmp_path, "wrong")}

    [text] = told(instance, tmp_path, tickets=0, auth=wrong)

    assert text.startswith("ServiceNow does not let watchkeeper in: does not know who asks (401)")
    assert "Check `auth`. Ask the administrator whether its user is active" in text


def test_a_user_without_its_role_is_told_which_one_it_needs(instance: Instance, tmp_path: Path) -> None:
    instance.add("incident")
    instance.auth.users[INTEGRATION[0]].roles.clear()

    texts = told(instance, tmp_path, tickets=0)

    assert "no incident is shown to watchkeeper: its user needs the role itil" in texts


def test_a_user_who_may_not_change_is_told_so(instance: Instance, tmp_path: Path) -> None:
    with made(instance, tmp_path) as snow:
        snow.create(draft())
        instance.acl.write_roles["incident"] = "nobody"

        [finding] = snow.check()

    assert finding.message.startswith("watchkeeper may not change its own INC0010001: does not allow it to who asks")


def test_a_key_that_may_not_be_read_is_told(instance: Instance, tmp_path: Path) -> None:
    with made(instance, tmp_path) as snow:
        snow.create(draft())
        instance.acl.unreadable.add(("incident", "correlation_id"))

        texts = [finding.message for finding in snow.check()]

    assert "watchkeeper may not read incident.correlation_id, which it finds its tickets by" in texts


def test_an_instance_that_ignores_the_key_in_queries_is_told(instance: Instance, tmp_path: Path) -> None:
    row = b'{"result": [{"sys_id": "%s", "correlation_id": "x"}]}' % (b"a" * 32)
    instance.faults.then(f.says("ignores it", Response(200, {**f.JSON, "X-Total-Count": "1"}, row), commits=False))

    [text] = told(instance, tmp_path, tickets=0)

    assert text.startswith("incident can not be searched by correlation_id: a key that no record has finds some")


def test_a_resolution_code_that_there_is_not_is_told_with_those_that_there_are(
    instance: Instance, tmp_path: Path
) -> None:
    [text] = told(instance, tmp_path, close_code="Solved (Permanently)")

    assert text.startswith(
        "close_code: 'Solved (Permanently)' is no resolution code of this instance; there is Duplicate,"
    )


def test_states_of_the_instances_own_are_told_until_they_are_named(instance: Instance, tmp_path: Path) -> None:
    instance.add("sys_choice", name="incident", element="state", value="4", label="Awaiting parts", inactive="false")

    assert told(instance, tmp_path) == [
        "states: incidents have states that are not named, and count as in_progress: 4 (Awaiting parts)"
    ]
    assert told(instance, tmp_path, tickets=0, states={"4": "on_hold"}) == []


def test_names_that_mean_nothing_are_told_wherever_they_stand(instance: Instance, tmp_path: Path) -> None:
    texts = told(
        instance,
        tmp_path,
        fields={"assignment_group": "Netwrok"},
        fields_by=[{"service": "db-*", "fields": {"assignment_group": "Database", "cmdb_ci": "web01"}}],
        problem_fields={"assigned_to": "nobody"},
    )

    assert texts == [
        "assignment_group: sys_user_group has no record of the name 'Netwrok'",
        "assignment_group: sys_user_group has 2 records of the name 'Database'; give the sys_id of one",
        "assigned_to: sys_user has no record of the user_name 'nobody'",
    ]


def test_fields_that_there_are_not_are_told(instance: Instance, tmp_path: Path) -> None:
    texts = told(
        instance,
        tmp_path,
        tickets=0,
        fields={"catgory": "network", "contact_type": "monitoring"},
        problem_fields={"u_team": "web"},
        resolve_fields={"hold_reson": "1"},
    )

    assert texts == [
        "catgory: incident has no such field",
        "hold_reson: incident has no such field",
        "u_team: problem has no such field",
    ]


def test_a_field_that_is_asked_for_is_told_until_it_is_given(instance: Instance, tmp_path: Path) -> None:
    with instance.lock:
        row = next(each for each in instance.store.rows("sys_dictionary") if each["element"] == "caller_id")
        row["mandatory"] = "true"

    assert told(instance, tmp_path) == ["fields: incident asks for caller_id (Caller id), which is not among them"]
    assert told(instance, tmp_path, tickets=0, fields={"caller_id": "abel.tuter"}) == []


def test_who_may_not_read_the_dictionary_is_told_less(instance: Instance, tmp_path: Path) -> None:
    instance.auth.users[INTEGRATION[0]].roles.discard("personalize_dictionary")

    assert told(instance, tmp_path, tickets=0, fields={"catgory": "network"}) == []
