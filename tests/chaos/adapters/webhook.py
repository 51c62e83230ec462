"""A receiver of webhooks that does what is asked of one: what comes twice under one key is carried out once."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.chaos.adapters import Act, Found, Note
from tests.chaos.adapters._clock import WallClock
from tests.chaos.mischief import TIMEOUT_S, USUAL, Mischief
from tests.simulators.faults import ACCEPTS, SAYS_LOGIN_PAGE
from tests.simulators.http import Request, Response, Server, json_response, serving
from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._text import mark

FAULTS: Final = tuple(fault for fault in USUAL if fault not in (ACCEPTS, SAYS_LOGIN_PAGE))
"""Of a webhook any 2xx means that it is done: a receiver must not say so before."""
ACTS: Final = ()
_STATES: Final = {"create": TicketState.OPEN, "resolve": TicketState.RESOLVED, "reopen": TicketState.OPEN}


class Receiver:
    """The application of a server: tickets of what it is told."""

    has_wire = True

    def __init__(self) -> None:
        self.server: Server
        self._lock = threading.Lock()
        self._done: dict[str, Response] = {}
        self._tickets: list[Found] = []

    def __call__(self, request: Request) -> Response:
        key = request.headers["idempotency-key"]
        with self._lock:
            if key not in self._done:
                self._done[key] = self._carry_out(key, json.loads(request.body))
            return self._done[key]

    def settings(self) -> str:
        url = self.server.url("/hook")
        return f"{{type: webhook, url: '{url}', timeout: {TIMEOUT_S:g}s, answer: {{ref: id}}}}"

    def tickets(self) -> list[Found]:
        with self._lock:
            return list(self._tickets)

    def act(self, act: Act, ref: str, text: str) -> bool:
        raise NotImplementedError("what people do is not told to watchkeeper")

    def disturb(self, seconds: float) -> None:
        """Its requests are disturbed."""

    def _carry_out(self, key: str, told: dict[str, str]) -> Response:
        if told["event"] == "create":
            ref = str(len(self._tickets) + 1)
            self._tickets.append(Found(ref, told["key"], TicketState.OPEN, (), links=()))
            return json_response(201, {"id": ref})
        # By the key: of an answer that broke off the daemon knows no id.
        [at] = [at for at, ticket in enumerate(self._tickets) if ticket.key == told["key"]]
        before = self._tickets[at]
        state = _STATES.get(told["event"], before.state)
        notes = (*before.notes, Note(mark(key), told["note"]))
        links = (*(before.links or ()), *filter(None, (told["problem"], told["duplicate"])))
        self._tickets[at] = Found(before.ref, before.key, state, notes, links=links)
        return json_response(200, {"id": before.ref})


@contextmanager
def open_desk(_folder: Path, mischief: Mischief) -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(receiver, mischief, clock=WallClock()) as server:
        receiver.server = server
        yield receiver
