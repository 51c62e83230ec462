"""The real Request Tracker: what a search finds, and what it hides."""

from typing import Any

import pytest

from tests.peers.requesttracker import KEY_FIELD, PROBLEMS, Client, Person, RequestTracker, fields_of

pytestmark = pytest.mark.xdist_group("requesttracker")


def found(client: Client, query: str, **parameters: Any) -> list[str]:
    answer = client.search(query, **parameters)
    assert answer.status_code == 200, answer.text
    return [str(item["id"]) for item in answer.json()["items"]]


def of_key(key: str) -> str:
    return f"CF.{{{KEY_FIELD}}} = '{key}'"


def test_a_new_ticket_is_found_at_once_by_its_key(watchkeeper: Client) -> None:
    ticket = watchkeeper.create("found")
    number = watchkeeper.get("/queue/Incidents").json()["TicketCustomFields"][0]["id"]
    for field in (f"CF.{{{KEY_FIELD}}}", f"'CF.{{{KEY_FIELD}}}'", f"CF.{number}"):
        assert found(watchkeeper, f"{field} = 'found'") == [ticket]


def test_a_key_is_compared_as_a_whole_but_without_regard_to_case(watchkeeper: Client) -> None:
    tickets = [watchkeeper.create("Case"), watchkeeper.create("cAse")]
    assert found(watchkeeper, of_key("CASE")) == tickets
    assert found(watchkeeper, of_key("cas")) == []
    assert found(watchkeeper, of_key("c_s%")) == []


@pytest.mark.parametrize("key", ["it's", "back\\slash", 'a "quote"', "100%", "Ü und ß", "x" * 256])
def test_a_key_with_backslashes_before_quotes_and_backslashes_is_found(watchkeeper: Client, key: str) -> None:
    ticket = watchkeeper.create(key)
    escaped = key.replace("\\", "\\\\").replace("'", "\\'")
    assert found(watchkeeper, of_key(escaped)) == [ticket]


def test_a_key_that_is_not_escaped_changes_the_query(watchkeeper: Client) -> None:
    stranger = watchkeeper.create("a stranger")
    key = f"x' OR id = '{stranger}"
    assert found(watchkeeper, of_key(key)) == [stranger]
    assert found(watchkeeper, of_key(key.replace("'", "\\'"))) == []
    assert watchkeeper.search(of_key("it's")).status_code == 400


def test_an_unknown_custom_field_finds_nothing_without_a_word(watchkeeper: Client) -> None:
    watchkeeper.create("mistyped")
    assert found(watchkeeper, "CF.{Watchkeeper Kay} = 'mistyped'") == []


@pytest.mark.parametrize("query", ["", "Queue = 'Nonsense'", "Status = 'nonsense'"])
def test_no_query_and_unknown_values_find_nothing_without_a_word(watchkeeper: Client, query: str) -> None:
    assert found(watchkeeper, query) == []


@pytest.mark.parametrize(
    "query", ["Nonsense = 1", "Status =", "id IN (1, 2)"], ids=["field", "end", "no IN in RT 5.0"]
)
def test_a_query_that_can_not_be_read_is_a_400_with_a_path_of_the_server(watchkeeper: Client, query: str) -> None:
    answer = watchkeeper.search(query)
    assert answer.status_code == 400
    assert "Tickets.pm line" in answer.json()["message"]


def test_several_ids_are_asked_for_by_or(watchkeeper: Client) -> None:
    tickets = [watchkeeper.create("several") for _ in range(3)]
    assert found(watchkeeper, " OR ".join(f"id = {ticket}" for ticket in [*tickets, 999999])) == tickets


def test_what_is_found_tells_only_what_was_asked_for(rt: RequestTracker, watchkeeper: Client) -> None:
    ticket = watchkeeper.create("fields")
    reference = {"type": "ticket", "id": ticket, "_url": f"{rt.url}/REST/2.0/ticket/{ticket}"}
    assert watchkeeper.search(of_key("fields")).json()["items"] == [reference]

    wanted = {"fields": "id,Status,Queue,CustomFields,Nonsense", "fields[Queue]": "Name"}
    (item,) = watchkeeper.search(of_key("fields"), **wanted).json()["items"]
    assert item["id"] == int(ticket)  # a number, when asked for
    assert item["Status"] == "new"
    assert item["Queue"]["Name"] == "Incidents"
    assert fields_of(item)[KEY_FIELD] == ["fields"]
    assert item["Nonsense"] == ""  # like something that is empty


def test_pages_have_20_tickets_or_up_to_100_the_oldest_first(watchkeeper: Client) -> None:
    tickets = [watchkeeper.create("pages") for _ in range(3)]
    first = watchkeeper.search(of_key("pages"), per_page=2).json()
    assert [item["id"] for item in first["items"]] == tickets[:2]
    assert (first["page"], first["pages"], first["count"], first["total"]) == (1, 2, 2, 3)
    assert found(watchkeeper, of_key("pages"), per_page=2, page=2) == tickets[2:]
    assert found(watchkeeper, of_key("pages"), per_page=2, page=3) == []
    assert found(watchkeeper, of_key("pages"), orderby="id", order="DESC") == tickets[::-1]
    for asked, given in ((None, 20), (0, 20), ("x", 20), (100, 100), (1000, 100)):
        assert watchkeeper.search(of_key("pages"), per_page=asked).json()["per_page"] == given


def test_an_unknown_order_finds_nothing_of_what_it_counts(watchkeeper: Client) -> None:
    watchkeeper.create("order")
    answer = watchkeeper.search(of_key("order"), orderby="Nonsense")
    assert (answer.status_code, answer.json()["total"], answer.json()["items"]) == (200, 1, [])


def test_what_one_may_not_see_is_neither_found_nor_counted(watchkeeper: Client, eve: Client) -> None:
    watchkeeper.create("unseen")
    answer = eve.search(of_key("unseen")).json()
    assert (answer["total"], answer["items"]) == (0, [])


def test_a_ticket_is_found_by_a_key_that_one_may_not_see(watchkeeper: Client, eve: Client) -> None:
    ticket = watchkeeper.create("hidden", Queue=PROBLEMS)
    (item,) = eve.search(of_key("hidden"), fields="CustomFields").json()["items"]
    assert item["id"] == ticket
    assert item["CustomFields"] == ""


def test_open_is_what_is_active(watchkeeper: Client, alice: Person) -> None:
    tickets = {status: watchkeeper.create("activity") for status in ("new", "stalled", "resolved", "rejected")}
    for status, ticket in tickets.items():
        if status != "new":
            alice.move(ticket, status)
    active = f"{of_key('activity')} AND Status = '__Active__'"
    assert found(watchkeeper, active) == [tickets["new"], tickets["stalled"]]


def test_a_deleted_ticket_is_never_found_but_answers_by_its_id(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("deleted")
    alice.delete(ticket)
    for more in ("", " AND Status = 'deleted'", " AND EffectiveId > 0"):
        assert found(watchkeeper, of_key("deleted") + more, find_disabled_rows=1) == []
    assert alice.read(ticket)["Status"] == "deleted"


def test_a_merged_ticket_is_found_only_where_the_query_speaks_of_the_effective_id(
    watchkeeper: Client, alice: Person
) -> None:
    merged, into = watchkeeper.create("merged"), watchkeeper.create("into")
    alice.merge(merged, into)
    assert found(watchkeeper, of_key("merged")) == []
    assert found(watchkeeper, f"id = {merged}") == []
    (item,) = watchkeeper.search(
        f"{of_key('merged')} AND EffectiveId > 0", fields="EffectiveId,Status,CustomFields"
    ).json()["items"]
    assert (item["id"], item["EffectiveId"]) == (merged, into)
    assert item["Status"] == "new"  # its own, of when it was merged
    assert fields_of(item)[KEY_FIELD] == ["merged"]
