"""The protocol of Redis, RESP2, as far as a prober needs it: requests, and answers that are one value each."""

import asyncio
from typing import Final

MOST_BYTES: Final = 1024 * 1024
"""The longest text that an answer may be."""

LINE_LIMIT: Final = 4096
"""The longest line, which an answer begins with."""


class NotResp(Exception):
    """What a server said is no answer of this protocol, or is too long."""


class Refused(Exception):
    """An error that a server answered. `code`: its first word, such as NOAUTH."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.split(" ", 1)[0]


def request(*words: str) -> bytes:
    """A command, as servers take it. Bytes of the environment that are no text are surrogates in Python."""
    encoded = [word.encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


async def answer(reader: asyncio.StreamReader) -> str | int | None:
    """The next answer of a server; `None` is its null.

    Raises:
        Refused: it is an error.
        NotResp: it is nothing of this protocol, a list, or too long.
        EOFError: the server hung up.
        OSError: the connection broke.
    """
    line = await _line(reader)
    kind, rest = line[:1], line[1:]
    match kind:
        case b"+":
            return rest.decode("utf-8", "replace")
        case b"-":
            raise Refused(rest.decode("utf-8", "replace"))
        case b":":
            return _number(rest)
        case b"$":
            length = _number(rest)
            return None if length == -1 else await _text(reader, length)
    raise NotResp


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise NotResp from None
    if not line.endswith(b"\r\n"):
        raise NotResp
    return line[:-2]


def _number(text: bytes) -> int:
    if not text.removeprefix(b"-").isdigit() or len(text) > 20:
        raise NotResp
    return int(text)


async def _text(reader: asyncio.StreamReader, length: int) -> str:
    if not 0 <= length <= MOST_BYTES:
        raise NotResp
    data = await reader.readexactly(length + 2)
    if data[-2:] != b"\r\n":
        raise NotResp
    return data[:-2].decode("utf-8", "replace")
