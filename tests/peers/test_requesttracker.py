"""The real Request Tracker: who is let in, and what becomes of a new ticket. What a backend for it has to know."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.peers import requesttracker
from tests.peers.requesttracker import KEY_FIELD, PROBLEMS, WATCHKEEPER, Client, Person, RequestTracker, fields_of

pytestmark = pytest.mark.xdist_group("requesttracker")


def test_a_crash_loses_nothing_that_was_answered() -> None:
    with requesttracker.own() as rt:
        ticket = rt.client(WATCHKEEPER).create("crash")
        address = rt.url
        rt.crash()
        rt.go_on()
        assert rt.url == address
        assert rt.person.read(ticket)["Subject"] == "crash"
        assert rt.tickets_by_key() == {"crash": [ticket]}


def test_a_person_does_what_people_do(rt: RequestTracker, watchkeeper: Client, alice: Person) -> None:
    ticket, other = watchkeeper.create("worked on"), watchkeeper.create("the same")
    alice.take(ticket)
    alice.comment(ticket, "Looking at it.")
    alice.correspond(ticket, "We are looking at it.")
    alice.stall(ticket)
    alice.rename(ticket, "Worked on by Alice")
    alice.fill(ticket, "Site", "Lisbon")
    alice.resolve(ticket)
    alice.reopen(ticket)
    alice.reject(ticket)
    alice.merge(ticket, other)
    alice.delete(other)


def test_mail_is_kept_in_the_folder(rt: RequestTracker, watchkeeper: Client) -> None:
    ticket = watchkeeper.create("for alice")
    watchkeeper.put(f"/ticket/{ticket}", {"Owner": "alice"})
    assert "for alice" in rt.mail()


def test_a_token_and_a_password_let_in(rt: RequestTracker) -> None:
    for client in (rt.client(WATCHKEEPER), rt.client(token=rt.token)):
        answer = client.get("/rt")
        assert answer.status_code == 200
        assert answer.json()["Version"].startswith("5.")


def test_who_is_not_known_gets_a_401(rt: RequestTracker) -> None:
    for client in (rt.client(), rt.client(("watchkeeper", "wrong")), rt.client(token="1-27-0123456789abcdef")):
        answer = client.get("/rt")
        assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


def test_who_is_not_known_and_looks_like_a_browser_is_sent_to_the_login_page_instead(rt: RequestTracker) -> None:
    answer = rt.client().call("GET", "/rt", headers={"User-Agent": "Mozilla/5.0"}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_every_request_authenticates_anew_on_a_connection_of_its_own(watchkeeper: Client) -> None:
    answer = watchkeeper.get("/rt")
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Connection"] == "close"


def test_a_ticket_that_one_may_not_see_is_forbidden_and_one_that_is_not_there_is_not_found(
    watchkeeper: Client, eve: Client
) -> None:
    ticket = watchkeeper.create("not for eve")
    assert eve.get(f"/ticket/{ticket}").status_code == 403
    assert eve.put(f"/ticket/{ticket}", {"Status": "open"}).status_code == 403
    assert watchkeeper.get("/ticket/999999").status_code == 404
    assert watchkeeper.put("/ticket/999999", {"Status": "open"}).status_code == 404


def test_a_comment_says_permission_denied_with_a_400_for_both(watchkeeper: Client, eve: Client) -> None:
    ticket = watchkeeper.create("no comment")
    note = {"Content": "x", "ContentType": "text/plain"}
    for answer in (
        eve.post(f"/ticket/{ticket}/comment", note),
        watchkeeper.post("/ticket/999999/comment", note),
        watchkeeper.post("/ticket/999999/correspond", note),
    ):
        assert (answer.status_code, answer.json()) == (400, {"message": "Permission Denied"})


def test_a_queue_that_is_not_there_is_forbidden_like_one_without_the_right(watchkeeper: Client) -> None:
    for queue in ("Nonsense", "General"):
        answer = watchkeeper.post("/ticket", {"Queue": queue, "Subject": "x"})
        assert answer.status_code == 403
        assert answer.json() == {"message": f"No permission to create tickets in the queue '{queue}'"}
        assert watchkeeper.get(f"/queue/{queue}").status_code == 403


def test_a_queue_tells_its_lifecycle_and_its_custom_fields(watchkeeper: Client) -> None:
    queue = watchkeeper.get(f"/queue/{PROBLEMS}").json()
    assert queue["Lifecycle"] == "problems"
    assert [field["name"] for field in queue["TicketCustomFields"]] == [KEY_FIELD]


def test_a_queue_shows_no_custom_fields_to_whom_they_are_hidden(eve: Client) -> None:
    assert eve.get(f"/queue/{PROBLEMS}").json()["TicketCustomFields"] == []


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        ("{bad", "application/json", 400),
        ("[]", "application/json", 400),
        ('{"Subject": "x"}', "application/json", 400),
        ("Queue=Incidents", "application/x-www-form-urlencoded", 415),
    ],
    ids=["no JSON", "no object", "no queue", "a form"],
)
def test_what_can_not_be_read_makes_no_ticket(
    watchkeeper: Client, content: str, content_type: str, status: int
) -> None:
    answer = watchkeeper.call("POST", "/ticket", data=content, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert answer.json()["message"]


def test_a_new_ticket_tells_its_id_as_a_text_and_nothing_of_itself(rt: RequestTracker, watchkeeper: Client) -> None:
    answer = watchkeeper.post("/ticket", {"Queue": "Incidents", "Subject": "x"})
    made = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/REST/2.0/ticket/{made['id']}")
    assert made == {"type": "ticket", "id": made["id"], "_url": f"{rt.url}/REST/2.0/ticket/{made['id']}"}
    assert isinstance(made["id"], str)


def test_a_ticket_tells_its_id_as_a_number_and_names_its_owner(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("full")
    record = alice.read(ticket)
    assert record["id"] == int(ticket)
    assert record["Owner"]["id"] == "Nobody"
    assert record["Queue"].keys() == {"type", "id", "_url"}  # no name
    assert record["Resolved"] == "1970-01-01T00:00:00Z"  # not yet
    assert fields_of(record) == {KEY_FIELD: ["full"], "Cause": [], "Asset Tag": [], "Site": []}


@pytest.mark.parametrize(
    ("field", "value"),
    [("Nonsense", "x"), ("Asset Tag", "not a tag"), ("Site", "Mars"), ("Cause", "")],
    ids=["unknown", "against its pattern", "not among its choices", "mandatory, but empty"],
)
def test_a_custom_field_that_can_not_be_set_is_left_out_of_the_new_ticket_without_a_word(
    watchkeeper: Client, alice: Person, field: str, value: str
) -> None:
    ticket = watchkeeper.create("left out", CustomFields={KEY_FIELD: "left out", field: value}, Nonsense="x")
    fields = fields_of(alice.read(ticket))
    assert not fields.get(field)
    assert fields[KEY_FIELD] == ["left out"]


def test_without_the_right_the_key_itself_is_left_out(rt: RequestTracker, eve: Client) -> None:
    eve.create("left out of it", Queue=PROBLEMS)
    assert "left out of it" not in rt.tickets_by_key()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Status": "nonsense"}, "Status 'nonsense' isn't a valid status for tickets in this queue."),
        ({"Queue": PROBLEMS, "Status": "closed"}, "New tickets can not have status 'closed' in this queue."),
    ],
    ids=["unknown", "not to begin with"],
)
def test_a_status_that_can_not_be_makes_no_ticket(watchkeeper: Client, fields: dict[str, Any], message: str) -> None:
    answer = watchkeeper.post("/ticket", {"Queue": "Incidents", "Subject": "x"} | fields)
    assert (answer.status_code, answer.json()) == (400, {"message": message})


def test_a_subject_is_one_line_of_200_characters(watchkeeper: Client, alice: Person) -> None:
    ticket = watchkeeper.create("long", Subject="one\ntwo" + "x" * 300)
    assert alice.read(ticket)["Subject"] == "onetwo" + "x" * 194


def test_four_at_once_make_four_tickets_of_one_key(rt: RequestTracker, watchkeeper: Client) -> None:
    clients = [rt.client(token=rt.token) for _ in range(4)]
    with ThreadPoolExecutor(len(clients)) as threads:
        made = list(threads.map(lambda client: client.create("at once"), clients))
    assert sorted(rt.tickets_by_key()["at once"], key=int) == sorted(made, key=int)
    assert watchkeeper.search(f"CF.{{{KEY_FIELD}}} = 'at once'").json()["total"] == 4
