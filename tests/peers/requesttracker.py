"""A throw-away Request Tracker for the tests: SQLite, two workers, a free port of 127.0.0.1, no mail, gone at exit.

It runs from Debian's packages, with its configuration (`requesttracker.pm`), its first contents
(`requesttracker.initialdata`) and everything that it writes beside the tests or in a folder of its own.
"""

import atexit
import errno
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache, cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import pytest
import requests

QUEUE: Final = "Incidents"
PROBLEMS: Final = "Problems"  # with a lifecycle of its own: new, investigating, known error, closed
KEY_FIELD: Final = "Watchkeeper Key"

WATCHKEEPER: Final = ("watchkeeper", "correct horse")  # may do in both queues what a monitor needs
ALICE: Final = ("alice", "battery staple")  # works in both queues, and may delete
EVE: Final = ("eve", "nothing to see")  # sees problems without their custom fields and comments; of incidents nothing
ROOT: Final = ("root", "password")

_SERVER: Final = Path("/usr/share/request-tracker5/libexec/rt-server")
_SETUP: Final = Path("/usr/sbin/rt-setup-database-5")
_HERE: Final = Path(__file__).parent
_PATIENCE_S: Final = 60.0


class Client:
    """Speaks REST 2 as one user. Paths are below `/REST/2.0`; answers are returned as they are, errors too."""

    def __init__(self, url: str, *, account: tuple[str, str] | None = None, token: str = "") -> None:
        self._url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = account
        if token:
            self.session.headers["Authorization"] = f"token {token}"

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """`more`: as for `requests.request`."""
        with self.session.request(method, f"{self._url}/REST/2.0{path}", timeout=_PATIENCE_S, **more) as answer:
            return answer

    def get(self, path: str, **parameters: Any) -> requests.Response:
        return self.call("GET", path, params=parameters)

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        return self.call("POST", path, json=body, headers=_named(headers))

    def put(self, path: str, body: Any, **headers: str) -> requests.Response:
        """`headers`: with underscores, as in `If_Match='"5"'`."""
        return self.call("PUT", path, json=body, headers=_named(headers))

    def create(self, key: str, **fields: Any) -> str:
        """The id of a new ticket of this key, an incident unless `fields` says otherwise."""
        answer = self.post("/ticket", {"Queue": QUEUE, "Subject": key, "CustomFields": {KEY_FIELD: key}} | fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def search(self, query: str, **parameters: Any) -> requests.Response:
        """`query` is TicketSQL."""
        return self.get("/tickets", query=query, **parameters)


class Person:
    """Somebody who works on tickets. What a method says has happened when it returns, or it fails."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self._name = name

    def read(self, ticket: str) -> dict[str, Any]:
        answer = self.client.get(f"/ticket/{ticket}")
        assert answer.status_code == 200, answer.text
        record: dict[str, Any] = answer.json()
        return record

    def take(self, ticket: str) -> None:
        self._change(f"{ticket}/take", {})
        assert self.read(ticket)["Owner"]["id"] == self._name

    def comment(self, ticket: str, text: str) -> None:
        """A note among colleagues."""
        self._write(ticket, "comment", text)

    def correspond(self, ticket: str, text: str) -> None:
        """A reply to whom it concerns. It opens a ticket that is new or resolved, by RT's own rule."""
        self._write(ticket, "correspond", text)

    def stall(self, ticket: str) -> None:
        self.move(ticket, "stalled")

    def resolve(self, ticket: str) -> None:
        self.move(ticket, "resolved")

    def reopen(self, ticket: str) -> None:
        self.move(ticket, "open")

    def reject(self, ticket: str) -> None:
        self.move(ticket, "rejected")

    def delete(self, ticket: str) -> None:
        self.move(ticket, "deleted")

    def move(self, ticket: str, status: str) -> None:
        said = self._change(ticket, {"Status": status})
        assert self.read(ticket)["Status"] == status, said

    def merge(self, ticket: str, into: str) -> None:
        assert self._change(ticket, {"MergeInto": into}) == ["Merge Successful"]

    def rename(self, ticket: str, subject: str) -> None:
        said = self._change(ticket, {"Subject": subject})
        assert self.read(ticket)["Subject"] == subject, said

    def fill(self, ticket: str, field: str, value: str) -> None:
        said = self._change(ticket, {"CustomFields": {field: value}})
        assert fields_of(self.read(ticket))[field] == [value], said

    def _change(self, path: str, body: Mapping[str, Any]) -> list[str]:
        answer = self.client.put(f"/ticket/{path}", body)
        assert answer.status_code == 200, answer.text
        said: list[str] = answer.json()
        return said

    def _write(self, ticket: str, kind: str, text: str) -> None:
        answer = self.client.post(f"/ticket/{ticket}/{kind}", {"Content": text, "ContentType": "text/plain"})
        assert answer.status_code == 201, answer.text


class RequestTracker:
    """A running server. `url` is its address without a path, `token` watchkeeper's authentication token."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = (folder / "token").read_text()
        self.port = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._clients: list[Client] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, account: tuple[str, str] | None = None, *, token: str = "") -> Client:
        """Somebody who speaks to it; nobody in particular, if neither is given."""
        made = Client(self.url, account=account, token=token)
        self._clients.append(made)
        return made

    @cached_property
    def person(self) -> Person:
        """Alice, at work."""
        return Person(self.client(ALICE), ALICE[0])

    def go_on(self) -> None:
        """Starts the server, the first time or again, and returns when it answers."""
        with _listener(self.port) as listener:
            self.port = listener.getsockname()[1]
            with (self.folder / "log").open("ab") as log:
                self._server = subprocess.Popen(
                    [_SERVER, "--server", "Starlet", "--max-workers", "2", "--max-reqs-per-child", "10000"],
                    env=_environment(self.folder, self.port)
                    | {"SERVER_STARTER_PORT": f"127.0.0.1:{self.port}={listener.fileno()}"},
                    cwd=self.folder,
                    pass_fds=[listener.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        # The port takes connections already. If the server dies instead of answering, they are reset.
        try:
            answer = self.client(WATCHKEEPER).get("/rt")
        except requests.ConnectionError:
            self.crash()
            raise AssertionError((self.folder / "log").read_text()) from None
        assert answer.status_code == 200, answer.text

    def crash(self) -> None:
        """Ends the server at once, and every request under way. What was committed is there when it goes on."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None

    def stop(self) -> None:
        self.crash()
        for client in self._clients:
            client.session.close()
        shutil.rmtree(self.folder)

    def tickets_by_key(self) -> dict[str, list[str]]:
        """The tickets of every key, the oldest first, merged and deleted ones too: from the database itself."""
        statement = """
            SELECT given.Content, given.ObjectId FROM ObjectCustomFieldValues given
            JOIN CustomFields field ON field.id = given.CustomField
            WHERE field.Name = ? AND given.ObjectType = 'RT::Ticket' AND given.Disabled = 0 ORDER BY given.ObjectId
        """
        found: dict[str, list[str]] = {}
        with closing(sqlite3.connect(f"file:{self.folder / 'rt.db'}?mode=ro", uri=True)) as database:
            for key, ticket in database.execute(statement, [KEY_FIELD]):
                found.setdefault(key, []).append(str(ticket))
        return found

    def mail(self) -> str:
        """All mail that would have been sent."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.mbox")))


def fields_of(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """A ticket's custom fields, by their names."""
    return {field["name"]: field["values"] for field in record.get("CustomFields") or ()}


@cache
def shared() -> RequestTracker:
    """This process's server. Its tests share one worker: mark them `xdist_group("requesttracker")`."""
    made = _made()
    atexit.register(made.stop)
    return made


@contextmanager
def own() -> Iterator[RequestTracker]:
    """A server for one test alone, which may do to it what it likes. Skips where there is no Request Tracker."""
    made = _made()
    try:
        yield made
    finally:
        made.stop()


def _made() -> RequestTracker:
    template = _template()
    folder = Path(tempfile.mkdtemp(prefix="wk-rt-"))
    shutil.copytree(template, folder, dirs_exist_ok=True)
    made = RequestTracker(folder)
    try:
        made.go_on()
    except BaseException:
        made.stop()
        raise
    return made


@cache
def _template() -> Path:
    """A folder with what a new server begins with."""
    if not _SERVER.exists():
        pytest.skip("Request Tracker is not installed (tests/install-peers.sh installs it)")
    folder = Path(tempfile.mkdtemp(prefix="wk-rt-"))
    atexit.register(shutil.rmtree, folder)
    for name in ("mason", "sessions", "none"):
        (folder / name).mkdir()
    with closing(sqlite3.connect(folder / "rt.db")) as database:
        # Stays with the file: readers don't wait for writers, and a commit for the disk but once.
        database.execute("PRAGMA journal_mode = WAL")
    _set_up(folder, "init")
    _set_up(folder, "insert", "--datafile", str(_HERE / "requesttracker.initialdata"))
    return folder


def _set_up(folder: Path, action: str, *more: str) -> None:
    done = subprocess.run(
        [_SETUP, "--skip-create", "--action", action, *more],
        env=_environment(folder, 0),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()


def _listener(port: int) -> socket.socket:
    """A socket that listens at this port, as soon as a server that was killed has let go of it; 0: at a free one."""
    deadline = monotonic() + _PATIENCE_S
    while True:
        try:
            return socket.create_server(("127.0.0.1", port), backlog=128)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or monotonic() > deadline:
                raise
            sleep(0.01)


def _environment(folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "RT_SITE_CONFIG": str(_HERE / "requesttracker.pm"),
        "RT_SITE_CONFIG_DIR": str(folder / "none"),  # not the machine's own
        "WATCHKEEPER_RT_FOLDER": str(folder),
        "WATCHKEEPER_RT_PORT": str(port),
    }


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
