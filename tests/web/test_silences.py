"""Silences over HTTP: who may make and end them, and what is said of mistakes."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.peers import databases
from tests.web.asgi import Answer, request
from tests.web.daemons import HandDaemon
from watchkeeper.domain.expected import Matcher
from watchkeeper.schema.fields import Secret
from watchkeeper.store.database import Database
from watchkeeper.store.silences import StoredSilences
from watchkeeper.web.pages import make_app
from watchkeeper.web.silences import silence_routes

NOW = 1_795_520_280_000
ASKED = {"matchers": ['service="shop"'], "for": "2h", "author": "alice", "reason": "the switch is replaced"}
JSON = {"Content-Type": "application/json"}


class Bench:
    def __init__(self, database: Database) -> None:
        self.stored = StoredSilences(database)
        self.token: Secret | None = None
        self.changes = 0
        self.app: Starlette = make_app(
            HandDaemon(),
            silence_routes(self.stored, lambda: self.token, lambda: NOW, self._changed, self._mistake),
        )

    def _changed(self) -> None:
        self.changes += 1

    def _mistake(self, matchers: Sequence[Matcher]) -> str | None:
        return next((f"there is no {one.name} {one.value!r}" for one in matchers if one.value == "shp"), None)

    def ask(self, path: str, method: str = "GET", **more: Any) -> Answer:
        return asyncio.run(request(self.app, path, method, **more))

    def post(self, asked: object, **headers: str) -> Answer:
        return self.ask("/api/v1/silences", "POST", body=json.dumps(asked).encode(), headers={**JSON, **headers})


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Bench]:
    with databases.migrated("sqlite", tmp_path) as database:
        yield Bench(database)


def test_a_name_that_nothing_answers_to_is_refused(on: Bench) -> None:
    answer = on.post({**ASKED, "matchers": ["service=shp"]})
    assert (answer.status, json.loads(answer.body)) == (400, {"error": "there is no service 'shp'"})
    assert on.changes == 0


def test_a_silence_is_made_listed_and_ended(on: Bench) -> None:
    made = on.post(ASKED)
    assert (made.status, on.changes) == (201, 1)
    assert json.loads(made.body) == {
        "number": "SIL-1",
        "state": "silent",
        "matchers": ['service="shop"'],
        "author": "alice",
        "reason": "the switch is replaced",
        "created": "2026-11-24 11:38:00Z",
        "from": "2026-11-24 11:38:00Z",
        "until": "2026-11-24 13:38:00Z",
        "ended_by": None,
    }
    assert json.loads(on.ask("/api/v1/silences").body) == [json.loads(made.body)]

    ended = on.ask("/api/v1/silences/SIL-1?by=bob", "DELETE")
    assert (ended.status, on.changes) == (200, 2)
    assert json.loads(ended.body)["ended_by"] == "bob"
    assert json.loads(on.ask("/api/v1/silences").body) == []
    assert [one["number"] for one in json.loads(on.ask("/api/v1/silences?past=true").body)] == ["SIL-1"]
    assert on.ask("/api/v1/silences/SIL-1?by=bob", "DELETE").status == 400
    assert on.ask("/api/v1/silences/SIL-2?by=bob", "DELETE").status == 404
    assert on.ask("/api/v1/silences/SIL-1", "DELETE").status == 400


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"author": ""}, "its author is missing"),
        ({"reason": " "}, "its reason is missing"),
        ({"for": "32d"}, "a silence lasts 31d at most"),
        ({"for": "soon"}, "'soon' is not a duration"),
        ({"for": ""}, "say how long"),
        ({"until": "2026-11-25T00:00Z"}, "say how long"),
        ({"from": "2026-11-25"}, "has no time zone"),
        ({"matchers": ["shop"]}, "'shop' is not a matcher"),
        ({"matchers": 'service="shop"'}, "matchers must be a list of texts"),
        ({"matchers": ['service!="x"']}, 'or say that all is meant with "all": true'),
        ({"author": 1}, "author must be a text"),
        ({"all": 1}, "all must be true or false"),
        ({"autor": "x"}, "unknown key 'autor'; accepted: matchers, author"),
    ],
)
def test_a_mistake_is_told_and_silences_nothing(on: Bench, changed: dict[str, object], said: str) -> None:
    answer = on.post({**ASKED, **changed})
    assert answer.status == 400
    assert said in json.loads(answer.body)["error"]
    assert (on.changes, on.stored.newest(1)) == (0, [])


def test_all_can_be_silenced_where_that_is_meant(on: Bench) -> None:
    assert on.post({**ASKED, "matchers": [], "all": True}).status == 201


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"[" * 50_000, JSON, 400),
        (b"[]", JSON, 400),
        (b" " * 65_537, JSON, 413),
        (json.dumps(ASKED).encode(), {"Content-Type": "text/plain"}, 415),
        (json.dumps(ASKED).encode(), {}, 415),
    ],
)
def test_what_is_no_json_is_refused(on: Bench, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = on.ask("/api/v1/silences", "POST", body=body, headers=headers)
    assert answer.status == status
    assert json.loads(answer.body)["error"]
    assert on.stored.newest(1) == []


def test_without_a_token_only_this_machine_may_change_anything(on: Bench) -> None:
    on.post(ASKED)
    body = json.dumps(ASKED).encode()
    far = on.ask("/api/v1/silences", "POST", body=body, headers=JSON, client="192.0.2.7")
    ending = on.ask("/api/v1/silences/SIL-1?by=x", "DELETE", client="192.0.2.7")

    assert (far.status, ending.status, on.changes) == (403, 403, 1)
    assert "set web.token" in json.loads(far.body)["error"]
    assert on.ask("/api/v1/silences", "POST", body=body, headers=JSON, client="::1").status == 201
    assert on.ask("/api/v1/silences", client="192.0.2.7").status == 200


def test_with_a_token_whoever_sends_it_may(on: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    on.token = Secret("env", "WEB_TOKEN")
    monkeypatch.setenv("WEB_TOKEN", "s3cret")

    assert on.post(ASKED).status == 401
    assert on.post(ASKED, Authorization="Bearer wrong").status == 401
    assert on.post(ASKED, Authorization="Basic s3cret").status == 401
    assert on.post(ASKED, Authorization="Bearer s3cret").status == 201
    for unset in ("", None):
        monkeypatch.delenv("WEB_TOKEN", raising=False)
        if unset is not None:
            monkeypatch.setenv("WEB_TOKEN", unset)
        assert on.post(ASKED, Authorization="Bearer ").status == 503


def test_a_database_that_is_away_is_told(on: Bench) -> None:
    on.stored.database.close()
    assert on.stored.database.file is not None
    on.stored.database.file.unlink()
    assert on.ask("/api/v1/silences").status == 503
    assert on.post(ASKED).status == 503
