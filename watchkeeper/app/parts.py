"""The parts of a configuration: what commands and the daemon make of it."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from watchkeeper import itsm, probers
from watchkeeper.config.load import Backend, Catalogue, Config, Place, find_state, load
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.probe import Probe, Sample
from watchkeeper.itsm.base import Outcome, PlansChanges, Surroundings, TicketBackend
from watchkeeper.probers.base import ProberKind
from watchkeeper.schema.fields import Secret
from watchkeeper.store.database import Database, StoreError
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


def load_state(path: Path) -> Place:
    """Where the state of a configuration is, whatever else is wrong with it.

    Raises:
        ConfigError: that can not be told.
    """
    return find_state(path, catalogue())


def open_database(config: Config | Place) -> Database:
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


def prober_kind(probe: Probe) -> ProberKind:
    """What there is to know of a probe's prober."""
    return probers.find(probe.prober)


def check_backends(config: Config, database: Database) -> dict[str, list[str]]:
    """What each backend's self-test finds, in words."""
    planning = {source.backend for source in config.planned.change_backends}
    return {
        name: _check(make_desk(backend, database).backend, changes=name in planning)
        for name, backend in config.backends.items()
    }


def _check(backend: TicketBackend, *, changes: bool) -> list[str]:
    try:
        found = [finding.message for finding in backend.check()]
        if changes and isinstance(backend, PlansChanges):
            found += [finding.message for finding in backend.check_changes()]
        return list(dict.fromkeys(found))
    except (Outcome, StoreError) as error:  # of one backend, which must not hide the others
        return [str(error)]


def make_desk(backend: Backend, database: Database) -> "Desk":
    """A ticket backend as it is configured, and how it is dealt with."""
    from watchkeeper.engine.attempt import Desk

    kind = itsm.find(backend.type)
    policy = kind.policy(backend.options)
    budget = Budget(policy.rate_per_minute, now_ms)
    made = _make(backend, database, budget)
    certain_after_ms, reads_back = kind.certain_after_ms(backend.options), kind.reads_back(backend.options)
    if backend.options.certain_after is not None:
        certain_after_ms = backend.options.certain_after
    return Desk(backend.name, made, policy, budget, certain_after_ms, reads_back)


def make_dry_desk(backend: Backend, database: Database) -> "Desk":
    """What stands for a ticket backend in a dry run: it tells what would be sent, and keeps the tickets that there
    would be in the database."""
    from watchkeeper.engine.attempt import Desk
    from watchkeeper.engine.dry import DryBackend

    desk = _make(replace(backend, type="local"), database, budget := Budget(None, now_ms))
    dry = DryBackend(backend.name, make_silent_backend(backend, database), desk)
    return Desk(backend.name, dry, itsm.find(backend.type).policy(backend.options), budget)


def make_silent_backend(backend: Backend, database: Database) -> TicketBackend:
    """A ticket backend as it is configured, for previews: it can change nothing. Some ask their system how calls are
    to be worded."""
    from watchkeeper.engine.dry import ReadsOnly

    policy = itsm.find(backend.type).policy(backend.options)
    return _make(backend, database, ReadsOnly(policy.rate_per_minute, now_ms))


def _make(backend: Backend, database: Database, budget: Budget) -> TicketBackend:
    surroundings = Surroundings(now_ms, StoredDesk(database), budget)
    return itsm.find(backend.type).make(backend.name, backend.options, surroundings)
