"""`watchkeeper run`: the daemon."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import click

from watchkeeper.cli._options import FAULT, UNREACHABLE, config_option, fail, read_config


@click.command("run")
@config_option
@click.option("--dry-run", "is_dry", is_flag=True, help="Send nothing, and keep nothing: log what would be sent.")
def command(config_path: Path, *, is_dry: bool) -> None:
    """Run the daemon in the foreground.

    Logs go to stderr: readable on a terminal, JSON elsewhere. SIGTERM and Ctrl-C end it, SIGHUP reads the
    configuration again. Exit status 70 when it could not go on: the log says why.

    A dry run probes and decides as always, on a database that is thrown away in the end. Nothing is sent to ticket
    systems: the log has a `ticket_preview` for each call that would be made. A daemon that runs is not disturbed.
    """
    began_s = monotonic()
    config = read_config(config_path)
    # Late: a mistake in the configuration is told before anything else is loaded.
    import structlog

    from watchkeeper import log
    from watchkeeper.app.start import run_daemon, run_dry
    from watchkeeper.engine.descriptors import TooFewDescriptors
    from watchkeeper.engine.memory import share_one_heap
    from watchkeeper.schema.fields import SecretUnavailable
    from watchkeeper.store.database import StoreError
    from watchkeeper.web.server import ListenError

    share_one_heap()
    log.configure(as_json=log.wants_json(config.log.format), level=config.log.level)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            clean = runner.run((run_dry if is_dry else run_daemon)(config, began_s))
    except (StoreError, SecretUnavailable, ListenError, TooFewDescriptors) as error:
        fail(f"watchkeeper: {error}", UNREACHABLE)
    except Exception:  # noqa: BLE001  # into the log, with its trace
        structlog.get_logger("daemon").critical("daemon_failed", exc_info=True)
        sys.exit(FAULT)
    sys.exit(0 if clean else FAULT)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's where it is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop
