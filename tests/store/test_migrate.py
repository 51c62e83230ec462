"""A database is brought to this version's schema, or left alone."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from tests.store import made
from watchkeeper.store import migrate, outbox, tables
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.ticketlist import list_tickets

UPGRADE = """
import sys
from watchkeeper.store import migrate
from watchkeeper.store.database import Database
print("ready", flush=True)
sys.stdin.readline()
database = Database(sys.argv[1])
print(migrate.upgrade(database), flush=True)
database.close()
"""


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    """A database in which nothing is yet."""
    database = Database(empty_url)
    yield database
    database.close()


def set_revision(database: Database, revision: str) -> None:
    with database.write() as connection:
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '{revision}'"))


def table_names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


@pytest.mark.parametrize("way", ["made at once", "by migrations"])
def test_the_schema_is_what_the_tables_say_however_it_came_to_be(empty: Database, way: str) -> None:
    if way == "by migrations":
        if empty.file is not None:
            empty.file.touch()
        with empty.write() as connection:
            migrate.run_migrations(empty, connection)
    migrate.upgrade(empty)
    assert migrate.revision(empty) == migrate.SCHEMA
    with empty.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrate.VERSION_TABLE})
        differences = compare_metadata(context, tables.metadata)
        indexes = {
            index["name"] for table in tables.metadata.tables for index in inspect(connection).get_indexes(table)
        }

    assert differences == []
    assert {index.name for table in tables.metadata.tables.values() for index in table.indexes} <= indexes


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    versions = Path(migrate.__file__).parent / "migrations" / "versions"

    assert max(path.stem[:4] for path in versions.glob("[0-9]*.py")) == migrate.SCHEMA


def test_a_second_upgrade_finds_nothing_to_do(empty: Database) -> None:
    assert migrate.upgrade(empty) is None
    assert migrate.upgrade(empty) == migrate.SCHEMA
    migrate.require_current(empty)


def test_a_newer_schema_is_refused_and_left_as_it_is(database: Database) -> None:
    set_revision(database, "9999")

    with pytest.raises(StoreError, match=r"written by a newer watchkeeper: its schema is 9999.*Nothing was changed"):
        migrate.upgrade(database)
    with pytest.raises(StoreError, match="written by a newer watchkeeper"):
        migrate.require_current(database)
    assert migrate.revision(database) == "9999"


def test_an_older_schema_is_told_how_to_become_current(database: Database) -> None:
    set_revision(database, "0000")

    with pytest.raises(StoreError, match=r"written by an older watchkeeper.*`watchkeeper db upgrade`"):
        migrate.require_current(database)


def test_a_database_of_another_program_is_refused_and_left_as_it_is(empty: Database, kind: str) -> None:
    if empty.file is not None:
        empty.file.touch()
    with empty.write() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('ab12')"))

    for use in (migrate.upgrade, migrate.require_current):
        with pytest.raises(StoreError, match="tables that are not watchkeeper's"):
            use(empty)
    assert table_names(empty) == {"alembic_version"}


def test_a_database_that_does_not_say_its_schema_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text(f"DELETE FROM {migrate.VERSION_TABLE}"))

    with pytest.raises(StoreError, match="does not say which schema it has"):
        migrate.upgrade(database)


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty: Database) -> None:
    """Older, as its revision says, and with tables that the migration wants to make."""
    migrate.upgrade(empty)
    set_revision(empty, "")
    with empty.write() as connection:
        connection.execute(text(f"DELETE FROM {migrate.VERSION_TABLE}"))
        connection.execute(text(f"INSERT INTO {migrate.VERSION_TABLE} VALUES ('0000')"))
        connection.execute(text("DROP TABLE alerts"))
    before = table_names(empty)

    with pytest.raises(StoreError, match="can not be migrated"):
        migrate.upgrade(empty)

    assert table_names(empty) == before
    assert migrate.revision(empty) == "0000"


def test_a_migration_that_fails_half_way_leaves_nothing_behind(empty: Database) -> None:
    """A view has the name of the last table that the first migration makes."""
    if empty.file is not None:
        empty.file.touch()
    with empty.write() as connection:
        connection.execute(text("CREATE VIEW tickets AS SELECT 1 AS one"))

    with pytest.raises(StoreError, match="tickets"):
        migrate.upgrade(empty)

    assert table_names(empty) == set()


def test_several_processes_may_upgrade_at_once(empty: Database, empty_url: str) -> None:
    command = [sys.executable, "-c", UPGRADE, empty_url]
    upgrades = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for upgrade in upgrades:
        assert upgrade.stdout is not None
        assert upgrade.stdout.readline() == "ready\n"
    for upgrade in upgrades:
        assert upgrade.stdin is not None
        upgrade.stdin.write("go\n")
        upgrade.stdin.flush()
    told = sorted(upgrade.communicate(timeout=30)[0].strip() for upgrade in upgrades)

    assert told == [migrate.SCHEMA] * 3 + ["None"]
    migrate.require_current(empty)


def test_a_restored_backup_gets_its_write_ahead_log_again(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'wk.db'}")
    migrate.upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA journal_mode = DELETE")

    migrate.upgrade(database)

    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()


def test_alembic_is_not_imported_where_there_is_nothing_to_migrate(database: Database, kind: str) -> None:
    """It takes longer to import than everything else."""
    url = database.engine.url if database.file is None else f"sqlite:///{database.file}"
    shown = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    code = (
        "import sys; from watchkeeper.store import backup, desk, listing, lock, migrate, record\n"
        "from watchkeeper.store.database import Database\n"
        "database = Database(sys.argv[1]); migrate.upgrade(database); database.close()\n"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, shown], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_what_is_in_an_older_database_is_there_in_the_newer_one(empty: Database) -> None:
    """Commands and tickets get owners of two kinds: their tables are made again, around what is in them."""
    if empty.file is not None:
        empty.file.touch()
    with empty.write() as connection:
        run_to(connection, "0003")
        values = dict.fromkeys(("key", "rule_id", "service", "title", "severity", "impact", "urgency"), "''")
        values |= {"backend": "'desk'", "state": "'open'", "started_ms": "1", "opened_ms": "1", "runbook": "''"}
        for number in (7, 3):
            own = values | {"id": str(number), "key": f"'k{number}'"}
            connection.execute(text(f"INSERT INTO incidents ({', '.join(own)}) VALUES ({', '.join(own.values())})"))
            connection.execute(
                text(
                    "INSERT INTO outbox (incident_id, backend, key, kind, payload, state, uncertain, attempts, "
                    f"next_attempt_ms, created_ms, last_error) VALUES ({number}, 'desk', 'wk-{number}', 'update', "
                    """'{"note": "down"}', 'waiting', false, 0, 1, 1, '')"""
                )
            )
            connection.execute(
                text(
                    "INSERT INTO tickets (incident_id, backend, ref, number, key, state, title, url, updated_ms) "
                    f"VALUES ({number}, 'desk', 'r{number}', 'T-{number}', 'wk-{number}', 'open', 't', '', 1)"
                )
            )

    assert migrate.upgrade(empty) == "0003"

    assert [ticket.number for ticket in list_tickets(empty)] == ["T-7", "T-3"]
    with empty.write() as connection:
        outbox.add(connection, replace(made.note(made.incident(3)), created_ms=2))
    claims = [outbox.claim(empty, "desk", 10_000) for _ in range(2)]
    assert [[each.id for each in one.commands] for one in claims if one] == [[1], [2, 3]]
    assert [one.ticket.number for one in claims if one and one.ticket] == ["T-7", "T-3"]


def run_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
