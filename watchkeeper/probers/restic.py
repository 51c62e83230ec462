"""Looks at the snapshots of a restic repository, or checks the repository."""

from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Final, Self

from pydantic import Field, model_validator

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_size, utc
from watchkeeper.probers._program import Work, cannot_tell, not_well, on_one_line
from watchkeeper.probers._program_prober import ProgramProber
from watchkeeper.probers._restic_repository import (
    NONSENSE,
    Lock,
    Restic,
    ResticRepository,
    Snapshot,
    matching,
    nonsense,
    opened,
)
from watchkeeper.probers._sizes import KnownSizes
from watchkeeper.probers.base import Finding, ProberKind
from watchkeeper.schema.fields import PositiveDurationMs, SizeBytes

FUTURE_MS: Final = 5 * 60_000  # how far clocks may be apart
_MOST_SIZES: Final = 10_000  # that are remembered: of a snapshot it never changes


class ResticOptions(ResticRepository):
    """A look at a restic repository."""

    hosts: tuple[str, ...] = ()
    """The hosts whose snapshots count. Each of them must have as many and as recent ones as expected. Without it, the
    snapshots of all hosts are taken together."""
    tags: tuple[str, ...] = ()
    """Only snapshots that have all of these tags count."""
    path: str | None = Field(default=None, min_length=1)
    """Only snapshots of this path count, as `restic backup` was given it."""
    newest_within: PositiveDurationMs | None = None
    """How long ago the newest snapshot may have been made. One that is dated more than five minutes ahead is not
    recent: some clock is wrong."""
    min_size: SizeBytes | None = None
    """How large the newest snapshot must be, in bytes of the files that would be restored."""
    min_count: int = Field(default=1, ge=1)
    """How many snapshots there must be."""
    stale_lock_after: PositiveDurationMs = 30 * 60_000
    """From which age on a lock is stale. A restic at work renews its lock each five minutes."""
    check: bool = False
    """Checks the repository with `restic check` instead of looking at its snapshots. It takes long: make it a probe
    of its own, with `cron` and a long `timeout`."""
    read_data: str | None = Field(default=None, pattern=r"^(100|[1-9]?[0-9](\.[0-9]+)?)%$|^[1-9][0-9]*/[1-9][0-9]*$")
    """Which part of the stored data a check reads, too: `5%`, taken at random, or `1/10`. Without it, none."""

    @model_validator(mode="after")
    def _looks_or_checks(self) -> Self:
        if not self.check and self.read_data is not None:
            raise ValueError("read_data belongs to a check: set check: true")
        of_snapshots = {"hosts", "tags", "path", "newest_within", "min_size", "min_count"} & self.model_fields_set
        if self.check and of_snapshots:
            raise ValueError(f"a check looks at no snapshots: take out {', '.join(sorted(of_snapshots))}")
        return self


def make(clock: Clock) -> ProgramProber:
    """The prober. Ages are counted by the same clock as everything else."""
    sizes = KnownSizes(_MOST_SIZES)

    def measure(probe: Probe, work: Work) -> Finding:
        options: ResticOptions = probe.options
        restic = opened(options, work)
        try:
            return _checked(restic, clock) if options.check else _looked(restic, sizes, options, clock)
        except NONSENSE as error:
            raise nonsense(error) from None

    return ProgramProber(clock, measure)


def _looked(restic: Restic, sizes: KnownSizes, options: ResticOptions, clock: Clock) -> Finding:
    """What there is to say of the snapshots. Of several hosts, of the one that is worst off."""
    found = matching(restic.snapshots(), options.hosts, options.tags, options.path)
    values, facts = _lock_values(restic.locks(), options, clock()), dict[str, Fact]()
    values["count"] = len(found)
    rows = {host: [one for one in found if one.hostname == host] for host in options.hosts} or {"": found}
    for host, row in rows.items():
        if not row:
            missing = " of " + host if host else (" that matches" if options.tags or options.path else "")
            raise not_well(f"there is no snapshot{missing}", values)
    host, row = min(rows.items(), key=lambda entry: entry[1][-1].time)
    newest = row[-1]
    age_ms = clock() - newest.at_ms
    values["newest_age_seconds"] = age_ms / 1000
    facts |= {
        "newest": newest.short_id,
        "last_backup": utc(newest.at_ms),
        "host": on_one_line(newest.hostname),
        "paths": on_one_line(" ".join(newest.paths or ())),
    }
    _add_sizes(values, restic, sizes, row)
    whose = f"the newest snapshot of {host}" if host else "the newest snapshot"
    _judge(options, rows, f"{whose}, {newest.short_id},", values, facts)
    snapshots = "1 snapshot" if len(found) == 1 else f"{len(found)} snapshots"
    text = f"{snapshots}, {whose} is {newest.short_id} with {format_size(values['newest_size_bytes'])}, "
    text += f"{format_elapsed_ms(age_ms)} old"
    if values["stale_locks"]:
        text += f"; a lock is {format_elapsed_ms(1000 * values['oldest_lock_seconds'])} old: restic unlock removes it"
    return Finding(Status.UP, text, values, facts)


def _judge(
    options: ResticOptions,
    rows: Mapping[str, Sequence[Snapshot]],
    newest: str,
    values: Mapping[str, float],
    facts: Mapping[str, Fact],
) -> None:
    """Raises `Concluded` where something is not as expected."""
    for host, row in rows.items():
        if len(row) < options.min_count:
            have = "1 snapshot" if len(row) == 1 else f"{len(row)} snapshots"
            whose = f" of {host}" if host else ""
            raise not_well(f"{have}{whose}, expected at least {options.min_count}", values, facts)
    age_ms, size = values["newest_age_seconds"] * 1000, values["newest_size_bytes"]
    if options.newest_within is not None and age_ms < -FUTURE_MS:
        ahead = format_elapsed_ms(-age_ms)
        raise not_well(f"{newest} is dated {ahead} in the future: some clock is wrong", values, facts)
    if options.newest_within is not None and age_ms > options.newest_within:
        within = format_duration_ms(options.newest_within)
        raise not_well(f"{newest} is {format_elapsed_ms(age_ms)} old, expected within {within}", values, facts)
    if options.min_size is not None and size < options.min_size:
        least = format_size(options.min_size)
        raise not_well(f"{newest} has only {format_size(size)}, expected at least {least}", values, facts)


def _add_sizes(values: dict[str, float], restic: Restic, sizes: KnownSizes, row: Sequence[Snapshot]) -> None:
    """The size of the newest, and how it differs from the one before of the same host and paths."""
    newest = row[-1]
    size = values["newest_size_bytes"] = sizes.of(newest.id, partial(restic.size_bytes, newest))
    earlier = [one for one in row[:-1] if (one.hostname, one.paths) == (newest.hostname, newest.paths)]
    if earlier:
        before = sizes.of(earlier[-1].id, partial(restic.size_bytes, earlier[-1]))
        values["growth_bytes"] = size - before
        if before:
            values["growth_percentage"] = 100 * (size - before) / before


def _lock_values(locks: Sequence[Lock], options: ResticOptions, now_ms: int) -> dict[str, float]:
    ages = [now_ms - lock.time.timestamp() * 1000 for lock in locks]
    stale = sum(age > options.stale_lock_after for age in ages)
    values: dict[str, float] = {"locks": len(locks), "stale_locks": stale}
    if ages:
        values["oldest_lock_seconds"] = max(ages) / 1000
    return values


def _checked(restic: Restic, clock: Clock) -> Finding:
    """What `restic check` says. Errors that it finds while someone writes may be none."""
    options = restic.options
    assert isinstance(options, ResticOptions)
    restic.work.doing = "checking the repository"
    began = monotonic()
    part = [f"--read-data-subset={options.read_data}"] if options.read_data else []
    ended = restic.run("check", *part)
    values: dict[str, float] = {"check_seconds": monotonic() - began}
    if ended.code == 0:
        read = f", {options.read_data} of its data read" if options.read_data else ""
        return Finding(Status.UP, f"the repository has no errors{read}", values)
    if b"contains errors" not in ended.errors:  # it did not come so far
        raise restic.wrong(ended)
    locks = restic.locks()
    values |= _lock_values(locks, options, clock())
    if values["locks"] > values["stale_locks"]:
        raise cannot_tell(
            "the check found errors, but something else is at work in the repository: check again later"
        )
    first = on_one_line(next(line for line in ended.errors.decode("utf-8", "replace").splitlines() if line.strip()))
    raise not_well(f"the repository is damaged: {first}", values)


KIND = ProberKind(
    name="restic",
    summary="Looks at the snapshots of a restic repository, or checks the repository.",
    category=Category.BACKUP,
    options=ResticOptions,
    make=make,
    values={
        "count": "how many snapshots match",
        "newest_age_seconds": "seconds since the newest was made; of several hosts, of the one that waits longest",
        "newest_size_bytes": "bytes of the files that it would restore",
        "growth_bytes": "bytes that it has more than the one before of the same host and paths; absent without one",
        "growth_percentage": "the same in percent of the one before",
        "locks": "locks that there are, at most 20; of a check only when it found errors",
        "stale_locks": "locks that are older than `stale_lock_after`",
        "oldest_lock_seconds": "age of the oldest lock; absent where there is none",
        "check_seconds": "how long the check took; of a check only",
    },
    facts={
        "newest": (FactType.TEXT, "the short id of the newest snapshot; absent when there is none"),
        "last_backup": (FactType.TIME, "when it was made"),
        "host": (FactType.TEXT, "the host that it is of"),
        "paths": (FactType.TEXT, "what it holds"),
    },
)
