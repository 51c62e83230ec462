"""What others reported last of their alerts."""

import json
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection, bindparam, select

from watchkeeper.domain.effect import Effect, ReportChanged, ReportGone
from watchkeeper.domain.report import Report
from watchkeeper.store import tables
from watchkeeper.store.database import Database, upsert
from watchkeeper.store.effect_json import codec

_log = structlog.get_logger("store")


def record_reports(connection: Connection, effects: Sequence[Effect]) -> None:
    """Writes down the newest report of each alert, and forgets those that are gone."""
    table = tables.reports
    last: dict[tuple[str, str], ReportChanged | None] = {}
    for effect in effects:
        if isinstance(effect, ReportChanged):
            last[effect.report.source, effect.report.key] = effect
        elif isinstance(effect, ReportGone):
            last[effect.source, effect.key] = None
    gone = [{"its_source": source, "its_key": key} for (source, key), effect in last.items() if effect is None]
    if gone:
        this_one = (table.c.source == bindparam("its_source")) & (table.c.key == bindparam("its_key"))
        connection.execute(table.delete().where(this_one), gone)
    write = codec(Report).write
    kept = [
        {"source": source, "key": key, "heard_ms": effect.at_ms, "report": json.dumps(write(effect.report))}
        for (source, key), effect in last.items()
        if effect is not None
    ]
    if kept:
        connection.execute(upsert(connection, table, ("heard_ms", "report")), kept)


def remember_reports(database: Database) -> list[ReportChanged]:
    """The reports that were known when the last watch ended. One that this version can not read is told and left out.

    Raises:
        StoreError: the database does not answer.
    """
    table, read = tables.reports, codec(Report).read
    found: list[ReportChanged] = []
    with database.read() as connection:
        rows = connection.execute(select(table).order_by(table.c.heard_ms, table.c.source, table.c.key)).all()
    for row in rows:
        try:
            found.append(ReportChanged(read(json.loads(row.report)), row.heard_ms))
        except ValueError as error:
            _log.error("report_unreadable", source=row.source, key=row.key, error=str(error))
    return found
