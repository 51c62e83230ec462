"""`watchkeeper run`: the daemon."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import click

from watchkeeper.cli._options import UNREACHABLE, config_option, fail, read_config


@click.command("run")
@config_option
def command(config_path: Path) -> None:
    """Run the daemon in the foreground.

    Logs go to stderr: readable on a terminal, JSON elsewhere. SIGTERM and Ctrl-C end it, SIGHUP reads the
    configuration again.
    """
    began_s = monotonic()
    config = read_config(config_path)
    # Late: a mistake in the configuration is told before anything else is loaded.
    from watchkeeper import log
    from watchkeeper.app import run_daemon
    from watchkeeper.schema.fields import SecretUnavailable
    from watchkeeper.store.database import StoreError
    from watchkeeper.web.server import ListenError

    log.configure(as_json=log.wants_json(config.log.format), level=config.log.level)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            sys.exit(runner.run(run_daemon(config, began_s)))
    except (StoreError, SecretUnavailable, ListenError) as error:
        fail(f"watchkeeper: {error}", UNREACHABLE)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's where it is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop
