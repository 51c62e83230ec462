"""`watchkeeper changes`: the changes that are known, as their sources told them last."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from watchkeeper.cli._options import config_option, database_of, find_state, json_option
from watchkeeper.cli._output import print_json, print_table
from watchkeeper.domain.change import Change
from watchkeeper.domain.expected import Selection
from watchkeeper.domain.matchers import in_words
from watchkeeper.domain.units import format_duration_ms, format_time, parse_duration_ms

if TYPE_CHECKING:
    from watchkeeper.store.changes import ToldWindow

_AHEAD_MS: Final = parse_duration_ms("31d")
_PAST_MS: Final = parse_duration_ms("31d")


@click.command("changes")
@config_option
@json_option
@click.option("--past", is_flag=True, help="Also those that ended in the last 31 days.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The first so many.")
def command(config_path: Path, *, as_json: bool, past: bool, limit: int) -> None:
    """List the changes of the next 31 days and those under way, as the daemon read them last.

    In an approved change's window trouble of what it is about opens nothing.
    """
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


def about(selection: Selection) -> str:
    """What a selection means, for people."""
    parts = [*sorted(selection.services), *sorted(selection.cis), *selection.probes]
    if selection.matchers:
        parts.append(in_words(selection.matchers))
    return ", ".join(parts) or "everything"


def _standing(one: "ToldWindow") -> tuple[str, str]:
    assert isinstance(one.window, Change)
    return one.window.state.value.replace("_", " "), one.window.outcome.value.replace("_", " ")


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
