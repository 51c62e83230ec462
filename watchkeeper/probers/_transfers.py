"""libcurl on the event loop: many transfers at once, and one wake-up for all of them that can go on.

libcurl's sockets are gathered in an epoll object of our own, and the loop watches only that. A wake-up of the loop
costs far more than a step of a transfer, so what is ready at the same time is handled in the same wake-up.
"""

import asyncio
import select
from contextlib import suppress
from threading import Thread
from typing import Any, Final, NamedTuple

import pycurl

from watchkeeper.probers._http_options import Setup

_WANTED: Final = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
_TOLD: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP
_CAN: Final = {
    events: (pycurl.CSELECT_IN if events & select.EPOLLIN else 0)
    | (pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0)
    | (pycurl.CSELECT_ERR if events & (select.EPOLLERR | select.EPOLLHUP) else 0)
    for events in range(_TOLD + 1)
}
_EARLY_S: Final = 0.0005  # a timer of the loop may fire this much too early; libcurl counts in ms
_IDLE_HANDLES: Final = 256

ABANDONED: Final = -1


class Outcome(NamedTuple):
    """How a transfer ended: 0, one of libcurl's codes (`pycurl.E_…`), or `ABANDONED` because of something here."""

    code: int
    text: str


class Transfers:
    """The transfers of one event loop.

    A handle is taken, set up, performed and given back. All of this happens on the loop's own thread.

    Raises:
        OSError: there is no file descriptor left.
        pycurl.error: the same, in libcurl's words.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: dict[Any, asyncio.Future[Outcome]] = {}
        self._idle: dict[Setup, list[Any]] = {}
        self._idle_count = 0
        self._watched: set[int] = set()
        self._due: float | None = None  # when libcurl wants to be called, in the loop's time
        self._timer: asyncio.Handle | None = None
        self._fires_at = 0.0
        self._closed = False
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._epoll = select.epoll()
        loop.add_reader(self._epoll.fileno(), self._on_ready)

    def take(self, setup: Setup) -> Any:
        """A handle that is set up so. Setting one up costs as much as Python's whole share of a transfer."""
        if (idle := self._idle.get(setup)) and (handle := idle.pop()):
            self._idle_count -= 1
            return handle
        handle = pycurl.Curl()
        setup.apply(handle)
        return handle

    def give_back(self, handle: Any, setup: Setup) -> None:
        """The handle is needed no more, and as it was set up. Its open connections stay for others to use."""
        if self._closed or self._idle_count >= _IDLE_HANDLES:
            handle.close()
        else:
            self._idle.setdefault(setup, []).append(handle)
            self._idle_count += 1

    def give_back_after_reset(self, handle: Any, setup: Setup) -> None:
        """The same for one that more was set for than its setup, or whose transfer was cancelled."""
        handle.reset()
        if not self._closed:
            setup.apply(handle)
        self.give_back(handle, setup)

    async def perform(self, handle: Any) -> Outcome:
        """Performs what the handle is set up for. A caller that is cancelled ends the transfer.

        Raises:
            pycurl.error: libcurl does not take it.
        """
        if self._closed:
            return Outcome(ABANDONED, "watchkeeper is stopping")
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._multi.add_handle(handle)
        self._pending[handle] = future
        try:
            return await future
        finally:
            if self._pending.pop(handle, None) is not None:
                self._multi.remove_handle(handle)

    def close(self) -> None:
        """Ends everything; transfers under way are abandoned."""
        if self._closed:
            return
        self._abandon("watchkeeper is stopping")
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        for idle in self._idle.values():
            for handle in idle:
                handle.close()
        self._idle.clear()
        self._watched.clear()  # so that _on_socket has nothing to do for connections that were kept alive
        self._epoll.close()
        try:
            # libcurl waits for its resolver here, however long that hangs: nobody else shall.
            Thread(target=self._multi.close, name="libcurl-close", daemon=True).start()
        except RuntimeError:  # there are too many threads
            self._multi.close()

    def _abandon(self, reason: str) -> None:
        while self._pending:
            handle, future = self._pending.popitem()
            self._multi.remove_handle(handle)
            if not future.done():
                future.set_result(Outcome(ABANDONED, reason))

    # libcurl calls these two. An exception here would reach nobody, so none leaves.

    def _on_socket(self, wanted: int, fd: int, _multi: Any, _data: Any) -> None:
        try:
            if wanted == pycurl.POLL_REMOVE:
                # Nearly always the socket is closed next, and leaves the epoll object with that.
                self._watched.discard(fd)
            elif fd in self._watched:
                self._epoll.modify(fd, _WANTED[wanted])
            else:
                self._watched.add(fd)
                self._register(fd, _WANTED[wanted])
        except OSError as error:
            self._watched.discard(fd)
            self._loop.call_soon(self._abandon, f"could not watch a socket: {error.strerror}")

    def _register(self, fd: int, events: int) -> None:
        try:
            self._epoll.register(fd, events)
        except FileExistsError:  # a connection that was kept alive, and is used again
            self._epoll.modify(fd, events)

    def _on_timer(self, timeout_ms: int) -> None:
        if timeout_ms < 0:
            self._due = None
            return
        self._due = self._loop.time() + timeout_ms / 1000
        # A later time than the timer's needs no new timer: when it fires, the rest is waited for.
        if self._timer is None or self._due < self._fires_at:
            self._start_timer(self._due)

    # The loop calls these.

    def _on_due(self) -> None:
        self._timer = None
        if self._due is None or self._closed:
            return
        if self._due - self._loop.time() > _EARLY_S:
            self._start_timer(self._due)
            return
        self._due = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)
        self._finish()

    def _on_ready(self) -> None:
        for fd, events in self._epoll.poll(0):
            if fd in self._watched:
                self._act(fd, _CAN[events & _TOLD])
            else:
                self._ignore(fd)
        self._finish()

    def _ignore(self, fd: int) -> None:
        """A connection that was kept alive tells something, and nobody wants to hear it now."""
        with suppress(OSError):
            self._epoll.unregister(fd)

    def _start_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = due
        self._timer = self._loop.call_at(due, self._on_due)

    def _act(self, fd: int, can: int) -> None:
        try:
            self._multi.socket_action(fd, can)
        except pycurl.error as error:
            self._loop.call_soon(self._abandon, f"libcurl failed: {error}")

    def _finish(self) -> None:
        """Hands on the transfers that are done."""
        more = 1
        while more:
            more, done, broken = self._multi.info_read()
            for handle in done:
                self._hand_on(handle, Outcome(0, ""))
            for handle, code, text in broken:
                self._hand_on(handle, Outcome(code, text))

    def _hand_on(self, handle: Any, outcome: Outcome) -> None:
        self._multi.remove_handle(handle)
        future = self._pending.pop(handle, None)
        if future is not None and not future.done():
            future.set_result(outcome)
