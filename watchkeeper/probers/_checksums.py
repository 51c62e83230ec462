"""Lists of checksums, as sha256sum and its kin write them."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

MOST_LIST: Final = 16 * 2**20  # bytes of a list
_CHUNK: Final = 2**20
_ALGORITHMS: Final = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}  # by digits
_GNU: Final = re.compile(r"(\\?)([0-9a-fA-F]+)[ \t][ *](.+)")
_BSD: Final = re.compile(r"[A-Za-z0-9-]+ \((.+)\) = ([0-9a-fA-F]+)")
_ESCAPED: Final = re.compile(r"\\([\\nr])")
_MEANT: Final = {"\\": "\\", "n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file's name as the list has it, and its checksum in lower case."""

    name: str
    digest: str

    @property
    def algorithm(self) -> str:
        return _ALGORITHMS[len(self.digest)]


def parse(text: str) -> Iterator[Entry]:
    """The entries of a list; empty lines and those that begin with `#` are none.

    Raises:
        ValueError: a line is no entry; says which.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.rstrip("\r")  # noqa: PLW2901
        if not line.strip() or line.startswith("#"):
            continue
        if found := _GNU.fullmatch(line):
            escaped, digest, name = found.groups()
            if escaped:
                name = _ESCAPED.sub(lambda match: _MEANT[match[1]], name)
        elif found := _BSD.fullmatch(line):
            name, digest = found.groups()
        else:
            raise ValueError(f"line {number} is no checksum and name")
        if len(digest) not in _ALGORITHMS:
            raise ValueError(f"line {number} has a checksum of {len(digest)} digits, which is none that is known")
        yield Entry(name, digest.lower())


def read(path: str) -> list[Entry]:
    """The entries of a file.

    Raises:
        OSError: it can not be read.
        ValueError: it is no list of checksums, or longer than 16 MiB.
    """
    with open(path, "rb") as file:
        data = file.read(MOST_LIST + 1)
    if len(data) > MOST_LIST:
        raise ValueError("it is longer than 16 MiB")
    return list(parse(data.decode("utf-8", "surrogateescape")))


def matches(path: str, entry: Entry, go_on: Callable[[int], None]) -> bool:
    """Whether the file has this checksum.

    Args:
        go_on: told how many bytes were read after each MiB. What it raises ends it.

    Raises:
        OSError: the file can not be read.
    """
    found = hashlib.new(entry.algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
            go_on(len(chunk))
    return found.hexdigest() == entry.digest
