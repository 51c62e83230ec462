"""`watchkeeper changes`: the changes that are known, as their sources told them last, and what became of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from watchkeeper.cli._group import ListGroup
from watchkeeper.cli._moment import Moment
from watchkeeper.cli._options import config_option, database_of, find_state, json_option
from watchkeeper.cli._output import print_json, print_table
from watchkeeper.domain.change import Change, ChangeOutcome, ChangeState
from watchkeeper.domain.change_record import ChangeRates, ChangeRecord, rates_of
from watchkeeper.domain.expected import Selection
from watchkeeper.domain.matchers import in_words
from watchkeeper.domain.units import format_duration_ms, format_time, parse_duration_ms

if TYPE_CHECKING:
    from watchkeeper.store.changes import ToldWindow

_AHEAD_MS: Final = parse_duration_ms("31d")
_PAST_MS: Final = parse_duration_ms("31d")
_REPORTED_MS: Final = parse_duration_ms("30d")


@click.group("changes", cls=ListGroup)
def command() -> None:
    """List known changes, or report what became of them.

    In an approved change's window trouble of what it is about opens nothing.
    """


@command.command("list", short_help="List known changes.")
@config_option
@json_option
@click.option("--past", is_flag=True, help="Also those that ended in the last 31 days.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The first so many.")
def list_(config_path: Path, *, as_json: bool, past: bool, limit: int) -> None:
    """List the changes of the next 31 days and those under way, as the daemon read them last. `list` may be left
    out."""
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.changes import list_changes

    now = now_ms()
    begin = now - _PAST_MS if past else now
    with database_of(find_state(config_path), for_reading=True) as database:
        found = list_changes(database, from_ms=begin, to_ms=now + _AHEAD_MS, limit=limit)
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    print_table(
        ("NUMBER", "SOURCE", "STATE", "OUTCOME", "FROM", "UNTIL", "ABOUT", "TITLE", "READ"),
        [
            (
                one.window.id,
                one.window.backend,
                *(_standing(one)),
                format_time(one.window.from_ms),
                format_time(one.window.to_ms),
                about(one.window.selection),
                one.window.title,
                f"{format_duration_ms(max(0, now - one.read_ms) // 60_000 * 60_000)} ago",
            )
            for one in found
        ],
    )


@command.command("report", short_help="Report what became of changes.")
@config_option
@json_option
@click.option("--from", "from_ms", type=Moment(), metavar="TIME", help="Where to begin; 30d ago if not given.")
@click.option("--to", "to_ms", type=Moment(), metavar="TIME", help="Where to end; now if not given.")
def report(config_path: Path, *, as_json: bool, from_ms: int | None, to_ms: int | None) -> None:
    """Report the changes whose window ended in a stretch of time: what came of them, and which incidents they caused.

    A change that an incident was attributed to has failed, whatever its source says. The failure rate is of all
    changes; the success rate of those whose outcome the source tells.
    """
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.change_records import ended_changes

    now = now_ms()
    until = min(now, now if to_ms is None else to_ms)
    since = now - _REPORTED_MS if from_ms is None else from_ms
    if since >= until:
        raise click.UsageError("--from must be before --to, and in the past")
    with database_of(find_state(config_path), for_reading=True) as database:
        records = ended_changes(database, since, until)
    rates = rates_of(records)
    if as_json:
        print_json(_report(since, until, records, rates))
        return
    print_table(
        ("NUMBER", "SOURCE", "FROM", "UNTIL", "OUTCOME", "INCIDENTS", "TITLE"),
        [
            (
                one.number,
                one.source,
                format_time(one.from_ms),
                format_time(one.to_ms),
                _words(one.outcome),
                ", ".join(one.incidents),
                one.title,
            )
            for one in records
        ],
    )
    counts = ", ".join(f"{count} {_words(outcome)}" for outcome, count in rates.counts.items() if count)
    click.echo(
        f"\n{len(records)} changes{f': {counts}' if counts else ''}\n"
        f"change failure rate {_percent(rates.failure)}, change success rate {_percent(rates.success)}"
    )


def about(selection: Selection) -> str:
    """What a selection means, for people."""
    parts = [*sorted(selection.services), *sorted(selection.cis), *selection.probes]
    if selection.matchers:
        parts.append(in_words(selection.matchers))
    return ", ".join(parts) or "everything"


def _standing(one: "ToldWindow") -> tuple[str, str]:
    assert isinstance(one.window, Change)
    return _words(one.window.state), _words(one.window.outcome)


def _words(value: ChangeState | ChangeOutcome) -> str:
    return value.value.replace("_", " ")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _report(from_ms: int, to_ms: int, records: Sequence[ChangeRecord], rates: ChangeRates) -> dict[str, Any]:
    return {
        "from": format_time(from_ms),
        "to": format_time(to_ms),
        "outcomes": {outcome.value: count for outcome, count in rates.counts.items()},
        "failure_rate": rates.failure,
        "success_rate": rates.success,
        "changes": [
            {
                "number": one.number,
                "source": one.source,
                "title": one.title,
                "from": format_time(one.from_ms),
                "until": format_time(one.to_ms),
                "outcome": one.outcome,
                "told": one.told,
                "incidents": list(one.incidents),
            }
            for one in records
        ],
    }


def _as_json(one: "ToldWindow") -> dict[str, Any]:
    window = one.window
    assert isinstance(window, Change)
    return {
        "number": window.id,
        "source": window.backend,
        "ref": window.ref,
        "state": window.state,
        "outcome": window.outcome,
        "from": format_time(window.from_ms),
        "until": format_time(window.to_ms),
        "services": sorted(window.selection.services),
        "cis": sorted(window.selection.cis),
        "probes": list(window.selection.probes),
        "title": window.title,
        "read": format_time(one.read_ms),
    }
