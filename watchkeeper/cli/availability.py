"""`watchkeeper availability`: how available a service was, what was counted and what was not, and corrections."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from watchkeeper.cli._corrections import correct
from watchkeeper.cli._level import budget_cells, state_word
from watchkeeper.cli._options import WRONG, config_option, database_of, fail, json_option, read_config
from watchkeeper.cli._output import print_json, print_table, printable
from watchkeeper.domain.timeline import State
from watchkeeper.domain.units import format_time

if TYPE_CHECKING:
    from watchkeeper.domain.availability import Measured, Outage
    from watchkeeper.domain.servicelevel import Report

_MOST_MESSAGE = 120


class _ShowGroup(click.Group):
    """`show` is meant where no command is named: `availability web-shop`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else "--help"
        is_command = first in self.commands or first in ctx.help_option_names
        return super().parse_args(ctx, args or ["--help"] if is_command else ["show", *args])


@click.group("availability", cls=_ShowGroup)
def command() -> None:
    """Say how available a service was: `watchkeeper availability web-shop --month 2026-10`.

    Corrections change what is counted, and nothing that was measured: they can be taken back.
    """


@command.command("show", short_help="Show how available a service was.")
@click.argument("service")
@config_option
@json_option
@click.option("--month", metavar="YYYY-MM", help="A month.")
@click.option("--quarter", metavar="YYYY-QN", help="A quarter, such as 2026-Q4.")
@click.option("--year", metavar="YYYY", help="A year.")
@click.option("--last", metavar="DURATION", help="The time up to now, such as 30d.")
@click.option("--from", "begin", metavar="TIME", help="From when, such as 2026-10-01 or 2026-10-01T09:00+08:00.")
@click.option("--to", "end", metavar="TIME", help="Until when; now if not given.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The last so many outages."
)
def show(
    service: str,
    config_path: Path,
    *,
    as_json: bool,
    month: str | None,
    quarter: str | None,
    year: str | None,
    last: str | None,
    begin: str | None,
    end: str | None,
    limit: int,
) -> None:
    """Show how available a SERVICE was: this month, if nothing else is asked for.

    Months, and times that name no zone, are in the time zone of the service's calendar. `show` may be left out.
    """
    from watchkeeper.app.parts import now_ms
    from watchkeeper.domain.period import asked_span
    from watchkeeper.domain.servicelevel import report_as_plain
    from watchkeeper.store.servicelevel import measure_service

    config = read_config(config_path)
    found = config.plan.services.get(service)
    if found is None:
        from watchkeeper.config.problems import suggest

        fail(f"there is no service {service!r}{suggest(service, config.plan.services)}", WRONG)
    said = {"month": month, "quarter": quarter, "year": year, "last": last, "from": begin, "to": end}
    now = now_ms()
    try:
        span, until_ms = asked_span({name: text for name, text in said.items() if text}, now, found.hours.zone)
    except ValueError as error:
        fail(str(error), WRONG)
    with database_of(config, for_reading=True) as database:
        report = measure_service(database, config.plan, found, span, until_ms, now)
    if as_json:
        print_json(report_as_plain(report))
    else:
        _print(report, limit)


command.add_command(correct)


def _print(report: "Report", limit: int) -> None:
    measured, service = report.measured, report.service
    target, percent, left, burn, runs_out = budget_cells(report)
    lines = [
        ("service", f"{service.id}  {service.title}" if service.title != service.id else service.id),
        ("from", format_time(measured.span.from_ms)),
        ("to", format_time(measured.span.to_ms)),
        ("hours", f"{service.hours.name}, {service.hours.zone}"),
        ("down when", service.availability.describe()),
        ("available", f"{percent}{_exactly(measured)}"),
        ("objective", f"{target}, {_kept(report)}" if target else ""),
        ("budget", f"{left} left, spent at {burn or '-'} times what is allowed" if left else ""),
        ("runs out" if report.is_met else "ran out", runs_out),
    ]
    for name, value in lines:
        if value:
            click.echo(f"{name:<9} {printable(value)}")
    click.echo("\nTime")
    rows = [(state_word(state), format_exactly(ms), _share(ms, measured)) for state, ms in measured.totals.items()]
    print_table(("WHAT", "TIME", "OF ALL"), rows)
    if measured.totals[State.UNKNOWN]:
        counts = {"excluded": "neither for nor against it", "up": "as up", "down": "as down"}
        click.echo(f"what is unknown counts {counts[measured.unknown.value]}")
    _print_outages(measured.outages, limit)
    if measured.adjustments:
        click.echo("\nPlanned and corrected")
        rows_of = [
            (one.number, one.kind, format_time(one.from_ms), format_time(one.to_ms), format_exactly(one.time_ms),
             format_exactly(one.down_ms), one.author, one.why)
            for one in measured.adjustments
        ]  # fmt: skip
        print_table(("NUMBER", "KIND", "FROM", "UNTIL", "TIME", "DOWN IN IT", "BY", "WHY"), rows_of)


def _print_outages(outages: "tuple[Outage, ...]", limit: int) -> None:
    if not outages:
        return
    more = f", the last {limit} of {len(outages)}" if len(outages) > limit else ""
    click.echo(f"\nOutages{more}")
    print_table(
        ("FROM", "UNTIL", "COUNTED", "OF", "CAUSE"),
        [
            (
                format_time(one.from_ms),
                format_time(one.to_ms),
                format_exactly(one.counted_ms),
                format_exactly(one.to_ms - one.from_ms),
                "\n".join(f"{cause.probe_id}: {cause.message[:_MOST_MESSAGE]}" for cause in one.causes[:3]),
            )
            for one in outages[-limit:]
        ],
    )


def _exactly(measured: "Measured") -> str:
    if not measured.counted_ms:
        return ": nothing was measured that counts"
    return f", down {format_exactly(measured.bad_ms)} of {format_exactly(measured.counted_ms)} that count"


def _kept(report: "Report") -> str:
    if report.is_met is None:
        return "no data"
    return "kept" if report.is_met else "missed"


def _share(ms: int, measured: "Measured") -> str:
    return f"{100 * ms / (measured.span.to_ms - measured.span.from_ms):.3f} %" if ms else ""


def format_exactly(ms: int) -> str:
    """All units of a duration: `1d2h3m4s5ms`."""
    parts = []
    rest = ms
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
