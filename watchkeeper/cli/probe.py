"""`watchkeeper probe`: one run, now, and what the rules say to it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchkeeper.cli._options import WRONG, config_option, fail, json_option, read_config
from watchkeeper.cli._output import print_json, print_table, printable
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.units import format_time

if TYPE_CHECKING:
    from watchkeeper.config.load import Config


@click.command("probe")
@click.argument("probe_id", metavar="ID")
@config_option
@json_option
def command(probe_id: str, config_path: Path, *, as_json: bool) -> None:
    """Run one probe now; show its sample and what the rules say.

    Nothing is stored and no ticket is opened. Exit status 0 when the probe is up, 1 when it is down or unknown.
    """
    config = read_config(config_path)
    probe = config.plan.probes.get(probe_id)
    if probe is None:
        from watchkeeper.config.problems import listing, suggest

        known = list(config.plan.probes)
        fail(f"there is no probe {probe_id!r}{suggest(probe_id, known)}; there is {listing(known)}", WRONG)
    from watchkeeper.app.parts import run_probe

    sample = asyncio.run(run_probe(probe))
    verdicts = _verdicts(config, sample)
    if as_json:
        print_json(_as_json(sample, verdicts))
    else:
        _print(sample, verdicts)
    raise SystemExit(0 if sample.status is Status.UP else WRONG)


def _verdicts(config: "Config", sample: Sample) -> list[dict[str, str]]:
    """What each rule on the probe says of a sample, as if it were the first."""
    from watchkeeper.domain.alert import Verdict
    from watchkeeper.domain.watch import Watch

    watch = Watch(config.plan)
    watch.revise(config.plan, sample.at_ms)
    watch.observe(sample)
    subject = watch.subjects[sample.probe_id]
    words = {Verdict.HOLDS: "holds", Verdict.OVER: "does not hold", Verdict.UNKNOWN: "unknown"}
    found = []
    for binding in subject.bindings:
        verdict = binding.judge(subject.scope(sample, sample.at_ms))
        why = binding.unanswered if verdict is Verdict.UNKNOWN else ""
        when = " ".join(binding.rule.when.split())
        found.append({"rule": binding.rule.id, "verdict": words[verdict], "when": when, "why": why})
    return found


def _print(sample: Sample, verdicts: list[dict[str, str]]) -> None:
    rows: list[tuple[str, object]] = [
        ("probe", sample.probe_id),
        ("status", sample.status.value),
        ("message", sample.message),
        ("time", format_time(sample.at_ms)),
        ("duration", f"{sample.duration_s:.3f} s"),
        *((f"values.{name}", f"{value:g}") for name, value in sample.values.items()),
        *((f"facts.{name}", value) for name, value in sample.facts.items()),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:<{width}}  {printable(str(value))}")
    click.echo()
    if verdicts:
        print_table(
            ("RULE", "VERDICT", "WHEN"),
            [
                (one["rule"], one["verdict"], one["when"] + (f"  ({one['why']})" if one["why"] else ""))
                for one in verdicts
            ],
        )
    else:
        click.echo("no rule looks at this probe")


def _as_json(sample: Sample, verdicts: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "probe": sample.probe_id,
        "time": format_time(sample.at_ms),
        "status": sample.status,
        "duration": sample.duration_s,
        "values": dict(sample.values),
        "facts": dict(sample.facts),
        "message": sample.message,
        "rules": verdicts,
    }
