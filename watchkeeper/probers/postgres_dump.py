"""Looks whether the newest PostgreSQL dump is complete, without restoring it."""

import os
from collections import OrderedDict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from pydantic import Field

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_size, utc
from watchkeeper.probers._dump_contents import Dump, read
from watchkeeper.probers._file_matches import newest_of, printable
from watchkeeper.probers._program import Concluded, Work, not_well, on_one_line
from watchkeeper.probers._program_prober import ProgramProber
from watchkeeper.probers.base import Finding, ProberKind
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath, PositiveDurationMs, SizeBytes

FUTURE_MS: Final = 5 * 60_000  # how far clocks may be apart
_KNOWN_MS: Final = 24 * 3_600_000  # for how long a dump that was found complete is not read again
_MOST_KNOWN: Final = 1000
_SHOWN: Final = 5  # missing tables that are named


class PostgresDumpOptions(Model):
    """A look at the newest dump of a PostgreSQL database."""

    path: LocalPath
    """A dump, or a glob such as `/backup/orders-*.dump`. It may be of any format of `pg_dump`, a folder included, or
    of `pg_dumpall`; SQL may be packed by gzip, bzip2, xz or zstd."""
    newest_within: PositiveDurationMs | None = None
    """How long ago it may have been written."""
    min_size: SizeBytes | None = None
    """How large it must be."""
    tables: tuple[str, ...] = ()
    """Tables whose data must be in it, such as `public.orders` or a glob such as `sales.*`. Without a schema, it is
    public."""
    min_tables: int = Field(default=1, ge=0)
    """How many tables there must be with data."""
    read_data: bool = True
    """Whether the data of an archive is read, too, and not only its table of contents, which stands at its beginning.
    SQL always is. A dump that was found complete is read again after a day."""
    programs: LocalPath | None = None
    """The folder of `pg_restore`, which must be as new as the `pg_dump` that wrote it; else that of the PATH."""


class _Known:
    """What was found complete, by file and its last change."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], tuple[int, Dump]] = OrderedDict()

    def contents(self, path: str, options: PostgresDumpOptions, work: Work, now_ms: int) -> Dump:
        status = os.stat(path)
        key = (path, status.st_mtime_ns, status.st_size, options.read_data, options.programs)
        known = self._known.get(key)
        if known is not None and 0 <= now_ms - known[0] < _KNOWN_MS:
            return known[1]
        found = read(path, options.programs or "", work, to_its_end=options.read_data)
        self._known[key] = now_ms, found
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return found


def make(clock: Clock) -> ProgramProber:
    """The prober. Ages are counted by the same clock as everything else."""
    known = _Known()

    def measure(probe: Probe, work: Work) -> Finding:
        return _look(probe.options, known, work, clock())

    return ProgramProber(clock, measure, late=_late)


def _late(probe: Probe, doing: str) -> Finding:
    """A disk that hangs, or a dump that is large, says nothing of what is in it."""
    within = format_duration_ms(probe.timeout_ms)
    return Finding(Status.UNKNOWN, f"{doing or 'looking for the newest dump'} took more than {within}")


def _look(options: PostgresDumpOptions, known: _Known, work: Work, now_ms: int) -> Finding:
    newest = newest_of(options.path, folders=True)
    if newest is None:
        raise not_well(f"there is no dump {options.path}")
    path, at_ms = newest
    name, age_ms, size = printable(os.path.basename(path)), now_ms - at_ms, _size(path, work)
    values: dict[str, float] = {"newest_size_bytes": size, "newest_age_seconds": age_ms / 1000}
    facts: dict[str, Fact] = {"newest": name, "last_backup": utc(at_ms)}
    if options.newest_within is not None and age_ms < -FUTURE_MS:
        ahead = format_elapsed_ms(-age_ms)
        raise not_well(f"the newest dump, {name}, is dated {ahead} in the future: some clock is wrong", values, facts)
    if options.newest_within is not None and age_ms > options.newest_within:
        old, within = format_elapsed_ms(age_ms), format_duration_ms(options.newest_within)
        raise not_well(f"the newest dump, {name}, is {old} old, expected within {within}", values, facts)
    if options.min_size is not None and size < options.min_size:
        least = format_size(options.min_size)
        raise not_well(
            f"the newest dump, {name}, has only {format_size(size)}, expected at least {least}", values, facts
        )
    try:
        dump = known.contents(path, options, work, now_ms)
    except Concluded as concluded:
        if concluded.finding.status is not Status.DOWN:
            raise
        raise not_well(f"the newest dump, {name}, {concluded}", values, facts) from None
    values |= {"tables": len(dump.tables), "tables_with_data": len(dump.with_data)}
    facts |= {"format": dump.form, "database": on_one_line(dump.database), "version": on_one_line(dump.version)}
    missing = [table for table in options.tables if not _is_in(table, dump.with_data)]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        text = f"the newest dump, {name}, has no data of {', '.join(missing[:_SHOWN])}{more}"
        raise not_well(text, values, facts)
    if len(dump.with_data) < options.min_tables:
        have = f"data of {len(dump.with_data)} tables, expected at least {options.min_tables}"
        raise not_well(f"the newest dump, {name}, has {have}", values, facts)
    text = f"{name} is complete: {len(dump.with_data)} tables with data, {format_size(size)}"
    return Finding(Status.UP, f"{text}, {format_elapsed_ms(age_ms)} old", values, facts)


def _is_in(wanted: str, tables: Iterable[str]) -> bool:
    full = wanted if "." in wanted else f"public.{wanted}"
    return any(fnmatchcase(table, full) for table in tables)


def _size(path: str, work: Work) -> int:
    """Bytes of a file, or of a folder's files, as pg_dump makes one."""
    if not os.path.isdir(path):
        return os.stat(path).st_size
    total = 0
    with os.scandir(path) as entries:
        for entry in entries:
            work.go_on()
            total += entry.stat().st_size
    return total


KIND = ProberKind(
    name="postgres_dump",
    summary="Looks whether the newest PostgreSQL dump is complete, without restoring it.",
    category=Category.BACKUP,
    options=PostgresDumpOptions,
    make=make,
    values={
        "newest_age_seconds": "seconds since the newest was written; absent when there is none",
        "newest_size_bytes": "its bytes",
        "tables": "tables in it; absent when it can not be read",
        "tables_with_data": "tables of them whose data is in it, empty ones included",
    },
    facts={
        "newest": (FactType.TEXT, "the name of the newest dump; absent when there is none"),
        "last_backup": (FactType.TIME, "when it was written"),
        "format": (FactType.TEXT, "custom, tar, directory, sql, or sql.gz and the like"),
        "database": (FactType.TEXT, "the database that it is of; empty where the dump does not say"),
        "version": (FactType.TEXT, "the version of PostgreSQL that it is of"),
    },
)
