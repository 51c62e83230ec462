"""The drill: restores the newest backup into a scratch place, checks it, and measures how long that takes."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, format_size, utc
from watchkeeper.probers import _borg_repository, _restic_repository, _scratch
from watchkeeper.probers._file_matches import newest_of
from watchkeeper.probers._program import Concluded, Work, cannot_tell, not_well, on_one_line
from watchkeeper.probers._program_prober import ProgramProber
from watchkeeper.probers._restore_options import BorgSource, ResticSource, RestoreOptions
from watchkeeper.probers._restored import check, newest
from watchkeeper.probers._scratch import Drill
from watchkeeper.probers._throwaway_postgres import Server, account_of, programs_of, server
from watchkeeper.probers.base import Finding, ProberKind

_SHOWN: Final = 50  # characters of what a query gave


@dataclass(frozen=True, slots=True)
class _Backup:
    """What is restored: its name, when it was made, and how."""

    name: str
    at_ms: int
    restore: Callable[[Drill], str]  # gives the path of the dump, or nothing


@dataclass(slots=True)
class _Times:
    """How long the steps took."""

    began: float
    restored: float = 0.0
    ended: float = 0.0


def make(clock: Clock) -> ProgramProber:
    """The prober. Ages are counted by the same clock as everything else."""

    def measure(probe: Probe, work: Work) -> Finding:
        try:
            return _held(probe.options, work, clock)
        except _restic_repository.NONSENSE as error:
            raise cannot_tell(f"a program answered something that can not be read ({type(error).__name__})") from None

    return ProgramProber(clock, measure, late=_late)


def _held(options: RestoreOptions, work: Work, clock: Clock) -> Finding:
    """Holds a drill.

    Raises:
        Concluded: something is not as it should be.
        Interrupted: the run is over.
    """
    real = os.path.realpath(options.scratch)
    for source in options.places():
        if _scratch.overlap(real, os.path.realpath(source)):
            raise cannot_tell(f"scratch and {source} lie in one another: what is backed up is never restored over")
    if options.dump is not None:  # what would only come out after an hour
        account_of(options.postgres)
        programs_of(options.postgres)
    with _scratch.drill(options.scratch, work) as drill:
        space = _scratch.enough_space(drill.path, options.keep_free)
        space()
        backup = _chosen(options, work, space)
        age = (clock() - backup.at_ms) / 1000
        values: dict[str, float] = {"newest_age_seconds": age, "data_age_seconds": age}
        facts: dict[str, Fact] = {"newest": backup.name, "last_backup": utc(backup.at_ms)}
        try:
            text = _restored(options, backup, drill, work, space, values, clock)
        except Concluded as concluded:
            found = concluded.finding
            text = (
                f"{backup.name} was not restored: {found.message}"
                if "recovery_seconds" not in values
                else found.message
            )
            raise Concluded(replace(found, message=text, values=values, facts=facts)) from None
    return Finding(Status.UP, text, values, facts)


def _restored(
    options: RestoreOptions,
    backup: _Backup,
    drill: Drill,
    work: Work,
    space: Callable[[], None],
    values: dict[str, float],
    clock: Clock,
) -> str:
    """Restores and checks a backup; adds to `values` what it finds. Gives what there is to say of it."""
    times, said = _Times(monotonic()), []
    work.doing = f"restoring {backup.name}"
    dump = backup.restore(drill)
    if options.restic is not None or options.borg is not None:
        times.restored = monotonic()
        found = check(options.files, drill, work)
        values |= {"restored_files": found.files, "restored_bytes": found.size_bytes}
        said.append(f"{_counted(found.files, 'file')} with {format_size(found.size_bytes)}")
        said += [f"{_counted(found.checked, 'checksum')} as listed"] if found.checked else []
    if dump:
        with server(options.postgres, drill.server, work, space) as running:
            running.load(dump)
            times.restored = monotonic()
            _ask(options, running, values, clock)
            times.ended = monotonic()
        values["database_bytes"] = values.get("database_bytes", 0)
        said.append(f"a database of {format_size(values['database_bytes'])}")
        said += ["all queries gave true"] if options.queries else []
    times.ended = times.ended or monotonic()
    values["restore_seconds"] = times.restored - times.began
    values["check_seconds"] = times.ended - times.restored
    values["recovery_seconds"] = times.ended - times.began
    took = format_elapsed_ms(1000 * values["recovery_seconds"])
    _judge(options, values, backup.name, took)
    old = format_elapsed_ms(1000 * values["data_age_seconds"])
    return f"{backup.name} was restored in {took}: {', '.join(said)}; its data is {old} old"


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _judge(options: RestoreOptions, values: dict[str, float], name: str, took: str) -> None:
    if options.max_time is not None:
        values["objective_used_percentage"] = 100 * values["recovery_seconds"] * 1000 / options.max_time
        if values["objective_used_percentage"] > 100:
            raise not_well(f"{name} took {took} to restore, expected within {format_duration_ms(options.max_time)}")
    age_ms = values["data_age_seconds"] * 1000
    if options.max_age is not None and age_ms > options.max_age:
        old, within = format_elapsed_ms(age_ms), format_duration_ms(options.max_age)
        raise not_well(f"{name} was restored in {took}, but its data is {old} old, expected within {within}")


def _ask(options: RestoreOptions, running: Server, values: dict[str, float], clock: Clock) -> None:
    """Asks the loaded database."""
    running.work.doing = "asking the restored database"
    database = options.postgres.database
    size = "select sum(pg_database_size(oid)) from pg_database where not datistemplate and datname <> 'postgres'"
    values["database_bytes"] = float(running.ask(size, database))
    for query in options.queries:
        if (gave := running.ask(query, database)) != "t":
            shown = on_one_line(gave)[:_SHOWN] or "nothing"
            raise not_well(f"the query {on_one_line(query)} gave {shown}, expected is true")
    if options.data_time is not None:
        inner = options.data_time.strip().rstrip(";")
        gave = running.ask(f"select extract(epoch from ({inner})::timestamptz)", database)  # noqa: S608 - the user's own
        if not gave:
            raise not_well(f"the query {on_one_line(inner)} gave no time: there is no data")
        values["data_age_seconds"] = clock() / 1000 - float(gave)


def _chosen(options: RestoreOptions, work: Work, space: Callable[[], None]) -> _Backup:
    """The newest backup.

    Raises:
        Concluded: there is none.
    """
    if options.restic is not None:
        return _of_restic(options.restic, options.dump, work, space)
    if options.borg is not None:
        return _of_borg(options.borg, options.dump, work, space)
    assert options.dump is not None
    found = newest_of(options.dump, folders=True)
    if found is None:
        raise not_well(f"there is no dump {options.dump}")
    path, at_ms = found
    return _Backup(on_one_line(os.path.basename(path)), at_ms, lambda _: path)


def _of_restic(source: ResticSource, dump: str | None, work: Work, space: Callable[[], None]) -> _Backup:
    restic = _restic_repository.opened(source, work)
    hosts = (source.host,) if source.host else ()
    found = _restic_repository.matching(restic.snapshots(), hosts, source.tags, source.path)
    if not found:
        raise not_well("there is no snapshot that matches")
    snapshot = found[-1]

    def restore(drill: Drill) -> str:
        only = [f"--include={path}" for path in source.include]
        ended = restic.run("restore", snapshot.id, "--target", drill.files, *only, folder=drill.path, each_tick=space)
        if ended.code != 0:
            raise restic.wrong(ended)
        return _dump_in(drill, dump)

    return _Backup(f"snapshot {snapshot.short_id}", snapshot.at_ms, restore)


def _of_borg(source: BorgSource, dump: str | None, work: Work, space: Callable[[], None]) -> _Backup:
    borg = _borg_repository.opened(source, work)
    found = borg.archives(source.archives)
    if not found:
        raise not_well("there is no archive that matches")
    archive = found[-1]

    def restore(drill: Drill) -> str:
        only = [f"pp:{path.lstrip('/')}" for path in source.include]
        ended = borg.run("extract", "--bypass-lock", f"::{archive.name}", *only, folder=drill.files, each_tick=space)
        if ended.code != 0:
            raise borg.wrong(ended)
        return _dump_in(drill, dump)

    return _Backup(f"archive {on_one_line(archive.name)}", archive.at_ms, restore)


def _dump_in(drill: Drill, dump: str | None) -> str:
    if dump is None:
        return ""
    if (found := newest(drill, dump)) is None:
        raise not_well(f"the dump {dump} is not among the restored files")
    return found


def _late(probe: Probe, doing: str) -> Finding:
    within = format_duration_ms(probe.timeout_ms)
    return Finding(Status.DOWN, f"the drill did not end within {within}: {doing or 'beginning'} took too long")


KIND = ProberKind(
    name="restore",
    summary="Restores the newest backup into a scratch place, checks it, and measures how long that takes.",
    category=Category.BACKUP,
    options=RestoreOptions,
    make=make,
    values={
        "recovery_seconds": "how long it took until the data was there and checked",
        "restore_seconds": "of these, until the data was there",
        "check_seconds": "of these, for the checks",
        "objective_used_percentage": "recovery_seconds in percent of `max_time`; absent without it",
        "newest_age_seconds": "seconds since the backup was made",
        "data_age_seconds": "age of the newest data in it, by `data_time`; without that, of the backup",
        "restored_files": "files that were restored from restic or borg",
        "restored_bytes": "their bytes",
        "database_bytes": "bytes of the loaded databases",
    },
    facts={
        "newest": (FactType.TEXT, "the backup that was restored; absent when there is none"),
        "last_backup": (FactType.TIME, "when it was made"),
    },
)
