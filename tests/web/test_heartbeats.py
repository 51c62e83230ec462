"""Heartbeats over HTTP: who may tell, what is kept, and what is answered when that can not be done."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.peers import databases
from tests.web.asgi import Answer, request
from tests.web.daemons import HandDaemon
from watchkeeper.schema.fields import Secret
from watchkeeper.store.database import Database
from watchkeeper.store.heartbeats import StoredHeartbeats
from watchkeeper.web.heartbeats import MOST_BODY, heartbeat_routes
from watchkeeper.web.pages import make_app

NOW = 1_795_520_280_000
SECRET = "nightly-dump-8Zk3vQ1x"
OTHER = "weekly-check-8Zk3vQ1x"


class Bench:
    def __init__(self, database: Database) -> None:
        self.now_ms = NOW
        self.secrets = [Secret("env", "ONE"), Secret("env", "OTHER")]
        stored = StoredHeartbeats(database)
        self.app = make_app(HandDaemon(), heartbeat_routes(stored, lambda: self.secrets, lambda: self.now_ms))

    def ask(self, path: str, method: str = "POST", **more: Any) -> Answer:
        return asyncio.run(request(self.app, f"/api/v1/heartbeat{path}", method, **more))

    def told(self, secret: str = SECRET) -> dict[str, Any]:
        """What a probe gets to hear."""
        answer = self.ask("", "GET", headers={"X-Heartbeat-Secret": secret})
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found


@pytest.fixture(params=["sqlite", "postgresql"])
def on(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("ONE", SECRET)
    monkeypatch.setenv("OTHER", OTHER)
    with databases.migrated(request.param, tmp_path) as database:
        yield Bench(database)


def test_a_job_tells_and_its_probe_hears(on: Bench) -> None:
    assert on.told()["since_ms"] == NOW
    on.now_ms += 1000
    assert on.ask(f"/{SECRET}/start").body == "kept\n"
    on.now_ms += 5000
    assert on.ask(f"/{SECRET}/success", body=b"dumped 5 GB\n").status == 200
    assert on.told() == {
        "since_ms": NOW,
        "started_ms": NOW + 1000,
        "succeeded_ms": NOW + 6000,
        "failed_ms": None,
        "exit_code": 0,
        "output": "dumped 5 GB",
        "duration_ms": 5000,
    }
    assert on.told(OTHER)["succeeded_ms"] is None


def test_a_failure_has_its_exit_code_and_the_end_of_its_output(on: Bench) -> None:
    assert on.ask(f"/{SECRET}/fail?exit_code=3", body=b"x" * 50_000 + b"\0\xff disk full").status == 200
    told = on.told()
    assert (told["failed_ms"], told["exit_code"], len(told["output"])) == (NOW, 3, 10_000)
    assert told["output"].endswith("x \N{REPLACEMENT CHARACTER} disk full")


def test_a_job_may_tell_by_the_simplest_request(on: Bench) -> None:
    assert on.ask(f"/{SECRET}/success", "GET").status == 200
    assert on.told()["succeeded_ms"] == NOW


def test_what_was_told_twice_is_the_same(on: Bench) -> None:
    on.ask(f"/{SECRET}/success")
    once = on.told()
    on.ask(f"/{SECRET}/success")
    assert on.told() == once


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nobody-knows-this-one/success", 404, "no heartbeat probe has this secret"),
        (f"/{SECRET}x/success", 404, "no heartbeat probe has this secret"),
        (f"/{SECRET}/ping", 404, "accepted are start, success, fail"),
        (f"/{SECRET}/fail?exit_code=many", 400, "whole number"),
        (f"/{SECRET}/fail?exit_code=99999999999", 400, "whole number"),
        (f"/{SECRET}/success?exit_code=1", 400, "tell a failure by /fail"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_kept(on: Bench, path: str, status: int, said: str) -> None:
    answer = on.ask(path)
    assert (answer.status, said in answer.body) == (status, True), answer.body
    assert SECRET not in answer.body
    assert on.told()["succeeded_ms"] is None


def test_too_much_output_is_refused(on: Bench) -> None:
    assert on.ask(f"/{SECRET}/success", body=b"x" * (MOST_BODY + 1)).status == 413


def test_whoever_asks_without_a_secret_hears_nothing(on: Bench) -> None:
    assert on.ask("", "GET").status == 404
    assert on.ask("", "GET", headers={"X-Heartbeat-Secret": "x"}).status == 404


def test_secrets_that_are_missing_or_too_short_count_as_none_and_are_told_in_the_log(
    on: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE", "short")
    monkeypatch.delenv("OTHER")
    with capture_logs() as logs:
        assert on.ask("/short/success").status == 404
    assert [one["event"] for one in logs] == ["heartbeat_secret_unavailable"] * 2
    assert "short" not in str([one["error"] for one in logs])


def test_a_database_that_does_not_answer_is_a_reason_to_tell_it_again(on: Bench, tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path}/empty.db")
    app = make_app(HandDaemon(), heartbeat_routes(StoredHeartbeats(empty), lambda: on.secrets, lambda: NOW))
    answer = asyncio.run(request(app, f"/api/v1/heartbeat/{SECRET}/success", "POST"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    empty.close()
