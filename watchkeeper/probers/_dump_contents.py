"""What is in a PostgreSQL dump, of any format. Nothing is restored for it."""

import gzip
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Final

from watchkeeper.probers import _file_archive
from watchkeeper.probers._program import Work, clean_environment, not_well

_ENTRY: Final = re.compile(r"\d+; \d+ \d+ (TABLE DATA|TABLE) (\S+) (.+) \S+")
_HEADER: Final = re.compile(r";\s+(dbname|Format|Dumped from database version|TOC Entries): (.*)")
_NAME: Final = rb'("(?:[^"]|"")+"|[^\s."(]+)(?:\.("(?:[^"]|"")+"|[^\s."(]+))?'
_STATEMENT: Final = re.compile(rb"(?:CREATE (?:UNLOGGED )?TABLE|COPY) " + _NAME + rb" \(")
_VERSION: Final = re.compile(rb"-- Dumped from database version (.+)")
_COMPLETE: Final = re.compile(rb"^-- PostgreSQL database (cluster )?dump complete$", re.MULTILINE)
_LONGEST_LINE: Final = 2**20
_CHUNK: Final = 2**18
_TAIL: Final = 4096
_MOST_TABLES: Final = 100_000


@dataclass(slots=True)
class Dump:
    """What was found in a dump. Tables are named with their schema."""

    form: str
    tables: set[str] = field(default_factory=set)
    with_data: set[str] = field(default_factory=set)
    database: str = ""
    version: str = ""


def read(path: str, programs: str, work: Work, *, to_its_end: bool) -> Dump:
    """What is in a dump.

    Args:
        programs: the folder of `pg_restore`, empty for that of the PATH.
        to_its_end: whether an archive's data is read, too; that of a text always is.

    Raises:
        Concluded: it is damaged or cut off.
        OSError: it can not be read.
        Interrupted: the run is over.
    """
    if os.path.isdir(path):
        return _of_archive(path, programs, work, to_its_end=to_its_end)
    with open(path, "rb") as file:
        begin = file.read(512)
    is_tar = begin[257:262] == b"ustar"
    if is_tar and to_its_end:
        _read_tar(path, work)
    if begin.startswith(b"PGDMP") or is_tar:
        return _of_archive(path, programs, work, to_its_end=to_its_end)
    return _of_text(path, begin, work)


def _read_tar(path: str, work: Work) -> None:
    """Reads a tar first: one that is cut off, pg_restore reads for ever."""
    work.doing = "reading the newest dump"
    try:
        _file_archive.read_through(path, sys.maxsize, work)
    except _file_archive.Damaged as error:
        raise not_well(f"can not be read to its end: {error}") from None


def _of_archive(path: str, programs: str, work: Work, *, to_its_end: bool) -> Dump:
    program, environment = os.path.join(programs, "pg_restore"), clean_environment({})
    work.doing = "listing the newest dump"
    listed = work.run([program, "--list", path], environment)
    if listed.code != 0:
        raise not_well(f"can not be listed: {listed.reason}")
    found = Dump("archive")
    for line in listed.output.decode("utf-8", "replace").splitlines():
        if header := _HEADER.match(line):
            name, value = header.groups()
            if name == "dbname":
                found.database = value
            elif name == "Format":
                found.form = value.lower()
            elif name == "Dumped from database version":
                found.version = value
        elif entry := _ENTRY.fullmatch(line):
            kind, schema, table = entry.groups()
            (found.with_data if kind == "TABLE DATA" else found.tables).add(f"{schema}.{table}")
    if to_its_end:
        work.doing = "reading the newest dump"
        whole = work.run([program, "-f", os.devnull, path], environment)
        if whole.code != 0:
            raise not_well(f"can not be read to its end: {whole.reason}")
    return found


def _of_text(path: str, begin: bytes, work: Work) -> Dump:
    """What is in SQL, packed or not. Its last comment says that it is complete."""
    work.doing = "reading the newest dump"
    found, tail, in_data = Dump("sql"), b"", False
    try:
        with _text(path, begin, found, work) as lines:
            for line in lines:
                tail = (tail + line)[-_TAIL:] if len(line) < _TAIL else line[-_TAIL:]
                if in_data:
                    in_data = line != b"\\.\n"
                elif line.startswith((b"CREATE ", b"COPY ")):
                    in_data = _note(line, found)
                elif version := _VERSION.match(line):
                    found.version = version[1].decode("ascii", "replace").strip()
    except (_file_archive.Damaged, *_file_archive.DAMAGED, gzip.BadGzipFile) as error:
        raise not_well(f"can not be unpacked to its end: {error}") from None
    if not found.version and not found.tables and not _COMPLETE.search(tail):
        raise not_well("is no dump of PostgreSQL")
    if not _COMPLETE.search(tail):
        raise not_well("is cut off: its last line is not the one that says that it is complete")
    return found


def _note(line: bytes, found: Dump) -> bool:
    """Notes the table that a statement is of. Gives whether its data follows."""
    statement = _STATEMENT.match(line)
    if statement is None or len(found.tables) > _MOST_TABLES:
        return False
    table = ".".join(_plain(part) for part in statement.groups() if part)
    is_data = line.startswith(b"COPY ")
    (found.with_data if is_data else found.tables).add(table)
    return is_data and line.rstrip().endswith(b"FROM stdin;")


def _plain(name: bytes) -> str:
    """A name without its quotes."""
    unquoted = name[1:-1].replace(b'""', b'"') if name.startswith(b'"') else name
    return unquoted.decode("utf-8", "replace")


def _lines(stream: IO[bytes], go_on: Callable[[], None]) -> Iterator[bytes]:
    """The lines of a stream; those that are longer than a MiB in pieces. Asks at each chunk whether to go on."""
    rest = b""
    while chunk := stream.read(_CHUNK):
        go_on()
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)
        if len(rest) > _LONGEST_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest


@contextmanager
def _text(path: str, begin: bytes, found: Dump, work: Work) -> Iterator[Iterator[bytes]]:
    contents = _file_archive.Contents("")
    with _file_archive.unpacked(path, begin, contents, work) as stream:
        if stream is not None:
            found.form = f"sql.{contents.kind}"
            yield _lines(stream, work.go_on)
        else:
            with open(path, "rb") as file:
                yield _lines(file, work.go_on)
