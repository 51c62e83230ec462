"""What availability is measured by, read from the database."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, select

from watchkeeper.domain.availability import Correction, History, InForce
from watchkeeper.domain.condition import ProbeStanding, standing_of
from watchkeeper.domain.expected import Because
from watchkeeper.domain.past import NOT_RUNNING
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.probe import Status
from watchkeeper.domain.service import Service
from watchkeeper.domain.spans import Span
from watchkeeper.domain.timeline import Interval
from watchkeeper.store import tables
from watchkeeper.store.corrections import correction_of
from watchkeeper.store.database import Database
from watchkeeper.store.in_force import standing_of_row

_intervals, _windows, _corrections = tables.probe_intervals, tables.windows_in_force, tables.corrections
_STATUSES: Final = {status.value: status for status in Status}
_SILENT_MS: Final = 30_000  # a daemon that works shows a sign of life each five seconds


@dataclass
class _Read:
    intervals: list[Interval] = field(default_factory=list)
    planned: list[InForce] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)


def histories(
    database: Database, plan: Plan, services: Sequence[Service], span: Span, now_ms: int
) -> dict[str, History]:
    """What is known of services in a span, by their ids: one consistent view.

    Args:
        now_ms: when it is asked. What a daemon left open that is not heard of any more, nobody knows since then.

    Raises:
        StoreError: the database does not answer.
    """
    found = {service.id: _Read() for service in services}
    known = {service.id: service for service in services}
    with database.read() as connection:
        standings = _standings(connection, plan)
        counting: dict[tuple[str, str], bool] = {}

        def counts(service: str, probe: str) -> bool:
            if (known_answer := counting.get((service, probe))) is None:
                standing = standings.get(probe)
                known_answer = standing is not None and known[service].availability.takes(standing)
                counting[service, probe] = known_answer
            return known_answer

        _read_intervals(connection, found, span, counts, _silent_since(connection, now_ms))
        _read_windows(connection, found, span)
        overlaps = (_corrections.c.to_ms > span.from_ms) & (_corrections.c.from_ms < span.to_ms)
        for row in connection.execute(select(_corrections).where(overlaps).order_by(_corrections.c.id)):
            if (read := found.get(row.service)) is not None:
                read.corrections.append(correction_of(row))
    return {name: History(read.intervals, read.planned, read.corrections) for name, read in found.items()}


def _standings(connection: Connection, plan: Plan) -> dict[str, ProbeStanding]:
    """Of probes that are configured as they are now, of those that are gone as they were last."""
    rows = connection.execute(select(tables.probe_standings))
    gone = {row.probe_id: standing_of_row(row) for row in rows if row.probe_id not in plan.probes}
    return gone | {probe.id: standing_of(probe) for probe in plan.probes.values()}


def _silent_since(connection: Connection, now_ms: int) -> int | None:
    """Since when the daemon is not heard of; `None`: it is."""
    runs = tables.runs
    last = connection.execute(select(runs.c.alive_ms, runs.c.stopped_ms).order_by(runs.c.id.desc()).limit(1)).first()
    if last is None or (last.stopped_ms is None and last.alive_ms >= now_ms - _SILENT_MS):
        return None
    return int(last.alive_ms)


def _read_intervals(
    connection: Connection,
    found: Mapping[str, _Read],
    span: Span,
    counts: Callable[[str, str], bool],
    silent_ms: int | None,
) -> None:
    columns = (_intervals.c.service, _intervals.c.probe_id, _intervals.c.from_ms, _intervals.c.to_ms)
    query = select(*columns, _intervals.c.status, _intervals.c.message).where(_intervals.c.from_ms < span.to_ms)
    # Apart from each other: each of them has an index.
    over, lasting = _intervals.c.to_ms > span.from_ms, _intervals.c.to_ms.is_(None)
    query = query.where(_intervals.c.service.in_(list(found)))
    for those in (over, lasting):
        for service, probe, from_ms, to_ms, status, message in connection.execute(query.where(those)):
            if not counts(service, probe):
                continue
            own, end_ms = found[service].intervals, to_ms
            if end_ms is None and silent_ms is not None:
                end_ms = max(from_ms + 1, silent_ms)
                own.append(Interval(probe, end_ms, None, Status.UNKNOWN, NOT_RUNNING))
            own.append(Interval(probe, from_ms, end_ms, _STATUSES[status], message))


def _read_windows(connection: Connection, found: Mapping[str, _Read], span: Span) -> None:
    query = select(_windows).where(_windows.c.to_ms > span.from_ms, _windows.c.from_ms < span.to_ms)
    if len(found) == 1:
        [name] = found
        query = query.where(
            _windows.c.services.contains(json.dumps(name), autoescape=True) | (_windows.c.probes != "[]")
        )
    everything: dict[str, Any] = {}  # the same few lists again and again
    for row in connection.execute(query.order_by(_windows.c.from_ms)):
        services, probes = (_listed(text, everything) for text in (row.services, row.probes))
        window = InForce(row.from_ms, row.to_ms, Because(row.because), row.number, row.title)
        for name in services & found.keys():
            found[name].planned.append(window)
        if probes:
            for name, read in found.items():
                own = probes & {interval.probe_id for interval in read.intervals}
                if own and name not in services:
                    read.planned.append(window._replace(probes=frozenset(own)))


def _listed(text: str, known: dict[str, Any]) -> frozenset[str]:
    if (found := known.get(text)) is None:
        found = known[text] = frozenset(json.loads(text))
    assert isinstance(found, frozenset)
    return found
