"""Problems for the tests of what is stored, and commands for their tickets."""

from dataclasses import replace
from typing import Any

from sqlalchemy import insert

from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import Command, CommandKind, TicketChange, TicketDraft, TicketKind
from watchkeeper.store import tables
from watchkeeper.store.database import Database


def put_problem(database: Database, number: int = 1, **given: Any) -> None:
    """Stores a problem."""
    row = {
        "id": number,
        "fingerprint": f"fingerprint-{number}",
        "title": f"The web shop keeps failing ({number})",
        "rule_id": "service-down",
        "service": "shop",
        "ci": "",
        "failure": "connection refused",
        "backend": "desk",
        "state": "open",
        "opened_ms": 3_000 + number,
        "updated_ms": 3_000 + number,
        **given,
    }
    with database.write() as connection:
        connection.execute(insert(tables.problems).values(**row))


def create(number: int = 1, *, backend: str = "desk", at_ms: int = 3_000) -> Command:
    draft = TicketDraft(
        f"wk-problem-{number}",
        TicketKind.PROBLEM,
        f"problem/{number}",
        f"The web shop keeps failing ({number})",
        "It does.",
        "shop",
        Level.MEDIUM,
        Level.MEDIUM,
    )
    return Command(None, backend, draft.key, CommandKind.CREATE, draft, at_ms, problem_id=number)


def note(number: int = 1, text: str = "once more", *, backend: str = "desk", at_ms: int = 4_000) -> Command:
    change = TicketChange(text)
    return replace(create(number, backend=backend, at_ms=at_ms), kind=CommandKind.UPDATE, payload=change)
