"""Looks whether a program runs on this machine, how often, and what it takes."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil
from pydantic import Field, field_validator, model_validator

from watchkeeper.domain.probe import Category, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_elapsed_ms, format_size
from watchkeeper.probers._between import Counters, LastReadings
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath

_LONGEST_PID_FILE = 64  # bytes


class ProcessOptions(Model):
    """A look at processes. Those count that fit all of `name`, `command`, `user` and `pid_file` that are set."""

    name: str | None = Field(default=None, min_length=1)
    """The program's name, as `ps -e` shows it."""
    command: str | None = Field(default=None, min_length=1, max_length=1000)
    """A regular expression that is found in the command line, its words joined by spaces."""
    pid_file: LocalPath | None = None
    """A file with the number of the process."""
    user: str | None = Field(default=None, min_length=1)
    """Whose processes count."""
    min_count: int = Field(default=1, ge=0)
    """How many there must be."""
    max_count: int | None = Field(default=None, ge=0)
    """How many there may be. With `min_count: 0` and `max_count: 0` it must not run."""

    @field_validator("command")
    @classmethod
    def _is_a_pattern(cls, command: str | None) -> str | None:
        try:
            re.compile(command or "")
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return command

    @model_validator(mode="after")
    def _says_what(self) -> "ProcessOptions":
        if self.name is None and self.command is None and self.pid_file is None:
            raise ValueError("one of name, command and pid_file is required")
        if self.max_count is not None and self.max_count < self.min_count:
            raise ValueError("max_count is less than min_count")
        return self

    @cached_property
    def pattern(self) -> "re.Pattern[str] | None":
        return None if self.command is None else re.compile(self.command)

    @property
    def whom(self) -> str:
        """What is looked for, for people."""
        what = self.name or (f"/{self.command}/" if self.command is not None else f"that {self.pid_file} names")
        return f"{what} of {self.user}" if self.user is not None else what


@dataclass(slots=True)
class _Found:
    """The processes that fit. `hidden`: how many could not be looked at well enough to tell."""

    processes: list[psutil.Process] = field(default_factory=list)
    hidden: int = 0


@dataclass(slots=True)
class _Usage:
    """What processes take, all of them together. Descriptors are `None` where one may not be asked for them."""

    cpu_s: dict[tuple[int, float], float] = field(default_factory=dict)
    rss: int = 0
    threads: int = 0
    descriptors: int | None = 0
    descriptors_percent: float | None = None
    born_s: list[float] = field(default_factory=list)

    def add(self, process: psutil.Process) -> None:
        """Counts one.

        Raises:
            psutil.Error: it has ended, or hides.
        """
        with process.oneshot():
            times, born = process.cpu_times(), process.create_time()
            rss, threads = process.memory_info().rss, process.num_threads()
        self.cpu_s[process.pid, born] = times.user + times.system
        self.rss += rss
        self.threads += threads
        self.born_s.append(born)
        try:
            count, (most, _) = process.num_fds(), process.rlimit(psutil.RLIMIT_NOFILE)
        except (psutil.AccessDenied, PermissionError):
            self.descriptors = None
            return
        if self.descriptors is not None:
            self.descriptors += count
        if most > 0:
            self.descriptors_percent = max(self.descriptors_percent or 0.0, min(100.0, 100 * count / most))


class _CannotTell(Exception):
    """Watchkeeper's own fault. The text says what."""


class _NotThere(Exception):
    """The process that a file names is not there. The text says what is."""


def make(clock: Clock, readings: Callable[[], LastReadings] = LastReadings) -> BlockingProber:
    """The prober. Ages are counted by the same clock as everything else."""
    last = readings()

    def measure(probe: Probe) -> Finding:
        options: ProcessOptions = probe.options
        missing = ""
        found = _Found()
        try:
            found = _find(options)
        except _NotThere as error:
            missing = str(error)
        except _CannotTell as error:
            return Finding(Status.UNKNOWN, str(error))
        return _judge(options, found.hidden, missing, _values(probe, found.processes))

    def _values(probe: Probe, processes: list[psutil.Process]) -> dict[str, float]:
        usage = _Usage()

        def read() -> Counters:
            nonlocal usage
            usage = _usage(processes)
            return usage.cpu_s

        growth = last.growth(probe, read) if processes else None
        values: dict[str, float] = {"count": len(usage.born_s)}
        if growth is not None and usage.born_s:
            values |= {**_taken(usage, clock()), "busy_cpus": sum(growth.by.values()) / growth.seconds}
        return values

    return BlockingProber(clock, measure)


def _find(options: ProcessOptions) -> _Found:
    """The processes that fit.

    Raises:
        _CannotTell, _NotThere: from the file with the number.
        OSError: that file cannot be read, or /proc.
    """
    found = _Found()
    for pid in _numbers(options):
        try:
            process = psutil.Process(pid)
            if _fits(options, process):
                found.processes.append(process)
        except psutil.AccessDenied:
            found.hidden += 1
        except psutil.NoSuchProcess:
            continue
    if not os.path.exists(f"{psutil.PROCFS_PATH}/1"):  # it is always there, and somebody else's
        found.hidden += 1
    if options.pid_file is not None and not found.processes and not found.hidden:
        raise _NotThere(f"the process of {options.pid_file} has ended, or is another program")
    return found


def _numbers(options: ProcessOptions) -> Iterator[int]:
    if options.pid_file is None:
        yield from psutil.pids()
        return
    try:
        with Path(options.pid_file).open("rb") as file:
            text = file.read(_LONGEST_PID_FILE)
    except (FileNotFoundError, NotADirectoryError):
        raise _NotThere(f"there is no file {options.pid_file}") from None
    number = text.split(maxsplit=1)[0] if text.strip() else b""
    if not number.isdigit() or not 0 < int(number) < 2**31:
        raise _CannotTell(f"{options.pid_file} does not begin with the number of a process")
    yield int(number)


def _fits(options: ProcessOptions, process: psutil.Process) -> bool:
    if options.name is not None and process.name() != options.name:
        return False
    if options.pattern is not None and not options.pattern.search(" ".join(process.cmdline())):
        return False
    if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
        return False
    return options.user is None or process.username() == options.user


def _usage(processes: list[psutil.Process]) -> _Usage:
    usage = _Usage()
    for process in processes:
        with suppress(psutil.Error):  # it has ended meanwhile
            usage.add(process)
    return usage


def _taken(usage: _Usage, now_ms: int) -> dict[str, float]:
    ages = [max(0.0, now_ms / 1000 - born) for born in usage.born_s]
    values: dict[str, float] = {
        "rss_bytes": usage.rss,
        "threads": usage.threads,
        "oldest_age_seconds": max(ages),
        "youngest_age_seconds": min(ages),
    }
    if usage.descriptors is not None:
        values["descriptors"] = usage.descriptors
        if usage.descriptors_percent is not None:
            values["descriptors_used_percent"] = usage.descriptors_percent
    return values


def _judge(options: ProcessOptions, hidden: int, missing: str, values: dict[str, float]) -> Finding:
    count = int(values["count"])
    runs = f"{count} process{'es' if count != 1 else ''} {options.whom}"
    if options.max_count is not None and count > options.max_count:
        return Finding(Status.DOWN, f"{runs}, expected at most {options.max_count}", values)
    if hidden and (count < options.min_count or options.max_count is not None):
        why = "/proc hides the processes of other users: ProtectProc=default in watchkeeper's unit, or no hidepid"
        return Finding(Status.UNKNOWN, f"could not look at all processes: {why}", values)
    if count < options.min_count:
        text = missing or (
            f"{runs}, expected at least {options.min_count}" if count else f"no process {options.whom}"
        )
        return Finding(Status.DOWN, text, values)
    if not count:
        return Finding(Status.UP, f"no process {options.whom}", values)
    age = format_elapsed_ms(values["oldest_age_seconds"] * 1000)
    return Finding(Status.UP, f"{runs}, with {format_size(values['rss_bytes'])}, the oldest runs for {age}", values)


KIND = ProberKind(
    name="process",
    summary="Looks whether a program runs on this machine, how often, and what it takes.",
    category=Category.HEALTH,
    options=ProcessOptions,
    make=make,
    values={
        "count": "how many processes fit; the other values are absent when there is none",
        "busy_cpus": "how many CPUs they keep busy, all together, mean since the last run: 0.5 is half of one",
        "rss_bytes": "bytes of memory that they have, all together; what they share counts for each",
        "threads": "their threads, all together",
        "descriptors": (
            "their open file descriptors, all together; absent where watchkeeper is neither their user nor root"
        ),
        "descriptors_used_percent": (
            "of the process that is nearest to its limit of file descriptors, how many it has open, in percent; "
            "absent just so"
        ),
        "oldest_age_seconds": "seconds since the first of them was started",
        "youngest_age_seconds": "seconds since the last of them was started",
    },
)
