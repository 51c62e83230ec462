"""Tables on the terminal, and JSON."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_COLOURS = {
    "open": "bold red",
    "down": "bold red",
    "firing": "bold red",
    "flapping": "bold red",
    "holds": "bold red",
    "rejected": "bold red",
    "critical": "red",
    "pending": "yellow",
    "unknown": "yellow",
    "waiting": "yellow",
    "up": "green",
    "resolved": "green",
    "over": "green",
    "delivered": "green",
}
_PIPE_WIDTH = 200
_LEAST_WIDTH = 80  # narrower, the cells of a table would be columns of single letters


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Not rich's to decide: the command ends as with any other output that nobody reads."""
        raise  # noqa: PLE0704  # it is called while the BrokenPipeError is handled


def console() -> Console:
    """Where tables go: as wide as the terminal; wide enough for grep when there is none."""
    width = max(_LEAST_WIDTH, Console().width) if sys.stdout.isatty() else _PIPE_WIDTH
    return _Console(width=width, highlight=False, soft_wrap=False)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; known states are coloured. What servers or people said is printed as it is, without markup."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console().print(table)


def print_json(data: object) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=plain))


def printable(text: str) -> str:
    """Text from elsewhere without what would steer a terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)


def _cell(value: object) -> Text:
    text = printable("" if value is None else str(value))
    return Text(text, style=_COLOURS.get(text, ""))


def plain(value: object) -> Any:
    """A value as JSON has it, for `json.dumps`."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return asdict(value)  # type: ignore[call-overload]  # a dataclass, or a TypeError that says what it is
