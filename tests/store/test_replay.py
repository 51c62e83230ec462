"""A journal that was left goes into the database it belongs to, once; anything else is kept aside and told."""

from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.store import made
from watchkeeper.domain.alert import AlertState
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.probe import Status
from watchkeeper.store import tables
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.journal import Journal
from watchkeeper.store.record import Decision, Run, begin_run, record_decisions, remember
from watchkeeper.store.replay import BATCH, replay

FIRST, SECOND = made.incident(1), made.incident(2)
DECIDED: Sequence[Sequence[Effect]] = (
    (made.status("web", Status.DOWN, 1_000), made.fired(made.WEB, 1_010), made.opened(FIRST), made.create(FIRST)),
    (made.joined(FIRST), made.note(FIRST)),
    (made.over(FIRST), made.resolve(FIRST), made.status("web", Status.UP, 9_000)),
    (made.opened(SECOND), made.create(SECOND), made.status("web", Status.DOWN, 9_500)),
)
DECISIONS = [Decision(number, effects) for number, effects in enumerate(DECIDED, 1)]
STARTED_MS = 500


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def run(database: Database) -> Run:
    return Run(begin_run(database, STARTED_MS, "1.0", [("web", "shop")]), STARTED_MS)


def leave(path: Path, run: Run, decisions: Sequence[Decision]) -> None:
    journal = Journal(path, run)
    journal.note_written(decisions[0].number - 1)
    journal.append(decisions)


def told(path: Path, database: Database) -> Sequence[MutableMapping[str, Any]]:
    """Replays. What is logged of it."""
    with capture_logs() as logs:
        replay(path, database)
    return logs


def timeline(database: Database) -> list[str]:
    events = tables.incident_events
    with database.read() as connection:
        return list(connection.execute(select(events.c.text).order_by(events.c.id)).scalars())


def commands(database: Database) -> list[tuple[int, str]]:
    rows = tables.outbox
    with database.read() as connection:
        found = connection.execute(select(rows.c.incident_id, rows.c.kind).order_by(rows.c.id)).all()
    return [(incident, kind) for incident, kind in found]


ALL = ["connection refused", "api joined", "web is well", "connection refused"]
ALL_COMMANDS = [(1, "create"), (1, "update"), (1, "resolve"), (2, "create")]


def test_without_a_journal_nothing_happens(path: Path, database: Database) -> None:
    assert told(path, database) == []


def test_what_is_in_it_is_in_the_database_afterwards_and_the_file_is_gone(
    path: Path, database: Database, run: Run
) -> None:
    leave(path, run, DECISIONS)

    [replayed] = told(path, database)

    assert (replayed["event"], replayed["written"]) == ("journal_replayed", 4)
    assert (timeline(database), commands(database)) == (ALL, ALL_COMMANDS)
    assert not path.exists()
    memory = remember(database)
    assert [incident.id for incident in memory.incidents] == [2]
    assert [alert.state for alert in memory.alerts] == [AlertState.FIRING]
    assert memory.next_incident_id == 3


@pytest.mark.parametrize("there", range(5))
def test_what_the_database_has_already_is_not_written_twice(
    path: Path, database: Database, run: Run, there: int
) -> None:
    if there:
        record_decisions(database, run.id, DECISIONS[:there])
    leave(path, run, DECISIONS)

    [replayed] = told(path, database)

    assert replayed["written"] == 4 - there
    assert (timeline(database), commands(database)) == (ALL, ALL_COMMANDS)


def test_a_journal_of_many_decisions_takes_several_transactions(path: Path, database: Database, run: Run) -> None:
    statuses = [made.status(f"p{number}", Status.UP, 1_000 + number) for number in range(2 * BATCH + 1)]
    leave(path, run, [Decision(number, [status]) for number, status in enumerate(statuses, 1)])

    [replayed] = told(path, database)

    assert replayed["written"] == 2 * BATCH + 1
    with database.read() as connection:
        assert connection.execute(select(tables.runs.c.last_batch)).scalar() == 2 * BATCH + 1


def test_the_run_counts_as_alive_until_its_last_decision(path: Path, database: Database, run: Run) -> None:
    leave(path, run, [*DECISIONS, Decision(5, [made.fired(made.API, 9_900)])])
    told(path, database)

    begin_run(database, 20_000, "1.0", [("web", "shop")])

    rows = tables.probe_intervals
    with database.read() as connection:
        found = connection.execute(select(rows.c.from_ms, rows.c.to_ms, rows.c.status).order_by(rows.c.from_ms)).all()
    assert [tuple(row) for row in found] == [
        (1_000, 9_000, "down"),
        (9_000, 9_500, "up"),
        (9_500, 9_900, "down"),
        (9_900, None, "unknown"),
    ]


def test_a_last_line_without_an_end_is_dropped_and_told(path: Path, database: Database, run: Run) -> None:
    leave(path, run, DECISIONS)
    path.write_bytes(path.read_bytes()[:-3])

    torn, replayed = told(path, database)

    assert (torn["event"], torn["log_level"]) == ("journal_torn", "warning")
    assert (replayed["event"], replayed["written"]) == ("journal_replayed", 3)
    assert timeline(database) == ALL[:3]


@pytest.mark.parametrize("size", [0, 10])
def test_a_file_that_was_only_just_begun_holds_nothing(path: Path, database: Database, run: Run, size: int) -> None:
    leave(path, run, DECISIONS)
    path.write_bytes(path.read_bytes()[:size])

    assert told(path, database)[-1]["written"] == 0
    assert not path.exists()


def spoil(path: Path, line: int) -> None:
    found = path.read_bytes().splitlines(keepends=True)
    found[line] = found[line].replace(b":", b";", 3)
    path.write_bytes(b"".join(found))


def test_what_stands_before_a_corrupt_line_is_written_and_the_file_is_kept_aside(
    path: Path, database: Database, run: Run
) -> None:
    leave(path, run, DECISIONS)
    spoil(path, 3)
    spoilt = path.read_bytes()

    [corrupt] = told(path, database)

    assert (corrupt["event"], corrupt["log_level"], corrupt["written"]) == ("journal_corrupt", "error", 2)
    assert "line 4 does not match its checksum" in corrupt["error"]
    assert Path(corrupt["file"]).name == "journal.corrupt"
    assert Path(corrupt["file"]).read_bytes() == spoilt
    assert timeline(database) == ALL[:2]
    assert not path.exists()


@pytest.mark.parametrize("line", [0, 4])
def test_a_corrupt_first_or_last_line_is_not_taken_for_a_torn_one(
    path: Path, database: Database, run: Run, line: int
) -> None:
    leave(path, run, DECISIONS)
    spoil(path, line)

    [corrupt] = told(path, database)

    assert (corrupt["event"], corrupt["written"]) == ("journal_corrupt", max(0, line - 1))


def test_a_line_that_is_missing_is_told_as_corrupt(path: Path, database: Database, run: Run) -> None:
    leave(path, run, DECISIONS)
    found = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(found[:2] + found[3:]))

    [corrupt] = told(path, database)

    assert (corrupt["event"], corrupt["written"]) == ("journal_corrupt", 1)
    assert "line 3 holds decision 3, which does not follow 1" in corrupt["error"]


def test_what_is_kept_aside_overwrites_nothing(path: Path, database: Database, run: Run) -> None:
    for _ in range(3):
        leave(path, run, DECISIONS)
        spoil(path, 0)
        told(path, database)

    names = sorted(file.name for file in path.parent.glob("journal*"))
    assert names == ["journal.corrupt", "journal.corrupt.2", "journal.corrupt.3"]


def test_after_another_daemon_worked_on_the_database_it_is_put_aside(
    path: Path, database: Database, run: Run
) -> None:
    record_decisions(database, run.id, DECISIONS[:1])
    leave(path, run, DECISIONS[1:])
    begin_run(database, 5_000, "1.0", [])

    [outdated] = told(path, database)

    assert (outdated["event"], outdated["log_level"]) == ("journal_outdated", "error")
    assert "a later run has worked on the database" in outdated["error"]
    assert Path(outdated["file"]).name == "journal.outdated"
    assert timeline(database) == ALL[:1]


def test_one_that_is_written_already_is_removed_also_after_another_daemon(
    path: Path, database: Database, run: Run
) -> None:
    record_decisions(database, run.id, DECISIONS)
    leave(path, run, DECISIONS)
    begin_run(database, 5_000, "1.0", [])

    [replayed] = told(path, database)

    assert (replayed["event"], replayed["written"]) == ("journal_replayed", 0)
    assert not path.exists()


def test_the_journal_of_another_database_is_put_aside(path: Path, database: Database, run: Run) -> None:
    leave(path, replace_started(run), DECISIONS)

    [outdated] = told(path, database)

    assert outdated["event"] == "journal_outdated"
    assert "knows nothing of the run that wrote it" in outdated["error"]
    assert timeline(database) == []


def replace_started(run: Run) -> Run:
    return run._replace(started_ms=run.started_ms + 1)


def test_on_a_database_restored_from_before_it_is_put_aside(path: Path, database: Database, run: Run) -> None:
    leave(path, run, DECISIONS[2:])

    [outdated] = told(path, database)

    assert outdated["event"] == "journal_outdated"
    assert "lacks what came before" in outdated["error"]


def test_what_the_database_will_never_take_is_put_aside_and_what_came_before_is_kept(
    path: Path, database: Database, run: Run
) -> None:
    same = replace(SECOND, id=3, key=SECOND.key)
    record_decisions(database, run.id, DECISIONS)
    leave(path, run, [*DECISIONS, Decision(5, [made.opened(same)])])

    [refused] = told(path, database)

    assert (refused["event"], refused["log_level"]) == ("journal_refused", "error")
    assert Path(refused["file"]).name == "journal.refused"
    assert timeline(database) == ALL


def test_a_database_that_does_not_answer_changes_nothing(path: Path, tmp_path: Path, run: Run) -> None:
    leave(path, run, DECISIONS)
    before = path.read_bytes()
    away = Database(f"sqlite:///{tmp_path / 'none.db'}")

    with pytest.raises(StoreError):
        replay(path, away)

    away.close()
    assert path.read_bytes() == before
