"""A Jira backend for a simulated Jira, as a configuration would make it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.simulators.jira import Jira
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import Ticket, TicketDraft, TicketKind
from watchkeeper.itsm._jira_options import Options
from watchkeeper.itsm._jira_record import PROPERTY
from watchkeeper.itsm._text import unmarked
from watchkeeper.itsm.base import Surroundings, TicketBackend

ITSM = {"project": "ITSM", "issue_type": "Incident", "problem_type": "Problem"}


def secret(folder: Path, text: str) -> dict[str, str]:
    """A secret as a configuration names it."""
    file = folder / f"secret-{text}"
    file.write_text(text)
    return {"file": str(file)}


def options(jira: Jira, folder: Path, **given: Any) -> Options:
    """Those of the user `bot`, for the project OPS, and what is given."""
    username, word = jira.login
    name = "token" if jira.site.is_cloud else "password"
    basic = {
        "url": jira.url,
        "auth": {"username": username, name: secret(folder, word)},
        "project": "OPS",
        "issue_type": "Task",
        "problem_type": "Bug",
        "timeout": "5s",
    }
    return Options.model_validate({**basic, **given})


@contextmanager
def made(jira: Jira, folder: Path, **given: Any) -> Iterator[TicketBackend]:
    """A backend whose connections are closed in the end."""
    surroundings = Surroundings(jira.clock, None, Budget(None, jira.clock))
    backend = itsm.find("jira").make("jira", options(jira, folder, **given), surroundings)
    try:
        yield backend
    finally:
        backend._api._http.forget()  # type: ignore[attr-defined]


def draft(key: str = "wk-1", *, kind: TicketKind = TicketKind.INCIDENT, **given: Any) -> TicketDraft:
    basic: dict[str, Any] = {
        "key": key,
        "kind": kind,
        "correlation": "service-down/p1",
        "title": "Web shop is down",
        "description": "connection refused\n\nProbe:    p1",
        "service": "shop",
        "impact": Level.HIGH,
        "urgency": Level.LOW,
        "rule": "service-down",
    }
    return TicketDraft(**{**basic, **given})


def notes_of(jira: Jira, ref: str, *, public: bool | None = None) -> list[str]:
    """What a person reads under a ticket, without the marks, and as Data Center renders it."""
    notes = jira.notes(ref, public=public)
    if not jira.site.is_cloud:
        notes = [re.sub(r"\\(.)", r"\1", note).replace("&#92;", "\\") for note in notes]
    return [unmarked(note) for note in notes]


def levels_of(jira: Jira, ticket: Ticket) -> tuple[Level, Level]:
    kept = jira.issue(ticket.ref).properties[PROPERTY]
    return Level(kept["impact"]), Level(kept["urgency"])


def links_of(jira: Jira, ticket: Ticket) -> list[str]:
    """The refs of what an issue is linked to, in whatever direction."""
    ends = [{link.source, link.target} for link in jira.tracker.links.values()]
    return [ref for pair in ends if ticket.ref in pair for ref in pair - {ticket.ref}]
