"""`watchkeeper tickets`: tickets as their backends last told, and what people do to them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchkeeper.cli import _desk, _preview, _rejected
from watchkeeper.cli._group import ListGroup
from watchkeeper.cli._options import WRONG, config_option, database_of, fail, find_state, json_option
from watchkeeper.cli._output import print_json, print_table, printable
from watchkeeper.domain.desk import in_words
from watchkeeper.domain.ticket import TicketState
from watchkeeper.domain.units import format_time

if TYPE_CHECKING:
    from watchkeeper.store.ticketlist import TicketDetail, TicketRow


@click.group("tickets", cls=ListGroup)
def command() -> None:
    """List tickets, or show one: `watchkeeper tickets DESK-12`.

    What people do to tickets of watchkeeper's own desk are commands; those of other systems are worked on there.
    """


@command.command("list", short_help="List tickets, or show one.")
@click.argument("number", required=False)
@config_option
@json_option
@click.option("--state", type=click.Choice([one.value for one in TicketState]), help="Only those in this state.")
@click.option("--backend", help="Only those of this backend.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
def list_(
    number: str | None, config_path: Path, *, as_json: bool, state: str | None, backend: str | None, limit: int
) -> None:
    """List tickets, the newest first, or show one by its NUMBER, such as DESK-12. `list` may be left out."""
    from watchkeeper.store.ticketlist import list_tickets, show_ticket

    with database_of(find_state(config_path), for_reading=True) as database:
        if number is None:
            wanted = None if state is None else TicketState(state)
            _print_list(list_tickets(database, state=wanted, backend=backend, limit=limit), as_json=as_json)
            return
        detail = show_ticket(database, number, backend=backend)
    if detail is None:
        fail(f"there is no ticket {number!r}", WRONG)
    if as_json:
        print_json(
            {
                **_as_json(detail.ticket),
                **{what: text or None for what, text in _known(detail).items()},
                "description": detail.description,
                "notes": [{"time": format_time(note.at_ms), "text": note.text} for note in detail.notes],
            }
        )
    else:
        _print_detail(detail)


for _other in (*_desk.commands(), _rejected.rejected, _rejected.retry, _preview.preview):
    command.add_command(_other)


def _print_list(rows: "list[TicketRow]", *, as_json: bool) -> None:
    if as_json:
        print_json([_as_json(row) for row in rows])
    elif not rows:
        click.echo("no tickets")
    else:
        print_table(
            ("TICKET", "STATE", "WITH", "BACKEND", "FOR", "SERVICE", "OPENED", "TITLE"),
            [
                (
                    row.number,
                    row.state.value,
                    row.assignee,
                    row.backend,
                    row.owner,
                    row.service,
                    format_time(row.opened_ms),
                    row.title,
                )
                for row in rows
            ],
        )


def _print_detail(detail: "TicketDetail") -> None:
    row = detail.ticket
    click.echo(printable(f"{row.number}  {row.title}"))
    at = f"{in_words(row.state)}{f', with {row.assignee}' if row.assignee else ''}, at {row.backend}"
    click.echo(printable(f"{at}, for {row.owner} {row.url}".rstrip()))
    for what, text in _known(detail).items():
        if text:
            click.echo(printable(f"{what.replace('_', ' ')}: {text}"))
    if detail.description is not None:
        click.echo("\n" + printable(detail.description))
    for note in detail.notes:
        click.echo(f"\n{format_time(note.at_ms)}\n{printable(note.text)}")


def _known(detail: "TicketDetail") -> dict[str, str]:
    """What it is linked to, and what was found out about it."""
    found = detail.findings
    return {
        "part_of": detail.problem,
        "duplicate_of": detail.duplicate_of,
        "workaround": found.workaround,
        "root_cause": found.root_cause,
        "known_error": found.known_error,
    }


def _as_json(row: "TicketRow") -> dict[str, Any]:
    return {
        "number": row.number,
        "state": row.state,
        "assignee": row.assignee or None,
        "title": row.title,
        "backend": row.backend,
        "ref": row.ref,
        "key": row.key,
        "incident": None if row.incident_id is None else row.owner,
        "problem": None if row.problem_id is None else row.owner,
        "service": row.service,
        "opened": format_time(row.opened_ms),
        "updated": format_time(row.updated_ms),
        "url": row.url or None,
    }
