"""Reading what is stored, for people: the command line's lists and the web's. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, exists, select

from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.effect import Happening
from watchkeeper.domain.incident import IncidentState, incident_number
from watchkeeper.domain.rule import Level, Named, Severity, priority
from watchkeeper.domain.ticket import CommandKind, TicketState
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.outbox import OutboxState
from watchkeeper.store.record import NOT_PART, named
from watchkeeper.store.ticketlist import TICKETS, TicketRow, ticket_row


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident in a list. The ticket's fields are `None` as long as its backend has not made it.

    `returns`: how often a condition came back while it was open. `flapping`: whether one comes and goes now.

    `merged_into`: the number of the incident that turned out to be its cause. `caused_by`: that of the change in
    whose aftermath it began. Both are empty where there is none.

    `rejection`: why the backend refuses a command of its ticket, if it does; the commands after that one wait.
    """

    id: int
    key: str
    rule_id: str
    service: str
    title: str
    severity: Severity
    impact: Level
    urgency: Level
    state: IncidentState
    started_ms: int
    opened_ms: int
    resolved_ms: int | None
    backend: str
    ticket_number: str | None
    ticket_state: TicketState | None
    ticket_url: str | None
    rejection: str | None
    returns: int
    flapping: bool
    acknowledged_ms: int | None
    merged_into: str
    caused_by: str

    @property
    def number(self) -> str:
        """What people call it: `INC-12`."""
        return incident_number(self.id)

    @property
    def priority(self) -> int:
        """1 (critical) to 5 (planning)."""
        return priority(self.impact, self.urgency)


@dataclass(frozen=True, slots=True)
class AffectedAlert:
    """An alert that is (`firing`) or was part of an incident."""

    ref: AlertRef
    firing: bool
    flapping: bool


@dataclass(frozen=True, slots=True)
class ImpactedAlert:
    """An alert that an incident explains (`now`), or did."""

    ref: AlertRef
    now: bool


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    at_ms: int
    happening: Happening
    alert: AlertRef
    text: str


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A ticket command and how far it is. `next_attempt_ms` counts while it waits; done, it has no `last_error`."""

    id: int
    kind: CommandKind
    state: OutboxState
    attempts: int
    uncertain: bool
    created_ms: int
    next_attempt_ms: int
    done_ms: int | None
    last_error: str


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """Everything about one incident: alerts in the order they joined, timeline and commands the oldest first.
    `merged`: the numbers of the incidents whose cause it is."""

    incident: IncidentRow
    runbook: str
    labels: tuple[Named, ...]
    annotations: tuple[Named, ...]
    alerts: tuple[AffectedAlert, ...]
    impacted: tuple[ImpactedAlert, ...]
    timeline: tuple[TimelineEntry, ...]
    commands: tuple[CommandRow, ...]
    ticket: TicketRow | None
    merged: tuple[str, ...]


_incidents, _tickets, _outbox = tables.incidents, tables.tickets, tables.outbox

_REJECTION: Final = (
    select(_outbox.c.last_error)
    .where(_outbox.c.incident_id == _incidents.c.id, _outbox.c.state == OutboxState.REJECTED.value)
    .order_by(_outbox.c.id)
    .limit(1)
    .scalar_subquery()
)
_FLAPPING: Final = exists().where(
    tables.incident_alerts.c.incident_id == _incidents.c.id, tables.incident_alerts.c.flapping
)
_INCIDENTS: Final = select(
    _incidents,
    _FLAPPING.label("flapping"),
    _tickets.c.number.label("ticket_number"),
    _tickets.c.state.label("ticket_state"),
    _tickets.c.url.label("ticket_url"),
    _REJECTION.label("rejection"),
).outerjoin_from(_incidents, _tickets, _tickets.c.incident_id == _incidents.c.id)


def list_incidents(
    database: Database, *, state: IncidentState | None = None, service: str | None = None, limit: int = 50
) -> list[IncidentRow]:
    """The newest incidents first; `None` filters nothing.

    Raises:
        StoreError: the database does not answer.
    """
    query = _INCIDENTS.order_by(_incidents.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_incidents.c.state == state.value)
    if service is not None:
        query = query.where(_incidents.c.service == service)
    with database.read() as connection:
        return [_incident(row) for row in connection.execute(query)]


def show_incident(database: Database, incident_id: int) -> IncidentDetail | None:
    """One incident; `None` when there is none of this id.

    Raises:
        StoreError: the database does not answer.
    """
    members, events, commands = tables.incident_alerts, tables.incident_events, tables.outbox
    with database.read() as connection:

        def belonging(table: Any, order: Any) -> Sequence[Any]:
            return connection.execute(select(table).where(table.c.incident_id == incident_id).order_by(order)).all()

        row = connection.execute(_INCIDENTS.where(_incidents.c.id == incident_id)).first()
        if row is None:
            return None
        ticket = connection.execute(TICKETS.where(_tickets.c.incident_id == incident_id)).first()
        part_of = belonging(members, members.c.position)
        return IncidentDetail(
            incident=_incident(row),
            runbook=row.runbook,
            labels=named(row.labels),
            annotations=named(row.annotations),
            alerts=tuple(
                AffectedAlert(AlertRef(found.rule_id, found.probe_id), found.firing, found.flapping)
                for found in part_of
                if found.position != NOT_PART
            ),
            impacted=tuple(
                ImpactedAlert(AlertRef(found.rule_id, found.probe_id), found.impacted)
                for found in part_of
                if found.impacted or found.position == NOT_PART
            ),
            timeline=tuple(_entry(found) for found in belonging(events, events.c.id)),
            commands=tuple(_command(found) for found in belonging(commands, commands.c.id)),
            ticket=None if ticket is None else ticket_row(ticket),
            merged=tuple(map(incident_number, connection.scalars(_merged_into(incident_id)))),
        )


def _incident(row: Any) -> IncidentRow:
    return IncidentRow(
        id=row.id,
        key=row.key,
        rule_id=row.rule_id,
        service=row.service,
        title=row.title,
        severity=Severity(row.severity),
        impact=Level(row.impact),
        urgency=Level(row.urgency),
        state=IncidentState(row.state),
        started_ms=row.started_ms,
        opened_ms=row.opened_ms,
        resolved_ms=row.resolved_ms,
        backend=row.backend,
        ticket_number=row.ticket_number,
        ticket_state=None if row.ticket_state is None else TicketState(row.ticket_state),
        ticket_url=row.ticket_url,
        rejection=row.rejection,
        returns=row.returns,
        flapping=bool(row.flapping),
        acknowledged_ms=row.acknowledged_ms,
        merged_into="" if row.merged_into is None else incident_number(row.merged_into),
        caused_by=row.caused_by,
    )


def _merged_into(incident_id: int) -> Select[Any]:
    return select(_incidents.c.id).where(_incidents.c.merged_into == incident_id).order_by(_incidents.c.id)


def _entry(row: Any) -> TimelineEntry:
    return TimelineEntry(row.at_ms, Happening(row.happening), AlertRef(row.rule_id, row.probe_id), row.text)


def _command(row: Any) -> CommandRow:
    return CommandRow(
        row.id,
        CommandKind(row.kind),
        OutboxState(row.state),
        row.attempts,
        row.uncertain,
        row.created_ms,
        row.next_attempt_ms,
        row.done_ms,
        row.last_error,
    )
