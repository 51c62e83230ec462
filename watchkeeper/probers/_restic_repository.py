"""How a restic repository is asked. Nothing is written to it, not even a lock."""

import json
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from watchkeeper.probers._program import Concluded, Ended, Work, cannot_tell, clean_environment, not_well, on_one_line
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath, Secret, SecretRef, TextOrSecret

MOST_LOCKS: Final = 20  # that are looked at
_REMOTE: Final = re.compile(r"[a-z0-9]{2,}:")
_FOLDER: Final = TypeAdapter[str](LocalPath)


class ResticRepository(Model):
    """A restic repository, and how to open it."""

    repository: TextOrSecret
    """Where it is, as `restic -r` takes it: a folder, `sftp:…`, `rest:https://…`, `s3:…`. One that holds a password
    is a secret."""
    password: SecretRef
    """Its password."""
    env: dict[str, TextOrSecret] = Field(default_factory=dict)
    """What else restic needs in its environment, such as AWS_ACCESS_KEY_ID."""
    cache: LocalPath | None = None
    """The folder of restic's cache; its own choice below the home folder if this is not set. What reads a repository
    without one fetches its index each time."""
    program: str = Field(default="restic", min_length=1)
    """The program, by name or path."""

    @field_validator("repository")
    @classmethod
    def _is_a_place(cls, repository: str | Secret, info: ValidationInfo) -> str | Secret:
        if isinstance(repository, Secret):
            return repository
        if ":" in repository.partition("://")[2].partition("/")[0].rpartition("@")[0]:
            raise ValueError("a secret does not stand in the file: write {env: NAME} or {file: PATH}")
        return repository if _REMOTE.match(repository) else _FOLDER.validate_python(repository, context=info.context)


class Snapshot(BaseModel):
    """A snapshot, as restic tells it."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{64}$")
    time: datetime
    hostname: str = ""
    tags: tuple[str, ...] | None = None
    paths: tuple[str, ...] | None = None
    summary: dict[str, Any] | None = None  # from restic 0.17 on

    @field_validator("time")
    @classmethod
    def _has_a_zone(cls, time: datetime) -> datetime:
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    @property
    def short_id(self) -> str:
        return self.id[:8]

    @property
    def at_ms(self) -> int:
        return int(self.time.timestamp() * 1000)


class Lock(BaseModel):
    """A lock of the repository, as restic tells it."""

    time: datetime
    exclusive: bool = False
    hostname: str = ""
    pid: int = 0


_SNAPSHOTS: Final = TypeAdapter(list[Snapshot] | None)


@dataclass(frozen=True, slots=True)
class Restic:
    """An open repository, within one run."""

    options: ResticRepository
    environment: dict[str, str]
    work: Work

    def snapshots(self) -> list[Snapshot]:
        """All of them, the oldest first.

        Raises:
            Concluded: it does not answer, or not so.
        """
        self.work.doing = "listing the snapshots"
        found = _SNAPSHOTS.validate_json(self._output("snapshots", "--json")) or []
        return sorted(found, key=lambda snapshot: snapshot.time)

    def size_bytes(self, snapshot: Snapshot) -> int:
        """The bytes of all files of a snapshot, as they would be restored.

        Raises:
            Concluded: it does not answer, or not so.
        """
        known = (snapshot.summary or {}).get("total_bytes_processed")
        if isinstance(known, int) and known >= 0:
            return known
        self.work.doing = f"measuring the snapshot {snapshot.short_id}"
        answer = json.loads(self._output("stats", "--json", "--mode", "restore-size", snapshot.id))
        return int(answer["total_size"])

    def locks(self) -> list[Lock]:
        """The locks that there are, at most twenty. One that goes meanwhile is none.

        Raises:
            Concluded: it does not answer, or not so.
        """
        self.work.doing = "listing the locks"
        found = []
        for name in self._lock_names()[:MOST_LOCKS]:
            ended = self.run("cat", "lock", name)
            if ended.code == 0:
                found.append(Lock.model_validate_json(ended.output))
        return found

    def _lock_names(self) -> list[str]:
        repository = self.environment["RESTIC_REPOSITORY"].removeprefix("local:")
        with suppress(OSError):  # of a folder that can be read there is no need to ask restic, which takes a second
            if os.path.isabs(repository):
                return sorted(os.listdir(os.path.join(repository, "locks")))
        return self._output("list", "locks").decode().split()

    def run(self, *arguments: str, folder: str = "/", each_tick: Callable[[], None] = lambda: None) -> Ended:
        """Runs it. Nothing is locked, so that a backup that is due is never in the way of a look.

        Raises:
            Concluded: it could not be run.
        """
        return self.work.run(
            [self.options.program, "--no-lock", *arguments], self.environment, folder=folder, each_tick=each_tick
        )

    def wrong(self, ended: Ended) -> Concluded:
        """What it means that restic failed with this."""
        text = ended.reason.removeprefix("Fatal: ")
        for secret in self.secrets():
            text = text.replace(secret, "…")
        if "wrong password" in text or ended.code == 12:
            return not_well(f"the repository does not open: {text}")
        if "unable to open cache" in text:
            return cannot_tell(f"restic has no cache: {text}")
        return not_well(f"the repository can not be read: {text}")

    def secrets(self) -> list[str]:
        """What must not stand in a message, the longest first."""
        given = {"RESTIC_PASSWORD": self.options.password, "RESTIC_REPOSITORY": self.options.repository}
        known = [self.environment[name] for name, value in {**self.options.env, **given}.items() if _is_secret(value)]
        return sorted(filter(None, known), key=len, reverse=True)

    def _output(self, *arguments: str) -> bytes:
        ended = self.run(*arguments)
        if ended.code != 0:
            raise self.wrong(ended)
        return ended.output


def opened(options: ResticRepository, work: Work) -> Restic:
    """The repository.

    Raises:
        Concluded: a secret is not where it should be.
    """
    wanted: dict[str, str | Secret] = {
        **options.env,
        "RESTIC_REPOSITORY": options.repository,
        "RESTIC_PASSWORD": options.password,
    }
    if options.cache is not None:
        wanted["RESTIC_CACHE_DIR"] = options.cache
    return Restic(options, clean_environment(wanted), work)


NONSENSE: Final = (ValidationError, ValueError, KeyError, TypeError)
"""What is raised where restic's answer is none that it gives."""


def nonsense(error: Exception) -> Concluded:
    """What it means that an answer could not be read."""
    kind = on_one_line(type(error).__name__)
    return cannot_tell(f"restic answered something that can not be read ({kind}): is its version older than 0.12?")


def matching(
    snapshots: Sequence[Snapshot], hosts: Sequence[str], tags: Sequence[str], path: str | None
) -> list[Snapshot]:
    """The snapshots of any of these hosts, with all these tags, that hold this path."""
    return [
        snapshot
        for snapshot in snapshots
        if (not hosts or snapshot.hostname in hosts)
        and set(tags) <= set(snapshot.tags or ())
        and (path is None or path in (snapshot.paths or ()))
    ]


def _is_secret(value: str | Secret) -> bool:
    return isinstance(value, Secret)
