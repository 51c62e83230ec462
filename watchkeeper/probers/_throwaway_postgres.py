"""A PostgreSQL server for one drill: nobody but the drill gets to it, and nothing of it is kept."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import Field

from watchkeeper.probers._program import (
    Account,
    Ended,
    Work,
    cannot_tell,
    clean_environment,
    has_ended,
    kill,
    not_well,
    on_one_line,
)
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath

_SUPERUSER: Final = "postgres"
_DATABASE: Final = "drill"
_PATIENCE_S: Final = 5.0
_HARMLESS: Final = ("role ", "must be owner of extension")  # how errors begin that tell nothing of the data
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",  # what is lost in a crash was worth nothing
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "20",
    "maintenance_work_mem": "256MB",
    "dynamic_shared_memory_type": "mmap",  # in its folder, so that it goes with it
    "logging_collector": "off",
}


class PostgresOptions(Model):
    """The PostgreSQL server that a dump is loaded into."""

    programs: LocalPath | None = None
    """The folder of `initdb`, `postgres`, `psql` and `pg_restore`; the newest of Debian's if this is not set. Its
    version must be as new as the one that wrote the dump."""
    run_as: str | None = Field(default=None, min_length=1)
    """The user that the server runs as, such as `postgres`. Needed where watchkeeper runs as root, which PostgreSQL
    refuses; elsewhere it is watchkeeper's own user."""
    database: str = Field(default=_DATABASE, pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")
    """The database that is asked, where the dump makes its own, as `pg_dumpall` and `pg_dump --create` write it. All
    others are loaded into one of their own, which is asked."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    work: Work
    programs: str
    socket: str
    folder: str
    each_tick: Callable[[], None]

    def load(self, dump: str) -> None:
        """Loads a dump of any format, of pg_dump or pg_dumpall.

        Raises:
            Concluded: it can not be loaded.
        """
        self._sql("postgres", f"CREATE DATABASE {_DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        self.work.doing = "loading the dump"
        magic = _magic(dump)
        if magic in ("archive", "directory"):
            restore = ["pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", "-d", _DATABASE]
            self._well(self._client([*restore, dump]))
        else:
            self._load_text(dump, magic)

    def ask(self, query: str, database: str) -> str:
        """The first column of a query's first row, as psql shows it; empty where there is no row.

        Raises:
            Concluded: the query fails.
        """
        ended = self._client(
            ["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", query], True
        )
        if ended.code != 0:
            raise not_well(f"the query {on_one_line(query)} failed: {ended.reason}")
        return ended.output.decode("utf-8", "replace").split("\n", 1)[0].split("\t", 1)[0]

    def _load_text(self, dump: str, magic: str) -> None:
        command = ["psql", "-X", "-q", "-o", os.devnull, "-d", _DATABASE]
        with open(dump, "rb") as file:
            if magic == "text":
                ended = self._client(command, stdin=file)
            else:
                unpack = self.work.start(
                    [magic, "-dcq"], clean_environment({}), folder=self.folder, stdin=file, errors=subprocess.DEVNULL
                )
                try:
                    ended = self._client(command, stdin=unpack.stdout)
                    assert unpack.stdout is not None
                    unpack.stdout.close()  # where psql ended early, it ends now
                    with suppress(subprocess.TimeoutExpired):
                        unpack.wait(_PATIENCE_S)
                finally:
                    kill(unpack)
                if unpack.returncode not in (0, -signal.SIGPIPE):
                    raise not_well(f"the dump can not be unpacked: {magic} calls it damaged")
        said = [line.partition("ERROR:")[2].strip() for line in ended.errors.decode("utf-8", "replace").splitlines()]
        wrong = [text for text in said if text and not text.startswith(_HARMLESS)]
        if wrong:
            raise not_well(f"the dump can not be loaded: {on_one_line(wrong[0])}")
        self._well(ended)

    def _sql(self, database: str, statement: str) -> None:
        self._well(self._client(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]))

    def _client(self, command: list[str], read_only: bool = False, stdin: object = None) -> Ended:
        told = {"PGHOST": self.socket, "PGUSER": _SUPERUSER, "PGCONNECT_TIMEOUT": "10", "PGCLIENTENCODING": "UTF8"}
        if read_only:
            told["PGOPTIONS"] = "-c default_transaction_read_only=on"
        program = os.path.join(self.programs, command[0])
        given = subprocess.DEVNULL if stdin is None else stdin
        return self.work.run(
            [program, *command[1:]],
            clean_environment(told),
            folder=self.folder,
            stdin=given,  # type: ignore[arg-type]  # a file or a pipe
            each_tick=self.each_tick,
        )

    def _well(self, ended: Ended) -> None:
        if ended.code != 0:
            raise not_well(f"the dump can not be loaded: {ended.reason}")


@contextmanager
def server(options: PostgresOptions, folder: str, work: Work, each_tick: Callable[[], None]) -> Iterator[Server]:
    """A new server in this folder, which is not there yet.

    Raises:
        Concluded: it does not start.
        Interrupted: the run is over.
    """
    account, programs = account_of(options), programs_of(options)
    work.doing = "starting a PostgreSQL server"
    os.mkdir(folder, 0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    data, environment = os.path.join(folder, "data"), clean_environment({})
    made = work.run(
        [
            os.path.join(programs, "initdb"),
            "-D",
            data,
            "-U",
            _SUPERUSER,
            *("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
        ],
        environment,
        folder=folder,
        account=account,
        each_tick=each_tick,
    )
    if made.code != 0:
        raise cannot_tell(f"no PostgreSQL server could be made: {made.reason}")
    settings = [f"-c{name}={value}" for name, value in {**_SETTINGS, "unix_socket_directories": folder}.items()]
    with open(os.path.join(folder, "log"), "wb") as log:
        process = work.start(
            [os.path.join(programs, "postgres"), "-D", data, *settings],
            environment,
            folder=folder,
            account=account,
            output=log,
        )
    try:
        _await_socket(process, folder, work)
        yield Server(work, programs, folder, os.path.dirname(folder), each_tick)
    finally:
        kill(process, signal.SIGQUIT)


def account_of(options: PostgresOptions) -> Account | None:
    """The user that the server runs as, where it is another one.

    Raises:
        Concluded: PostgreSQL would refuse, or there is no such user.
    """
    if options.run_as is None:
        if os.geteuid() == 0:
            raise cannot_tell(
                "PostgreSQL refuses to run as root: set run_as: postgres, or run watchkeeper as another user"
            )
        return None
    try:
        found = pwd.getpwnam(options.run_as)
    except KeyError:
        raise cannot_tell(f"there is no user {options.run_as}, which run_as names") from None
    if found.pw_uid == 0:
        raise cannot_tell(f"PostgreSQL refuses to run as {options.run_as}: name another user in run_as")
    if found.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise cannot_tell("only root can run a server as another user: take out run_as")
    return Account(found.pw_uid, found.pw_gid)


def programs_of(options: PostgresOptions) -> str:
    """The folder of PostgreSQL's programs.

    Raises:
        Concluded: there is none.
    """
    if options.programs is not None:
        return options.programs
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin/initdb") if path.parts[-3].isdigit()]
    if installed:
        return str(max(installed, key=lambda path: int(path.parts[-3])).parent)
    if found := shutil.which("initdb"):
        return os.path.dirname(found)
    raise cannot_tell("the program initdb is not there: install PostgreSQL, or name its folder in programs")


def _await_socket(process: subprocess.Popen[bytes], folder: str, work: Work) -> None:
    lock = Path(folder, "data", "postmaster.pid")
    while True:
        if has_ended(process):
            lines = Path(folder, "log").read_text("utf-8", "replace").splitlines()
            raise cannot_tell(
                f"the PostgreSQL server did not start: {on_one_line(lines[-1]) if lines else 'it is silent'}"
            )
        with suppress(OSError):
            if lock.read_text("utf-8", "replace").rstrip().endswith("ready"):
                return
        work.wait(0.02)


def _magic(dump: str) -> str:
    """What a dump is: archive, directory, text, or the program that unpacks it."""
    if os.path.isdir(dump):
        return "directory"
    with open(dump, "rb") as file:
        begin = file.read(512)
    if begin.startswith(b"PGDMP") or begin[257:262] == b"ustar":
        return "archive"
    if begin.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if begin.startswith(b"\x28\xb5\x2f\xfd") else "text"
