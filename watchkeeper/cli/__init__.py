"""The `watchkeeper` command. Each command group is a file, imported when it is called: `--help` is quick."""

import signal
import sys
import traceback
from importlib import import_module
from typing import Any, Final

import click

from watchkeeper import __version__
from watchkeeper.cli import _streams
from watchkeeper.cli._options import FAULT, UNREACHABLE, fail

# The command, its file, and what `--help` says of it.
COMMANDS: Final = {
    "run": "Run the daemon in the foreground.",
    "check": "Check the configuration and say what would run.",
    "probe": "Run one probe now; show its sample and what the rules say.",
    "backtest": "Say which incidents rules would have opened in the past.",
    "rules": "Test rules.",
    "incidents": "List incidents, or show one.",
    "problems": "List problems, or show one and its evidence.",
    "services": "Say how services do: state, objective, error budget.",
    "availability": "Say how available a service was, and correct that.",
    "tickets": "List and show tickets, work on them, try refused ones again.",
    "silence": "Say for how long which alerts shall open nothing.",
    "changes": "List known changes, and report what became of them.",
    "knowledge": "Search what is known about trouble.",
    "db": "Upgrade or back up the database.",
    "schema": "Print the JSON Schema of the configuration files.",
}


class _LazyGroup(click.Group):
    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs the command. Output that can not be written and our own faults end it with their status."""
        out, err = _streams.hold()
        try:
            super().main(*args, **extra)
        except SystemExit:
            if not isinstance(out.trouble, BrokenPipeError):
                raise
            out.drop()
            sys.exit(128 + signal.SIGPIPE)  # what the shell makes of a program that dies of it
        except Exception:  # noqa: BLE001  # whatever it is: a trace for us, a status for scripts
            if out.trouble is not None:
                out.drop()
                fail(f"watchkeeper: the output can not be written: {out.trouble.strerror}", UNREACHABLE)
            if err.trouble is not None:
                sys.exit(UNREACHABLE)
            fail(traceback.format_exc().rstrip(), FAULT)
        finally:
            if err.trouble is not None:
                err.drop()

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"watchkeeper.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="watchkeeper")
def main() -> None:
    """Runs scheduled probes, evaluates rules on them and keeps exactly one ticket per trouble.

    Exit status: 0 fine; 1 what you asked about is wrong; 2 wrong usage; 3 something needed can not be reached;
    70 a fault of watchkeeper's own.
    """
