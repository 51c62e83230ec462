"""`watchkeeper check`: is the configuration right, does it make sense, and what would run."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchkeeper.cli import _planned
from watchkeeper.cli._options import WRONG, config_option, json_option
from watchkeeper.cli._output import print_json, print_table
from watchkeeper.domain.probe import Cron, Probe
from watchkeeper.domain.units import format_duration_ms

if TYPE_CHECKING:
    from watchkeeper.config.load import Config
    from watchkeeper.config.problems import Problem


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@click.command("check")
@config_option
@click.option(
    "--format",
    "output",
    type=click.Choice([one.value for one in Format]),
    default=Format.TEXT.value,
    show_default=True,
    help="What to print: a table of what would run, that as JSON with all problems, or the problems as SARIF 2.1.0.",
)
@json_option
@click.option("--strict", is_flag=True, help="Exit with status 1 for warnings, too.")
@click.option("--ignore", "ignored", metavar="CODE", multiple=True, help="Leave out warnings with this code.")
@click.option(
    "--online",
    is_flag=True,
    help="Also ask each ticket backend whether it would take tickets, fetch calendars, and look for the tokens that "
    "others must send.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print problems only.")
def command(
    config_path: Path,
    *,
    output: str,
    as_json: bool,
    strict: bool,
    ignored: tuple[str, ...],
    online: bool,
    quiet: bool,
) -> None:
    """Check the configuration and say what would run.

    Every error is a line FILE:LINE:COLUMN: PATH: what is wrong, what is accepted. A warning is about what can be run
    and hardly is what was meant: FILE:LINE:COLUMN: warning: PATH: what is odd, what to do [CODE].

    With --online each backend says whether it would take tickets, and what to ask its administrator for if not.

    Exit status 1 for errors and for what backends find, a system that can not be reached among it; 0 for warnings.
    """
    wanted = Format.JSON if as_json else Format(output)
    config, problems = _read(config_path, ignored)
    planned = None if config is None else _planned.look(config.planned, config.path, online=online)
    if config is not None and planned is not None:
        left_out = [problem for problem in planned.left_out if problem.code not in ignored]
        problems = [*problems, *left_out, *(_missing_secrets(config) if online else ())]
    _tell(problems)
    findings = _ask_backends(config) if online and config is not None else {}
    notes = [f"backend {backend}: {message}" for backend, messages in findings.items() for message in messages]
    notes += () if planned is None else planned.unread
    if wanted is Format.JSON:
        summary: dict[str, Any] = {"config": str(config_path)} if config is None else _summary(config)
        if planned is not None:
            summary["maintenance"] = planned.as_json()
        found = [_plain(problem) for problem in problems]
        print_json({**summary, "valid": config is not None, "problems": found, "backend_findings": findings})
    elif wanted is Format.SARIF:
        from watchkeeper.cli._sarif import sarif

        print_json(sarif(problems, Path.cwd(), notes))
    elif config is not None and not quiet:
        _print(config)
        if planned is not None:
            planned.print()
        _print_well(config, findings)
    for note in notes:
        click.echo(note, err=True)
    if config is None or notes or _has_errors(problems) or (strict and problems):
        raise SystemExit(WRONG)


def _read(path: Path, ignored: Sequence[str]) -> "tuple[Config | None, list[Problem]]":
    """The configuration, `None` if it is not valid, and its errors and warnings by place."""
    from watchkeeper.app.parts import load_config
    from watchkeeper.config.codes import Code
    from watchkeeper.config.problems import ConfigError, in_order, listing, suggest

    known = [code.value for code in Code if code is not Code.INVALID]
    for code in ignored:
        if code not in known:
            raise click.BadParameter(f"there is no {code!r}{suggest(code, known)}; there is {listing(known, 40)}")
    try:
        config = load_config(path)
    except ConfigError as error:
        shown = [problem for problem in error.warnings if problem.code not in ignored]
        return None, in_order([*error.problems, *shown])
    return config, [problem for problem in config.warnings if problem.code not in ignored]


def _missing_secrets(config: "Config") -> "list[Problem]":
    """Tokens that are not there, at their places. Only where the daemon runs they can be expected."""
    from watchkeeper.config.codes import Code
    from watchkeeper.config.document import Document
    from watchkeeper.config.secrets import missing_secrets

    document = Document(config.path)
    found = [document.problem(missing.path, missing.why) for missing in missing_secrets(config)]
    return [replace(problem, code=Code.SECRET_UNAVAILABLE) for problem in found]


def _has_errors(problems: "Sequence[Problem]") -> bool:
    from watchkeeper.config.problems import Level

    return any(problem.level is Level.ERROR for problem in problems)


def _tell(problems: "Sequence[Problem]") -> None:
    """On stderr, whatever is printed: it is what people look at."""
    from watchkeeper.config.problems import Level

    if not problems:
        return
    warnings = sum(problem.level is Level.WARNING for problem in problems)
    counts = ((len(problems) - warnings, "problem"), (warnings, "warning"))
    told = " and ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts if count)
    lines = "\n".join(map(str, problems))
    with suppress(OSError):  # where nobody hears it, the status says it all the same
        click.echo(f"{lines}\n{told} found", err=True)


def _plain(problem: "Problem") -> dict[str, Any]:
    return {
        "level": problem.level.value,
        "code": problem.code.value,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
    }


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


def _print_well(config: "Config", findings: dict[str, list[str]]) -> None:
    for name, messages in findings.items():
        if not messages:
            click.echo(f"backend {name} ({config.backends[name].type}) would take tickets")


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
