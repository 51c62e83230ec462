"""A receiver of HTTP calls is told what to do: signed, in its own words, and as often as it takes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from tests.contract.test_ticket_backend import draft
from tests.engine import made
from tests.engine.backends import desk
from tests.peers import databases
from tests.simulators.faults import COMMITS_AND_RESETS, COMMITS_AND_SAYS_502, COMMITS_AND_TRUNCATES, Faults
from tests.simulators.http import Request, Response, Server, json_response, serving
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Level, Named
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketState
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.itsm.base import (
    Ambiguous,
    Denied,
    Outcome,
    Rejected,
    Surroundings,
    Throttled,
    TicketBackend,
    Unavailable,
)
from watchkeeper.store import outbox
from watchkeeper.store.database import Database
from watchkeeper.store.record import record

NOW_MS = 1_800_000_000_000
DOCS = Path(__file__).parents[2] / "docs"
DRAFT = replace(draft(), labels=(Named("region", "eu"),))
WORSE = TicketChange("worse", key="wk-1-2", impact=Level.HIGH, urgency=Level.HIGH)
OVER = TicketChange("over", TicketState.RESOLVED, key="wk-1-3")


class Receiver:
    """Carries out each call once, by its idempotency key, and answers it again when it comes again."""

    def __init__(self) -> None:
        self.done: dict[str, Any] = {}
        self.answers: dict[str, Response] = {}

    def __call__(self, request: Request) -> Response:
        key = request.headers["idempotency-key"]
        if key not in self.done:
            self.done[key] = request.json()
            number = len(self.done)
            told = {"id": number, "data": {"name": f"OPS-{number}"}, "links": [{"self": "x"}]}
            self.answers[key] = json_response(201, told)
        return self.answers[key]


def options(url: str, **given: Any) -> Any:
    return itsm.find("webhook").options.model_validate({"url": url, **given})


def backend(url: str, **given: Any) -> TicketBackend:
    return itsm.find("webhook").make(
        "hook", options(url, **given), Surroundings(lambda: NOW_MS, None, Budget(None, lambda: NOW_MS))
    )


@contextmanager
def receiving(app: Callable[[Request], Response], **given: Any) -> Iterator[tuple[Server, TicketBackend]]:
    with serving(app) as server:
        yield server, backend(server.url("/hook"), **given)


def sent(server: Server) -> list[Any]:
    return [exchange.request.json() for exchange in server.exchanges]


def test_the_receiver_is_told_everything_there_is() -> None:
    with receiving(Receiver()) as (server, hook):
        ticket = hook.create(DRAFT)
        hook.update(ticket, WORSE)
        assert hook.update(ticket, OVER) == replace(ticket, state=TicketState.RESOLVED)

    assert ticket == Ticket("wk-1", "wk-1", "wk-1", TicketState.OPEN, "Web shop is down")
    create, update, resolve = sent(server)
    assert create == {
        "event": "create",
        "key": "wk-1",
        "kind": "incident",
        "title": "Web shop is down",
        "description": "Do something.",
        "service": "shop",
        "ci": "",
        "rule": "",
        "severity": "major",
        "impact": "high",
        "urgency": "low",
        "priority": 3,
        "labels": {"region": "eu"},
        "correlation": "service-down/p1",
    }
    assert update == {
        "event": "update",
        "key": "wk-1",
        "ref": "wk-1",
        "number": "wk-1",
        "title": "Web shop is down",
        "note": "worse",
        "state": "",
        "impact": "high",
        "urgency": "high",
        "priority": 1,
        "problem": "",
        "duplicate": "",
        "cause": "",
    }
    assert (resolve["event"], resolve["state"], resolve["priority"]) == ("resolve", "resolved", None)
    headers = [exchange.request.headers for exchange in server.exchanges]
    assert [one["idempotency-key"] for one in headers] == ["wk-1", "wk-1-2", "wk-1-3"]
    assert {one["content-type"] for one in headers} == {"application/json"}


def test_the_answer_tells_of_the_ticket() -> None:
    fields = {"ref": "id", "number": "data.name", "url": "links.self"}
    with receiving(Receiver(), answer=fields) as (server, hook):
        ticket = hook.create(DRAFT)
        hook.update(ticket, OVER)

    assert (ticket.ref, ticket.number, ticket.url) == ("1", "OPS-1", "")
    assert (sent(server)[1]["ref"], sent(server)[1]["number"]) == ("1", "OPS-1")


WHOLE = (b"[]", b'"ok"', b"{}", b'{"id": {"a": 1}}', b'{"id": true}')
NO_JSON = (b"", b"ok", b"<html>thanks</html>")


@pytest.mark.parametrize("body", [*NO_JSON, *WHOLE])
@pytest.mark.parametrize("status", [200, 201, 202])
def test_whatever_is_answered_with_a_2xx_is_done(status: int, body: bytes) -> None:
    with receiving(lambda _: Response(status, {}, body), answer={"number": "name"}) as (_, hook):
        ticket = hook.create(DRAFT)
        assert ticket.ref == "wk-1"
        assert hook.update(ticket, OVER).state is TicketState.RESOLVED


@pytest.mark.parametrize(("status", "body"), [(204, b""), *((200, body) for body in WHOLE)])
def test_an_answer_that_is_whole_and_does_not_tell_the_id_is_done(status: int, body: bytes) -> None:
    with receiving(lambda _: Response(status, {}, body), answer={"ref": "id"}) as (_, hook):
        assert hook.create(DRAFT).ref == "wk-1"


@pytest.mark.parametrize("body", NO_JSON)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_answer_that_is_to_tell_the_id_and_is_no_json_is_not_the_whole_one(status: int, body: bytes) -> None:
    with receiving(lambda _: Response(status, {}, body), answer={"ref": "id"}) as (_, hook):
        with pytest.raises(Ambiguous, match=r"no JSON .* \(`answer.ref` wants JSON\)"):
            hook.create(DRAFT)
        ticket = Ticket("1", "1", "wk-1", TicketState.OPEN, "")
        assert hook.update(ticket, OVER).state is TicketState.RESOLVED, "of a change nothing is to be told"


def test_the_document_is_written_in_the_receivers_own_words() -> None:
    body = {
        "dedup_key": "{{ key }}",
        "event_action": "{{ 'resolve' if state == 'resolved' else 'trigger' }}",
        "payload": {
            "summary": "[{{ severity | upper }}] {{ title }}",
            "urgent": "{{ priority and priority < 3 }}",
            "tags": ["watchkeeper", "{{ labels.region }}", "{{ labels.nothing }}"],
            "labels": "{{ labels }}",
            "priority": "{{ priority }}",
        },
        "text": "{% if note %}{{ note }}{% else %}{{ description }}{% endif %}",
        "version": 2,
    }
    with receiving(Receiver(), body=body) as (server, hook):
        ticket = hook.create(replace(DRAFT, title='So "quoted" \\ {{ key }}'))
        hook.update(ticket, OVER)

    create, resolve = sent(server)
    assert create == {
        "dedup_key": "wk-1",
        "event_action": "trigger",
        "payload": {
            "summary": '[MAJOR] So "quoted" \\ {{ key }}',
            "urgent": False,
            "tags": ["watchkeeper", "eu", None],
            "labels": {"region": "eu"},
            "priority": 3,
        },
        "text": "Do something.",
        "version": 2,
    }
    assert (resolve["dedup_key"], resolve["event_action"], resolve["text"]) == ("wk-1", "resolve", "over")


def test_a_call_is_signed_as_the_documentation_verifies_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    with receiving(Receiver(), secret={"file": str(tmp_path / "secret")}) as (server, hook):
        hook.create(DRAFT)

    [request] = [exchange.request for exchange in server.exchanges]
    page = (DOCS / "how-to" / "use-a-webhook.md").read_text()
    shown: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], shown)
    verified, now = shown["verified"], NOW_MS / 1000
    assert request.headers["watchkeeper-timestamp"] == "1800000000"
    assert verified(request.headers, request.body, b"s3cret", now)
    assert not verified(request.headers, request.body + b" ", b"s3cret", now)
    assert not verified(request.headers, request.body, b"other", now)
    assert not verified(request.headers, request.body, b"s3cret", now + 301)
    assert not verified({}, request.body, b"s3cret", now)


def test_headers_and_the_address_may_be_secrets(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("Bearer t0ken\n")
    with serving(Receiver()) as server:
        (tmp_path / "url").write_text(f"{server.url('/hook')}?key=k3y\n")
        given = {"headers": {"Authorization": {"file": str(tmp_path / "token")}, "X-Team": "ops"}, "method": "PUT"}
        hook = itsm.find("webhook").make(
            "hook",
            itsm.find("webhook").options.model_validate({"url": {"file": str(tmp_path / "url")}, **given}),
            Surroundings(lambda: NOW_MS, None, Budget(None, lambda: NOW_MS)),
        )
        hook.create(DRAFT)

        [request] = [exchange.request for exchange in server.exchanges]
        assert (request.method, request.path, request.query) == ("PUT", "/hook", {"key": "k3y"})
        assert (request.headers["authorization"], request.headers["x-team"]) == ("Bearer t0ken", "ops")
        [call] = hook.preview(DRAFT)
        assert (call.method, call.url, call.body["title"]) == ("PUT", "(secret)", "Web shop is down")
        assert list(hook.check()) == []

        (tmp_path / "token").unlink()
        (tmp_path / "url").write_text("http://elsewhere.example.com/")
        assert len(hook.check()) == 1
        with pytest.raises(Unavailable, match="the secret for `url` holds no URL that is accepted"):
            hook.create(DRAFT)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Rejected),
        (401, Denied),
        (403, Denied),
        (404, Rejected),
        (409, Ambiguous),
        (422, Rejected),
        (429, Throttled),
        (302, Ambiguous),
        (500, Ambiguous),
        (503, Ambiguous),
    ],
)
def test_what_is_not_done_has_the_name_of_an_outcome(status: int, outcome: type[Outcome]) -> None:
    with receiving(lambda _: Response(status, {}, b"because")) as (_, hook):
        with pytest.raises(outcome):
            hook.create(DRAFT)
        with pytest.raises(outcome):
            hook.update(Ticket("1", "1", "wk-1", TicketState.OPEN, ""), OVER)


def test_half_an_answer_is_asked_for_again() -> None:
    with receiving(lambda _: Response(201, {}, b'{"id": 4')) as (_, hook), pytest.raises(Ambiguous):
        hook.create(DRAFT)


def test_the_receiver_is_never_asked() -> None:
    with receiving(Receiver()) as (server, hook):
        assert list(hook.find("wk-1")) == []
        with pytest.raises(Unavailable):
            hook.fetch(["1"])

    assert server.exchanges == []


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with databases.migrated("sqlite", tmp_path) as database:
        yield database


def test_what_is_lost_is_said_again_and_done_once(database: Database) -> None:
    receiver, faults, now = Receiver(), Faults(), made.NOW_MS
    incident = made.incident(1)
    record(database, [made.opened(incident), made.create(incident), made.note(incident, "worse")])
    record(database, [made.resolve(incident)])
    with serving(receiver, faults) as server, capture_logs():
        kind = itsm.find("webhook")
        hook = backend(server.url(), answer={"number": "data.name"})
        about = replace(desk("desk", hook, lambda: now), reads_back=kind.reads_back(None))
        delivery = Delivery(about, database, lambda: now, lambda: 0.5, Figures("1"))
        faults.then(COMMITS_AND_RESETS, COMMITS_AND_TRUNCATES, COMMITS_AND_SAYS_502, None, COMMITS_AND_RESETS)
        for _ in range(50):
            if not delivery.step():
                if outbox.next_due_ms(database, "desk") is None:
                    break
                now += 1000

    assert outbox.depths(database) == []
    assert faults.left == 0
    assert [told["event"] for told in receiver.done.values()] == ["create", "resolve"]
    assert [told.get("number") for told in receiver.done.values()] == [None, "OPS-1"]


@pytest.mark.parametrize("told", [b"", b"<html>one moment</html>", b'{"id": '])
def test_a_ticket_whose_id_got_lost_is_asked_for_again_with_the_same_call(database: Database, told: bytes) -> None:
    receiver, lost, now = Receiver(), [told, told], made.NOW_MS

    def loses(request: Request) -> Response:
        answer = receiver(request)
        return Response(answer.status, answer.headers, lost.pop()) if lost else answer

    incident = made.incident(1)
    record(database, [made.opened(incident), made.create(incident), made.resolve(incident)])
    with serving(loses) as server, capture_logs():
        about = replace(
            desk("desk", backend(server.url(), answer={"ref": "id"}), lambda: now),
            reads_back=itsm.find("webhook").reads_back(None),
        )
        delivery = Delivery(about, database, lambda: now, lambda: 0.5, Figures("1"))
        for _ in range(50):
            if not delivery.step():
                if outbox.next_due_ms(database, "desk") is None:
                    break
                now += 1000
        calls = [exchange.request for exchange in server.exchanges]

    assert outbox.depths(database) == []
    creates, resolve = calls[:-1], calls[-1]
    assert len(creates) == 3
    assert len({(one.headers["idempotency-key"], one.body) for one in creates}) == 1, "the very same call"
    assert (resolve.json()["event"], resolve.json()["ref"]) == ("resolve", "1")
    assert [done["event"] for done in receiver.done.values()] == ["create", "resolve"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"url": "http://hooks.example.com/x"}, "must begin with https://"),
        ({"url": "https://user:pw@hooks.example.com/x"}, "take user and password out of the URL"),
        ({"headers": {"Authorization": "Bearer abc"}}, "Authorization: a secret does not stand in the file"),
        ({"headers": {"Idempotency-Key": "1"}}, "'Idempotency-Key' is no header to set"),
        ({"headers": {"X Team": "1"}}, "'X Team' is no header to set"),
        ({"headers": {"X-Team": "a\nb"}}, "a header is one line of plain characters"),
        ({"secret": "abc"}, "a secret does not stand in the file"),
        ({"method": "GET"}, "'POST', 'PUT' or 'PATCH'"),
        ({"body": {"a": {"b": ["{{ titel }}"]}}}, "a.b[0]: there is no 'titel' (did you mean 'title'?)"),
        ({"body": "{{ title.upper() }}"}, "call is not accepted"),
        ({"body": "{{ title * 999999999 }}"}, "mul is not accepted"),
        ({"body": "{{ '%999999999d' % 1 }}"}, "mod is not accepted"),
        ({"body": "{% for a in title %}x{% endfor %}"}, "for is not accepted"),
        ({"body": "{{ title"}, "is no valid template"),
        ({"body": "{{ title | replace('a', 'b') }}"}, "there is no filter 'replace': there is default"),
        ({"body": "{{ priority < 3 }}"}, "fails where a name has no value: '<' not supported"),
        ({"body": {"a": "x" * 2001}}, "a: is longer than 2000 characters"),
        ({"body": ["x"] * 201}, "has more than 200 texts"),
        ({"body": json.loads("[" * 30 + "]" * 30)}, "is nested too deeply"),
    ],
)
def test_what_can_not_be_is_an_error(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as error:
        itsm.find("webhook").options.model_validate({"url": "https://hooks.example.com/x?a=b", **given})

    assert why in str(error.value)
