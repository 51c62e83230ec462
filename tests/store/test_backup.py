"""A backup is whole, or it is not there."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import databases
from tests.store import made
from watchkeeper.store import migrate
from watchkeeper.store.backup import backup
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.record import record, remember

NOW_MS = 1_767_225_600_000  # 2026-01-01 00:00:00Z


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    with databases.migrated("sqlite", tmp_path) as database:
        yield database


def test_a_backup_can_be_opened_and_holds_what_was_there(sqlite: Database, tmp_path: Path) -> None:
    record(sqlite, [made.opened(made.incident())])

    copy = backup(sqlite, tmp_path / "backups", NOW_MS)

    assert copy == tmp_path / "backups" / "watchkeeper-20260101T000000Z.db"
    restored = Database(f"sqlite:///{copy}")
    migrate.require_current(restored)
    assert remember(restored) == remember(sqlite)
    restored.close()
    assert copy.stat().st_mode & 0o077 == 0


def test_a_backup_is_consistent_while_the_daemon_writes_without_a_pause(sqlite: Database, tmp_path: Path) -> None:
    ending, written = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not ending.is_set():
            number += 1
            incident = made.incident(number)
            record(sqlite, [made.opened(incident), made.create(incident), made.note(incident)])
            written.set()

    writer = threading.Thread(target=write)
    writer.start()
    written.wait(10)
    copies = [backup(sqlite, tmp_path / "backups", NOW_MS + second * 1000) for second in range(10)]
    ending.set()
    writer.join(10)

    for copy in copies:
        with sqlite3.connect(copy) as connection:
            [(incidents, commands)] = connection.execute(
                "SELECT (SELECT count(*) FROM incidents), (SELECT count(*) FROM outbox)"
            ).fetchall()
        connection.close()
        assert commands == 2 * incidents > 0


def test_a_backup_leaves_one_file_and_no_parts(sqlite: Database, tmp_path: Path) -> None:
    copy = backup(sqlite, tmp_path / "backups", NOW_MS)

    assert list((tmp_path / "backups").iterdir()) == [copy]


def test_a_folder_that_can_not_be_written_is_named(sqlite: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match=r"the backup to .*file/.*\.db failed"):
        backup(sqlite, tmp_path / "file", NOW_MS)


def test_a_damaged_database_is_not_backed_up_as_if_it_were_well(sqlite: Database, tmp_path: Path) -> None:
    assert sqlite.file is not None
    record(sqlite, [made.opened(made.incident(number)) for number in range(1, 500)])
    sqlite.close()
    content = bytearray(sqlite.file.read_bytes())
    middle = len(content) * 3 // 4  # rows: in the first half are pages of the schema
    content[middle : middle + 8192] = b"\x5a" * 8192
    sqlite.file.write_bytes(content)

    with pytest.raises(StoreError, match=r"the backup to .* failed"):
        backup(sqlite, tmp_path / "backups", NOW_MS)
    assert list((tmp_path / "backups").iterdir()) == []


def test_there_is_nothing_to_back_up_before_the_first_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no database .* yet"):
        backup(Database(f"sqlite:///{tmp_path / 'wk.db'}"), tmp_path, NOW_MS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.xdist_group("postgres")
def test_postgresql_has_its_own_tools_for_backups(tmp_path: Path) -> None:
    with (
        databases.migrated("postgresql", tmp_path) as database,
        pytest.raises(StoreError, match="pg_dump"),
    ):
        backup(database, tmp_path, NOW_MS)
