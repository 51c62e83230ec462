"""Looks whether files are there, recent, large enough and whole: backups, dumps, exports."""

import os
import stat
from collections import OrderedDict
from collections.abc import Sequence
from heapq import nlargest
from statistics import median
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_size, utc
from watchkeeper.probers import _checksums, _file_archive
from watchkeeper.probers._file_matches import MAGIC, matches, printable
from watchkeeper.probers._file_options import FilesOptions
from watchkeeper.probers._file_retention import missing
from watchkeeper.probers._program import Work, not_well, on_one_line
from watchkeeper.probers._program_prober import ProgramProber
from watchkeeper.probers.base import Finding, ProberKind

FUTURE_MS: Final = 5 * 60_000  # how far clocks may be apart
_FEWEST: Final = 3  # files before the newest that a median is taken of
_WHOLE_MS: Final = 24 * 3_600_000  # for how long a file that was found whole is not read again
_MOST_WHOLE: Final = 1000  # files that are known to be whole
_SHOWN: Final = 5  # missing copies that are named
_THREADS: Final = 4


class _File(NamedTuple):
    """A file, in the order of time. `at_ns`: when it was written, or what its name says."""

    at_ns: int
    path: str
    size: int
    written_ns: int

    @property
    def at_ms(self) -> int:
        return self.at_ns // 1_000_000


class _Whole:
    """What was found whole, by file and its last change, so that it is not read at every look."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], tuple[int, dict[str, float]]] = OrderedDict()

    def values(self, file: _File, options: FilesOptions, work: Work, now_ms: int) -> dict[str, float]:
        """What reading it gave.

        Raises:
            Concluded: it is not whole.
            OSError: it can not be read.
        """
        key = (file, options.checksum, options.readable, options.read_at_most)
        known = self._known.get(key)
        if known is not None and 0 <= now_ms - known[0] < _WHOLE_MS:
            return known[1]
        values = _read(file, options, work)
        self._known[key] = now_ms, values
        while len(self._known) > _MOST_WHOLE:
            self._known.popitem(last=False)
        return values


def make(clock: Clock) -> ProgramProber:
    """The prober. Ages are counted by the same clock as everything else."""
    whole = _Whole()

    def measure(probe: Probe, work: Work) -> Finding:
        return _look(probe.options, whole, work, clock())

    return ProgramProber(clock, measure, _THREADS, _late)


def _late(probe: Probe, doing: str) -> Finding:
    """A disk that hangs says nothing of what is on it."""
    within = format_duration_ms(probe.timeout_ms)
    return Finding(Status.UNKNOWN, f"{doing} took more than {within}" if doing else f"gave no answer within {within}")


def _look(options: FilesOptions, whole: _Whole, work: Work, now_ms: int) -> Finding:
    """What there is to say of the files.

    Raises:
        Concluded: something is not as expected.
        OSError: a folder or file is there but cannot be looked at.
    """
    found = _files(options, work)
    if not found:
        wrong = "no file matches" if MAGIC.search(options.path) else "there is no file"
        return Finding(Status.DOWN, f"{wrong} {options.path}", {"count": 0, "total_size_bytes": 0})
    newest = max(found)
    name, age_ms = printable(os.path.basename(newest.path)), now_ms - newest.at_ms
    values: dict[str, float] = {
        "count": len(found),
        "total_size_bytes": sum(file.size for file in found),
        "newest_size_bytes": newest.size,
        "newest_age_seconds": age_ms / 1000,
    }
    try:
        facts: dict[str, Fact] = {"newest": name, "last_backup": utc(newest.at_ms)}
    except (ValueError, OverflowError, OSError):  # some filesystems keep years beyond 9999
        return Finding(Status.UNKNOWN, f"the time of {name} is none that a calendar has", {}, {"newest": name})
    _add_median(values, options, found)
    gaps = missing(options.retention, _known_times(found), now_ms, ZoneInfo(options.name_zone))
    if options.retention.daily or options.retention.weekly or options.retention.monthly:
        values["missing_copies"] = len(gaps)
    wrong_with = _wrong(options, values, name, gaps)
    if wrong_with is not None:
        raise not_well(wrong_with, values, facts)
    if options.checksum is not None or options.readable:
        try:
            values |= whole.values(newest, options, work, now_ms)
        except _NotWhole as error:
            raise not_well(f"the newest file, {name}, {error}", values, facts) from None
    size, age = format_size(newest.size), format_elapsed_ms(age_ms)
    files = "1 file" if len(found) == 1 else f"{len(found)} files"
    read = ", and it is whole" if options.checksum is not None or options.readable else ""
    return Finding(Status.UP, f"{files}, the newest is {name} with {size}, {age} old{read}", values, facts)


def _files(options: FilesOptions, work: Work) -> list[_File]:
    found = []
    for path in matches(options.path):
        work.go_on()
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # gone since, or a link to nowhere
        if not stat.S_ISREG(status.st_mode):
            continue
        at_ns = status.st_mtime_ns
        if options.name_time is not None:
            at_ms = options.time_in(os.path.basename(path))
            if at_ms is None:
                continue
            at_ns = at_ms * 1_000_000
        found.append(_File(at_ns, path, status.st_size, status.st_mtime_ns))
    return found


def _add_median(values: dict[str, float], options: FilesOptions, found: Sequence[_File]) -> None:
    before = nlargest(options.median_of + 1, found)[1:]
    if len(before) >= _FEWEST:
        usual = values["median_size_bytes"] = median(file.size for file in before)
        if usual:
            values["of_median_percentage"] = 100 * values["newest_size_bytes"] / usual


def _known_times(found: Sequence[_File]) -> list[int]:
    """The times of the files that a calendar has."""
    return [file.at_ms for file in found if 0 <= file.at_ms < 253_000_000_000_000]


def _wrong(options: FilesOptions, values: dict[str, float], name: str, gaps: Sequence[str]) -> str | None:
    """What is not as expected."""
    count, size, age_ms = int(values["count"]), values["newest_size_bytes"], values["newest_age_seconds"] * 1000
    if count < options.min_count:
        files = "1 file matches" if count == 1 else f"{count} files match"
        return f"{files} {options.path}, expected at least {options.min_count}"
    if options.newest_within is not None and age_ms < -FUTURE_MS:
        ahead = format_elapsed_ms(-age_ms)
        return f"the newest file, {name}, is dated {ahead} in the future: its clock or this machine's is wrong"
    if options.newest_within is not None and age_ms > options.newest_within:
        within = format_duration_ms(options.newest_within)
        return f"the newest file, {name}, is {format_elapsed_ms(age_ms)} old, expected within {within}"
    if options.min_size is not None and size < options.min_size:
        least = format_size(options.min_size)
        return f"the newest file, {name}, has only {format_size(size)}, expected at least {least}"
    percent = values.get("of_median_percentage")
    if options.min_of_median is not None and percent is not None and percent * 10_000 < options.min_of_median:
        usual = f"{percent:.0f}% of the usual {format_size(values['median_size_bytes'])}"
        return f"the newest file, {name}, has only {format_size(size)}, {usual}"
    if gaps:
        more = f" and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else ""
        return f"copies are missing: of {', '.join(gaps[:_SHOWN])}{more}"
    return None


class _NotWhole(Exception):
    """What is wrong with a file, as the end of a sentence."""


def _read(file: _File, options: FilesOptions, work: Work) -> dict[str, float]:
    """Checks the file's checksum and reads it to its end.

    Raises:
        _NotWhole: it is not as it should be.
    """
    values: dict[str, float] = {}
    if options.checksum is not None:
        work.doing = "checking the checksum of the newest file"
        _check(file, options.checksum, work)
    if options.readable:
        work.doing = "reading the newest file"
        try:
            contents = _file_archive.read_through(file.path, options.read_at_most, work)
        except _file_archive.Damaged as error:
            raise _NotWhole(f"can not be read to its end: {on_one_line(str(error))}") from None
        if contents is None:
            raise _NotWhole("is no archive that is known: accepted are tar, zip, gzip, bzip2, xz and zstd")
        values["archive_bytes"] = contents.read_bytes
        if contents.files is not None:
            values["archive_files"] = contents.files
            if not contents.files and contents.whole:
                raise _NotWhole("is an archive without a file")
    return values


def _check(file: _File, checksum: str, work: Work) -> None:
    folder, name = os.path.split(file.path)
    beside = checksum.replace("{name}", name)
    try:
        entries = _checksums.read(os.path.join(folder, beside))
    except FileNotFoundError:
        raise _NotWhole(f"has no checksum: there is no {printable(beside)} beside it") from None
    except ValueError as error:
        raise _NotWhole(f"has a checksum that can not be read: in {printable(beside)}, {error}") from None
    for entry in entries:
        if os.path.basename(entry.name) == name:
            if not _checksums.matches(file.path, entry, lambda _: work.go_on()):
                raise _NotWhole(f"is not what it was: its {entry.algorithm} differs from that in {printable(beside)}")
            return
    raise _NotWhole(f"has no checksum in {printable(beside)}")


KIND = ProberKind(
    name="files",
    summary="Looks whether files are there, recent, large enough and whole.",
    category=Category.BACKUP,
    options=FilesOptions,
    make=make,
    values={
        "count": "how many files match",
        "total_size_bytes": "bytes of all of them together",
        "newest_size_bytes": "bytes of the newest; absent when there is none",
        "newest_age_seconds": "seconds since the newest was written; absent when there is none",
        "median_size_bytes": "the median of the sizes of `median_of` files before the newest; absent for less than 3",
        "of_median_percentage": "newest_size_bytes in percent of that",
        "missing_copies": "days, weeks and months of `retention` without a copy; absent without retention",
        "archive_bytes": "bytes that came out of the newest file; absent without `readable`",
        "archive_files": "files in it; absent where it is a single packed file",
    },
    facts={
        "newest": (FactType.TEXT, "the name of the newest file; absent when there is none"),
        "last_backup": (FactType.TIME, "when the newest file was written; absent when there is none"),
    },
)
