"""A backend for the Request Tracker of the tests."""

import sqlite3
from contextlib import closing
from pathlib import Path
from time import time_ns
from typing import Any

from tests.peers.requesttracker import EVE, WATCHKEEPER, Client, RequestTracker, fields_of
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Clock, Level
from watchkeeper.domain.ticket import Ticket
from watchkeeper.itsm.base import Surroundings, TicketBackend

LEVELS = "Levels"
VALUES = {"high": "1 - High", "medium": "2 - Medium", "low": "3 - Low"}
WITH_LEVELS: dict[str, Any] = {
    "queue": LEVELS,
    "impact": {"field": "Impact", **VALUES},
    "urgency": {"field": "Urgency", **VALUES},
}


def now_ms() -> int:
    return time_ns() // 1_000_000


def options(rt: RequestTracker, **given: Any) -> dict[str, Any]:
    """What is configured, as it stands in YAML."""
    auth = {"token": {"file": str(rt.folder / "token")}}
    return {"url": rt.url, "queue": "Incidents", "auth": auth, "timeout": "20s", **given}


def backend(rt: RequestTracker, *, clock: Clock = now_ms, **given: Any) -> TicketBackend:
    """A backend that speaks to it as watchkeeper, or as `auth` says."""
    kind = itsm.find("rt")
    checked = kind.options.model_validate(options(rt, **given))
    return kind.make("rt", checked, Surroundings(clock, None, Budget(None, clock)))


def by_password(folder: Path, account: tuple[str, str] = WATCHKEEPER) -> dict[str, Any]:
    """An `auth`."""
    name, password = account
    file = folder / f"password of {name}"
    file.write_text(password)
    return {"username": name, "password": {"file": str(file)}}


def as_eve(folder: Path) -> dict[str, Any]:
    return by_password(folder, EVE)


def empty(rt: RequestTracker, queue: str = LEVELS) -> None:
    """Nothing that was in this queue is found any more."""
    with closing(sqlite3.connect(rt.folder / "rt.db", timeout=10)) as database, database:
        of_queue = "Queue = (SELECT id FROM Queues WHERE Name = ?)"
        database.execute(f"UPDATE Tickets SET Status = 'deleted' WHERE {of_queue}", [queue])


def notes(client: Client, ticket: str) -> list[str]:
    """What was noted on a ticket, as people read it, the oldest first."""
    found = client.get(f"/ticket/{ticket}/history", fields="Type", per_page=100).json()["items"]
    told = []
    for transaction in found:
        if transaction["Type"] in ("Comment", "Correspond"):
            items = client.get(f"/transaction/{transaction['id']}/attachments", fields="Content").json()["items"]
            told += [item["Content"] for item in items]
    return told


def levels(client: Client, ticket: Ticket) -> tuple[Level, Level]:
    """Impact and urgency, as people read them."""
    fields = fields_of(client.get(f"/ticket/{ticket.ref}").json())
    of = {value: Level(name) for name, value in VALUES.items()}
    return of[fields["Impact"][0]], of[fields["Urgency"][0]]


def links(client: Client, ticket: Ticket) -> list[str]:
    """The refs of what it points at."""
    found = client.get(f"/ticket/{ticket.ref}").json()["_hyperlinks"]
    return [str(link["id"]) for link in found if link["ref"] in ("parent", "refers-to", "depends-on")]
