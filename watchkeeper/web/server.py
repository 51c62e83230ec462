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

from watchkeeper.schema.fields import Address

MAX_REQUESTS: Final = 64  # at once; more are refused with 503

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


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's."""
        yield


class WebServer:
    """Serves an application on a socket until it is ended."""

    def __init__(self, app: Starlette, sock: socket.socket) -> None:
        self._socket = sock
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                http="h11",
                ws="none",
                server_header=False,
                limit_concurrency=MAX_REQUESTS,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=2,
            )
        )
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._serve())

    async def end(self) -> None:
        """Finishes the requests under way, for two seconds at most."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()

    async def _serve(self) -> None:
        try:
            await self._server.serve(sockets=[self._socket])
        except Exception:  # noqa: BLE001  # the daemon watches and tells on without its pages
            _log.exception("web_failed")
