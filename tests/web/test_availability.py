"""Availability over HTTP: the same figures as the commands have, and what is said of mistakes."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from tests.peers import databases
from tests.web.asgi import Answer, request
from tests.web.daemons import HandDaemon
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.probe import Category, Every, Probe
from watchkeeper.domain.service import Objectives, Service
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.web.availability import KEPT_MS, availability_routes
from watchkeeper.web.pages import make_app

HOUR = 3_600_000
NOW = 1_795_564_800_000  # 2026-11-25T00:00Z
SHOP = Service("shop/web", "Web shop", "team-web", objectives=Objectives(999_000))
WEB = Probe("web", "http", "shop/web", Category.HEALTH, Every(60_000), 1000, None)


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.plan = Plan({"shop/web": SHOP}, {"web": WEB}, {}, "desk")
        self.now_ms = NOW
        routes = availability_routes(database, lambda: self.plan, lambda: self.now_ms)
        self.app = make_app(HandDaemon(), routes)

    def write(self, from_ms: int, to_ms: int | None, status: str) -> None:
        row = {"probe_id": "web", "service": "shop/web", "message": "no answer"}
        with self.database.write() as connection:
            values = {**row, "from_ms": from_ms, "to_ms": to_ms, "status": status}
            connection.execute(insert(tables.probe_intervals).values(**values))

    def ask(self, path: str) -> Answer:
        return asyncio.run(request(self.app, path))

    def json(self, path: str) -> Any:
        answer = self.ask(path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Bench]:
    with databases.migrated("sqlite", tmp_path) as database:
        yield Bench(database)


def test_the_availability_of_a_service_is_told_exactly(on: Bench) -> None:
    on.write(NOW - 10 * HOUR, NOW - HOUR, "up")
    on.write(NOW - HOUR, None, "down")

    told = on.json("/api/v1/availability/shop/web?last=10h")

    assert (told["service"], told["percent"], told["availability"]) == ("shop/web", "90.0000 %", 0.9)
    assert (told["good_ms"], told["counted_ms"]) == (9 * HOUR, 10 * HOUR)
    assert sum(told["time_ms"].values()) == told["to_ms"] - told["from_ms"]
    assert told["objective"]["met"] is False
    [outage] = told["outages"]
    assert (outage["counted_ms"], outage["causes"][0]["probe"]) == (HOUR, "web")


def test_no_data_is_told_as_such(on: Bench) -> None:
    told = on.json("/api/v1/availability/shop/web")

    assert (told["availability"], told["percent"]) == (None, "no data")
    assert told["objective"] == {"target": "99.9000 %", "met": None}


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("nothing", 404, "there is no service 'nothing'"),
        ("shop/web?month=2026-12", 400, "which is yet to come"),
        ("shop/web?month=2026-13", 400, "is not a period"),
        ("shop/web?since=1h", 400, "unknown parameter 'since'; accepted: month, quarter"),
        ("shop/web?last=1d&month=2026-10", 400, "do not go together"),
        ("shop/web?last=5y", 400, "longer than 1100d"),
    ],
)
def test_what_can_not_be_told_is_refused_with_a_reason(on: Bench, path: str, status: int, said: str) -> None:
    answer = on.ask(f"/api/v1/availability/{path}")

    assert (answer.status, said in json.loads(answer.body)["error"]) == (status, True), answer.body


def test_all_services_are_told_and_measured_once_in_a_while(on: Bench) -> None:
    on.write(NOW - HOUR, None, "up")
    [told] = on.json("/api/v1/services")
    assert (told["service"], told["state"], told["owner"]) == ("shop/web", "up", "team-web")
    assert told["periods"][0]["percent"] == "100.0000 %"

    on.write(NOW - 2 * HOUR, NOW - HOUR, "down")
    on.now_ms += KEPT_MS - 1
    assert on.json("/api/v1/services") == [told]
    on.now_ms += 1
    assert on.json("/api/v1/services")[0]["periods"][0]["percent"] < "51"


def test_another_configuration_is_told_at_once(on: Bench) -> None:
    on.json("/api/v1/services")
    on.plan = replace(on.plan, services={"shop/web": SHOP, "other": Service("other", "Other")})

    assert [one["service"] for one in on.json("/api/v1/services")] == ["shop/web", "other"]


def test_a_database_that_does_not_answer_is_said(on: Bench) -> None:
    on.database.close()
    assert on.database.file is not None
    on.database.file.rename(on.database.file.with_suffix(".away"))

    assert on.ask("/api/v1/services").status == 503
    assert on.ask("/api/v1/availability/shop/web").status == 503
