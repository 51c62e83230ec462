"""The HTTP server, on the daemon's own event loop."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from watchkeeper.schema.fields import Address

MAX_CONNECTIONS: Final = (
    256  # at once; beyond them those that nobody uses are closed, or a request is refused with 503
)
PATIENCE_S: Final = 10.0  # how long a connection may take to say what it wants
KEEP_ALIVE_S: Final = 30  # how long one is kept for the next request

_log = structlog.get_logger("web")


class ListenError(Exception):
    """The address can not be listened on. The text says why and what to do."""


def listen(address: Address) -> socket.socket:
    """A listening socket.

    Raises:
        ListenError: the port is taken, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address.host, address.port))
        server.listen(128)
    except (OSError, UnicodeError) as error:  # no host has such a name: the codec for names says so
        server.close()
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        hint = "Is another watchkeeper running? Otherwise choose" if taken else "Choose"
        raise ListenError(
            f"can not listen on {address}: {reason.lower()}. {hint} another address in `web: {{listen: HOST:PORT}}`"
        ) from None
    return server


class _Config(uvicorn.Config):
    patience_s = PATIENCE_S


class _Connection(H11Protocol):
    """A connection that is closed when no request comes in time, or when others need its place."""

    config: _Config
    _deadline: asyncio.TimerHandle | None = None
    _quiet_since: float = 0  # since when nothing was asked for, by the loop's clock

    @property
    def _is_quiet(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # it begins as None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._quiet_since = self.loop.time()
        self._be_patient()
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_quiet:
            self._lose_deadline()
        elif self._deadline is None:
            self._be_patient()

    def on_response_complete(self) -> None:
        self._quiet_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose_deadline()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        others = (other for other in self.connections if isinstance(other, _Connection) and other is not self)
        longest = min((one for one in others if one._is_quiet), key=lambda one: one._quiet_since, default=None)
        if longest is not None:
            self.connections.discard(longest)
            longest.transport.close()

    def _be_patient(self) -> None:
        self._deadline = self.loop.call_later(self.config.patience_s, self.transport.close)

    def _lose_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._asked_to_exit = asyncio.Event()

    def exit(self) -> None:
        self.should_exit = True
        self._asked_to_exit.set()

    async def main_loop(self) -> None:
        """Waits for the end. uvicorn's own looks ten times a second whether it has come."""
        await self.on_tick(0)
        await self._asked_to_exit.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's."""
        yield


class WebServer:
    """Serves an application on a socket until it is ended.

    Args:
        patience_s: how long a connection may take to say what it wants.
    """

    def __init__(self, app: Starlette, sock: socket.socket, patience_s: float = PATIENCE_S) -> None:
        self._socket = sock
        config = _Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=_Connection,
            ws="none",
            server_header=False,
            date_header=False,
            limit_concurrency=MAX_CONNECTIONS + 1,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=2,
        )
        config.patience_s = patience_s
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._serve())

    async def end(self) -> None:
        """Finishes the requests under way, for two seconds at most."""
        self._server.exit()
        if self._task is not None:
            await self._task
        self._socket.close()

    async def _serve(self) -> None:
        try:
            await self._server.serve(sockets=[self._socket])
        except Exception:  # noqa: BLE001  # the daemon watches and tells on without its pages
            _log.exception("web_failed")
