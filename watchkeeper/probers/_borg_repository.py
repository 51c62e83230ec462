"""How a borg repository is asked. Nothing is written to it, not even a lock."""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationInfo, field_validator

from watchkeeper.probers._program import Concluded, Ended, Work, clean_environment, not_well
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath, Secret, SecretRef, TextOrSecret

_REMOTE: Final = re.compile(r"[A-Za-z0-9+]+://|[^/]+:")
_FOLDER: Final = TypeAdapter[str](LocalPath)
LOCKED: Final = "Failed to create/acquire the lock"


class BorgRepository(Model):
    """A borg repository, and how to open it."""

    repository: TextOrSecret
    """Where it is, as borg takes it: a folder, or `ssh://user@host/./path`."""
    passphrase: SecretRef | None = None
    """Its passphrase. Without one, it must have none."""
    env: dict[str, TextOrSecret] = Field(default_factory=dict)
    """What else borg needs in its environment, such as BORG_RSH or BORG_KEY_FILE."""
    base: LocalPath | None = None
    """The folder of borg's cache and of what it knows of repositories; the home folder if this is not set."""
    program: str = Field(default="borg", min_length=1)
    """The program, by name or path."""

    @field_validator("repository")
    @classmethod
    def _is_a_place(cls, repository: str | Secret, info: ValidationInfo) -> str | Secret:
        if isinstance(repository, Secret):
            return repository
        if ":" in repository.partition("://")[2].partition("/")[0].rpartition("@")[0]:
            raise ValueError("a secret does not stand in the file: write {env: NAME} or {file: PATH}")
        return repository if _REMOTE.match(repository) else _FOLDER.validate_python(repository, context=info.context)


class Archive(BaseModel):
    """An archive, as borg tells it."""

    model_config = ConfigDict(frozen=True)

    name: str
    id: str
    start: datetime

    @property
    def at_ms(self) -> int:
        start = self.start if self.start.tzinfo else self.start.replace(tzinfo=UTC)
        return int(start.timestamp() * 1000)


_ARCHIVES: Final = TypeAdapter(list[Archive])


@dataclass(frozen=True, slots=True)
class Borg:
    """An open repository, within one run."""

    options: BorgRepository
    environment: dict[str, str]
    work: Work

    @property
    def folder(self) -> str | None:
        """The repository's folder, where it is on this machine."""
        repository = self.environment["BORG_REPO"].removeprefix("file://")
        return repository if os.path.isabs(repository) else None

    def archives(self, glob: str | None) -> list[Archive]:
        """Those whose names match, the oldest first.

        Raises:
            Concluded: it does not answer, or not so.
        """
        self.work.doing = "listing the archives"
        wanted = ["--glob-archives", glob] if glob else []
        answer = json.loads(self._output("list", "--json", "--bypass-lock", *wanted, "::"))
        return sorted(_ARCHIVES.validate_python(answer["archives"]), key=lambda archive: archive.start)

    def size_bytes(self, archive: Archive) -> int:
        """The bytes of all files of an archive, as they would be restored.

        Raises:
            Concluded: it does not answer, or not so.
        """
        self.work.doing = f"measuring the archive {archive.name}"
        answer: Any = json.loads(self._output("info", "--json", "--bypass-lock", f"::{archive.name}"))
        return int(answer["archives"][0]["stats"]["original_size"])

    def locked_since_ms(self) -> list[int]:
        """Since when it is locked, of each lock; none where the repository is on another machine."""
        found = []
        if self.folder is not None:
            for name in ("lock.exclusive", "lock.roster"):
                with suppress(OSError):
                    path = os.path.join(self.folder, name)
                    if os.listdir(path) if name == "lock.exclusive" else _has_readers(path):
                        found.append(os.stat(path).st_mtime_ns // 1_000_000)
        return found

    def run(self, *arguments: str, folder: str = "/", each_tick: Callable[[], None] = lambda: None) -> Ended:
        """Runs it.

        Raises:
            Concluded: it could not be run.
        """
        command = [self.options.program, *arguments]
        return self.work.run(command, self.environment, folder=folder, each_tick=each_tick)

    def wrong(self, ended: Ended) -> Concluded:
        """What it means that borg failed with this."""
        text = ended.reason
        for secret in self.secrets():
            text = text.replace(secret, "…")
        if text.startswith("passphrase supplied"):
            return not_well("the repository does not open: the passphrase is wrong")
        return not_well(f"the repository can not be read: {text}")

    def secrets(self) -> list[str]:
        """What must not stand in a message, the longest first."""
        given = {"BORG_PASSPHRASE": self.options.passphrase, "BORG_REPO": self.options.repository}
        named = {**self.options.env, **given}
        known = [self.environment[name] for name, value in named.items() if isinstance(value, Secret)]
        return sorted(filter(None, known), key=len, reverse=True)

    def _output(self, *arguments: str) -> bytes:
        ended = self.run(*arguments)
        if ended.code not in (0, 1):  # 1 is a warning
            raise self.wrong(ended)
        return ended.output


def opened(options: BorgRepository, work: Work) -> Borg:
    """The repository.

    Raises:
        Concluded: a secret is not where it should be.
    """
    wanted: dict[str, str | Secret] = {
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        "BORG_EXIT_CODES": "legacy",
        "BORG_DISPLAY_PASSPHRASE": "no",
        **options.env,
        "BORG_REPO": options.repository,
        "BORG_PASSPHRASE": options.passphrase or "",
        "TZ": "UTC",  # its times have no zone
    }
    if options.base is not None:
        wanted["BORG_BASE_DIR"] = options.base
    return Borg(options, clean_environment(wanted), work)


def _has_readers(roster: str) -> bool:
    """Whether the list of those who share the repository has any."""
    with open(roster, "rb") as file:
        held = json.loads(file.read(2**20) or b"{}")
    return any(held.values())
