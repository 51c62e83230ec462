"""A throw-away PostgreSQL for the tests of one process: made when first wanted, gone at exit."""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest

USER: Final = "watchkeeper"
PASSWORD: Final = "correct horse"


class Cluster:
    """A running server that listens on a socket in its own folder, and nowhere else."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._numbers = count(1)

    def start(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        self._own(secret)
        as_told = ["-A", "scram-sha-256", f"--pwfile={secret}", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", "-D", str(self._folder / "data"), *as_told)
        self.go_on()

    def go_on(self) -> None:
        """Starts the server, the first time or again."""
        # Nothing here has to survive a crash of the machine.
        settings = [
            "fsync=off",
            "full_page_writes=off",
            "listen_addresses=",
            f"unix_socket_directories={self._folder}",
        ]
        options = " ".join(f"-c {setting}" for setting in settings)
        self._control("-l", str(self._folder / "log"), "-o", options, "start")

    def crash(self) -> None:
        """Ends the server at once, with every connection. What was committed is there when it goes on."""
        self._control("-m", "immediate", "stop")

    def stop(self) -> None:
        if (self._folder / "data" / "postmaster.pid").exists():
            self.crash()
        shutil.rmtree(self._folder)

    def url(self, name: str, *, password: str = PASSWORD, user: str = USER) -> str:
        return f"postgresql://{user}:{password.replace(' ', '%20')}@/{name}?host={self._folder}"

    @contextmanager
    def new_database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, a copy of another one's."""
        name = f"test{next(self._numbers)}"
        self.run_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.run_sql(f"DROP DATABASE {name} WITH (FORCE)")

    def run_sql(self, statement: str, name: str = "postgres") -> None:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(statement.encode())

    def make_template(self, prepare: Callable[[str], None]) -> str:
        """The name of a new database that `prepare`, given its URL, has filled."""
        name = f"template_{next(self._numbers)}"
        self.run_sql(f"CREATE DATABASE {name}")
        prepare(self.url(name))
        return name

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-s", "-w", *arguments)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, "postgres", "postgres")

    def _run(self, program: str, *arguments: str) -> None:
        """As `postgres` where we are root: the server refuses to run as root."""
        owner = "postgres" if os.geteuid() == 0 else None
        # Into a file: a server that starts keeps a pipe open for as long as it runs.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [self._binaries / program, *arguments],
                user=owner,
                group=owner,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode()


@cache
def cluster() -> Cluster:
    """This process's cluster. Skips the test where there is no PostgreSQL."""
    made = _made()
    atexit.register(made.stop)
    return made


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    """A cluster for one test alone, which may do to it what it likes. Skips where there is no PostgreSQL."""
    made = _made()
    try:
        yield made
    finally:
        made.stop()


def _made() -> Cluster:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (tests/install-peers.sh installs it)")
    folder = Path(tempfile.mkdtemp(prefix="wk-pg-"))
    made = Cluster(binaries, folder)
    made._own(folder)
    made.start()
    return made


def _binaries() -> Path | None:
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        return None
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: int(found.parts[-3]), reverse=True
    )
    found = shutil.which("initdb")
    candidates = [*installed, *([Path(found)] if found else [])]
    return candidates[0].parent if candidates else None
