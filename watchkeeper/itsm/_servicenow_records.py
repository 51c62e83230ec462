"""Incidents and problems as records: which fields they get, and what is read of them."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import ProblemFindings, Ticket, TicketChange, TicketDraft, TicketKind, TicketState
from watchkeeper.itsm._closing import told
from watchkeeper.itsm._servicenow_client import SYS_ID, Row
from watchkeeper.itsm._servicenow_options import Options
from watchkeeper.itsm._text import cut, found_out, marked

INCIDENT: Final = "incident"
PROBLEM: Final = "problem"
TABLES: Final = (INCIDENT, PROBLEM)
KEY: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)
"""What may stand in a query: there is no way to write a caret that means itself."""

OURS: Final = "wk-"
"""What the keys of watchkeeper's tickets begin with."""

TEXT: Final = 4000  # characters of a description or a note
TITLE: Final = 160
DISPLAY: Final = 100
READ: Final = (
    *("sys_id", "number", "correlation_id", "state", "short_description", "assigned_to"),
    *("sys_created_by", "sys_created_on", "sys_updated_by"),
)
"""The fields that a ticket is made of."""

LINKS: Final = ("problem_id", "parent_incident", "caused_by")
"""The fields of an incident that point at what it has to do with."""

_FINDINGS: Final = ("workaround", "cause_notes", "known_error", "fix_notes")

LEVELS: Final = {Level.HIGH: "1", Level.MEDIUM: "2", Level.LOW: "3"}
CODES: Final = {
    TicketState.IN_PROGRESS: "2",
    TicketState.ON_HOLD: "3",
    TicketState.RESOLVED: "6",
    TicketState.CLOSED: "7",
    TicketState.CANCELLED: "8",
}
"""The value of an incident's state. What is opened again goes on in progress."""

INCIDENT_STATES: Final = {"1": TicketState.OPEN, **{code: state for state, code in CODES.items()}}
_PROBLEM_STATES: Final = {
    "101": TicketState.OPEN,
    "102": TicketState.IN_PROGRESS,
    "103": TicketState.IN_PROGRESS,
    "104": TicketState.IN_PROGRESS,
    "106": TicketState.RESOLVED,
    "107": TicketState.CLOSED,
    # Before the release Madrid.
    "1": TicketState.OPEN,
    "2": TicketState.IN_PROGRESS,
    "3": TicketState.ON_HOLD,
    "4": TicketState.CLOSED,
}


def time_of(at_ms: int) -> str:
    """A time as it is stored, and compared with in a query: in UTC, whoever asks."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


_ENDED_BY: Final = ("resolved_by.user_name", "closed_by.user_name")
CLOSING: Final = ("sys_id", "state", "close_code", "close_notes", "sys_created_by", *_ENDED_BY)
"""The fields that tell how a ticket was resolved."""


def resolution_of(row: Row, options: Options) -> str:
    """What a person said about how an incident was resolved."""
    state = {**INCIDENT_STATES, **options.states}.get(row["state"])
    who = next((row[name] for name in _ENDED_BY if row[name]), "")
    if state not in (TicketState.RESOLVED, TicketState.CLOSED) or who in ("", "system", row["sys_created_by"]):
        return ""
    return told(row.shown.get("close_code", ""), row["close_notes"]) if row["close_notes"].strip() else ""


def table_of(kind: TicketKind) -> str:
    return PROBLEM if kind is TicketKind.PROBLEM else INCIDENT


def read_of(table: str) -> tuple[str, ...]:
    """The fields that a ticket of a table is made of."""
    return (*READ, *_FINDINGS) if table == PROBLEM else READ


def place_of(ref: str) -> tuple[str, str] | None:
    """The table and the sys_id of a ref; `None` for one that no ticket can have."""
    table, _, sys_id = ref.partition("/")
    return (table, sys_id) if table in TABLES and SYS_ID.fullmatch(sys_id) else None


def ticket_of(table: str, row: Row, options: Options) -> Ticket:
    """The ticket of a record. A state that nobody knows means that somebody does something with it."""
    known = {**INCIDENT_STATES, **options.states} if table == INCIDENT else _PROBLEM_STATES
    state = known.get(row["state"], TicketState.IN_PROGRESS)
    # The instance's own jobs are `system`. Assignment rules name somebody who has not begun yet.
    ours = {"", "system", row["sys_created_by"]}
    is_worked_on = bool(row["assigned_to"]) and state in (TicketState.IN_PROGRESS, TicketState.ON_HOLD)
    return Ticket(
        ref=f"{table}/{row['sys_id']}",
        number=row["number"],
        key=row["correlation_id"],
        state=state,
        title=row["short_description"],
        url=f"{options.url}/nav_to.do?uri={table}.do%3Fsys_id%3D{row['sys_id']}",
        assignee=row.shown.get("assigned_to", ""),
        is_touched=row["sys_updated_by"] not in ours or is_worked_on,
        findings=_findings_of(row) if table == PROBLEM else ProblemFindings(),
    )


def _findings_of(row: Row) -> ProblemFindings:
    return ProblemFindings(
        workaround=found_out(row["workaround"]),
        root_cause=found_out(row["cause_notes"]),
        resolution=found_out(row["fix_notes"]),
        is_known_error=row["known_error"] == "true",
    )


def wanted_fields(draft: TicketDraft, options: Options) -> dict[str, str]:
    """The fields of a new ticket that the configuration asks for; names are not looked up yet."""
    fields = options.problem_fields if draft.kind is TicketKind.PROBLEM else options.fields_of(draft)
    return {**texts(fields), **({"cmdb_ci": draft.ci} if draft.ci else {})}


def new_body(draft: TicketDraft, fields: Mapping[str, str], unresolved: Sequence[str]) -> dict[str, str]:
    """A new record. `fields`: with names looked up. `unresolved`: what could not be, told in a work note."""
    note = "\n".join(["watchkeeper could not set:", *(f"- {why}" for why in unresolved)])
    return {
        **fields,
        "short_description": cut(draft.title, TITLE),
        "description": cut(draft.description, TEXT),
        "impact": LEVELS[draft.impact],
        "urgency": LEVELS[draft.urgency],
        "correlation_id": draft.key,
        "correlation_display": cut(draft.correlation, DISPLAY),
        **({"work_notes": cut(note, TEXT)} if unresolved else {}),
    }


def changed_body(table: str, now: Ticket, change: TicketChange, options: Options, close_code: str) -> dict[str, str]:
    """What a change writes. The states of problems are left to people: their model asks for what only these know."""
    body = {"work_notes": marked(change.note, change.key, TEXT)} if change.note or change.key else {}
    if change.impact is not None:
        body["impact"] = LEVELS[change.impact]
    if change.urgency is not None:
        body["urgency"] = LEVELS[change.urgency]
    if table == PROBLEM:
        return body
    body |= _links(now, change)
    if (code := _code(now.state, change.state)) is not None:
        body["state"] = code
        if change.state is TicketState.RESOLVED:
            body |= texts(options.resolve_fields)
            body["close_code"] = close_code
            body["close_notes"] = cut(options.close_notes or change.note or "Over.", TEXT)
    return body


def _links(now: Ticket, change: TicketChange) -> dict[str, str]:
    links = {}
    if (problem := place_of(change.problem)) is not None and problem[0] == PROBLEM:
        links["problem_id"] = problem[1]
    if (
        (original := place_of(change.duplicate)) is not None
        and original[0] == INCIDENT
        and change.duplicate != now.ref
    ):
        links["parent_incident"] = original[1]
    cause = change.cause.removeprefix("change_request/")
    if SYS_ID.fullmatch(cause):
        links["caused_by"] = cause
    return links


def _code(now: TicketState, wanted: TicketState | None) -> str | None:
    if wanted is TicketState.OPEN:
        return CODES[TicketState.IN_PROGRESS] if now.is_over else None
    return None if wanted is None or wanted is now else CODES[wanted]


def texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Values as the Table API has them: everything is a text."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in fields.items()}
