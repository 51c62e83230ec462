"""What people do to tickets of the local desk, one command each."""

import getpass
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from watchkeeper.cli._options import WRONG, config_option, database_of, fail, find_state
from watchkeeper.cli._output import printable
from watchkeeper.domain.desk import Act, Insight, Move, WrongMove, in_words

_MAX_NAME: Final = 100
_MAX_TEXT: Final = 10_000
_HELP: Final = {
    Move.TAKE: "Take a ticket up. It is in progress then, with you.",
    Move.ASSIGN: "Give a ticket to somebody, by NAME.",
    Move.HOLD: "Put a ticket on hold.",
    Move.RESOLVE: "Resolve a ticket. While its trouble goes on, watchkeeper opens it again.",
    Move.REOPEN: "Open a resolved ticket again.",
    Move.CLOSE: "Close a ticket for good. While its trouble goes on, watchkeeper makes another one.",
    Move.CANCEL: "Cancel a ticket for good. It was no trouble, and watchkeeper leaves it alone.",
    Move.NOTE: "Add a note to a ticket.",
}


def _name(_ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    return plain_text(value.strip(), _MAX_NAME, parameter)


def _text(_ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    return plain_text(value.strip(), _MAX_TEXT, parameter) if value or parameter.required else ""


def plain_text(text: str, most: int, parameter: click.Parameter) -> str:
    """A text that somebody gave, without what would steer a terminal; ends the command where it is empty or long."""
    if not text:
        raise click.BadParameter("is empty", param=parameter)
    if len(text) > most:
        raise click.BadParameter(f"is longer than {most:,} characters", param=parameter)
    return printable(text)


def login() -> str:
    """Who sits at the terminal, also where they act as the service's own user."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        raise click.UsageError("this login has no name: say who you are with --by NAME") from None


def commands() -> list[click.Command]:
    """All of them."""
    return [_command(move) for move in Move]


def _command(move: Move) -> click.Command:
    def act(
        number: str, config_path: Path, by: str, text: str = "", to: str = "", insight: str | None = None
    ) -> None:
        _act(number, config_path, Act(move, by, to, text, None if insight is None else Insight(insight)))

    callback: Callable[..., Any] = config_option(act)
    parameters: list[click.Parameter] = [click.Argument(["number"])]
    if move is Move.ASSIGN:
        parameters.append(click.Argument(["to"], metavar="NAME", callback=_name))
    if move is Move.NOTE:
        parameters.append(click.Argument(["text"], callback=_text))
        kinds = click.Choice([one.value for one in Insight])
        parameters.append(click.Option(["--as", "insight"], type=kinds, help="What was found out about a problem."))
    else:
        parameters.append(click.Option(["-m", "--note", "text"], default="", callback=_text, help="What to note."))
    by = click.Option(
        ["--by"], metavar="NAME", default=login, show_default="your login", callback=_name, help="Who does it."
    )
    of_config = callback.__click_params__  # type: ignore[attr-defined]  # where click's decorators keep them
    short = f"{_HELP[move].partition('.')[0]}."
    return click.Command(
        move.value, short_help=short, params=[*parameters, by, *of_config], callback=act, help=_HELP[move]
    )


def _act(number: str, config_path: Path, act: Act) -> None:
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.desk import StoredDesk
    from watchkeeper.store.ticketlist import show_ticket

    with database_of(find_state(config_path), for_reading=True) as database:
        try:
            done = StoredDesk(database).act(number, act, now_ms())
        except WrongMove as wrong:
            fail(str(wrong), WRONG)
        elsewhere = show_ticket(database, number) if done is None else None
    if elsewhere is not None:
        row = elsewhere.ticket
        at = f": do it there{f', at {row.url}' if row.url else ''}"
        fail(f"{row.number} is a ticket of {row.backend}, not of watchkeeper's own desk{at}", WRONG)
    if done is None:
        fail(f"there is no ticket {number!r}", WRONG)
    desk, ticket = done
    who = f", with {ticket.assignee}" if ticket.assignee else ""
    click.echo(printable(f"{ticket.number} at {desk} is {in_words(ticket.state)}{who}: {ticket.title}"))
