"""A real Request Tracker, behind a proxy that does the mischief."""

import quopri
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import requests

from tests.chaos.adapters import Act, Found, Note
from tests.chaos.adapters._clock import WallClock
from tests.chaos.adapters._notes import note_of
from tests.chaos.mischief import USUAL, Mischief
from tests.peers import requesttracker
from tests.peers.requesttracker import QUEUE, RequestTracker
from tests.simulators.http import Request, Response, Server, serving
from watchkeeper.domain.ticket import TicketState

FAULTS: Final = USUAL
ACTS: Final = (Act.ASSIGN, Act.RESOLVE, Act.CANCEL, Act.REOPEN, Act.COMMENT)
TIMEOUT_S: Final = 3.0  # it is slow by itself
CERTAIN_AFTER_S: Final = 10.0
_HOP_BY_HOP: Final = {"connection", "content-length", "date", "host", "keep-alive", "transfer-encoding", "server"}
_STATES: Final = {
    "new": TicketState.OPEN,
    "open": TicketState.IN_PROGRESS,
    "stalled": TicketState.ON_HOLD,
    "resolved": TicketState.RESOLVED,
    "rejected": TicketState.CANCELLED,
    "deleted": TicketState.CANCELLED,
}
_TICKETS: Final = """
    SELECT ticket.id, ticket.Status, owner.Name, given.Content FROM Tickets ticket
    JOIN Queues queue ON queue.id = ticket.Queue
    JOIN Users owner ON owner.id = ticket.Owner
    LEFT JOIN ObjectCustomFieldValues given
        ON given.ObjectId = ticket.id AND given.ObjectType = 'RT::Ticket' AND given.Disabled = 0
        AND given.CustomField IN (SELECT id FROM CustomFields WHERE Name = ?)
    WHERE queue.Name = ? ORDER BY ticket.id
"""
_NOTES: Final = """
    SELECT done.ObjectId, written.Subject, written.Content, written.ContentEncoding FROM Transactions done
    JOIN Attachments written ON written.TransactionId = done.id
    WHERE done.ObjectType = 'RT::Ticket' AND done.Type IN ('Comment', 'Correspond') ORDER BY done.id, written.id
"""


class RtDesk:
    has_wire = True

    def __init__(self, rt: RequestTracker, server: Server) -> None:
        self._rt = rt
        self._server = server

    def settings(self) -> str:
        return (
            f"{{type: rt, url: '{self._server.url()}', timeout: {TIMEOUT_S:g}s, sync: 2s, reopen_after: 3s, "
            f"certain_after: {CERTAIN_AFTER_S:g}s, queue: {QUEUE}, "
            f"auth: {{token: {{file: '{self._rt.folder / 'token'}'}}}}}}"
        )

    def tickets(self) -> list[Found]:
        notes: dict[int, list[Note]] = defaultdict(list)
        links: dict[int, list[str]] = defaultdict(list)
        with closing(sqlite3.connect(f"file:{self._rt.folder / 'rt.db'}?mode=ro", uri=True, timeout=10)) as database:
            for ticket, subject, content, encoding in database.execute(_NOTES):
                text = content if isinstance(content, bytes) else (content or "").encode()
                if encoding == "quoted-printable":  # as soon as anything in it is not ASCII
                    text = quopri.decodestring(text)
                notes[ticket].append(Note(note_of(subject or "").mark, text.decode()))
            for ticket, other in database.execute("SELECT LocalBase, LocalTarget FROM Links ORDER BY id"):
                links[ticket].append(str(other))
            rows = database.execute(_TICKETS, [requesttracker.KEY_FIELD, QUEUE]).fetchall()
        return [
            Found(
                ref=str(ref),
                key=key or "",
                state=_STATES[status],
                notes=tuple(notes[ref]),
                assignee="" if owner == "Nobody" else owner,
                links=tuple(links[ref]),
            )
            for ref, status, owner, key in rows
        ]

    def act(self, act: Act, ref: str, text: str) -> bool:
        person = self._rt.person
        status = person.read(ref)["Status"]
        if (status in ("resolved", "rejected")) is not (act is Act.REOPEN) and act is not Act.COMMENT:
            return False
        match act:
            case Act.ASSIGN:
                person.take(ref)
            case Act.RESOLVE:
                person.resolve(ref)
            case Act.CANCEL:
                person.reject(ref)
            case Act.REOPEN:
                person.reopen(ref)
            case _:
                person.comment(ref, text)
        return True

    def disturb(self, seconds: float) -> None:
        """Its requests are disturbed."""


def _looks(request: Request) -> bool:
    return request.method == "GET" and request.path.endswith("/tickets")


class _Proxy:
    """Hands requests on, and answers back, as they are."""

    def __init__(self, rt: RequestTracker) -> None:
        self._rt = rt

    def __call__(self, request: Request) -> Response:
        headers = {name: text for name, text in request.headers.items() if name not in _HOP_BY_HOP}
        headers["accept-encoding"] = "identity"
        answer = requests.request(
            request.method,
            f"{self._rt.url}{request.path}",
            params=dict(request.query),
            data=request.body,
            headers=headers,
            timeout=60,
            allow_redirects=False,
        )
        given = {name: text for name, text in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        return Response(answer.status_code, given, answer.content)


@contextmanager
def open_desk(_folder: Path, mischief: Mischief) -> Iterator[RtDesk]:
    mischief.looks = _looks
    with requesttracker.own() as rt, serving(_Proxy(rt), mischief, clock=WallClock()) as server:
        yield RtDesk(rt, server)
