"""The status of each probe over time: intervals without gap or overlap, whatever the clock does."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, Connection, Text, bindparam, cast, func, select, update

from watchkeeper.domain.effect import Effect, ProbeGone, StatusChanged
from watchkeeper.domain.past import NOT_RUNNING
from watchkeeper.domain.probe import Status
from watchkeeper.store import tables
from watchkeeper.store.database import upsert

_intervals = tables.probe_intervals


def record_statuses(connection: Connection, effects: Iterable[Effect]) -> None:
    """Writes changes of status, few statements for any number of them.

    One probe may change more than once: all its intervals but the last are ended by the next one. A change that
    is older than what is written (the clock was set back) counts from where the written ends.
    """
    changes = [effect for effect in effects if isinstance(effect, StatusChanged | ProbeGone)]
    if not changes:
        return
    known, is_open = _last(connection, {change.probe_id for change in changes})
    ends: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    latest: dict[str, dict[str, Any]] = {}
    for change in changes:
        probe = change.probe_id
        if isinstance(change, ProbeGone) and probe not in is_open:
            continue  # it was not watched
        at_ms = known[probe] = max(change.at_ms, known.get(probe, change.at_ms))
        if (row := latest.pop(probe, None)) is not None:
            row["to_ms"] = at_ms
        else:
            ends.setdefault(probe, at_ms)
        if isinstance(change, StatusChanged):
            latest[probe] = row = _interval(probe, change.service, at_ms, change.status, change.message)
            rows.append(row)
            is_open.add(probe)
        else:
            is_open.discard(probe)
    end = update(_intervals).where(_intervals.c.probe_id == bindparam("probe"), _intervals.c.to_ms.is_(None))
    if ends:
        connection.execute(
            end.values(to_ms=bindparam("end")), [{"probe": probe, "end": at_ms} for probe, at_ms in ends.items()]
        )
    _write(connection, rows)


def note_absence(
    connection: Connection, alive_ms: int, now_ms: int, probe_services: Iterable[tuple[str, str]]
) -> None:
    """Ends what the last run left open where it was last seen alive; from there on nobody knew.

    Args:
        alive_ms: the last run's last sign of life.
        probe_services: the probes that are watched from now on. What is not among them just ends.
    """
    seen_ms = min(alive_ms, now_ms)
    query = select(_intervals.c.probe_id, _intervals.c.from_ms).where(_intervals.c.to_ms.is_(None))
    # A change of status is a sign of life as well, and may be younger: it was so for a moment at least.
    since = {probe: max(from_ms + 1, seen_ms) for probe, from_ms in connection.execute(query).all()}
    later = func.max if connection.dialect.name == "sqlite" else func.greatest
    connection.execute(
        update(_intervals).where(_intervals.c.to_ms.is_(None)).values(to_ms=later(_intervals.c.from_ms + 1, seen_ms))
    )
    _write(
        connection,
        [
            _interval(probe, service, since[probe], Status.UNKNOWN, NOT_RUNNING)
            for probe, service in dict(probe_services).items()
            if probe in since
        ],
    )


def _last(connection: Connection, probes: Iterable[str]) -> tuple[dict[str, int], set[str]]:
    """Where the last interval of each probe ends (where it begins, if it is open), and those that are open."""
    sqlite = connection.dialect.name == "sqlite"
    asked = bindparam("asked", json.dumps(list(probes)), type_=Text)
    listed = func.json_each(asked) if sqlite else func.json_array_elements_text(cast(asked, JSON))
    probe = listed.table_valued("value", name="asked_for")
    any_of_it = _intervals.alias("any_of_it")
    last = select(func.max(any_of_it.c.from_ms)).where(any_of_it.c.probe_id == probe.c.value).scalar_subquery()
    query = select(_intervals.c.probe_id, _intervals.c.from_ms, _intervals.c.to_ms).join_from(
        probe, _intervals, (_intervals.c.probe_id == probe.c.value) & (_intervals.c.from_ms == last)
    )
    found = connection.execute(query).all()
    ends = {name: from_ms if to_ms is None else to_ms for name, from_ms, to_ms in found}
    return ends, {name for name, _, to_ms in found if to_ms is None}


def _interval(probe_id: str, service: str, from_ms: int, status: Status, message: str) -> dict[str, Any]:
    return {
        "probe_id": probe_id,
        "from_ms": from_ms,
        "to_ms": None,
        "service": service,
        "status": status.value,
        "message": message,
    }


def _write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        # Two changes within one millisecond: the later one counts.
        connection.execute(upsert(connection, _intervals, ("to_ms", "status", "message", "service")), rows)
