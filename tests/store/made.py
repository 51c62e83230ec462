"""Values for the store's tests: of everything one, as simple as it can be."""

from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import select

from watchkeeper.domain.alert import Alert, AlertRef, AlertState
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.effect import AlertChanged, Happening, IncidentChanged, StatusChanged
from watchkeeper.domain.incident import AlertsFired, AlertsOver, Incident, step
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.ticket import Command, CommandKind, Ticket, TicketChange, TicketDraft, TicketKind, TicketState
from watchkeeper.store import tables
from watchkeeper.store.database import Database

WEB = AlertRef("service-down", "web")
API = AlertRef("service-down", "api")


def incident(number: int = 1, *, key: str = "", backend: str = "desk", service: str = "shop") -> Incident:
    return Incident(
        id=number,
        key=key or f"service-down/probe=p{number}",
        rule_id="service-down",
        service=service,
        title=f"Web shop is down ({number})",
        severity=Severity.MAJOR,
        impact=Level.MEDIUM,
        urgency=Level.HIGH,
        backend=backend,
        started_ms=1_000 + number,
        opened_ms=2_000 + number,
        firing=frozenset({WEB}),
        affected=(WEB,),
        runbook="https://wiki.example/shop",
    )


def opened(what: Incident) -> IncidentChanged:
    return IncidentChanged(what, Happening.OPENED, what.opened_ms, WEB, "connection refused")


def joined(what: Incident, at_ms: int = 5_000) -> IncidentChanged:
    after = step(what, AlertsFired((API,), at_ms))
    return IncidentChanged(after, Happening.JOINED, at_ms, API, "api joined")


def over(what: Incident, alert: AlertRef = WEB, at_ms: int = 9_000) -> IncidentChanged:
    after = step(what, AlertsOver((alert,), at_ms))
    happening = Happening.LEFT if after.firing else Happening.RESOLVED
    return IncidentChanged(after, happening, at_ms, alert, f"{alert.probe_id} is well")


def draft(what: Incident) -> TicketDraft:
    key = ticket_key(what.key, what.opened_ms)
    return TicketDraft(
        key,
        TicketKind.INCIDENT,
        what.key,
        what.title,
        "Do something.\nSoon.",
        what.service,
        what.impact,
        what.urgency,
    )


def create(what: Incident) -> Command:
    payload = draft(what)
    return Command(what.id, what.backend, payload.key, CommandKind.CREATE, payload, what.opened_ms)


def note(what: Incident, text: str = "api joined", at_ms: int = 5_000) -> Command:
    key = ticket_key(what.key, what.opened_ms)
    return Command(what.id, what.backend, key, CommandKind.UPDATE, TicketChange(text), at_ms)


def resolve(what: Incident, at_ms: int = 9_000) -> Command:
    change = TicketChange("over", TicketState.RESOLVED)
    return replace(note(what, at_ms=at_ms), kind=CommandKind.RESOLVE, payload=change)


def ticket(command: Command, state: TicketState = TicketState.OPEN) -> Ticket:
    number = f"T-{command.incident_id}"
    return Ticket(f"r{command.incident_id}", number, command.key, state, "Web shop is down", f"https://desk/{number}")


def status(probe: str, status_now: Status, at_ms: int) -> StatusChanged:
    return StatusChanged(probe, "shop", status_now, at_ms, f"{probe} is {status_now}")


class ProbeState(NamedTuple):
    probe_id: str
    status: Status
    since_ms: int
    message: str


def probe_states(database: Database) -> list[ProbeState]:
    """The status that each watched probe has now."""
    intervals = tables.probe_intervals
    query = select(intervals).where(intervals.c.to_ms.is_(None)).order_by(intervals.c.probe_id)
    with database.read() as connection:
        return [
            ProbeState(row.probe_id, Status(row.status), row.from_ms, row.message)
            for row in connection.execute(query)
        ]


def fired(ref: AlertRef, at_ms: int) -> AlertChanged:
    before = Alert(ref, AlertState.PENDING, since_ms=at_ms - 10, active_since_ms=at_ms - 10)
    return AlertChanged(before, replace(before, state=AlertState.FIRING, since_ms=at_ms), "connection refused")
