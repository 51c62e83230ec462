"""Writing down what follows from decisions, and remembering it after a restart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from watchkeeper.domain.alert import Alert, AlertRef, AlertState
from watchkeeper.domain.effect import AlertChanged, Effect, IncidentChanged, ProbeGone, StatusChanged
from watchkeeper.domain.incident import Incident, IncidentState
from watchkeeper.domain.probe import Status
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.ticket import Command
from watchkeeper.store import outbox, tables
from watchkeeper.store.database import Database


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of the watch that ended last."""

    alerts: tuple[Alert, ...]
    incidents: tuple[Incident, ...]
    next_incident_id: int


def record(database: Database, effects: Sequence[Effect]) -> None:
    """Writes effects, in their order, in one transaction.

    Raises:
        StoreError: nothing was written.
    """
    with database.write() as connection:
        _record_statuses(connection, effects)
        for effect in effects:
            if isinstance(effect, AlertChanged):
                _record_alert(connection, effect)
            elif isinstance(effect, IncidentChanged):
                _record_incident(connection, effect)
            elif isinstance(effect, Command):
                outbox.add(connection, effect)


def _record_statuses(connection: Connection, effects: Iterable[Effect]) -> None:
    """Intervals are many and independent of everything else: two statements for all of them.

    One probe may change more than once in a batch: all its intervals but the last are ended by the next one.
    """
    ends: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    latest: dict[str, dict[str, Any]] = {}
    for effect in effects:
        if not isinstance(effect, StatusChanged | ProbeGone):
            continue
        if (row := latest.pop(effect.probe_id, None)) is not None:
            row["to_ms"] = effect.at_ms
        else:
            ends[effect.probe_id] = effect.at_ms
        if isinstance(effect, StatusChanged):
            latest[effect.probe_id] = row = _interval(effect)
            rows.append(row)
    intervals = tables.probe_intervals
    if ends:
        end = update(intervals).where(intervals.c.probe_id == bindparam("probe"), intervals.c.to_ms.is_(None))
        connection.execute(
            end.values(to_ms=bindparam("end")), [{"probe": probe, "end": at} for probe, at in ends.items()]
        )
    if rows:
        # Two changes within one millisecond: the later one counts.
        connection.execute(_upsert(connection, intervals, ("to_ms", "status", "message", "service")), rows)


def _interval(effect: StatusChanged) -> dict[str, Any]:
    return {
        "probe_id": effect.probe_id,
        "from_ms": effect.at_ms,
        "to_ms": None,
        "service": effect.service,
        "status": effect.status.value,
        "message": effect.message,
    }


def _upsert(connection: Connection, table: Any, columns: Iterable[str]) -> Any:
    """An insert that overwrites some columns where the primary key is there already."""
    make = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    statement = make(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={column: statement.excluded[column] for column in columns},
    )


def _record_alert(connection: Connection, effect: AlertChanged) -> None:
    before, after = effect.before, effect.after
    alerts = tables.alerts
    rule_id, probe_id = after.ref
    if after.state is AlertState.INACTIVE:
        connection.execute(alerts.delete().where(alerts.c.rule_id == rule_id, alerts.c.probe_id == probe_id))
    else:
        columns = ("state", "since_ms", "active_since_ms", "clear_since_ms")
        row = {
            "rule_id": rule_id,
            "probe_id": probe_id,
            "state": after.state.value,
            "since_ms": after.since_ms,
            "active_since_ms": after.active_since_ms,
            "clear_since_ms": after.clear_since_ms,
        }
        connection.execute(_upsert(connection, alerts, columns), row)
    if before.state is not after.state:
        connection.execute(
            insert(tables.alert_transitions).values(
                rule_id=rule_id,
                probe_id=probe_id,
                before=before.state.value,
                after=after.state.value,
                at_ms=after.since_ms,
                reason=effect.reason,
            )
        )


def _record_incident(connection: Connection, effect: IncidentChanged) -> None:
    incident = effect.incident
    row = {
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
    }
    connection.execute(_upsert(connection, tables.incidents, ("state", "resolved_ms")), row)
    position = incident.affected.index(effect.alert)
    member = {
        "incident_id": incident.id,
        "rule_id": effect.alert.rule_id,
        "probe_id": effect.alert.probe_id,
        "position": position,
        "firing": effect.alert in incident.firing,
    }
    connection.execute(_upsert(connection, tables.incident_alerts, ("firing",)), member)
    connection.execute(
        insert(tables.incident_events).values(
            incident_id=incident.id,
            at_ms=effect.at_ms,
            happening=effect.happening.value,
            rule_id=effect.alert.rule_id,
            probe_id=effect.alert.probe_id,
            text=effect.text,
        )
    )


def remember(database: Database) -> Memory:
    """The alerts that were not inactive and the incidents that were open when the last watch ended.

    What the conditions did since nobody knows: the alerts' clocks stand until they are heard of again.
    """
    with database.read() as connection:
        alerts = tuple(
            Alert(
                AlertRef(row.rule_id, row.probe_id),
                AlertState(row.state),
                row.since_ms,
                row.active_since_ms,
                row.clear_since_ms,
                stalled=True,
            )
            for row in connection.execute(select(tables.alerts))
        )
        members: dict[int, list[tuple[AlertRef, bool]]] = {}
        open_ones = select(tables.incidents.c.id).where(tables.incidents.c.state == IncidentState.OPEN.value)
        member = tables.incident_alerts
        query = select(member).where(member.c.incident_id.in_(open_ones)).order_by(member.c.position)
        for row in connection.execute(query):
            members.setdefault(row.incident_id, []).append((AlertRef(row.rule_id, row.probe_id), row.firing))
        query = select(tables.incidents).where(tables.incidents.c.state == IncidentState.OPEN.value)
        incidents = tuple(_incident(row, members.get(row.id, [])) for row in connection.execute(query))
        last = connection.execute(select(func.max(tables.incidents.c.id))).scalar()
    return Memory(alerts, incidents, (last or 0) + 1)


def _incident(row: Any, members: Sequence[tuple[AlertRef, bool]]) -> Incident:
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
        firing=frozenset(ref for ref, firing in members if firing),
        affected=tuple(ref for ref, _ in members),
        runbook=row.runbook,
    )


def begin_run(database: Database, now_ms: int, version: str, probe_services: Iterable[tuple[str, str]]) -> int:
    """Notes that the daemon starts, and since when nobody watched. Returns the run's id.

    Intervals left open end at the last sign of life; from there on the probes' status is unknown.
    """
    intervals = tables.probe_intervals
    with database.write() as connection:
        alive = connection.execute(select(func.max(tables.runs.c.alive_ms))).scalar()
        left_open = set(connection.execute(select(intervals.c.probe_id).where(intervals.c.to_ms.is_(None))).scalars())
        if alive is not None and left_open:
            ended = func.max if connection.dialect.name == "sqlite" else func.greatest
            connection.execute(
                update(intervals)
                .where(intervals.c.to_ms.is_(None))
                .values(to_ms=ended(intervals.c.from_ms, min(alive, now_ms)))
            )
            message = "watchkeeper was not running"
            gaps = [
                _interval(StatusChanged(probe_id, service, Status.UNKNOWN, min(alive, now_ms), message))
                for probe_id, service in probe_services
                if probe_id in left_open
            ]
            if gaps:
                connection.execute(_upsert(connection, intervals, ("to_ms", "status", "message", "service")), gaps)
        outbox.reclaim(connection)
        run = insert(tables.runs).values(started_ms=now_ms, alive_ms=now_ms, version=version)
        return int(connection.execute(run.returning(tables.runs.c.id)).scalar_one())


def note_alive(database: Database, run_id: int, now_ms: int, *, stopped: bool = False) -> None:
    """Notes a sign of life, and the last one as a clean stop."""
    values: dict[str, int] = {"alive_ms": now_ms} | ({"stopped_ms": now_ms} if stopped else {})
    with database.write() as connection:
        connection.execute(update(tables.runs).where(tables.runs.c.id == run_id).values(**values))
