"""Corrections of availability: who says what of a service's past, and takes it back."""

from pathlib import Path

import click

from watchkeeper.cli._desk import login, plain_text
from watchkeeper.cli._options import WRONG, config_option, database_of, fail, find_state, json_option, read_config
from watchkeeper.cli._output import print_json, print_table, printable
from watchkeeper.domain.availability import CorrectionKind
from watchkeeper.domain.correction import MAX_NAME, MAX_REASON, CorrectionDraft, WrongCorrection, require_sensible
from watchkeeper.domain.instants import parse_instant_ms
from watchkeeper.domain.units import format_time


def _person(_ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    return plain_text(value.strip(), MAX_NAME, parameter)


def _reason(_ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    return plain_text(value.strip(), MAX_REASON, parameter)


_by_option = click.option(
    "--by", metavar="NAME", default=login, show_default="your login", callback=_person, help="Who says so."
)
_reason_option = click.option("-m", "--reason", required=True, callback=_reason, help="Why.")


@click.group("correct", short_help="Correct what is counted, or take that back.")
def correct() -> None:
    """Correct what is counted: exclude an outage, add one that nobody saw, or take a correction back.

    What was measured stays, and every correction can be seen, with who made it and why.
    """


@correct.command("exclude", short_help="Do not count an outage.")
@click.argument("service")
@config_option
@click.option("--from", "begin", metavar="TIME", required=True, help="From when.")
@click.option("--to", "end", metavar="TIME", required=True, help="Until when.")
@_reason_option
@_by_option
def exclude(service: str, config_path: Path, begin: str, end: str, reason: str, by: str) -> None:
    """Do not count what a SERVICE was down between two times. While it was up counts as before."""
    _add(service, config_path, CorrectionKind.EXCLUDE, begin, end, reason, by)


@correct.command("add", short_help="Count an outage that nobody saw.")
@click.argument("service")
@config_option
@click.option("--from", "begin", metavar="TIME", required=True, help="From when.")
@click.option("--to", "end", metavar="TIME", required=True, help="Until when.")
@_reason_option
@_by_option
def add(service: str, config_path: Path, begin: str, end: str, reason: str, by: str) -> None:
    """Count the time between two times as an outage of a SERVICE, whatever was seen; within its hours."""
    _add(service, config_path, CorrectionKind.ADD, begin, end, reason, by)


@correct.command("undo", short_help="Take a correction back.")
@click.argument("number")
@config_option
@_reason_option
@_by_option
def undo(number: str, config_path: Path, reason: str, by: str) -> None:
    """Take the correction of a NUMBER back, such as COR-1. It stays on record."""
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.corrections import undo_correction

    with database_of(find_state(config_path), for_reading=True) as database:
        try:
            undone = undo_correction(database, number, by, reason, now_ms())
        except WrongCorrection as wrong:
            fail(str(wrong), WRONG)
    if undone is None:
        fail(f"there is no correction {number!r}", WRONG)
    click.echo(printable(f"{undone.number} of {undone.service} is taken back"))


@correct.command("list", short_help="List corrections.")
@click.argument("service", required=False)
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The newest so many.")
def list_(service: str | None, config_path: Path, *, as_json: bool, limit: int) -> None:
    """List the corrections of a SERVICE, or of all; those that were taken back as well."""
    from watchkeeper.domain.servicelevel import correction_as_plain
    from watchkeeper.store.corrections import list_corrections

    with database_of(find_state(config_path), for_reading=True) as database:
        found = list_corrections(database, service, limit)
    if as_json:
        print_json([correction_as_plain(one) for one in found])
        return
    print_table(
        ("NUMBER", "SERVICE", "KIND", "FROM", "UNTIL", "BY", "WHY", "TAKEN BACK"),
        [
            (
                one.number,
                one.service,
                one.kind.value,
                format_time(one.from_ms),
                format_time(one.to_ms),
                one.author,
                one.reason,
                f"by {one.undone_by}: {one.undone_reason}" if one.undone_ms is not None else "",
            )
            for one in found
        ],
    )


def _add(service: str, config_path: Path, kind: CorrectionKind, begin: str, end: str, reason: str, by: str) -> None:
    from watchkeeper.app.parts import now_ms
    from watchkeeper.config.problems import suggest
    from watchkeeper.store.corrections import add_correction

    config = read_config(config_path)
    found = config.plan.services.get(service)
    if found is None:
        fail(f"there is no service {service!r}{suggest(service, config.plan.services)}", WRONG)
    now = now_ms()
    try:
        zone = found.hours.zone
        span = parse_instant_ms(begin, zone), parse_instant_ms(end, zone)
        draft = CorrectionDraft(service, kind, *span, by, reason)
        require_sensible(draft, now)
        with database_of(config, for_reading=True) as database:
            made = add_correction(database, draft, now)
    except (WrongCorrection, ValueError) as wrong:
        fail(str(wrong), WRONG)
    what = "does not count as down" if kind is CorrectionKind.EXCLUDE else "counts as down"
    times = f"{format_time(made.from_ms)} to {format_time(made.to_ms)}"
    click.echo(printable(f"{made.number}: {service} {what} from {times}"))
