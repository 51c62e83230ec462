"""What the last run left in its journal goes into the database, before anything is read from there."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import structlog
from sqlalchemy import func, select, update

from watchkeeper.domain.effect import AlertChanged, Effect
from watchkeeper.domain.ticket import Command
from watchkeeper.store import tables
from watchkeeper.store.database import Contradiction, Database, StoreError
from watchkeeper.store.journal import Corrupt, Torn, decision_of, lines, run_of
from watchkeeper.store.record import Decision, Run, record_decisions

BATCH: Final = 5_000

_log = structlog.get_logger("store")


class _Outdated(Exception):
    """The database has moved on without what the journal holds, or is another one."""


@dataclass(slots=True)
class _Tally:
    """What was read and written so far."""

    run: Run | None = None
    written: int = 0
    seen_ms: int = 0  # the newest time that the run has decided something at


def replay(path: Path, database: Database, *, most: int = BATCH) -> None:
    """Writes what a journal holds, in its order, and removes the journal.

    Each decision is written once, however often this is begun: the database counts what it has of each run.

    What can not be written is never dropped: the file is kept under another name, and that is told.

    Args:
        most: effects in one transaction, about.

    Raises:
        StoreError: the database does not take it now, or the file can not be read. Nothing is lost: begin again.
    """
    tally = _Tally()
    try:
        with path.open("rb") as file:
            _write_back(file, database, tally, most)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"the journal {path} can not be read: {error.strerror}") from None
    except Corrupt as error:
        _tell_aside("journal_corrupt", _put_aside(path, "corrupt"), error, tally)
    except _Outdated as error:
        _tell_aside("journal_outdated", _put_aside(path, "outdated"), error, tally)
        return
    except Contradiction as error:
        _tell_aside("journal_refused", _put_aside(path, "refused"), error, tally)
    except StoreError:
        raise
    except Exception as bug:  # noqa: BLE001  # told with its trace; a daemon that never starts would be worse
        _log.error("journal_refused", file=_put_aside(path, "refused"), written=tally.written, exc_info=bug)
    else:
        _remove(path)
        _log.info("journal_replayed", file=str(path), written=tally.written)
    if tally.run is not None:
        _note_seen(database, tally.run, tally.seen_ms)


def _tell_aside(event: str, file: str, error: Exception, tally: _Tally) -> None:
    _log.error(event, file=file, error=str(error), written=tally.written)


def _write_back(file: BinaryIO, database: Database, tally: _Tally, most: int) -> None:
    pending: list[Decision] = []
    effects = 0
    try:
        for decision in _unwritten(file, database, tally):
            pending.append(decision)
            effects += len(decision.effects)
            if effects >= most:
                _flush(database, tally, pending)
                effects = 0
    except Corrupt:
        _flush(database, tally, pending)  # what comes before is whole
        raise
    _flush(database, tally, pending)


def _flush(database: Database, tally: _Tally, pending: list[Decision]) -> None:
    if pending and tally.run is not None:
        record_decisions(database, tally.run.id, pending)
        tally.written += len(pending)
        pending.clear()


def _unwritten(file: BinaryIO, database: Database, tally: _Tally) -> Iterator[Decision]:
    """The decisions that the database does not have."""
    last, standing = 0, None
    try:
        for line in lines(file):
            if line.number == 1:
                tally.run = run_of(line)
                standing = _standing(database, tally.run)
                continue
            decision = decision_of(line)
            if last and decision.number != last + 1:
                raise Corrupt(f"line {line.number} holds decision {decision.number}, which does not follow {last}")
            last = decision.number
            tally.seen_ms = max([tally.seen_ms, *map(_at_ms, decision.effects)])
            if standing is None:
                raise _Outdated(f"the database {database.name} knows nothing of the run that wrote it")
            if last <= standing.last:
                continue
            if not standing.newest:
                raise _Outdated(f"a later run has worked on the database {database.name} since")
            if line.number == 2 and last > standing.last + 1:
                raise _Outdated(f"the database {database.name} lacks what came before: it was restored, or replaced")
            yield decision
    except Torn as error:
        _log.warning("journal_torn", file=file.name, error=str(error))


def _at_ms(effect: Effect) -> int:
    """When it was decided, at the earliest."""
    if isinstance(effect, AlertChanged):
        return effect.after.since_ms
    return effect.created_ms if isinstance(effect, Command) else effect.at_ms


class _Standing(NamedTuple):
    """What a database has of a run: up to which decision, and whether no other run came after."""

    last: int
    newest: bool


def _standing(database: Database, run: Run) -> _Standing | None:
    runs = tables.runs
    newest = select(func.max(runs.c.id)).scalar_subquery()
    this_one = (runs.c.id == run.id) & (runs.c.started_ms == run.started_ms)
    with database.read() as connection:
        found = connection.execute(select(runs.c.last_batch, newest.label("newest")).where(this_one)).first()
    return None if found is None else _Standing(found.last_batch, found.newest == run.id)


def _note_seen(database: Database, run: Run, seen_ms: int) -> None:
    """The run lived when it decided, also where it could not say so: until then its probes were watched."""
    runs = tables.runs
    this_one = (runs.c.id == run.id) & (runs.c.started_ms == run.started_ms) & (runs.c.alive_ms < seen_ms)
    with database.write() as connection:
        connection.execute(update(runs).where(this_one).values(alive_ms=seen_ms))


def _put_aside(path: Path, why: str) -> str:
    names = (path.with_name(f"{path.name}.{why}{'' if n == 1 else f'.{n}'}") for n in count(1))
    aside = next(name for name in names if not name.exists())
    try:
        path.rename(aside)
    except OSError as error:
        raise StoreError(f"the journal {path} can not be put aside: {error.strerror}") from None
    return str(aside)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise StoreError(f"the journal {path} can not be removed: {error.strerror}") from None
