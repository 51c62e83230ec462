"""What a restore drill is told."""

import os
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from watchkeeper.probers import _borg_repository, _restic_repository, _scratch
from watchkeeper.probers._restored import RestoredFiles
from watchkeeper.probers._throwaway_postgres import PostgresOptions
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath, PositiveDurationMs, SizeBytes

_SMALLEST_FREE: Final = 2**30


class ResticSource(_restic_repository.ResticRepository):
    """A restic repository whose newest snapshot is restored."""

    host: str | None = None
    """Only snapshots of this host count."""
    tags: tuple[str, ...] = ()
    """Only snapshots that have all of these tags count."""
    path: str | None = None
    """Only snapshots of this path count."""
    include: tuple[str, ...] = ()
    """What of the snapshot is restored; all of it if this is empty."""


class BorgSource(_borg_repository.BorgRepository):
    """A borg repository whose newest archive is restored."""

    archives: str | None = None
    """Only archives whose names match this glob count, such as `db1-*`."""
    include: tuple[str, ...] = ()
    """What of the archive is restored; all of it if this is empty."""


class RestoreOptions(Model):
    """A restore drill: of a restic or borg repository, of a PostgreSQL dump, or of a dump in such a repository."""

    scratch: LocalPath
    """The folder that is restored into. It belongs to watchkeeper's user, and nobody else may write in it. A drill
    makes a folder in it and removes it again; what a drill left that was killed is removed by the next one."""
    restic: ResticSource | None = None
    """The restic repository that is restored from."""
    borg: BorgSource | None = None
    """The borg repository that is restored from."""
    dump: LocalPath | None = None
    """The PostgreSQL dump that is loaded into a server of its own, or a glob: the newest counts. It may be one of
    `pg_dump` in any format or of `pg_dumpall`, and packed by gzip or zstd. With `restic` or `borg`, the path that it
    had when it was backed up."""
    postgres: PostgresOptions = PostgresOptions()
    """The server that a dump is loaded into."""
    files: RestoredFiles = RestoredFiles()
    """What is expected of restored files."""
    queries: tuple[str, ...] = ()
    """Queries of the loaded dump. The first column of the first row of each must be true."""
    data_time: str | None = Field(default=None, min_length=1)
    """A query of the loaded dump that gives the time of its newest data, such as
    `select max(ordered_at) from orders`. Without it, data is as old as its backup."""
    max_time: PositiveDurationMs | None = None
    """How long a recovery may take: the recovery time objective. Give the probe a `timeout` that is longer."""
    max_age: PositiveDurationMs | None = None
    """How old the restored data may be: the recovery point objective."""
    keep_free: SizeBytes = _SMALLEST_FREE
    """A drill ends, as unknown, when less than this is left free at the scratch place."""

    @field_validator("scratch")
    @classmethod
    def _is_a_place_for_drills(cls, scratch: str) -> str:
        if scratch.count("/") < 2 or scratch == os.path.expanduser("~"):
            raise ValueError(f"{scratch} is no place for drills: make a folder that is for nothing else")
        if len(os.fsencode(scratch)) > _scratch.MOST_PATH:
            raise ValueError(f"is too long for the path of a socket: accepted are {_scratch.MOST_PATH} bytes")
        return scratch

    @field_validator("queries")
    @classmethod
    def _are_queries(cls, queries: tuple[str, ...]) -> tuple[str, ...]:
        if any(not query.strip() or query.lstrip().startswith("\\") for query in queries):
            raise ValueError("a query is SQL, and no command of psql")
        return queries

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.restic is not None and self.borg is not None:
            raise ValueError("a drill restores from restic or from borg: take out one of them")
        if self.restic is None and self.borg is None and self.dump is None:
            raise ValueError("needs something to restore: restic, borg or dump")
        if self.dump is None and (self.queries or self.data_time):
            raise ValueError("queries and data_time are asked of a dump that was loaded: say which by dump")
        for source in self.places():
            if _scratch.overlap(self.scratch, source):
                raise ValueError(f"scratch and {source} lie in one another: what is backed up is never restored over")
        return self

    def places(self) -> list[str]:
        """The folders of this machine that are restored from."""
        repositories = [source.repository for source in (self.restic, self.borg) if source is not None]
        places = [place for place in repositories if isinstance(place, str) and place.startswith("/")]
        return places if repositories or self.dump is None else [os.path.dirname(self.dump.partition("*")[0])]
