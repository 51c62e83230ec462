"""The samples of probes as files tell them: lines of a time, a status, numbers. Read line by line."""

import csv
import heapq
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from math import inf, isinf, isnan, nan
from operator import attrgetter
from pathlib import Path
from typing import Final

from watchkeeper.domain.past import Slice
from watchkeeper.domain.probe import NOTHING, Sample, Status
from watchkeeper.domain.window import DURATION

MOST_PROBLEMS: Final = 20
TIMES: Final = "an ISO 8601 time such as 2026-11-24T12:00:00Z, or seconds or milliseconds since the epoch"
STATUSES: Final = "up, down or unknown (1 and 0 are up and down)"
_SAMPLES_AT_ONCE: Final = 20_000
_LONGEST_LINE: Final = 1 << 20  # characters; what is longer is no line of CSV, and may have no end
_MILLISECONDS: Final = 100_000_000_000  # as seconds, this is the year 5138
_LATEST_MS: Final = 253_402_300_800_000  # the year 10000
_WORDS: Final = {
    "up": Status.UP, "1": Status.UP, "true": Status.UP,
    "down": Status.DOWN, "0": Status.DOWN, "false": Status.DOWN,
    "unknown": Status.UNKNOWN,
}  # fmt: skip
_TIME_NAMES: Final = ("timestamp", "time")
_STATUS_NAMES: Final = ("status", "up")
_MESSAGE: Final = "message"

_at = attrgetter("at_ms")


class CsvError(Exception):
    """Files that can not be used. `problems` are lines of `FILE:LINE: what is wrong, what is accepted`."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file with the samples of one probe.

    Args:
        value: what the second column is where no header says so, and a column `value`: a value, or `duration`.
            `None`: there is no such column.
        values: the names of the values that the probe's prober produces.
    """

    probe_id: str
    path: Path
    value: str | None
    values: tuple[str, ...]


class CsvHistory:
    """The samples of some files.

    Attributes:
        problems: what is wrong with their lines, the first so many.
        first_ms, last_ms: when the first and the last sample so far were.
    """

    def __init__(self, files: Sequence[CsvFile]) -> None:
        self._files = [_File(file, self._note) for file in files]
        self.problems: list[str] = []
        self.first_ms: int | None = None
        self.last_ms: int | None = None

    def slices(self, from_ms: int | None, to_ms: int | None) -> Iterator[Slice]:
        """The samples in [from, to). Once.

        Raises:
            CsvError: a file can not be read, or some of its lines: after all that could be.
        """
        merged = heapq.merge(*(file.samples() for file in self._files), key=_at)
        while some := list(islice(merged, _SAMPLES_AT_ONCE)):
            if self.first_ms is None:
                self.first_ms = some[0].at_ms
            self.last_ms = some[-1].at_ms
            within = [
                sample
                for sample in some
                if (from_ms is None or from_ms <= sample.at_ms) and (to_ms is None or sample.at_ms < to_ms)
            ]
            yield Slice(some[-1].at_ms, within)
        if self.problems:
            raise CsvError(self.problems)

    def share(self) -> float:
        """How much of it was read, 0 to 1."""
        size = sum(file.size for file in self._files)
        return sum(file.done for file in self._files) / size if size else 1.0

    def _note(self, problem: str) -> None:
        if len(self.problems) == MOST_PROBLEMS:
            raise CsvError([*self.problems, f"and more: these are the first {MOST_PROBLEMS}"])
        self.problems.append(problem)


Cells = Sequence[str]


class _File:
    """Reads one file. Its header, if it has one, says which column is what."""

    def __init__(self, file: CsvFile, note: Callable[[str], None]) -> None:
        self._file = file
        self._note = note
        self._time = 0
        self._status: int | None = None
        self._duration: int | None = None
        self._message: int | None = None
        self._values: list[tuple[int, str]] = []
        self._width = 2
        self._last_ms = -1
        self.size = 0
        self.done = 0

    def samples(self) -> Iterator[Sample]:
        try:
            with self._file.path.open("rb") as file:
                self.size = os.fstat(file.fileno()).st_size if file.seekable() else 0
                text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
                lines = iter(lambda: text.readline(_LONGEST_LINE), "")
                for count, sample in enumerate(self._read(lines)):
                    if self.size and count % 1000 == 0:
                        self.done = file.tell()
                    yield sample
        except OSError as error:
            raise CsvError([f"{self._file.path}: can not be read: {error.strerror}"]) from None

    def _read(self, text: Iterable[str]) -> Iterator[Sample]:
        lines = csv.reader(text)
        while True:
            try:
                cells = next(lines, None)
            except csv.Error as error:
                self._wrong(lines.line_num, f"is no line of CSV: {error}")
                continue
            if cells is None:
                return
            if not cells:
                continue
            if self._last_ms < 0:
                self._last_ms = 0
                if self._begin(lines.line_num, cells):
                    continue
            if (sample := self._sample(lines.line_num, cells)) is not None:
                yield sample

    def _begin(self, line: int, cells: Cells) -> bool:
        """Looks at the first line. Whether it is a header."""
        try:
            _time_ms(cells[0])
        except ValueError:
            if not _is_header(cells):
                return False
            self._take_header(line, [cell.strip() for cell in cells])
            return True
        if self._file.value is None:
            self._refuse(
                line, f"which value is the second column? Accepted: {', '.join(self._file.values) or 'none'}"
            )
        else:
            self._take_number(1, self._file.value)
        return False

    def _take_number(self, place: int, name: str) -> None:
        if name == DURATION:
            self._duration = place
        else:
            self._values.append((place, name))

    def _take_header(self, line: int, names: Cells) -> None:
        time = next((names.index(name) for name in _TIME_NAMES if name in names), None)
        if time is None:
            self._refuse(line, f"the header names no column of times; accepted is {' or '.join(_TIME_NAMES)}")
            return
        self._time, self._width = time, len(names)
        for place, name in enumerate(names):
            if place == time:
                continue
            if names.index(name) != place:
                self._refuse(line, f"the column {name!r} is there twice")
            elif name in _STATUS_NAMES:
                self._status = place
            elif name == _MESSAGE:
                self._message = place
            elif name == "value" and self._file.value is not None:
                self._take_number(place, self._file.value)
            elif name == DURATION or name in self._file.values:
                self._take_number(place, name)
            else:
                known = [*_TIME_NAMES, *_STATUS_NAMES, DURATION, _MESSAGE, *self._file.values]
                close = get_close_matches(name, known, n=1)
                hint = f" (did you mean {close[0]!r}?)" if close else ""
                self._refuse(line, f"{self._file.probe_id} has no {name!r}{hint}; accepted: {', '.join(known)}")

    def _sample(self, line: int, cells: Cells) -> Sample | None:
        if len(cells) != self._width:
            what = "time,value" if self._width == 2 else "as the header says"
            self._wrong(line, f"has {len(cells)} columns, accepted are {self._width} ({what})")
            return None
        try:
            at_ms = self._next_ms(cells[self._time])
            status = Status.UP if self._status is None else _status(cells[self._status])
            duration = nan if self._duration is None else _number(cells[self._duration], DURATION)
            numbers = {name: _number(cells[place], name) for place, name in self._values}
            values = {name: number for name, number in numbers.items() if not isnan(number)}
        except ValueError as error:
            self._wrong(line, str(error))
            return None
        self._last_ms = at_ms
        message = "" if self._message is None else cells[self._message]
        return Sample(self._file.probe_id, at_ms, status, duration, values or NOTHING, NOTHING, message)

    def _next_ms(self, text: str) -> int:
        at_ms = _time_ms(text)
        if at_ms < self._last_ms:
            raise ValueError("is before the line above it; accepted are lines in the order of their times")
        return at_ms

    def _wrong(self, line: int, message: str) -> None:
        self._note(f"{self._file.path}:{line}: {message}")

    def _refuse(self, line: int, message: str) -> None:
        """Ends the reading of a file of which nothing can be understood."""
        raise CsvError([f"{self._file.path}:{line}: {message}"])


def _is_header(cells: Cells) -> bool:
    names = {cell.strip() for cell in cells}
    return not names.isdisjoint((*_TIME_NAMES, *_STATUS_NAMES, DURATION, "value"))


def _time_ms(text: str) -> int:
    text = text.strip()
    try:
        at = datetime.fromisoformat(text) if "-" in text[1:] else None
        if at is not None:
            return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)
        number = float(text)
        at_ms = round(number if number >= _MILLISECONDS else number * 1000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is no time; accepted is {TIMES}") from None
    if not 0 <= at_ms < _LATEST_MS:
        raise ValueError(f"{text[:40]!r} is no time; accepted is {TIMES}")
    return at_ms


def _status(text: str) -> Status:
    status = _WORDS.get(text) or _WORDS.get(text.strip().lower())
    if status is None:
        raise ValueError(f"{text[:40]!r} is no status; accepted is {STATUSES}")
    return status


def _number(text: str, name: str) -> float:
    """Not a number where there is none."""
    try:
        number = float(text) if text.strip() else nan
    except ValueError:
        number = inf
    if isinf(number):
        raise ValueError(f"{text[:40]!r} is no {name}; accepted is a number, or nothing")
    return number
