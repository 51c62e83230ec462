"""Options that several commands share, and how failures end a command."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from watchkeeper.config.load import Config, Place
    from watchkeeper.store.database import Database

WRONG = 1
UNREACHABLE = 3
FAULT = 70  # of watchkeeper's own; sysexits.h calls it an internal software error

_SYSTEM_CONFIG = Path("/etc/watchkeeper/watchkeeper.yaml")


def _default_config() -> Path:
    here = Path("watchkeeper.yaml")
    # Not Path.exists, which raises where it may not look.
    return _SYSTEM_CONFIG if not os.path.exists(here) and os.path.exists(_SYSTEM_CONFIG) else here


config_option: Callable[[Any], Any] = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="WATCHKEEPER_CONFIG",
    default=_default_config,
    show_default="watchkeeper.yaml here, or /etc/watchkeeper/watchkeeper.yaml",
    help="The daemon's configuration file; also from WATCHKEEPER_CONFIG.",
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def fail(message: str, status: int) -> NoReturn:
    """Ends the command with a message on stderr."""
    with suppress(OSError):  # where nobody hears it, the status says it all the same
        click.echo(message, err=True)
    sys.exit(status)


def read_config(path: Path, rule_files: Sequence[str] | None = None) -> "Config":
    """The configuration, with other rule files where they are given; ends the command when something is wrong."""
    from watchkeeper.app.parts import load_config
    from watchkeeper.config.problems import ConfigError

    try:
        return load_config(path, rule_files)
    except ConfigError as error:
        count = len(error.problems)
        fail(f"{error}\n{count} problem{'s' if count > 1 else ''} found", WRONG)


def find_state(path: Path) -> "Place":
    """Where the state is, for commands that look at it: a mistake in a rule does not keep anybody from his incidents.
    Ends the command when it can not be told."""
    from watchkeeper.app.parts import load_state
    from watchkeeper.config.problems import ConfigError

    try:
        return load_state(path)
    except ConfigError as error:
        fail(str(error), WRONG)


@contextmanager
def database_of(config: "Config | Place", *, for_reading: bool = False) -> "Iterator[Database]":
    """The database of a configuration; ends the command when it can not be used.

    Args:
        for_reading: it must be there already, with this version's schema.
    """
    from watchkeeper.app.parts import open_database
    from watchkeeper.schema.fields import SecretUnavailable
    from watchkeeper.store import migrate
    from watchkeeper.store.database import StoreError

    try:
        database = open_database(config)
        try:
            if for_reading:
                migrate.require_current(database)
            yield database
        finally:
            database.close()
    except (StoreError, SecretUnavailable) as error:
        fail(f"watchkeeper: {error}", UNREACHABLE)
