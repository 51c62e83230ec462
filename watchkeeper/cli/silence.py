"""`watchkeeper silence`: who wants which alerts to open nothing, until when, and why."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from watchkeeper.cli._desk import login, plain_text
from watchkeeper.cli._group import ListGroup
from watchkeeper.cli._options import WRONG, config_option, database_of, fail, find_state, json_option
from watchkeeper.cli._output import print_json, print_table, printable
from watchkeeper.domain.expected import Matcher
from watchkeeper.domain.instants import parse_instant_ms
from watchkeeper.domain.matchers import in_words, parse_matcher, written
from watchkeeper.domain.silence import (
    MAX_NAME,
    MAX_REASON,
    Silence,
    SilenceDraft,
    TooWide,
    WrongSilence,
    as_plain,
    require_sensible,
)
from watchkeeper.domain.units import format_time, parse_duration_ms


def _of(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that reads a text, or each of several."""

    def read(_ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return tuple(map(parse, value)) if isinstance(value, tuple) else value and parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), param=parameter) from None

    return read


def _person(_ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    return plain_text(value.strip(), MAX_NAME, parameter)


def _reason(_ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    return plain_text(value.strip(), MAX_REASON, parameter)


_by_option = click.option(
    "--by", metavar="NAME", default=login, show_default="your login", callback=_person, help="Who does it."
)


@click.group("silence", cls=ListGroup)
def command() -> None:
    """Say for how long which alerts shall open nothing; list silences, end them.

    Probes go on. What is still wrong when a silence ends opens its incident then.
    """


@command.command("list", short_help="List silences, or show one.")
@click.argument("number", required=False)
@config_option
@json_option
@click.option("--past", is_flag=True, help="Also those that are over.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The newest so many.")
def list_(number: str | None, config_path: Path, *, as_json: bool, past: bool, limit: int) -> None:
    """List silences, or show one by its NUMBER, such as SIL-1. `list` may be left out."""
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.silences import StoredSilences

    now = now_ms()
    with database_of(find_state(config_path), for_reading=True) as database:
        stored = StoredSilences(database)
        if number is not None:
            found = stored.find(number)
        else:
            shown = stored.newest(limit) if past else stored.left(now)[-limit:]
    if number is None:
        _print(shown, now, as_json=as_json)
    elif found is None:
        fail(f"there is no silence {number!r}", WRONG)
    elif as_json:
        print_json(as_plain(found, now))
    else:
        _print([found], now, as_json=False)


@command.command("add", short_help="Silence alerts.")
@click.argument("matchers", nargs=-1, metavar="[MATCHER]...", callback=_of(parse_matcher))
@config_option
@click.option("--for", "lasts", metavar="DURATION", callback=_of(parse_duration_ms), help="How long, such as 2h.")
@click.option(
    "--until", metavar="TIME", callback=_of(parse_instant_ms), help="Until when, such as 2026-11-28T22:00Z."
)
@click.option(
    "--from", "begin", metavar="TIME", callback=_of(parse_instant_ms), help="From when; from now otherwise."
)
@click.option("-m", "--reason", required=True, callback=_reason, help="Why: tickets and people will be told.")
@click.option("--all", "everything", is_flag=True, help="It is meant to silence everything.")
@_by_option
def add(
    matchers: Sequence[Matcher],
    config_path: Path,
    *,
    lasts: int | None,
    until: int | None,
    begin: int | None,
    reason: str,
    everything: bool,
    by: str,
) -> None:
    """Silence the alerts that agree with all MATCHERs: NAME="VALUE" with =, !=, =~ or !~.

    NAME is rule, probe, service, severity, category, prober, ci, or a label of the probe. A regular expression is of
    the whole value.

    watchkeeper silence add 'service="web-shop"' --for 2h --reason "switch is replaced"
    """
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.silences import StoredSilences

    if (lasts is None) == (until is None):
        raise click.UsageError("say how long: either --for or --until")
    now = now_ms()
    from_ms = now if begin is None else begin
    to_ms = from_ms + lasts if lasts is not None else until
    assert to_ms is not None
    draft = SilenceDraft(tuple(matchers), by, reason, from_ms, to_ms)
    try:
        require_sensible(draft, now, everything=everything)
        _require_known(config_path, draft.matchers)
        with database_of(find_state(config_path), for_reading=True) as database:
            made = StoredSilences(database).add(draft, now)
    except WrongSilence as wrong:
        fail(f"{wrong}{' with --all' if isinstance(wrong, TooWide) else ''}", WRONG)
    click.echo(printable(str(made)))


@command.command("end", short_help="End a silence before its time.")
@click.argument("number")
@config_option
@_by_option
def end(number: str, config_path: Path, by: str) -> None:
    """End a silence before its time. What is wrong then opens its incident."""
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.silences import StoredSilences

    with database_of(find_state(config_path), for_reading=True) as database:
        try:
            ended = StoredSilences(database).end(number, by, now_ms())
        except WrongSilence as wrong:
            fail(str(wrong), WRONG)
    if ended is None:
        fail(f"there is no silence {number!r}", WRONG)
    click.echo(printable(f"{ended.number} is over: {in_words(ended.matchers)}"))


def _require_known(config_path: Path, matchers: Sequence[Matcher]) -> None:
    """Matchers ask for what there is. A configuration that is not valid keeps nobody from silencing anything.

    Raises:
        WrongSilence: not so.
    """
    from watchkeeper.app.parts import load_config
    from watchkeeper.config.matchernames import first_mistake, matcher_names
    from watchkeeper.config.problems import ConfigError

    try:
        names = matcher_names(load_config(config_path).plan)
    except ConfigError:
        return
    if (wrong := first_mistake(matchers, names)) is not None:
        raise WrongSilence(wrong)
    for matcher in matchers:
        if (odd := names.odd(matcher)) is not None:
            click.echo(printable(f"{written(matcher)} {odd}"), err=True)


def _print(silences: Sequence[Silence], now_ms: int, *, as_json: bool) -> None:
    if as_json:
        print_json([as_plain(silence, now_ms) for silence in silences])
        return
    print_table(
        ("NUMBER", "STATE", "FROM", "UNTIL", "BY", "WHAT", "WHY"),
        [
            (
                silence.number,
                silence.state(now_ms),
                format_time(silence.from_ms),
                f"{format_time(silence.until_ms)}{f', by {silence.ended_by}' if silence.ended_by else ''}",
                silence.author,
                in_words(silence.matchers),
                silence.reason,
            )
            for silence in silences
        ],
    )
