"""Writing down what follows from decisions, and remembering it after a restart."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from watchkeeper.domain.alert import Alert, AlertRef, AlertState, stall
from watchkeeper.domain.earlier import Earlier
from watchkeeper.domain.effect import AlertChanged, Effect, Happening, IncidentChanged, ProblemChanged
from watchkeeper.domain.incident import Incident, IncidentState
from watchkeeper.domain.rule import Level, Named, Severity
from watchkeeper.domain.ticket import Command, TicketState
from watchkeeper.store import intervals, outbox, problems, tables
from watchkeeper.store.database import Database, upsert
from watchkeeper.store.earlier import earlier_incidents
from watchkeeper.store.lock import LockLost
from watchkeeper.store.reports import record_reports


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of the watch that ended last."""

    alerts: tuple[Alert, ...]
    incidents: tuple[Incident, ...]
    next_incident_id: int
    earlier_incidents: Mapping[str, Sequence[Earlier]]


class Decision(NamedTuple):
    """What was decided at once, and is written together. Numbered in its run, from 1, without gaps."""

    number: int
    effects: Sequence[Effect]


class Run(NamedTuple):
    """One run of the daemon, told apart from those of other databases by when it began."""

    id: int
    started_ms: int


def record(database: Database, effects: Sequence[Effect]) -> None:
    """Writes effects, in their order, in one transaction.

    Raises:
        StoreError: nothing was written, as far as one can tell.
    """
    with database.write() as connection:
        _write(connection, effects)


def record_decisions(database: Database, run_id: int, decisions: Sequence[Decision]) -> None:
    """Writes decisions of a run, in their order, in one transaction, and those that are written already not again.

    A connection that is lost while committing leaves open whether they were written: just write them again, the
    same or with others.

    Raises:
        LockLost: a later run has begun on the database: it has decided for itself since.
        StoreError: nothing was written, as far as one can tell.
    """
    runs = tables.runs
    newest = select(runs.c.id, runs.c.last_batch).order_by(runs.c.id.desc()).limit(1).with_for_update()
    with database.write() as connection:
        # Of a commit that had no answer and is still under way, this waits for the end.
        found = connection.execute(newest).first()
        if found is None or found.id != run_id:
            raise LockLost(superseded(database))
        effects = [effect for number, decided in decisions if number > found.last_batch for effect in decided]
        last = max(found.last_batch, decisions[-1].number)
        connection.execute(update(runs).where(runs.c.id == run_id).values(last_batch=last))
        _write(connection, effects)


def superseded(database: Database) -> str:
    """What to say when a later run has begun on a database."""
    return f"another watchkeeper has worked on the database {database.name} since: start this one again"


def _write(connection: Connection, effects: Sequence[Effect]) -> None:
    intervals.record_statuses(connection, effects)
    _record_alerts(connection, [effect for effect in effects if isinstance(effect, AlertChanged)])
    record_reports(connection, effects)
    _record_incidents(connection, [effect for effect in effects if isinstance(effect, IncidentChanged)])
    gone = problems.write(connection, [effect for effect in effects if isinstance(effect, ProblemChanged)])
    commands = (effect for effect in effects if isinstance(effect, Command))
    outbox.add(connection, *(command for command in commands if command.incident_id not in gone))


def _record_alerts(connection: Connection, effects: Sequence[AlertChanged]) -> None:
    """Of each alert only the last state is kept, of its transitions all."""
    alerts = tables.alerts
    last = {effect.after.ref: effect.after for effect in effects}
    over = [{"rule": ref.rule_id, "probe": ref.probe_id} for ref in last if last[ref].state is AlertState.INACTIVE]
    if over:
        this_one = (alerts.c.rule_id == bindparam("rule")) & (alerts.c.probe_id == bindparam("probe"))
        connection.execute(alerts.delete().where(this_one), over)
    active = [
        {
            "rule_id": ref.rule_id,
            "probe_id": ref.probe_id,
            "state": alert.state.value,
            "since_ms": alert.since_ms,
            "active_since_ms": alert.active_since_ms,
            "clear_since_ms": alert.clear_since_ms,
            "stalled_since_ms": alert.stalled_since_ms,
            "paused_ms": alert.paused_ms,
            "recent": alert.recent,
            "returns": alert.returns,
            "flapping": alert.is_flapping,
        }
        for ref, alert in last.items()
        if alert.state is not AlertState.INACTIVE
    ]
    if active:
        columns = [column.name for column in alerts.columns if not column.primary_key]
        connection.execute(upsert(connection, alerts, columns), active)
    transitions = [
        {
            "rule_id": effect.after.ref.rule_id,
            "probe_id": effect.after.ref.probe_id,
            "before": effect.before.state.value,
            "after": effect.after.state.value,
            "at_ms": effect.after.since_ms,
            "reason": effect.reason,
        }
        for effect in effects
        if effect.before.state is not effect.after.state
    ]
    if transitions:
        connection.execute(insert(tables.alert_transitions), transitions)


_CHANGING: Final = (
    "state",
    "severity",
    "impact",
    "urgency",
    "resolved_ms",
    "returns",
    "acknowledged_ms",
    "abandoned_ms",
    "seen_state",
    "seen_number",
    "merged_into",
    "caused_by",
)


def _record_incidents(connection: Connection, effects: Sequence[IncidentChanged]) -> None:
    if not effects:
        return
    # In the order of their first effects: one that ends is written before the next one of its key.
    last = {effect.incident.id: effect.incident for effect in effects}
    rows = [_incident_row(incident) for incident in last.values()]
    connection.execute(upsert(connection, tables.incidents, _CHANGING), rows)
    _record_members(connection, effects)
    events = [
        {
            "incident_id": effect.incident.id,
            "at_ms": effect.at_ms,
            "happening": effect.happening.value,
            "rule_id": effect.alert.rule_id,
            "probe_id": effect.alert.probe_id,
            "text": effect.text,
        }
        for effect in effects
        if effect.text or effect.happening is not Happening.RETURNED
    ]
    if events:
        connection.execute(insert(tables.incident_events), events)


NOT_PART: Final = -1  # the position of what an incident only explains


def _record_members(connection: Connection, effects: Sequence[IncidentChanged]) -> None:
    concerned: dict[int, dict[AlertRef, None]] = {}
    last: dict[int, Incident] = {}
    for effect in effects:
        last[effect.incident.id] = effect.incident
        concerned.setdefault(effect.incident.id, {}).update(dict.fromkeys(_concerned(effect)))
    rows = [row for incident in last.values() for row in _member_rows(incident, concerned[incident.id])]
    for has_place in (True, False):  # what was only explained before, and is part of it now, gets a place
        columns = ("firing", "flapping", "impacted", *(["position"] if has_place else []))
        chosen = [row for row in rows if (row["position"] != NOT_PART) == has_place]
        if chosen:
            connection.execute(upsert(connection, tables.incident_alerts, columns), chosen)
    over = [incident.id for incident in last.values() if incident.state is IncidentState.RESOLVED]
    if over:
        member = tables.incident_alerts
        none = {"firing": False, "flapping": False, "impacted": False}
        connection.execute(update(member).where(member.c.incident_id.in_(over)).values(**none))


def _member_rows(incident: Incident, alerts: Iterable[AlertRef]) -> Iterator[dict[str, Any]]:
    positions = {alert: position for position, alert in enumerate(incident.affected)}
    for alert in alerts:
        yield {
            "incident_id": incident.id,
            "rule_id": alert.rule_id,
            "probe_id": alert.probe_id,
            "position": positions.get(alert, NOT_PART),
            "firing": alert in incident.firing,
            "flapping": alert in incident.flapping,
            "impacted": alert in incident.impacted,
        }


def _concerned(effect: IncidentChanged) -> Sequence[AlertRef]:
    """The alerts whose part in an incident an effect may have changed, as long as it is open."""
    if effect.happening is Happening.OPENED:
        return (*effect.incident.affected, *effect.incident.impacted)
    return effect.alerts or (effect.alert,)


def _incident_row(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "key": incident.key,
        "rule_id": incident.rule_id,
        "service": incident.service,
        "title": incident.title,
        "severity": incident.severity.value,
        "impact": incident.impact.value,
        "urgency": incident.urgency.value,
        "backend": incident.backend,
        "state": incident.state.value,
        "started_ms": incident.started_ms,
        "opened_ms": incident.opened_ms,
        "resolved_ms": incident.resolved_ms,
        "runbook": incident.runbook,
        "labels": json.dumps(incident.labels),
        "annotations": json.dumps(incident.annotations),
        "returns": incident.returns,
        "acknowledged_ms": incident.acknowledged_ms,
        "abandoned_ms": incident.abandoned_ms,
        "seen_state": None if incident.ticket_state is None else incident.ticket_state.value,
        "seen_number": incident.ticket_number,
        "merged_into": incident.merged_into,
        "caused_by": incident.caused_by,
    }


def remember(database: Database) -> Memory:
    """The alerts that were not inactive and the incidents that were open when the last watch ended, and what was
    before these.

    What the conditions did since the last sign of life nobody knows: from then on the alerts' clocks stand, until
    they are heard of again.

    Raises:
        StoreError: the database does not answer.
    """
    kept, incident, member = tables.alerts, tables.incidents, tables.incident_alerts
    is_open = incident.c.state == IncidentState.OPEN.value
    with database.read() as connection:
        alive_ms = connection.execute(select(func.max(tables.runs.c.alive_ms))).scalar()
        alerts = tuple(
            stall(_alert(row), row.since_ms if alive_ms is None else alive_ms)
            for row in connection.execute(select(kept).order_by(kept.c.rule_id, kept.c.probe_id))
        )
        members: dict[int, list[Any]] = {}
        query = select(member).join(incident).where(is_open).order_by(member.c.incident_id, member.c.position)
        for row in connection.execute(query):
            members.setdefault(row.incident_id, []).append(row)
        found = connection.execute(select(incident).where(is_open).order_by(incident.c.id))
        incidents = tuple(_incident(row, members.get(row.id, [])) for row in found)
        last = connection.execute(select(func.max(incident.c.id))).scalar()
        earlier = {} if alive_ms is None else earlier_incidents(connection, alive_ms)
    return Memory(alerts, incidents, (last or 0) + 1, earlier)


def _alert(row: Any) -> Alert:
    return Alert(
        AlertRef(row.rule_id, row.probe_id),
        AlertState(row.state),
        row.since_ms,
        row.active_since_ms,
        row.clear_since_ms,
        row.stalled_since_ms,
        row.paused_ms,
        row.recent,
        row.returns,
        row.flapping,
    )


def _incident(row: Any, members: Sequence[Any]) -> Incident:
    refs = [AlertRef(member.rule_id, member.probe_id) for member in members]
    return Incident(
        id=row.id,
        key=row.key,
        rule_id=row.rule_id,
        service=row.service,
        title=row.title,
        severity=Severity(row.severity),
        impact=Level(row.impact),
        urgency=Level(row.urgency),
        backend=row.backend,
        started_ms=row.started_ms,
        opened_ms=row.opened_ms,
        firing=frozenset(ref for ref, member in zip(refs, members, strict=True) if member.firing),
        affected=tuple(ref for ref, member in zip(refs, members, strict=True) if member.position != NOT_PART),
        runbook=row.runbook,
        labels=named(row.labels),
        annotations=named(row.annotations),
        flapping=frozenset(ref for ref, member in zip(refs, members, strict=True) if member.flapping),
        returns=row.returns,
        acknowledged_ms=row.acknowledged_ms,
        abandoned_ms=row.abandoned_ms,
        ticket_state=None if row.seen_state is None else TicketState(row.seen_state),
        ticket_number=row.seen_number,
        impacted=frozenset(ref for ref, member in zip(refs, members, strict=True) if member.impacted),
        merged_into=row.merged_into,
        caused_by=row.caused_by,
    )


def named(stored: str) -> tuple[Named, ...]:
    """Labels or annotations as they are stored."""
    return tuple(Named(name, text) for name, text in json.loads(stored))


def begin_run(database: Database, now_ms: int, version: str, probe_services: Iterable[tuple[str, str]]) -> int:
    """Notes that the daemon starts, and since when nobody watched. Returns the run's id.

    Intervals left open end at the last sign of life; from there on the probes' status is unknown. Ticket commands
    left in flight wait again, as uncertain.

    Raises:
        StoreError: the database does not answer.
    """
    runs = tables.runs
    with database.write() as connection:
        alive_ms = connection.execute(select(runs.c.alive_ms).order_by(runs.c.id.desc()).limit(1)).scalar()
        if alive_ms is not None:
            intervals.note_absence(connection, alive_ms, now_ms, probe_services)
        outbox.reclaim(connection)
        run = insert(runs).values(started_ms=now_ms, alive_ms=now_ms, version=version, last_batch=0)
        return int(connection.execute(run.returning(runs.c.id)).scalar_one())


def note_alive(database: Database, run_id: int, now_ms: int, *, stopped: bool = False) -> None:
    """Notes a sign of life, and the last one as a clean stop.

    Raises:
        LockLost: a later run than this one has begun on the database.
        StoreError: the database does not answer.
    """
    runs = tables.runs
    values: dict[str, int] = {"alive_ms": now_ms} | ({"stopped_ms": now_ms} if stopped else {})
    with database.write() as connection:
        newest = connection.execute(select(func.max(runs.c.id))).scalar()
        if newest != run_id:
            raise LockLost(superseded(database))
        connection.execute(update(runs).where(runs.c.id == run_id).values(**values))
