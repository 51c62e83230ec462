"""Web servers that behave in every way a web server can, on loopback."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, create_server, socket
from struct import pack
from typing import Any


@dataclass
class Request:
    """What a server was asked."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""Writes an answer."""


@dataclass
class Server:
    """A server that runs."""

    port: int
    scheme: str
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(
    answer: Answer, tls: ssl.SSLContext | None = None, keep: bool = False, greeting: bytes = b""
) -> AsyncIterator[Server]:
    """A server that gives everybody this answer. Every connection is gone when it ends.

    Args:
        keep: whether connections stay open after an answer.
        greeting: what it says before it is asked.
    """
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        served.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.write(greeting)
            while True:
                served.requests.append(_parse(await reader.readuntil(b"\r\n\r\n")))
                await answer(served.requests[-1], writer)
                await writer.drain()
                if not keep:
                    break
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    served = Server(server.sockets[0].getsockname()[1], "https" if tls else "http")
    try:
        yield served
    finally:
        server.close()
        for _ in range(5):
            await asyncio.sleep(0)  # connections that were accepted just now begin to be served
        waiting = list(tasks)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await server.wait_closed()


def _parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = (line.partition(":") for line in lines)
    return Request(method, target, {name.lower(): value.strip() for name, _, value in headers})


def says(
    body: bytes = b"fine",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    length: int | None = None,
) -> Answer:
    """A whole answer. `length`: what it claims of its body's length."""
    given = {"Content-Length": str(len(body) if length is None else length), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return sends(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + body)


def sends(data: bytes) -> Answer:
    """Just these bytes."""

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


def redirects(target: str, status: int = 302) -> Answer:
    """An answer that sends on to another URL."""
    return says(b"", status=status, headers={"Location": target})


def sends_and_hangs(data: bytes = b"") -> Answer:
    """These bytes, and then nothing for ever."""

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.get_running_loop().create_future()

    return answer


def sends_without_end(begin: bytes, again: bytes) -> Answer:
    """One thing over and over, as long as anybody listens."""

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0)

    return answer


def drips(head: bytes, body: bytes, pause_s: float) -> Answer:
    """The head of an answer, and its body one byte after the other, slowly."""

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for byte in body:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(pause_s)

    return answer


def sends_and_resets(data: bytes = b"") -> Answer:
    """These bytes, and then the connection is broken."""

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))

    return answer


def by_path(answers: Mapping[str, Answer]) -> Answer:
    """For each path its own answer."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await answers[request.target](request, writer)

    return answer


def refused_port() -> int:
    """A port of loopback that nobody listens at."""
    with closing(create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


@asynccontextmanager
async def deaf_port() -> AsyncIterator[int]:
    """A port whose connections are not even accepted by the kernel: the queue of its listener is full."""
    loop = asyncio.get_running_loop()
    with create_server(("127.0.0.1", 0), backlog=0) as listener:
        filling: list[socket] = []
        try:
            for _ in range(2):
                filling.append(socket())
                filling[-1].setblocking(False)
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await loop.sock_connect(filling[-1], listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for connection in filling:
                connection.close()


def certificate(
    folder: Path, *, names: str = "IP:127.0.0.1,DNS:localhost", days: tuple[str, str] = ("20200101", "20990101")
) -> Path:
    """A new key and a certificate that it signed itself, in one file.

    Args:
        names: whom it is for, as OpenSSL's subjectAltName has it.
        days: its first and its last day.
    """
    made = folder / "server.pem"
    key, request, config = folder / "key.pem", folder / "request.pem", folder / "ca.cnf"
    config.write_text(
        f"[ca]\ndefault_ca=own\n[own]\nnew_certs_dir={folder}\ndatabase={folder}/index\nserial={folder}/serial\n"
        "default_md=sha256\npolicy=any\nx509_extensions=web\n[any]\ncommonName=supplied\n"
        f"[web]\nsubjectAltName={names}\nbasicConstraints=critical,CA:TRUE\n"
    )
    (folder / "index").write_text("")
    (folder / "serial").write_text("01")
    _openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test"),
        *("-keyout", str(key), "-out", str(request)),
    )
    _openssl(
        *("ca", "-batch", "-notext", "-config", str(config), "-selfsign", "-keyfile", str(key), "-in", str(request)),
        *("-startdate", f"{days[0]}000000Z", "-enddate", f"{days[1]}000000Z", "-out", str(folder / "cert.pem")),
    )
    made.write_text(key.read_text() + (folder / "cert.pem").read_text())
    return made


def tls_by(made: Path) -> ssl.SSLContext:
    """What a server needs to show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made)
    return context


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True)
