"""A database that can not be used says what is wrong and what to do, and is left as it is."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.peers import databases, postgres
from tests.store import made
from watchkeeper.domain.probe import Status
from watchkeeper.store import listing, migrate
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.record import record

NOBODY = 65534

postgresql = pytest.mark.xdist_group("postgres")


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Not as root, to whom no file is closed."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    with databases.migrated("sqlite", tmp_path) as database:
        yield database


def complaint(url: str, use: Callable[[Database], object] = migrate.require_current) -> str:
    """What is said when a database is used that can not be."""

    def open_and_use() -> None:
        database = Database(url)
        try:
            use(database)
        finally:
            database.close()

    with pytest.raises(StoreError) as refused:
        open_and_use()
    return str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["mysql://host/db", "watchkeeper.db", "", "sqlite://", "sqlite:///:memory:", "sqlite:///wk.db?mode=ro",
     "postgresql://host", "postgresql://me:secret@host:port/db", "postgresql+asyncpg://host/db"],
)  # fmt: skip
def test_a_url_that_is_not_accepted_is_told_what_is(url: str) -> None:
    said = complaint(url)

    assert said.endswith("accepted is sqlite:///FILE or postgresql://HOST/NAME")
    assert "secret" not in said


@pytest.mark.parametrize("use", [migrate.require_current, made.probe_states, migrate.revision])
def test_looking_at_a_database_that_is_not_there_does_not_make_one(
    tmp_path: Path, use: Callable[[Database], object]
) -> None:
    said = complaint(f"sqlite:///{tmp_path / 'wk.db'}", use)

    assert said.startswith(f"there is no database {tmp_path / 'wk.db'} yet")
    assert "`watchkeeper db upgrade`" in said
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_is_told_how_to_make_them(empty_url: str, kind: str, tmp_path: Path) -> None:
    if kind == "sqlite":
        (tmp_path / "watchkeeper.db").touch()

    said = complaint(empty_url)

    assert said.startswith("there is nothing in the database")
    assert "`watchkeeper db upgrade`" in said


def test_a_table_that_is_missing_is_a_matter_of_the_schema(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("DROP TABLE tickets"))

    with pytest.raises(StoreError, match=r"does not have this version's schema .*`watchkeeper db upgrade`"):
        listing.list_incidents(database)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert complaint(f"sqlite:///{tmp_path}/gone/wk.db").endswith(f"there is no folder {tmp_path}/gone")


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    assert "is a directory" in complaint(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("use", [migrate.require_current, migrate.upgrade])
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, use: Callable[[Database], object]) -> None:
    file = tmp_path / "wk.db"
    file.write_text("Dear diary, " * 1000)

    said = complaint(f"sqlite:///{file}", use)

    assert said.startswith(f"the database {file} is damaged, or no SQLite database at all")
    assert file.read_text() == "Dear diary, " * 1000


def test_a_damaged_database_is_told_to_be_one(sqlite: Database) -> None:
    assert sqlite.file is not None
    record(sqlite, [made.opened(made.incident(number)) for number in range(1, 300)])
    sqlite.close()
    content = bytearray(sqlite.file.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    sqlite.file.write_bytes(content)

    with pytest.raises(StoreError, match="is damaged"):
        listing.list_incidents(sqlite)


def test_a_file_that_may_only_be_read_can_not_be_written(open_folder: Path) -> None:
    with databases.migrated("sqlite", open_folder) as database:
        assert database.file is not None
        database.close()
        database.file.chmod(0o444)
        open_folder.chmod(0o555)

        with as_somebody_else(), pytest.raises(StoreError) as refused:
            record(database, [made.status("web", Status.UP, 1)])
        database.close()

    assert "Check the owner and mode of the file" in str(refused.value)


def test_a_folder_that_can_not_be_written_gets_no_database(open_folder: Path) -> None:
    open_folder.chmod(0o555)

    with as_somebody_else():
        said = complaint(f"sqlite:///{open_folder}/wk.db", migrate.upgrade)

    assert said == f"the database {open_folder}/wk.db can not be made: Permission denied"


def test_a_folder_that_can_not_be_entered_is_not_taken_for_an_empty_one(open_folder: Path) -> None:
    open_folder.chmod(0o000)

    with as_somebody_else():
        said = complaint(f"sqlite:///{open_folder}/wk.db")

    assert said == f"the database {open_folder}/wk.db can not be reached: Permission denied"


def test_a_full_disk_is_named(sqlite: Database) -> None:
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    with pytest.raises(StoreError, match="there is no room left for the database"):
        record(sqlite, [replace(made.status("web", Status.DOWN, 1), message="x" * 1_000_000)])


def test_a_database_that_another_process_keeps_locked_is_named(sqlite: Database) -> None:
    assert sqlite.file is not None
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(sqlite.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match="in use by another process for too long"):
        record(sqlite, [made.status("web", Status.UP, 1)])
    assert made.probe_states(sqlite) == []  # reading goes on
    other.close()


def test_a_path_with_odd_characters_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "100% of #1 & ü"
    folder.mkdir()
    with databases.migrated("sqlite", folder):
        assert (folder / "watchkeeper.db").exists()


@postgresql
def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    said = complaint("postgresql://me:hunter2@127.0.0.1:1/wk")

    assert said.startswith("the database postgresql://me:***@127.0.0.1:1/wk does not answer: ")
    assert "Check that it runs" in said
    assert "hunter2" not in said


@postgresql
def test_a_wrong_password_is_refused_and_not_shown() -> None:
    said = complaint(postgres.cluster().url("postgres", password="hunter2"))

    assert "refuses the user or the password" in said
    assert "hunter2" not in said


@postgresql
def test_an_unknown_user_is_refused() -> None:
    assert "refuses the user or the password" in complaint(postgres.cluster().url("postgres", user="nobody"))


@postgresql
def test_a_database_that_the_server_does_not_have_is_named() -> None:
    said = complaint(postgres.cluster().url("missing"))

    assert said.startswith("there is no database postgresql://")
    assert "`createdb`" in said


@postgresql
def test_a_user_without_the_right_to_make_tables_is_told_which_it_needs() -> None:
    cluster = postgres.cluster()
    with cluster.new_database() as url:
        name = url.split("/")[3].split("?")[0]
        cluster.run_sql("CREATE ROLE visitor LOGIN PASSWORD 'welcome'")
        said = complaint(cluster.url(name, user="visitor", password="welcome"), migrate.upgrade)
        cluster.run_sql("DROP ROLE visitor")

    assert "Grant the user CREATE on the schema" in said


def test_what_is_read_is_of_one_moment(database: Database) -> None:
    query = text("SELECT count(*) FROM probe_intervals")
    with database.read() as connection:
        before = connection.execute(query).scalar()
        record(database, [made.status("web", Status.UP, 1)])
        after = connection.execute(query).scalar()

    assert (before, after) == (0, 0)


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            connection.execute(text("DELETE FROM watchkeeper_schema"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert migrate.revision(database) == migrate.SCHEMA


def test_threads_may_read_and_write_all_at_once(database: Database) -> None:
    def write(worker: int) -> None:
        for step in range(20):
            record(database, [made.status(f"p{worker}", Status.UP if step % 2 else Status.DOWN, step)])

    def look(_: int) -> None:
        for _ in range(20):
            made.probe_states(database)
            listing.list_incidents(database)

    with ThreadPoolExecutor(6) as workers:
        for done in [*workers.map(write, range(3)), *workers.map(look, range(3))]:
            assert done is None

    assert [state.status for state in made.probe_states(database)] == ["up"] * 3
