"""One daemon for one database."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from watchkeeper.store import migrate
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.lock import LockLost, acquire
from watchkeeper.store.record import begin_run, note_alive

HOLD = """
import sys
from watchkeeper.store.database import Database
from watchkeeper.store.lock import acquire
lock = acquire(Database(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


def url_of(database: Database) -> str:
    if database.file is not None:
        return f"sqlite:///{database.file}"
    return database.engine.url.render_as_string(hide_password=False)


@contextmanager
def another_daemon(database: Database) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock."""
    command = [sys.executable, "-c", HOLD, url_of(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_daemon_is_refused_and_told_who_the_first_is(database: Database) -> None:
    with another_daemon(database) as process:
        with pytest.raises(StoreError, match="already runs on the database") as refused:
            acquire(database)

        if database.file is not None:
            assert f"(process {process.pid})" in str(refused.value)
        else:
            assert "(database session " in str(refused.value)
            assert "password" not in str(refused.value)


def test_the_lock_of_a_killed_daemon_is_free(database: Database) -> None:
    with another_daemon(database) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()

        # PostgreSQL notices by itself that its client is gone, soon; nothing tells us when.
        for _ in range(10_000):
            try:
                lock = acquire(database)
            except StoreError:
                continue
            break
        lock.verify()
        lock.release()


def test_a_released_lock_can_be_taken_again(database: Database) -> None:
    first = acquire(database)
    first.verify()
    with pytest.raises(StoreError, match="already runs"):
        acquire(database)

    first.release()
    first.release()

    acquire(database).release()


def test_locks_of_different_databases_do_not_meet(database: Database, empty_url: str) -> None:
    if database.file is not None:
        empty_url = empty_url.replace("watchkeeper.db", "other.db")
    other = Database(empty_url)
    migrate.upgrade(other)

    first, second = acquire(database), acquire(other)

    second.release()
    first.release()
    other.close()


def cut_the_lock_off(database: Database) -> None:
    """As a restart of the server does, or an administrator."""
    with database.write() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )


def test_a_lock_file_that_is_removed_is_noticed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'wk.db'}")
    migrate.upgrade(database)
    lock = acquire(database)
    (tmp_path / "wk.db.lock").unlink()

    with pytest.raises(LockLost, match="was removed or replaced"):
        lock.verify()
    lock.release()
    database.close()


def test_a_lock_whose_connection_breaks_is_taken_again(database: Database) -> None:
    if database.file is not None:
        return  # a file's lock has no connection
    lock = acquire(database)
    cut_the_lock_off(database)

    lock.verify()

    with pytest.raises(StoreError, match="already runs on the database"):
        acquire(database)
    lock.release()


def test_a_lock_that_another_daemon_took_meanwhile_is_lost(database: Database) -> None:
    if database.file is not None:
        return  # while the process lives, nobody can
    lock = acquire(database)
    cut_the_lock_off(database)
    with another_daemon(database), pytest.raises(LockLost, match="already runs on the database"):
        lock.verify()


def test_a_daemon_that_was_replaced_is_told_at_its_next_sign_of_life(database: Database) -> None:
    first = begin_run(database, 1000, "1", [])
    begin_run(database, 2000, "1", [])

    with pytest.raises(LockLost, match="another watchkeeper has worked on the database"):
        note_alive(database, first, 3000)


def test_two_names_of_one_file_are_one_database(tmp_path: Path) -> None:
    first = Database(f"sqlite:///{tmp_path / 'wk.db'}")
    migrate.upgrade(first)
    (tmp_path / "link.db").symlink_to(tmp_path / "wk.db")
    second = Database(f"sqlite:///{tmp_path / 'link.db'}")
    lock = acquire(first)

    with pytest.raises(StoreError, match="already runs"):
        acquire(second)

    lock.release()
    first.close()


def test_a_database_that_is_replaced_under_the_daemon_is_noticed(tmp_path: Path) -> None:
    """SQLite itself would go on writing into the file that was moved away."""
    database = Database(f"sqlite:///{tmp_path / 'wk.db'}")
    migrate.upgrade(database)
    lock = acquire(database)
    lock.verify()
    (tmp_path / "wk.db").rename(tmp_path / "old.db")

    with pytest.raises(StoreError, match="was removed or replaced while it was in use"):
        lock.verify()
    lock.release()
    database.close()
