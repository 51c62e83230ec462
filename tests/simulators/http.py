"""An HTTP/1.1 server on loopback, in threads, whose answers can be broken on the way.

faults = Faults()                                   # see faults.py
with serving(app, faults) as server:                # app: Request -> Response, called from many threads at once
    requests.get(server.url("/path"), timeout=5)
    faults.then(COMMITS_AND_RESETS)                 # the next request is done, and its connection reset
    server.release()                                # whatever hangs goes on, and is over when this returns
    server.exchanges                                # every request, the fault it met, the status it got
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from io import BufferedIOBase
from socket import IPPROTO_TCP, SHUT_RDWR, SO_LINGER, SOL_SOCKET, TCP_NODELAY, create_server, socket
from struct import pack
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from watchkeeper.domain.rule import Clock


@dataclass(frozen=True)
class Request:
    """What a client asked. Header names are in lower case; `path` is decoded and has no query.

    What a query names more than once is joined by commas.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    parallel: Sequence["Request"] = field(default=(), repr=False)
    """The requests that were not answered yet when this one came, those that hang among them."""

    def json(self) -> Any:
        """The body's value. Raises ValueError when it is no JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Response:
    """What the application answers. Content-Length and Date are added on the way."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def json_response(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    given = {"Content-Type": "application/json;charset=UTF-8", **(headers or {})}
    return Response(status, given, json.dumps(value, ensure_ascii=False).encode())


HTTP_STATUSES = frozenset(HTTPStatus)

Application = Callable[[Request], Response]


@dataclass
class Exchange:
    """A request and what became of it.

    `status` is what the application answered, None while it was not asked; `fault` names what was done to it.
    """

    request: Request
    status: int | None = None
    fault: str = ""

    def __str__(self) -> str:
        return f"{self.request.method} {self.request.path} {self.status or 'not done'} {self.fault}".rstrip()


class Wire:
    """A connection, as a fault sees it."""

    def __init__(self, connection: socket, clock: Clock, released: threading.Event, closing: threading.Event) -> None:
        self._connection, self._clock, self._released, self._closing = connection, clock, released, closing
        self.open = True
        self.answering: Callable[[], None] = lambda: None  # called before anything of an answer can be seen

    @property
    def now_ms(self) -> int:
        return self._clock()

    def send(self, response: Response, length: int | None = None) -> None:
        """A whole answer. `length`: what it claims of its body's length."""
        self.write(self.head(response, len(response.body) if length is None else length) + response.body)

    def head(self, response: Response, length: int | None) -> bytes:
        """An answer up to its body; without a length it ends with the connection."""
        date = format_datetime(datetime.fromtimestamp(self.now_ms / 1000, UTC), usegmt=True)
        given = {"Date": date, **response.headers}
        if length is None:
            given["Connection"] = "close"
        elif response.status != HTTPStatus.NO_CONTENT:
            given["Content-Length"] = str(length)
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        phrase = HTTPStatus(response.status).phrase if response.status in HTTP_STATUSES else "Whatever"
        return f"HTTP/1.1 {response.status} {phrase}\r\n{lines}\r\n".encode("latin-1")

    def write(self, data: bytes) -> None:
        self.answering()
        with suppress(OSError):  # whoever asked may have gone away
            self._connection.sendall(data)

    def hang(self, limit_s: float | None = None) -> None:
        """Returns when the server is released, or this time is over."""
        self._released.wait(limit_s)
        if self._closing.is_set():
            raise ConnectionAbortedError("the server closes")

    def close(self) -> None:
        """No answer any more; the connection ends in good order."""
        self.open = False

    def reset(self) -> None:
        """No answer any more; the connection breaks (RST)."""
        self.answering()
        self._connection.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        self.open = False


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with a request.

    `run` gets the wire and a function that has the application do what was asked; `commits`: whether it calls that.
    """

    name: str
    commits: bool
    run: Callable[[Wire, Callable[[], Response]], None]

    def __str__(self) -> str:
        return self.name


Plan = Callable[[Request], Fault | None]
"""What goes wrong with this request, if anything. Asked once for each, from many threads."""


class Server:
    """A server that runs. Use `serving`."""

    def __init__(self, app: Application, plan: Plan, clock: Clock, tls: ssl.SSLContext | None) -> None:
        self.exchanges: list[Exchange] = []
        self.connections = 0
        self._app, self._plan, self._clock, self._tls = app, plan, clock, tls
        self._listener = create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._released, self._closing = threading.Event(), threading.Event()
        self._state = threading.Condition()
        self._under_way: list[Request] = []
        self._open: dict[threading.Thread, socket] = {}
        self._bugs: list[BaseException] = []
        self._accepting = threading.Thread(target=self._accept, name=f"simulator-{self.port}", daemon=True)
        self._accepting.start()

    def url(self, path: str = "") -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{path}"

    def release(self) -> None:
        """Lets everything go on that hangs, and returns when it is over."""
        with self._state:
            self._released.set()
            self._state.wait_for(lambda: not self._under_way, timeout=10)
            self._released.clear()

    def wait_until(self, true: Callable[["Server"], bool], limit_s: float = 10) -> None:
        """Returns when this holds; it is asked whenever a request comes or is answered. Raises TimeoutError."""
        with self._state:
            if not self._state.wait_for(lambda: true(self), limit_s):
                raise TimeoutError(
                    f"it did not come true within {limit_s} s: {[str(each) for each in self.exchanges]}"
                )

    def close(self) -> None:
        """Ends every connection. Raises what the application raised: that is a bug of the simulator."""
        self._closing.set()
        self._released.set()
        self._listener.shutdown(SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        with self._state:
            threads = dict(self._open)
        for thread, connection in threads.items():
            with suppress(OSError):
                socket.shutdown(connection, SHUT_RDWR)  # not TLS's own, which is no affair of another thread
            thread.join(10)
        if self._bugs:
            raise self._bugs[0]

    def _accept(self) -> None:
        with suppress(OSError):  # close() shuts the listener
            while not self._closing.is_set():
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                with self._state:
                    self._open[thread] = connection
                    self.connections += 1
                thread.start()

    def _serve(self, connection: socket) -> None:
        try:
            with suppress(OSError, HTTPException), self._secured(connection) as secured:
                wire = Wire(secured, self._clock, self._released, self._closing)
                with secured.makefile("rb") as stream:
                    while wire.open and (request := _read(stream)) is not None:
                        self._exchange(wire, request)
                        if request.headers.get("connection", "").lower() == "close":
                            break
        finally:
            with self._state:
                self._open.pop(threading.current_thread(), None)

    def _secured(self, connection: socket) -> socket:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        if self._tls is None:
            return connection
        secured = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._state:
            self._open[threading.current_thread()] = secured
        try:
            secured.do_handshake()
        except OSError:
            secured.close()
            raise
        return secured

    def _exchange(self, wire: Wire, asked: Request) -> None:
        with self._state:
            request = replace(asked, parallel=tuple(self._under_way))
            exchange = Exchange(request)
            self.exchanges.append(exchange)
            self._under_way.append(request)
            self._state.notify_all()
        wire.answering = partial(self._is_over, request)
        try:
            fault = self._plan(request)
            if fault is None:
                wire.send(self._do(exchange))
            else:
                exchange.fault = fault.name
                fault.run(wire, partial(self._do, exchange))
        finally:
            self._is_over(request)

    def _is_over(self, request: Request) -> None:
        with self._state:
            self._under_way = [each for each in self._under_way if each is not request]
            self._state.notify_all()

    def _do(self, exchange: Exchange) -> Response:
        try:
            response = self._app(exchange.request)
        except Exception as bug:
            self._bugs.append(bug)
            raise ConnectionAbortedError("the application failed") from bug
        exchange.status = response.status
        return response


def came(count: int) -> Callable[[Server], bool]:
    """For `wait_until`: so many requests have come. A client may have given up before its request was even read."""
    return lambda server: len(server.exchanges) >= count


@contextmanager
def serving(
    app: Application,
    plan: Plan = lambda _request: None,
    *,
    clock: Clock = lambda: 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Server]:
    """A server for this application. `clock` is what its Date headers are made of."""
    server = Server(app, plan, clock, tls)
    try:
        yield server
    finally:
        server.close()


def _read(stream: BufferedIOBase) -> Request | None:
    """The next request, None when there is none."""
    words = stream.readline(65_537).decode("latin-1").split()
    if len(words) != 3:
        return None
    headers = {name.lower(): value for name, value in parse_headers(stream).items()}
    body = stream.read(int(headers.get("content-length", 0)))
    parts = urlsplit(words[1])
    query: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    return Request(words[0], unquote(parts.path), query, headers, body)
