"""The parts of a configuration: what commands and the daemon make of it."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watchkeeper import itsm, probers
from watchkeeper.config.load import Backend, Catalogue, Config, load
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.probe import Probe, Sample
from watchkeeper.itsm.base import Surroundings
from watchkeeper.schema.fields import Secret
from watchkeeper.store.database import Database
from watchkeeper.store.desk import StoredDesk

if TYPE_CHECKING:
    from watchkeeper.engine.attempt import Desk


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def catalogue() -> Catalogue:
    """The prober and backend types that there are."""
    return Catalogue(probers.names(), probers.find, itsm.names(), itsm.find)


def load_config(path: Path, rule_files: Sequence[str] | None = None) -> Config:
    """The configuration.

    Args:
        rule_files: absolute paths and globs, instead of those that it names.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    return load(path, catalogue(), rule_files)


def open_database(config: Config) -> Database:
    """The database of a configuration; not yet migrated, nor even asked.

    Raises:
        StoreError: it can not be used.
        SecretUnavailable: its URL is a secret that is not there.
    """
    return Database(config.state.reveal() if isinstance(config.state, Secret) else config.state)


def journal_path(config: Config, database: Database) -> Path:
    """Where decisions wait that the database does not take: beside its file, or where the daemon may write."""
    if database.file is not None:
        return Path(f"{database.file.resolve()}.journal")
    state_directory = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    folder = Path(state_directory) if state_directory else config.path.resolve().parent
    return folder / f"{config.path.name}.journal"


async def run_probe(probe: Probe) -> Sample:
    """Performs a probe once."""
    prober = probers.find(probe.prober).make(now_ms)
    try:
        return await prober.run(probe)
    finally:
        await prober.close()


def check_backends(config: Config, database: Database) -> dict[str, list[str]]:
    """What each backend's self-test finds, in words."""
    return {
        name: [finding.message for finding in make_desk(backend, database).backend.check()]
        for name, backend in config.backends.items()
    }


def make_desk(backend: Backend, database: Database) -> "Desk":
    """A ticket backend as it is configured, and how it is dealt with."""
    from watchkeeper.engine.attempt import Desk

    kind = itsm.find(backend.type)
    policy = kind.policy(backend.options)
    budget = Budget(policy.rate_per_minute, now_ms)
    made = kind.make(backend.name, backend.options, Surroundings(now_ms, StoredDesk(database), budget))
    certain_after_ms, reads_back = kind.certain_after_ms(backend.options), kind.reads_back(backend.options)
    return Desk(backend.name, made, policy, budget, certain_after_ms, reads_back)
