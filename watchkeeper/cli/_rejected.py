"""Ticket commands that were refused: which, why, and once more."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from watchkeeper.cli._options import WRONG, config_option, database_of, fail, find_state, json_option, read_config
from watchkeeper.cli._output import print_json, print_table
from watchkeeper.domain.incident import incident_id
from watchkeeper.domain.owner import is_problem, owner_number, problem_id
from watchkeeper.domain.units import format_time

if TYPE_CHECKING:
    from watchkeeper.config.load import Config
    from watchkeeper.store.rejections import Rejection


@click.command("rejected", short_help="List what backends refuse, and why.")
@config_option
@json_option
@click.option("--backend", help="Only those of this backend.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The oldest so many.")
def rejected(config_path: Path, *, as_json: bool, backend: str | None, limit: int) -> None:
    """List the ticket commands that backends refuse, and why.

    Nothing more is done to such a ticket before its command went through: mend what is wrong, then `watchkeeper
    tickets retry`.
    """
    from watchkeeper.store.rejections import list_rejected

    with database_of(find_state(config_path), for_reading=True) as database:
        found = list_rejected(database, backend=backend, limit=limit)
    if as_json:
        print_json([_as_json(one) for one in found])
    elif not found:
        click.echo("no rejected commands")
    else:
        print_table(
            ("FOR", "TICKET", "BACKEND", "COMMAND", "REJECTED", "BEHIND", "WHY"),
            [
                (
                    one.owner,
                    one.ticket or "none yet",
                    one.backend,
                    one.kind.value,
                    format_time(one.at_ms),
                    one.behind,
                    one.reason,
                )
                for one in found
            ],
        )


@click.command("retry", short_help="Try refused commands again.")
@click.argument("number", metavar="[NUMBER]", required=False)
@click.option("--backend", help="Everything that this backend rejected.")
@click.option("--all", "everything", is_flag=True, help="Everything that was rejected.")
@config_option
def retry(number: str | None, *, backend: str | None, everything: bool, config_path: Path) -> None:
    """Have rejected ticket commands tried again: those of an incident such as INC-12 or a problem such as PRB-3, by
    its NUMBER, of a backend, or all.

    A running daemon tries them within seconds, others with its start. It also does so by itself for every backend
    whose configuration changes, and with each start.
    """
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.outbox import retry_rejected
    from watchkeeper.store.rejections import is_there

    if sum((number is not None, backend is not None, everything)) != 1:
        raise click.UsageError("say which: a number such as INC-12 or PRB-3, --backend NAME, or --all")
    incident, problem = (None, None) if number is None else _owner(number)
    config = read_config(config_path)
    with database_of(config, for_reading=True) as database:
        if number is not None and not is_there(database, incident, problem):
            what = "incident" if problem is None else "problem"
            fail(f"there is no {what} {owner_number(incident, problem)}", WRONG)
        count = retry_rejected(database, now_ms(), backend=backend, incident_id=incident, problem_id=problem)
    if backend is not None and backend not in config.backends:
        _fail_without_backend(config, backend, count)
    said = f"{count or 'no'} rejected command{'' if count == 1 else 's'}"
    click.echo(f"{said} will be tried again" if count else said)


def _owner(number: str) -> tuple[int | None, int | None]:
    """The incident or the problem of a number; one of digits alone is an incident's."""
    try:
        return (None, problem_id(number)) if is_problem(number) else (incident_id(number), None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NUMBER") from None


def _fail_without_backend(config: "Config", name: str, count: int) -> None:
    from watchkeeper.config.problems import listing, suggest

    known = list(config.backends)
    wait = f"; {count} commands wait until the configuration has it again" if count else ""
    fail(f"there is no backend {name!r}{suggest(name, known)}; there is {listing(known)}{wait}", WRONG)


def _as_json(one: "Rejection") -> dict[str, object]:
    return {
        "incident": None if one.incident_id is None else one.owner,
        "problem": None if one.problem_id is None else one.owner,
        "ticket": one.ticket,
        "title": one.title,
        "backend": one.backend,
        "command": one.kind,
        "rejected": format_time(one.at_ms),
        "waiting_behind": one.behind,
        "reason": one.reason,
    }
