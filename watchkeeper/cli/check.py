"""`watchkeeper check`: is the configuration right, and what would run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchkeeper.cli._options import WRONG, config_option, json_option, read_config
from watchkeeper.cli._output import print_json, print_table
from watchkeeper.domain.probe import Cron, Probe
from watchkeeper.domain.units import format_duration_ms

if TYPE_CHECKING:
    from watchkeeper.config.load import Config


@click.command("check")
@config_option
@json_option
@click.option("--online", is_flag=True, help="Also ask each ticket backend whether it would take tickets.")
@click.option("-q", "--quiet", is_flag=True, help="Print problems only.")
def command(config_path: Path, *, as_json: bool, online: bool, quiet: bool) -> None:
    """Check the configuration and say what would run.

    Every problem is a line FILE:LINE:COLUMN: PATH: what is wrong, what is accepted. Exit status 0 or 1.
    """
    config = read_config(config_path)
    findings = _ask_backends(config) if online else {}
    if as_json:
        print_json({**_summary(config), "backend_findings": findings})
    elif not quiet:
        _print(config)
    for backend, messages in findings.items():
        for message in messages:
            click.echo(f"backend {backend}: {message}", err=True)
    if any(findings.values()):
        raise SystemExit(WRONG)


def _ask_backends(config: "Config") -> dict[str, list[str]]:
    from watchkeeper.app.parts import check_backends
    from watchkeeper.cli._options import database_of

    with database_of(config) as database:
        return check_backends(config, database)


def _print(config: "Config") -> None:
    summary = _summary(config)
    rows = [
        (probe["id"], probe["prober"], probe["service"], probe["schedule"], ", ".join(probe["rules"]) or "none")
        for probe in summary["probes"]
    ]
    print_table(("PROBE", "PROBER", "SERVICE", "RUNS", "RULES"), rows)
    counts = ", ".join(
        f"{count} {name if count != 1 else name.removesuffix('s')}"
        for name, count in (
            ("probes", len(summary["probes"])),
            ("rules", len(config.plan.rules)),
            ("services", len(config.plan.services)),
            ("backends", len(config.backends)),
        )
    )
    click.echo(f"\n{config.path} is valid: {counts}. Tickets go to {config.plan.default_backend}.")


def _summary(config: "Config") -> dict[str, Any]:
    plan = config.plan
    return {
        "config": str(config.path),
        "files": [str(path) for path in config.files],
        "services": list(plan.services),
        "backends": {name: backend.type for name, backend in config.backends.items()},
        "default_backend": plan.default_backend,
        "probes": [
            {
                "id": probe.id,
                "prober": probe.prober,
                "service": probe.service,
                "category": probe.category.value,
                "schedule": _schedule(probe),
                "rules": [rule.id for rule in plan.rules.values() if rule.match(probe)],
            }
            for probe in plan.probes.values()
        ],
        "rules": list(plan.rules),
    }


def _schedule(probe: Probe) -> str:
    if isinstance(probe.schedule, Cron):
        return f"{probe.schedule.expression} {probe.schedule.timezone}"
    return f"every {format_duration_ms(probe.schedule.interval_ms)}"
