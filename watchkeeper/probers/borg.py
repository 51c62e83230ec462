"""Looks at the archives of a borg repository, or checks the repository."""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from time import monotonic
from typing import Final, Self

from pydantic import Field, ValidationError, model_validator

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_size, utc
from watchkeeper.probers._borg_repository import LOCKED, Archive, Borg, BorgRepository, opened
from watchkeeper.probers._program import Work, cannot_tell, not_well, on_one_line
from watchkeeper.probers._program_prober import ProgramProber
from watchkeeper.probers._sizes import KnownSizes
from watchkeeper.probers.base import Finding, ProberKind
from watchkeeper.schema.fields import PositiveDurationMs, SizeBytes

FUTURE_MS: Final = 5 * 60_000  # how far clocks may be apart
_MOST_SIZES: Final = 10_000  # that are remembered: of an archive it never changes
_NONSENSE: Final = (ValidationError, ValueError, KeyError, TypeError, IndexError, json.JSONDecodeError)


class BorgOptions(BorgRepository):
    """A look at a borg repository."""

    archives: tuple[str, ...] = ()
    """Which archives count, each a glob such as `db1-*`. For each of them there must be as many and as recent ones as
    expected. Without it, all archives are taken together."""
    newest_within: PositiveDurationMs | None = None
    """How long ago the newest archive may have been begun. One that is dated more than five minutes ahead is not
    recent: some clock is wrong."""
    min_size: SizeBytes | None = None
    """How large the newest archive must be, in bytes of the files that would be restored."""
    min_count: int = Field(default=1, ge=1)
    """How many archives there must be."""
    stale_lock_after: PositiveDurationMs = 24 * 3_600_000
    """From which age on a lock is stale: longer than a backup or a prune takes. Locks are seen of repositories on
    this machine only."""
    check: bool = False
    """Checks the repository with `borg check` instead of looking at its archives. It takes long, and locks the
    repository: make it a probe of its own, with a long `timeout` and with `cron` at a time when nothing else runs."""
    verify_data: bool = False
    """Whether a check reads all data, too."""

    @model_validator(mode="after")
    def _looks_or_checks(self) -> Self:
        if not self.check and self.verify_data:
            raise ValueError("verify_data belongs to a check: set check: true")
        of_archives = {"archives", "newest_within", "min_size", "min_count"} & self.model_fields_set
        if self.check and of_archives:
            raise ValueError(f"a check looks at no archives: take out {', '.join(sorted(of_archives))}")
        return self


def make(clock: Clock) -> ProgramProber:
    """The prober. Ages are counted by the same clock as everything else."""
    sizes = KnownSizes(_MOST_SIZES)

    def measure(probe: Probe, work: Work) -> Finding:
        options: BorgOptions = probe.options
        borg = opened(options, work)
        try:
            return _checked(borg, options) if options.check else _looked(borg, sizes, options, clock)
        except _NONSENSE as error:
            what = f"borg answered something that can not be read ({type(error).__name__})"
            raise cannot_tell(f"{what}: is its version older than 1.1?") from None

    return ProgramProber(clock, measure)


def _looked(borg: Borg, sizes: KnownSizes, options: BorgOptions, clock: Clock) -> Finding:
    """What there is to say of the archives. Of several globs, of the one that is worst off."""
    every = borg.archives(None)
    rows = {glob: [one for one in every if fnmatchcase(one.name, glob)] for glob in options.archives or ("*",)}
    values = _lock_values(borg, options, clock())
    values["count"] = len({one.id for row in rows.values() for one in row})
    for glob, row in rows.items():
        if not row:
            missing = f" {glob}" if options.archives else ""
            raise not_well(f"there is no archive{missing}", values)
    glob, row = min(rows.items(), key=lambda entry: entry[1][-1].at_ms)
    newest, age_ms = row[-1], clock() - row[-1].at_ms
    values["newest_age_seconds"] = age_ms / 1000
    facts: dict[str, Fact] = {"newest": on_one_line(newest.name), "last_backup": utc(newest.at_ms)}
    size = values["newest_size_bytes"] = sizes.of(newest.id, partial(borg.size_bytes, newest))
    if len(row) > 1:
        before = sizes.of(row[-2].id, partial(borg.size_bytes, row[-2]))
        values["growth_bytes"] = size - before
        if before:
            values["growth_percentage"] = 100 * (size - before) / before
    _judge(options, rows, f"the newest archive, {facts['newest']},", values, facts)
    archives = "1 archive" if values["count"] == 1 else f"{values['count']:.0f} archives"
    text = f"{archives}, the newest is {facts['newest']} with {format_size(size)}, {format_elapsed_ms(age_ms)} old"
    if values.get("stale_locks"):
        text += (
            f"; a lock is {format_elapsed_ms(1000 * values['oldest_lock_seconds'])} old: borg break-lock removes it"
        )
    return Finding(Status.UP, text, values, facts)


def _judge(
    options: BorgOptions,
    rows: Mapping[str, Sequence[Archive]],
    newest: str,
    values: Mapping[str, float],
    facts: Mapping[str, Fact],
) -> None:
    """Raises `Concluded` where something is not as expected."""
    for glob, row in rows.items():
        if len(row) < options.min_count:
            have = "1 archive" if len(row) == 1 else f"{len(row)} archives"
            named = f" {glob}" if options.archives else ""
            raise not_well(f"{have}{named}, expected at least {options.min_count}", values, facts)
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


def _lock_values(borg: Borg, options: BorgOptions, now_ms: int) -> dict[str, float]:
    if borg.folder is None:
        return {}
    ages = [now_ms - since_ms for since_ms in borg.locked_since_ms()]
    stale = sum(age > options.stale_lock_after for age in ages)
    values: dict[str, float] = {"locks": len(ages), "stale_locks": stale}
    if ages:
        values["oldest_lock_seconds"] = max(ages) / 1000
    return values


def _checked(borg: Borg, options: BorgOptions) -> Finding:
    """What `borg check` says. Where the repository is locked it is not checked."""
    borg.work.doing = "checking the repository"
    began = monotonic()
    ended = borg.run("check", "--lock-wait", "1", *(["--verify-data"] if options.verify_data else []), "::")
    values: dict[str, float] = {"check_seconds": monotonic() - began}
    said = ended.errors.decode("utf-8", "replace").splitlines()
    if ended.code == 0:
        read = ", all of its data read" if options.verify_data else ""
        return Finding(Status.UP, f"the repository has no errors{read}", values)
    if any(line.startswith(LOCKED) for line in said):
        raise cannot_tell("the repository is locked, and was not checked: check it when nothing else runs")
    if ended.code == 1:
        raise not_well(f"the repository is damaged: {on_one_line(said[0]) if said else 'borg says no more'}", values)
    raise borg.wrong(ended)


KIND = ProberKind(
    name="borg",
    summary="Looks at the archives of a borg repository, or checks the repository.",
    category=Category.BACKUP,
    options=BorgOptions,
    make=make,
    values={
        "count": "how many archives match",
        "newest_age_seconds": "seconds since the newest was begun; of several globs, of the one that waits longest",
        "newest_size_bytes": "bytes of the files that it would restore",
        "growth_bytes": "bytes that it has more than the one before; absent without one",
        "growth_percentage": "the same in percent of the one before",
        "locks": "locks that there are; absent where the repository is on another machine",
        "stale_locks": "locks that are older than `stale_lock_after`",
        "oldest_lock_seconds": "age of the oldest lock; absent where there is none",
        "check_seconds": "how long the check took; of a check only",
    },
    facts={
        "newest": (FactType.TEXT, "the name of the newest archive; absent when there is none"),
        "last_backup": (FactType.TIME, "when it was begun"),
    },
)
