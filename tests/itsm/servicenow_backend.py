"""A ServiceNow backend for a simulated instance, as a configuration would make it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.simulators.servicenow import INTEGRATION, Instance
from tests.simulators.servicenow_store import Row
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import Ticket
from watchkeeper.itsm._servicenow_options import Options
from watchkeeper.itsm._servicenow_records import LEVELS
from watchkeeper.itsm._text import unmarked
from watchkeeper.itsm.base import Surroundings, TicketBackend


def secret(folder: Path, text: str) -> dict[str, str]:
    """A secret as a configuration names it."""
    file = folder / f"secret-{len(list(folder.iterdir()))}"
    file.write_text(text)
    return {"file": str(file)}


def options(url: str, folder: Path, **given: Any) -> Options:
    """Those of a user with a password, and what is given."""
    auth = {"username": INTEGRATION[0], "password": secret(folder, INTEGRATION[1])}
    return Options.model_validate({"url": url, "auth": auth, "timeout": "5s", **given})


def backend_of(instance: Instance, folder: Path, **given: Any) -> TicketBackend:
    wanted = options(instance.url, folder, **given)
    budget = Budget(None, instance.clock)
    return itsm.find("servicenow").make("snow", wanted, Surroundings(instance.clock, None, budget))


@contextmanager
def made(instance: Instance, folder: Path, **given: Any) -> Iterator[TicketBackend]:
    """A backend whose connections are closed in the end."""
    backend = backend_of(instance, folder, **given)
    try:
        yield backend
    finally:
        backend._client._http.forget()  # type: ignore[attr-defined]


def row_of(instance: Instance, ticket: Ticket) -> Row:
    table, _, sys_id = ticket.ref.partition("/")
    return instance.row(table, sys_id)


def notes_of(instance: Instance, ticket: Ticket) -> Sequence[str]:
    """What a person reads under a ticket, without the marks."""
    return [unmarked(note) for note in instance.notes(ticket.ref.partition("/")[2])]


def levels_of(instance: Instance, ticket: Ticket) -> tuple[Level, Level]:
    row = row_of(instance, ticket)
    meant = {code: level for level, code in LEVELS.items()}
    return meant[row["impact"]], meant[row["urgency"]]


def links_of(instance: Instance, ticket: Ticket) -> list[str]:
    """The refs of what an incident points at."""
    row = row_of(instance, ticket)
    tables = {"problem_id": "problem", "parent_incident": "incident"}
    return [f"{table}/{row[name]}" for name, table in tables.items() if row[name]]
