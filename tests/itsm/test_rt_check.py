"""What the self-test of a Request Tracker finds, and what is no configuration of one."""

import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.contract.test_ticket_backend import draft
from tests.itsm import rt_desk
from tests.itsm.rt_desk import LEVELS, WITH_LEVELS, as_eve, by_password
from tests.peers.requesttracker import PROBLEMS, RequestTracker
from tests.simulators.faults import HTML, LOGIN_PAGE
from tests.simulators.http import Request, Response, json_response, serving
from watchkeeper import itsm
from watchkeeper.domain.ticket import TicketState

pytestmark = pytest.mark.xdist_group("requesttracker")


def found(rt: RequestTracker, **given: Any) -> list[str]:
    return [finding.message for finding in rt_desk.backend(rt, **given).check()]


def test_all_is_well(rt: RequestTracker) -> None:
    given: dict[str, Any] = {"problem_queue": PROBLEMS, "fields": {"Owner": "alice"}}
    for queue in ("Incidents", PROBLEMS):  # other tests leave tickets there in states of their own
        rt_desk.empty(rt, queue)
    rt_desk.backend(rt, **given).create(draft("wk-well"))

    assert found(rt, **given) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"queue": "Nonsense"}, ["there is no queue 'Nonsense'", "SeeQueue, CreateTicket, ShowTicket"]),
        ({"problem_queue": "General"}, ["there is no queue 'General', or watchkeeper may not see it"]),
        ({"key_field": "Kay"}, ["Incidents has no custom field 'Kay'", "create it", "SetInitialCustomField"]),
        ({"fields": {"CF.{Sight}": "x"}}, ["Incidents has no custom field 'Sight'", "tickets go without it"]),
        ({"impact": {"field": "Impact"}}, ["Incidents has no custom field 'Impact'"]),
        ({"fields_by": [{"rule": "x", "fields": {"Owner": "bob"}}]}, ["there is no user 'bob' to own tickets"]),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(rt: RequestTracker, given: dict[str, Any], words: list[str]) -> None:
    [message] = found(rt, **given)

    assert [word for word in words if word not in message] == []


def test_a_key_that_may_not_be_seen_is_told(rt: RequestTracker, tmp_path: Path) -> None:
    [message] = found(rt, queue=PROBLEMS, auth=as_eve(tmp_path))

    assert message.startswith("Problems has no custom field 'Watchkeeper Key', or watchkeeper may not see it")


def test_that_no_ticket_may_be_made_is_told(rt: RequestTracker) -> None:
    """Which RT shows by a link that is not there."""
    watchkeeper = rt.client(token=rt.token)

    def without_links(request: Request) -> Response:
        answer = watchkeeper.get(request.path.removeprefix("/REST/2.0"), **request.query)
        return json_response(answer.status_code, answer.json() | {"_hyperlinks": []})

    with serving(without_links) as server:
        [message] = found(rt, url=server.url())

    assert message == "watchkeeper may not make tickets in Incidents: it needs the right CreateTicket there"


def test_a_status_that_is_not_named_is_told(rt: RequestTracker) -> None:
    ticket = rt_desk.backend(rt, **WITH_LEVELS).create(draft("wk-odd"))
    rt.person.stall(ticket.ref)
    statuses: dict[str, list[str]] = {"on_hold": []}

    assert found(rt, **WITH_LEVELS, statuses=statuses) == [
        f"RT#{ticket.ref} has the status 'stalled', which is not named in `statuses`: it counts as in progress"
    ]
    [fetched] = rt_desk.backend(rt, **WITH_LEVELS, statuses=statuses).fetch([ticket.ref])
    assert fetched.state is TicketState.IN_PROGRESS
    rt_desk.empty(rt, LEVELS)


def test_who_is_not_let_in_is_told_first(rt: RequestTracker, tmp_path: Path) -> None:
    [message] = found(rt, auth=by_password(tmp_path, ("watchkeeper", "wrong")))

    assert message.startswith("RT does not let watchkeeper in: does not know who asks (401)")
    assert "wrong" not in message


def test_what_is_no_request_tracker_is_told(rt: RequestTracker) -> None:
    answers = [Response(404, HTML, b"Not here"), Response(200, HTML, LOGIN_PAGE), json_response(200, {"hello": 1})]
    with serving(lambda _request: answers.pop()) as server:
        for _ in range(3):
            [message] = found(rt, url=server.url())
            assert message.startswith("RT can not be asked: answered")
            assert f"{server.url()}/REST/2.0 is where RT 5 has REST 2" in message


def test_an_address_where_nothing_listens_is_told(rt: RequestTracker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    [message] = found(rt, url=f"http://127.0.0.1:{port}")

    assert message.startswith("RT can not be asked: can not be reached")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"url": "https://rt.example.com/REST/2.0"}, "ends before /REST/2.0"),
        ({"url": "http://rt.example.com"}, "must begin with https://"),
        ({"auth": {}}, "accepted is either token, or username and password"),
        ({"auth": {"username": "x"}}, "accepted is either token, or username and password"),
        (
            {"auth": {"username": "x", "token": {"env": "T"}, "password": {"env": "P"}}},
            "accepted is either token, or username and password",
        ),
        ({"auth": {"token": "1-27-abc"}}, "a secret does not stand in the file"),
        ({"queue": "Ops/Incidents"}, "must be the name of a queue"),
        ({"key_field": "Key}"}, "must be the name of a custom field"),
        ({"fields": {"Ownr": "x"}}, "there is no field 'Ownr': accepted are CF.{NAME} of a custom field, AdminCc"),
        ({"fields": {"CF.{Site}": {"a": 1}}}, "CF.{Site} must be a text or a number, or a list of these"),
        ({"fields_by": [{"fields": {"Subject": "x"}}]}, "there is no field 'Subject'"),
        ({"fields": {"CF.{Watchkeeper Key}": "x"}}, "'Watchkeeper Key' is for watchkeeper's key"),
        ({"priority": [5, 4]}, "has five numbers"),
        ({"priority": [-1, 1, 1, 1, 1]}, "greater than or equal to 0"),
        ({"statuses": {"resolved": ["Open"]}}, "'open' stands in more than one list"),
        ({"statuses": {"open": [""]}}, "at least 1 character"),
        ({"notes": "reply"}, "'comment' or 'correspond'"),
    ],
)
def test_what_can_not_be_is_an_error(given: dict[str, Any], why: str) -> None:
    right = {"url": "https://rt.example.com", "queue": "Incidents", "auth": {"token": {"env": "TOKEN"}}}

    with pytest.raises(ValidationError) as error:
        itsm.find("rt").options.model_validate(right | given)

    assert why in str(error.value)
