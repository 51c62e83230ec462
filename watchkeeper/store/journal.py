"""The journal: decisions that wait for a database that does not answer, in a file, so that no end loses them.

One JSON object a line. It begins with a checksum of everything after it:

    {"sum":"5d41402a","journal":1,"run":7,"started_ms":1800000000000}
    {"sum":"7d793037","n":12,"effects":[{"ProbeGone":{"probe_id":"web","at_ms":1800000000000}}]}

The first line says of which run the decisions are; their numbers are those of the run, without gaps. What is appended
is on the disk when `append` returns. The file is there only while something waits in it.
"""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple
from zlib import crc32

from watchkeeper.store.effect_json import from_json, to_json
from watchkeeper.store.record import Decision, Run

MAX_BYTES: Final = 256 * 2**20
MAX_DECISIONS: Final = 1_000_000
VERSION: Final = 1
_CHUNK: Final = 2**20  # bytes that are encoded before they are written
_REST: Final = len(b'{"sum":"5d41402a",')  # where what is sealed begins


class JournalError(Exception):
    """The journal can not be used now. The text says why."""


class Corrupt(JournalError):
    """What the journal says is not what was written into it."""


class Torn(JournalError):
    """The journal's last line was not finished: what wrote it was killed while it did."""


class Journal:
    """The journal of the run that is under way. Safe to use from several threads.

    Decisions are appended in their order, read in their order by one reader, and forgotten when they are written.

    Args:
        path: the file, which is not there yet.
    """

    def __init__(
        self, path: Path, run: Run, *, max_bytes: int = MAX_BYTES, max_decisions: int = MAX_DECISIONS
    ) -> None:
        self.path = path
        self._run = run
        self._max_bytes = max_bytes
        self._max_decisions = max_decisions
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size = 0  # so much of the file is whole
        self._read_to = 0
        self._last = 0  # the newest decision in the file
        self._written = 0  # the newest decision in the database

    @property
    def decisions(self) -> int:
        """How many decisions wait in the file."""
        return max(0, self._last - self._written)

    def append(self, decisions: Sequence[Decision]) -> int:
        """Puts decisions on the disk. Returns the number of the last one that is there now: not all of them fit when
        the journal becomes full.

        Raises:
            JournalError: none of them is there; nothing has changed.
        """
        with self._lock:
            new = [decision for decision in decisions if decision.number > self._written]
            if not new:
                return self._written
            if new[0].number != max(self._last, self._written) + 1:
                raise ValueError(f"decision {new[0].number} does not follow those that are there")
            if self._size >= self._max_bytes or self.decisions >= self._max_decisions:
                raise JournalError(f"the journal {self.path} is full: {self.decisions} decisions, {self._size} bytes")
            try:
                self._append(new)
            except OSError as error:
                self._undo()
                raise JournalError(f"the journal {self.path} can not be written: {error.strerror}") from None
            return self._last

    def _append(self, decisions: Sequence[Decision]) -> None:
        size, last, waiting = self._size, self._last, self.decisions
        chunk = bytearray()
        made = self._file is None
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._read_to = 0
            chunk += _line({"journal": VERSION, "run": self._run.id, "started_ms": self._run.started_ms})
        for decision in decisions:
            if size + len(chunk) >= self._max_bytes or waiting >= self._max_decisions:
                break
            chunk += _line({"n": decision.number, "effects": [to_json(effect) for effect in decision.effects]})
            last, waiting = decision.number, waiting + 1
            if len(chunk) >= _CHUNK:
                size += _put(self._file, chunk, size)
                chunk.clear()
        size += _put(self._file, chunk, size)
        os.fsync(self._file)
        if made:
            _sync_folder(self.path)
        self._size, self._last = size, last

    def _undo(self) -> None:
        """What a failed append has left goes, so that nothing stands behind what is appended next."""
        if self._file is not None:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            if self._size == 0:
                self._remove()

    def read(self, most: int) -> list[Decision]:
        """The next decisions that are not written yet, in all with `most` effects or a few more. Each is read once.

        Raises:
            Corrupt: the file is not what was written into it.
        """
        with self._lock:
            if self._file is None:
                return []
            try:
                with open(os.dup(self._file), "rb") as file:
                    return self._read(file, most)
            except (OSError, Torn) as error:
                raise Corrupt(f"the journal {self.path} can not be read again: {error}") from None

    def _read(self, file: BinaryIO, most: int) -> list[Decision]:
        file.seek(self._read_to)
        found: list[Decision] = []
        effects = 0
        for line in lines(file):
            self._read_to += line.length
            if "journal" in line.payload:
                continue
            decision = decision_of(line)
            if decision.number > self._written:
                if decision.number != self._written + len(found) + 1:
                    raise Corrupt(f"the journal {self.path} has decision {decision.number} out of its order")
                found.append(decision)
                effects += len(decision.effects)
            if effects >= most or decision.number == self._last:
                return found
        raise Corrupt(f"the journal {self.path} ends before decision {self._last}")

    def note_written(self, number: int) -> None:
        """All decisions up to this one are in the database."""
        with self._lock:
            self._written = max(self._written, number)
            if self._file is not None and self._written >= self._last:
                self._remove()

    def _remove(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None
            self._size = 0


class Line(NamedTuple):
    """One line: its number from 1, what it says, and how long it is with its end."""

    number: int
    payload: dict[str, Any]
    length: int


def lines(file: BinaryIO) -> Iterator[Line]:
    """The lines of a journal, from where the file stands.

    Raises:
        Corrupt: a line is not as it was written.
        Torn: the last line has no end.
    """
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            raise Torn(f"line {number} ends after {len(line)} bytes")
        sealed = line[_REST:-1]
        if line[:_REST] != _seal(sealed):
            raise Corrupt(f"line {number} does not match its checksum")
        try:
            payload = json.loads(b"{" + sealed)
        except ValueError as error:
            raise Corrupt(f"line {number} is not JSON: {error}") from None
        yield Line(number, payload, len(line))


def run_of(line: Line) -> Run:
    """The run that a journal's first line names.

    Raises:
        Corrupt: it is no such line, or that of another version.
    """
    if line.payload.get("journal") != VERSION:
        raise Corrupt(f"it is not a journal of version {VERSION}, which this watchkeeper reads")
    try:
        return Run(int(line.payload["run"]), int(line.payload["started_ms"]))
    except (KeyError, TypeError, ValueError):
        raise Corrupt("its first line names no run") from None


def decision_of(line: Line) -> Decision:
    """The decision of any other line.

    Raises:
        Corrupt: this version has no such effects.
    """
    try:
        number, effects = line.payload["n"], line.payload["effects"]
        return Decision(int(number), tuple(from_json(effect) for effect in effects))
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt(f"line {line.number} holds no decision: {error}") from None


def _line(payload: dict[str, Any]) -> bytes:
    # In ASCII: a message may hold what is not UTF-8.
    sealed = json.dumps(payload, separators=(",", ":")).encode("ascii")[1:]
    return _seal(sealed) + sealed + b"\n"


def _seal(sealed: bytes) -> bytes:
    return b'{"sum":"%08x",' % crc32(sealed)


def _put(file: int, data: bytes | bytearray, at: int) -> int:
    """Writes all of it. How much that was."""
    rest = memoryview(data)
    while rest:
        done = os.pwrite(file, rest, at)
        at, rest = at + done, rest[done:]
    return len(data)


def _sync_folder(path: Path) -> None:
    """So that the file's name is on the disk as well."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
