"""The HTTP server, on a loopback socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from tests.web.daemons import HandDaemon
from watchkeeper.schema.fields import Address
from watchkeeper.web.pages import make_app
from watchkeeper.web.server import MAX_CONNECTIONS, PATIENCE_S, ListenError, WebServer, listen

ANY = Address("127.0.0.1", 0)


@asynccontextmanager
async def serving(daemon: HandDaemon, patience_s: float = PATIENCE_S) -> AsyncIterator[int]:
    """The port of a server."""
    sock = listen(ANY)
    server = WebServer(make_app(daemon), sock, patience_s)
    port = int(sock.getsockname()[1])
    server.begin()
    try:
        yield port
    finally:
        await server.end()


async def get(port: int, path: str) -> str:
    """The answer to a request, as it comes over the wire."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    try:
        return (await asyncio.wait_for(reader.read(), 10)).decode()
    finally:
        writer.close()
        await writer.wait_closed()


def test_pages_are_served() -> None:
    async def main() -> str:
        async with serving(HandDaemon()) as port:
            return await get(port, "/metrics")

    answer = asyncio.run(main())

    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert "up 1\n" in answer
    assert "\r\nserver:" not in answer.lower()


def test_requests_are_answered_while_another_takes_its_time() -> None:
    class SlowDaemon(HandDaemon):
        async def metrics(self) -> AsyncIterator[str]:
            yield "begun\n"
            asked.set()
            await finished.wait()
            yield "done\n"

    asked, finished = asyncio.Event(), asyncio.Event()

    async def main() -> tuple[str, str]:
        async with serving(SlowDaemon()) as port:
            slow = asyncio.create_task(get(port, "/metrics"))
            await asked.wait()
            quick = await get(port, "/-/healthy")
            finished.set()
            return quick, await slow

    quick, slow = asyncio.run(main())

    assert quick.startswith("HTTP/1.1 200 OK")
    assert "done\n" in slow


def test_the_end_closes_connections_that_nobody_uses() -> None:
    async def main() -> bytes:
        async with serving(HandDaemon()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        rest = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
        return rest

    assert asyncio.run(main()).endswith(b"watchkeeper is healthy\n")


@asynccontextmanager
async def connected(port: int, count: int, said: bytes = b"") -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections, that have said so much."""
    others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        for _, writer in others:
            writer.write(said)
        yield [reader for reader, _ in others]
    finally:
        for _, writer in others:
            writer.close()


def test_connections_that_say_nothing_keep_no_page_from_anybody() -> None:
    async def main() -> list[str]:
        async with serving(HandDaemon()) as port, connected(port, 300):
            return [await get(port, "/-/healthy") for _ in range(3)]

    assert [answer.partition("\r\n")[0] for answer in asyncio.run(main())] == ["HTTP/1.1 200 OK"] * 3


def test_kept_connections_that_nobody_uses_make_room() -> None:
    ask = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def main() -> str:
        async with serving(HandDaemon()) as port, connected(port, MAX_CONNECTIONS, ask) as readers:
            for reader in readers:
                await reader.readuntil(b"watchkeeper is healthy\n")
            return await get(port, "/-/healthy")

    assert asyncio.run(main()).startswith("HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("answered", "begun"),
    [
        (b"", b""),
        (b"", b"GET /-/healthy HTTP/1.1\r\nHost: loc"),
        (b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /-/hea"),
        (b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", b"half"),
    ],
)
def test_a_connection_that_does_not_say_what_it_wants_in_time_is_closed(answered: bytes, begun: bytes) -> None:
    async def main() -> None:
        async with serving(HandDaemon(), patience_s=0.05) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(answered)
            if answered:
                await reader.readuntil(b"watchkeeper is healthy\n")
            writer.write(begun)
            await asyncio.wait_for(reader.read(), 10)
            writer.close()

    asyncio.run(main())


class BusyDaemon(HandDaemon):
    """Does not finish its metrics before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.finish = asyncio.Event()

    async def metrics(self) -> AsyncIterator[str]:
        self.asked += 1
        yield "begun\n"
        await self.finish.wait()


def test_a_request_that_takes_long_is_not_cut_off() -> None:
    async def main() -> bytes:
        daemon = BusyDaemon()
        ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        async with serving(daemon, patience_s=0.01) as port, connected(port, 1, ask) as [reader]:
            asyncio.get_running_loop().call_later(0.1, daemon.finish.set)
            return await asyncio.wait_for(reader.read(), 10)

    assert asyncio.run(main()).endswith(b"0\r\n\r\n"), "the last chunk"


def test_a_request_too_many_is_refused() -> None:
    async def main() -> str:
        daemon = BusyDaemon()
        ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
        async with serving(daemon) as port, connected(port, MAX_CONNECTIONS, ask) as readers:
            for reader in readers:
                await reader.readuntil(b"begun\n")
            refused = await get(port, "/-/healthy")
            daemon.finish.set()
            return refused

    assert asyncio.run(main()).startswith("HTTP/1.1 503 Service Unavailable")


def test_an_end_right_after_the_beginning_closes_the_socket() -> None:
    async def main() -> socket.socket:
        sock = listen(ANY)
        server = WebServer(make_app(HandDaemon()), sock)
        server.begin()
        await server.end()
        return sock

    assert asyncio.run(main()).fileno() == -1


def test_an_end_without_a_beginning_closes_the_socket() -> None:
    sock = listen(ANY)

    asyncio.run(WebServer(make_app(HandDaemon()), sock).end())

    assert sock.fileno() == -1


def test_a_server_that_fails_is_logged_and_can_be_ended() -> None:
    async def main() -> None:
        sock = listen(ANY)
        sock.close()
        server = WebServer(make_app(HandDaemon()), sock)
        server.begin()
        await server.end()

    with capture_logs() as logs:
        asyncio.run(main())

    assert [entry["event"] for entry in logs] == ["web_failed"]


def test_a_port_in_use_is_explained() -> None:
    with listen(ANY) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ListenError) as caught:
            listen(address)

    assert str(caught.value) == (
        f"can not listen on {address}: address already in use. Is another watchkeeper running? "
        "Otherwise choose another address in `web: {listen: HOST:PORT}`"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "a..b", "no such host"])
def test_an_address_that_is_not_this_machines_is_explained(host: str) -> None:
    with pytest.raises(ListenError) as caught:
        listen(Address(host, 9_000))

    assert str(caught.value).startswith(f"can not listen on {Address(host, 9_000)}: ")
    assert str(caught.value).endswith("Choose another address in `web: {listen: HOST:PORT}`")


def test_the_socket_is_closed_when_a_program_is_started() -> None:
    with listen(ANY) as sock:
        assert not sock.get_inheritable()
