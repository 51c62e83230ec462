"""What is probed: addresses of this machine that take connections or refuse them, as told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from selectors import EVENT_READ, DefaultSelector


class Site:
    """Targets, by their number; all are up at first.

    Each has an address of its own in 127.88.0.0/16. Connections of other programs come from 127.0.0.1, so none of
    them takes the port of a target that is down for a while.
    """

    def __init__(self, count: int) -> None:
        self._selector = DefaultSelector()
        self._listening: dict[int, socket.socket] = {}
        self._count = count
        self._ended = threading.Event()
        # Held as long as there are targets, so that nobody else finds their port free.
        self._reserved = socket.create_server(("127.88.0.1", 0))
        self._port: int = self._reserved.getsockname()[1]
        for number in range(count):
            self._rise(number)
        self._thread = threading.Thread(target=self._accept, name="site", daemon=True)
        self._thread.start()

    def address(self, number: int) -> str:
        """Where a target is, for a `tcp` probe."""
        return f"127.88.{number // 250}.{number % 250 + 2}:{self._port}"

    @property
    def down(self) -> frozenset[int]:
        """The targets that refuse connections."""
        return frozenset(range(self._count)) - self._listening.keys()

    def flip(self, number: int) -> None:
        """What is up goes down, and the other way round."""
        if number in self._listening:
            self._fall(number)
        else:
            self._rise(number)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for number in list(self._listening):
            self._fall(number)
        self._selector.close()
        self._reserved.close()

    def _rise(self, number: int) -> None:
        host, _, port = self.address(number).rpartition(":")
        listening = self._listening[number] = socket.create_server((host, int(port)), backlog=128)
        listening.setblocking(False)
        self._selector.register(listening, EVENT_READ)

    def _fall(self, number: int) -> None:
        listening = self._listening.pop(number)
        self._selector.unregister(listening)
        listening.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(0.2):
                with suppress(OSError):  # it fell meanwhile, or who asked has gone
                    connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    connection.close()


@contextmanager
def open_site(count: int) -> Iterator[Site]:
    site = Site(count)
    try:
        yield site
    finally:
        site.close()
