"""Looks whether files are there, recent and large enough: backups, dumps, exports."""

import os
import stat
from dataclasses import dataclass
from typing import Final

from pydantic import Field, field_validator

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_size, utc
from watchkeeper.probers._file_matches import MAGIC, matches, printable
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath, PositiveDurationMs, SizeBytes

FUTURE_MS: Final = 5 * 60_000  # how far clocks may be apart


class FilesOptions(Model):
    """A look at a file, or at all files that match a glob."""

    path: LocalPath
    """A file, or a glob such as `/backup/*.dump`. A `*` stands for anything within one name, but for a dot at its
    beginning. Folders and everything else that is no file do not count."""
    newest_within: PositiveDurationMs | None = None
    """How long ago the newest file may have been written. One that is dated more than five minutes ahead is not
    recent: some clock is wrong."""
    min_size: SizeBytes | None = None
    """How large the newest file must be."""
    min_count: int = Field(default=1, ge=1)
    """How many files there must be."""

    @field_validator("path")
    @classmethod
    def _is_one_level_each(cls, path: str) -> str:
        if "**" in path.split("/"):
            raise ValueError("** is not accepted: write one * for each level of folders")
        return path


@dataclass(slots=True)
class _Found:
    """What was found, of all files and of the newest."""

    count: int = 0
    total_bytes: int = 0
    newest: tuple[int, str] = (0, "")  # ns since the epoch, path
    newest_bytes: int = 0

    def add(self, path: str, status: os.stat_result) -> None:
        self.count += 1
        self.total_bytes += status.st_size
        if self.count == 1 or (status.st_mtime_ns, path) > self.newest:
            self.newest = status.st_mtime_ns, path
            self.newest_bytes = status.st_size


def make(clock: Clock) -> BlockingProber:
    """The prober. Ages are counted by the same clock as everything else."""

    def measure(probe: Probe) -> Finding:
        return _look(probe.options, clock())

    return BlockingProber(clock, measure)


def _look(options: FilesOptions, now_ms: int) -> Finding:
    """What there is to say of the files.

    Raises:
        OSError: a folder or file is there but cannot be looked at.
    """
    found = _Found()
    for path in matches(options.path):
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # gone since, or a link to nowhere
        if stat.S_ISREG(status.st_mode):
            found.add(path, status)
    if not found.count:
        wrong = "no file matches" if MAGIC.search(options.path) else "there is no file"
        return Finding(Status.DOWN, f"{wrong} {options.path}", {"count": 0, "total_size_bytes": 0})
    return _judge(options, found, now_ms)


def _judge(options: FilesOptions, found: _Found, now_ms: int) -> Finding:
    written_ms, name = found.newest[0] // 1_000_000, printable(os.path.basename(found.newest[1]))
    age_ms = now_ms - written_ms
    values: dict[str, float] = {
        "count": found.count,
        "total_size_bytes": found.total_bytes,
        "newest_size_bytes": found.newest_bytes,
        "newest_age_seconds": age_ms / 1000,
    }
    try:
        facts: dict[str, Fact] = {"newest": name, "last_backup": utc(written_ms)}
    except (ValueError, OverflowError, OSError):  # some filesystems keep years beyond 9999
        return Finding(Status.UNKNOWN, f"the time of {name} is none that a calendar has", {}, {"newest": name})
    wrong = _wrong(options, found, name, age_ms)
    if wrong is not None:
        return Finding(Status.DOWN, wrong, values, facts)
    size, age = format_size(found.newest_bytes), format_elapsed_ms(age_ms)
    files = "1 file" if found.count == 1 else f"{found.count} files"
    return Finding(Status.UP, f"{files}, the newest is {name} with {size}, {age} old", values, facts)


def _wrong(options: FilesOptions, found: _Found, name: str, age_ms: int) -> str | None:
    """What is not as expected."""
    if found.count < options.min_count:
        files = "1 file matches" if found.count == 1 else f"{found.count} files match"
        return f"{files} {options.path}, expected at least {options.min_count}"
    if options.newest_within is not None and age_ms < -FUTURE_MS:
        ahead = format_elapsed_ms(-age_ms)
        return f"the newest file, {name}, is dated {ahead} in the future: its clock or this machine's is wrong"
    if options.newest_within is not None and age_ms > options.newest_within:
        within = format_duration_ms(options.newest_within)
        return f"the newest file, {name}, is {format_elapsed_ms(age_ms)} old, expected within {within}"
    if options.min_size is not None and found.newest_bytes < options.min_size:
        least = format_size(options.min_size)
        return f"the newest file, {name}, has only {format_size(found.newest_bytes)}, expected at least {least}"
    return None


KIND = ProberKind(
    name="files",
    summary="Looks whether files are there, recent and large enough.",
    category=Category.BACKUP,
    options=FilesOptions,
    make=make,
    values={
        "count": "how many files match",
        "total_size_bytes": "bytes of all of them together",
        "newest_size_bytes": "bytes of the newest; absent when there is none",
        "newest_age_seconds": "seconds since the newest was written; absent when there is none",
    },
    facts={
        "newest": (FactType.TEXT, "the name of the newest file; absent when there is none"),
        "last_backup": (FactType.TIME, "when the newest file was written; absent when there is none"),
    },
)
