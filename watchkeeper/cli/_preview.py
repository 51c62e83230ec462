"""`watchkeeper tickets preview`: what a ticket system would be sent."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from watchkeeper.cli._options import UNREACHABLE, WRONG, config_option, database_of, fail, json_option, read_config
from watchkeeper.cli._output import plain, print_json, printable
from watchkeeper.domain.alert import Verdict
from watchkeeper.domain.probe import Fact, FactType, Probe, Sample, Status
from watchkeeper.domain.units import utc

if TYPE_CHECKING:
    from watchkeeper.config.load import Config
    from watchkeeper.domain.preview import Preview
    from watchkeeper.domain.rule import Rule
    from watchkeeper.itsm.base import Call

_VERDICTS: Final = {
    Verdict.HOLDS: "the rule fires on such a sample",
    Verdict.OVER: "the rule does not fire on such a sample",
    Verdict.UNKNOWN: "the rule has no answer to such a sample alone",
}
_MADE_UP: Final = "(made up for a preview)"


@click.command("preview", short_help="Show what a ticket system would be sent.")
@click.argument("rule_id", metavar="RULE")
@click.argument("probe_id", metavar="PROBE")
@config_option
@json_option
@click.option("--run", is_flag=True, help="Run the probe now, and take what it finds.")
@click.option(
    "--status",
    type=click.Choice([one.value for one in Status]),
    help="What the probe finds; down unless values are given, else up.",
)
@click.option("--value", "values", metavar="NAME=NUMBER", multiple=True, help="A value of the sample, in its unit.")
@click.option("--fact", "facts", metavar="NAME=FACT", multiple=True, help="A fact of it; a time may be -26h, ago.")
@click.option("--message", help="What the probe says.")
@click.option("--problem", "of_problem", is_flag=True, help="For the ticket of a problem, with the incident's texts.")
def preview(
    rule_id: str,
    probe_id: str,
    config_path: Path,
    *,
    as_json: bool,
    run: bool,
    status: str | None,
    values: tuple[str, ...],
    facts: tuple[str, ...],
    message: str | None,
    of_problem: bool,
) -> None:
    """Show the calls that would be made for a ticket of RULE on PROBE, and those that would resolve it.

    Nothing is sent. The sample is made up of the options, or found by a run of the probe. Whether the rule fires on
    it is told, and makes no difference. Secrets are left out; numbers and times are examples.
    """
    if run and (status or values or facts or message):
        raise click.UsageError("a sample is found by --run or made up of other options, not both")
    config = read_config(config_path)
    rule, probe = _chosen(config, rule_id, probe_id)
    from watchkeeper.app.parts import now_ms, run_probe
    from watchkeeper.domain import preview as domain

    if run:
        sample = asyncio.run(run_probe(probe))
    else:
        said = _MADE_UP if message is None else message
        found = Status(status) if status else Status.UP if values else Status.DOWN
        at_ms = now_ms()
        sample = Sample(probe.id, at_ms, found, 0.0, _values(probe, values), _facts(probe, facts, at_ms), said)
    shown = domain.preview(config.plan, rule, sample)
    if of_problem:
        shown = domain.as_of_problem(shown)
    _print(config, shown, sample, rule, as_json=as_json)


def _chosen(config: "Config", rule_id: str, probe_id: str) -> "tuple[Rule, Probe]":
    from watchkeeper.config.problems import listing

    plan = config.plan
    rule, probe = _named("rule", rule_id, plan.rules), _named("probe", probe_id, plan.probes)
    if not rule.match(probe):
        others = listing(one.id for one in plan.probes.values() if rule.match(one))
        fail(f"the rule {rule.id!r} does not look at the probe {probe.id!r}; it looks at {others}", WRONG)
    return rule, probe


def _named(what: str, name: str, known: Mapping[str, Any]) -> Any:
    from watchkeeper.config.problems import listing, suggest

    if name not in known:
        fail(f"there is no {what} {name!r}{suggest(name, known)}; there is {listing(known)}", WRONG)
    return known[name]


def _values(probe: Probe, given: Sequence[str]) -> dict[str, float]:
    from watchkeeper.app.parts import prober_kind
    from watchkeeper.config.vocabulary import produces

    kind = prober_kind(probe)
    names = (one.partition("=")[0] for one in given)
    known = [*kind.values, *(name for name in names if produces(kind, name))]
    return {name: _number(text) for name, text in _pairs(given, "value", known, kind.name)}


def _facts(probe: Probe, given: Sequence[str], at_ms: int) -> dict[str, Fact]:
    from watchkeeper.app.parts import prober_kind

    kind = prober_kind(probe)
    read: Mapping[FactType, Callable[[str], Fact]] = {
        FactType.TEXT: str,
        FactType.NUMBER: _number,
        FactType.BOOLEAN: _boolean,
        FactType.TIME: lambda text: _time(text, at_ms),
    }
    return {name: read[kind.facts[name][0]](text) for name, text in _pairs(given, "fact", kind.facts, kind.name)}


def _pairs(given: Sequence[str], what: str, known: Iterable[str], prober: str) -> Iterable[tuple[str, str]]:
    from watchkeeper.config.problems import listing, suggest

    names = list(known)
    for one in given:
        name, equals, text = one.partition("=")
        if not equals:
            raise click.UsageError(f"{one!r} is no {what}: write NAME={'NUMBER' if what == 'value' else 'FACT'}")
        if name not in names:
            accepted = f"{suggest(name, names)}; accepted: {listing(names, 40)}"
            raise click.UsageError(f"the {prober} prober produces no {what} {name!r}{accepted}")
        yield name, text


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise click.UsageError(
            f"{text!r} is no number: accepted is 97 or 1.5e9, in the base unit (seconds, bytes, percent)"
        )
    return number


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise click.UsageError(f"{text!r} is no truth value: accepted is true or false")
    return text == "true"


def _time(text: str, at_ms: int) -> Fact:
    from watchkeeper.config.series import moment

    try:
        found = moment(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no time: accepted is -26h, or 2026-01-31T06:00Z") from None
    return utc(at_ms) + found if isinstance(found, timedelta) else found


def _print(config: "Config", shown: "Preview", sample: Sample, rule: "Rule", *, as_json: bool) -> None:
    backend = config.backends[shown.backend]
    create, resolve = _calls(config, shown)
    if as_json:
        print_json(
            {
                "rule": rule.id,
                "probe": sample.probe_id,
                "sample": {
                    "status": sample.status,
                    "values": dict(sample.values),
                    "facts": dict(sample.facts),
                    "message": sample.message,
                },
                "verdict": {Verdict.HOLDS: "holds", Verdict.OVER: "does not hold"}.get(shown.verdict, "unknown"),
                "backend": backend.name,
                "type": backend.type,
                "create": create,
                "resolve": resolve,
            }
        )
        return
    why = f" ({shown.why})" if shown.why else ""
    click.echo(printable(f"{sample.probe_id} is {sample.status}: {_VERDICTS[shown.verdict]}{why}."))
    what = shown.draft.kind.value
    click.echo(f"Nothing is sent. {backend.name} ({backend.type}) would get, for a new {what}:")
    _print_calls(create)
    click.echo("\nAnd when it is over:")
    _print_calls(resolve)


def _calls(config: "Config", shown: "Preview") -> "tuple[Sequence[Call], Sequence[Call]]":
    from watchkeeper.app.parts import make_silent_backend
    from watchkeeper.itsm.base import Outcome, Unavailable

    with database_of(config) as database:
        backend = make_silent_backend(config.backends[shown.backend], database)
        try:
            return backend.preview(shown.draft), backend.preview(shown.change)
        except Outcome as outcome:
            status = UNREACHABLE if isinstance(outcome, Unavailable) else WRONG
            fail(f"{shown.backend} would not be sent anything: {outcome}", status)


def _print_calls(calls: "Sequence[Call]") -> None:
    for call in calls:
        click.echo(printable(f"\n{call.method} {call.url}"))
        if isinstance(call.body, str):
            click.echo(printable(call.body))
        elif call.body is not None:
            click.echo(printable(json.dumps(call.body, indent=2, ensure_ascii=False, default=plain)))
