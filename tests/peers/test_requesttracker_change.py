"""The real Request Tracker: what becomes of a change, of two at once, and of a ticket that people work on."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.peers.requesttracker import KEY_FIELD, PROBLEMS, Client, Person, RequestTracker, fields_of

pytestmark = pytest.mark.xdist_group("requesttracker")

NOTE = {"Content": "Zeile 1\nZeile 2 ü €", "ContentType": "text/plain"}
NO_WAY = "Ticket {}: There is no mapping for statuses between lifecycle default and problems. "
NO_WAY += "Contact your system administrator."


def tag(client: Client, ticket: str) -> str:
    return client.get(f"/ticket/{ticket}").headers["ETag"]


def history(client: Client, ticket: str) -> list[str]:
    answer = client.get(f"/ticket/{ticket}/history", fields="Type", per_page=100).json()
    assert answer["total"] is None  # it is not counted
    return [transaction["Type"] for transaction in answer["items"]]


@pytest.fixture(scope="module")
def unchanged(watchkeeper: Client) -> str:
    """A ticket that no test changes."""
    return watchkeeper.create("unchanged")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Status": "nonsense"}, "Ticket {}: Status 'nonsense' isn't a valid status for this ticket."),
        ({"Status": "deleted"}, "Ticket {}: Permission Denied"),
        ({"Queue": PROBLEMS}, NO_WAY),
        (
            {"CustomFields": {KEY_FIELD: "another"}},
            f"Could not add a new value to custom field '{KEY_FIELD}': Permission Denied",
        ),
        ({"MergeInto": "999999"}, "New ticket doesn't exist"),
        ({"AddRefersTo": "999999"}, "Couldn't resolve '999999' into a link."),
        ({"Status": "new"}, None),
        ({"Statuss": "open"}, None),
        ({"CustomFields": {"Nonsense": "x"}}, None),
    ],
)
def test_a_change_that_was_not_made_is_a_200_with_a_message_or_without_one(
    watchkeeper: Client, unchanged: str, change: dict[str, Any], message: str | None
) -> None:
    before = tag(watchkeeper, unchanged)
    answer = watchkeeper.put(f"/ticket/{unchanged}", change)
    assert (answer.status_code, answer.json()) == (200, [message.format(unchanged)] if message else [])
    assert tag(watchkeeper, unchanged) == before


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("Asset Tag", "zz", r"Could not add a new value to custom field 'Asset Tag': Input must match "),
        ("Cause", "", "Could not add a new value to custom field 'Cause': Input must match [Mandatory]"),
        ("Site", "Mars", "Invalid value for custom field"),
    ],
)
def test_an_invalid_custom_field_is_a_200_with_a_message(
    alice: Person, unchanged: str, field: str, value: str, message: str
) -> None:
    answer = alice.client.put(f"/ticket/{unchanged}", {"CustomFields": {field: value}})
    assert answer.status_code == 200
    assert [said.startswith(message) for said in answer.json()] == [True]


def test_half_of_a_change_is_made(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("half")
    answer = watchkeeper.put(f"/ticket/{ticket}", {"Status": "nonsense", "Subject": "changed"})
    assert answer.status_code == 200
    assert len(answer.json()) == 2
    assert (alice.read(ticket)["Status"], alice.read(ticket)["Subject"]) == ("new", "changed")


def test_a_comment_is_made_whatever_becomes_of_the_status_that_comes_with_it(
    watchkeeper: Client, alice: Person
) -> None:
    ticket = watchkeeper.create("commented")
    answer = watchkeeper.post(f"/ticket/{ticket}/comment", NOTE | {"Status": "nonsense"})
    assert answer.status_code == 201
    assert answer.json() == ["Comments added", "Status 'nonsense' isn't a valid status for this ticket."]
    answer = watchkeeper.post(f"/ticket/{ticket}/comment", NOTE | {"Status": "resolved"})
    assert answer.json() == ["Comments added", "Status changed from 'new' to 'resolved'"]
    assert alice.read(ticket)["Status"] == "resolved"
    assert history(watchkeeper, ticket) == ["Create", "Comment", "Comment", "Status"]


def test_what_a_comment_says_stands_in_its_attachment(watchkeeper: Client) -> None:
    ticket = watchkeeper.create("noted")
    watchkeeper.post(f"/ticket/{ticket}/comment", NOTE)
    watchkeeper.post(f"/ticket/{ticket}/comment", {"ContentType": "text/plain"})  # says nothing, and is accepted
    answer = watchkeeper.get(f"/ticket/{ticket}/attachments", fields="Content").json()
    assert [attachment["Content"] for attachment in answer["items"]] == [NOTE["Content"], ""]


def test_a_comment_in_json_must_name_its_type(watchkeeper: Client) -> None:
    ticket = watchkeeper.create("untyped")
    answer = watchkeeper.post(f"/ticket/{ticket}/comment", {"Content": "x"})
    assert answer.status_code == 400
    assert answer.json() == {"message": "ContentType is a required field for application/json"}


def test_to_delete_without_the_right_is_a_500(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("kept")
    assert watchkeeper.call("DELETE", f"/ticket/{ticket}").status_code == 500
    assert alice.read(ticket)["Status"] == "new"
    assert alice.client.call("DELETE", f"/ticket/{ticket}").status_code == 204
    assert alice.read(ticket)["Status"] == "deleted"


def test_a_change_to_what_somebody_changed_meanwhile_is_refused(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("meanwhile")
    seen = tag(watchkeeper, ticket)
    alice.take(ticket)
    answer = watchkeeper.put(f"/ticket/{ticket}", {"Status": "resolved"}, If_Match=seen)
    assert (answer.status_code, answer.json()) == (412, {"message": "Precondition Failed"})
    assert alice.read(ticket)["Status"] == "new"
    answer = watchkeeper.put(f"/ticket/{ticket}", {"Status": "resolved"}, If_Match=tag(watchkeeper, ticket))
    assert answer.status_code == 200
    assert alice.read(ticket)["Status"] == "resolved"


def test_two_changes_at_the_same_time_may_both_meet_one_condition(rt: RequestTracker) -> None:
    clients = [rt.client(token=rt.token) for _ in range(2)]

    def both_pass() -> bool:
        ticket = clients[0].create("raced")
        seen = tag(clients[0], ticket)
        with ThreadPoolExecutor(len(clients)) as threads:
            made = threads.map(
                lambda client: client.put(f"/ticket/{ticket}", {"Status": "open"}, If_Match=seen), clients
            )
            return [answer.status_code for answer in made] == [200, 200]

    assert any(both_pass() for _ in range(20))


def test_a_comment_can_not_be_made_conditional(watchkeeper: Client) -> None:
    ticket = watchkeeper.create("unconditional")
    answer = watchkeeper.post(f"/ticket/{ticket}/comment", NOTE, If_Match=tag(watchkeeper, ticket))
    assert answer.status_code == 412
    assert history(watchkeeper, ticket) == ["Create"]


def test_the_tag_is_the_last_transaction_that_one_may_see(watchkeeper: Client, eve: Client, alice: Person) -> None:
    ticket = watchkeeper.create("tag", Queue=PROBLEMS)
    seen, seen_by_eve = tag(watchkeeper, ticket), tag(eve, ticket)
    alice.comment(ticket, "Not for everybody.")
    assert tag(watchkeeper, ticket) != seen
    assert tag(eve, ticket) == seen_by_eve


def test_what_was_resolved_can_be_opened_again_and_keeps_the_date(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("again")
    alice.resolve(ticket)
    answer = watchkeeper.put(f"/ticket/{ticket}", {"Status": "OPEN"})  # case does not matter
    assert answer.json() == [f"Ticket {ticket}: Status changed from 'resolved' to 'open'"]
    assert not alice.read(ticket)["Resolved"].startswith("1970")


def test_a_reply_opens_what_was_resolved_and_a_comment_does_not(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("reply")
    alice.resolve(ticket)
    alice.comment(ticket, "Note to self.")
    assert alice.read(ticket)["Status"] == "resolved"
    alice.correspond(ticket, "It is back!")
    assert alice.read(ticket)["Status"] == "open"


def test_another_lifecycle_has_other_statuses_and_ways(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("problem", Queue=PROBLEMS)
    answer = watchkeeper.put(f"/ticket/{ticket}", {"Status": "resolved"})
    assert answer.json() == [f"Ticket {ticket}: Status 'resolved' isn't a valid status for this ticket."]
    alice.move(ticket, "closed")
    answer = watchkeeper.put(f"/ticket/{ticket}", {"Status": "investigating"})
    assert answer.json() == [f"Ticket {ticket}: You can't change status from 'closed' to 'investigating'."]


def test_a_deleted_ticket_takes_comments_and_can_be_opened(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("undead")
    alice.delete(ticket)
    assert watchkeeper.post(f"/ticket/{ticket}/comment", NOTE).status_code == 201
    watchkeeper.put(f"/ticket/{ticket}", {"Status": "open"})
    assert alice.read(ticket)["Status"] == "open"


def test_a_merged_ticket_answers_as_the_other_one_and_what_is_done_to_it_is_done_to_the_other(
    watchkeeper: Client, alice: Person
) -> None:
    merged, into = watchkeeper.create("merged away"), watchkeeper.create("merged into")
    alice.merge(merged, into)
    record = alice.read(merged)
    assert (record["id"], record["EffectiveId"]["id"]) == (int(into), into)
    assert fields_of(record)[KEY_FIELD] == ["merged into"]
    watchkeeper.post(f"/ticket/{merged}/comment", NOTE)
    answer = watchkeeper.put(f"/ticket/{merged}", {"Status": "resolved"})
    assert answer.json() == [f"Ticket {into}: Status changed from 'new' to 'resolved'"]
    assert alice.read(into)["Status"] == "resolved"
    assert history(watchkeeper, merged) == history(watchkeeper, into)


def test_a_link_that_is_there_already_is_not_made_again(watchkeeper: Client, alice: Person) -> None:
    problem, incident = watchkeeper.create("linked", Queue=PROBLEMS), watchkeeper.create("linked")
    answer = watchkeeper.put(f"/ticket/{incident}", {"MemberOf": problem})
    assert answer.json() == [f"Ticket {incident} member of Ticket {problem}."]
    assert watchkeeper.put(f"/ticket/{incident}", {"MemberOf": problem}).json() == []
    links = {link["ref"]: link.get("id") for link in alice.read(incident)["_hyperlinks"]}
    assert links["parent"] == problem
