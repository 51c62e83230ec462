"""`watchkeeper problems`: the causes behind repeats of incidents, and the evidence for them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchkeeper.cli._group import ListGroup
from watchkeeper.cli._options import WRONG, config_option, database_of, fail, find_state, json_option
from watchkeeper.cli._output import print_json, print_table, printable
from watchkeeper.domain.owner import problem_id, problem_number
from watchkeeper.domain.problem import ProblemState
from watchkeeper.domain.units import format_elapsed_ms, format_time

if TYPE_CHECKING:
    from watchkeeper.domain.evidence import Finding
    from watchkeeper.domain.problem_case import Case
    from watchkeeper.domain.recurrence import Occurrence
    from watchkeeper.store.problems import ProblemRow


@click.group("problems", cls=ListGroup)
def command() -> None:
    """List problems, or show one: `watchkeeper problems PRB-3`.

    A problem is opened when the same failure repeats. Only people resolve it, in the system where its ticket is.
    """


@command.command("list", short_help="List problems, or show one.")
@click.argument("number", required=False)
@config_option
@json_option
@click.option("--state", type=click.Choice([one.value for one in ProblemState]), help="Only those in this state.")
@click.option("--service", help="Only those of this service.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
def list_(
    number: str | None, config_path: Path, *, as_json: bool, state: str | None, service: str | None, limit: int
) -> None:
    """List problems, the newest first, or show one by its NUMBER, such as PRB-3. `list` may be left out."""
    if number is not None:
        _show(number, config_path, as_json=as_json)
        return
    from watchkeeper.store.problems import list_problems

    with database_of(find_state(config_path), for_reading=True) as database:
        wanted = None if state is None else ProblemState(state)
        rows = list_problems(database, state=wanted, service=service, limit=limit)
    if as_json:
        print_json([_as_json(row) for row in rows])
    elif not rows:
        click.echo("no problems")
    else:
        print_table(
            ("PROBLEM", "STATE", "SERVICE", "TIMES", "DOWN", "OPENED", "LAST", "TICKET", "TITLE"),
            [
                (
                    row.problem.number,
                    row.problem.state.value,
                    row.problem.service,
                    row.problem.recurrences,
                    format_elapsed_ms(row.problem.downtime_ms),
                    format_time(row.problem.opened_ms),
                    format_time(row.problem.updated_ms),
                    _ticket(row),
                    row.problem.title,
                )
                for row in rows
            ],
        )


@command.command("show", short_help="Show a problem and its evidence.")
@click.argument("number")
@config_option
@json_option
def show(number: str, config_path: Path, *, as_json: bool) -> None:
    """Show the problem of a NUMBER, such as PRB-3: its incidents, and what is striking about when they happen.

    Times of day are UTC.
    """
    _show(number, config_path, as_json=as_json)


def _show(number: str, config_path: Path, *, as_json: bool) -> None:
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.problems import case_of, show_problem

    try:
        wanted = problem_id(number)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NUMBER") from None
    with database_of(find_state(config_path), for_reading=True) as database:
        row = show_problem(database, wanted)
        if row is None:
            fail(f"there is no problem {problem_number(wanted)}", WRONG)
        case = case_of(database, row.problem, now_ms())
    if as_json:
        print_json({**_as_json(row), **_case_as_json(case)})
    else:
        _print(row, case)


def _ticket(row: "ProblemRow") -> str:
    return row.ticket_number or ("waiting" if row.rejection is None else "rejected")


def _print(row: "ProblemRow", case: "Case") -> None:
    from datetime import UTC

    from watchkeeper.domain.phrases import ENGLISH
    from watchkeeper.domain.problem_phrases import problem_phrases_in
    from watchkeeper.domain.problem_texts import Writer
    from watchkeeper.domain.ticket import Language

    problem = row.problem
    lines: list[tuple[str, object]] = [
        ("problem", f"{problem.number}  {problem.title}"),
        ("state", problem.state.value),
        ("service", problem.service),
        ("CI", problem.ci),
        ("rule", problem.rule_id),
        ("failure", problem.failure),
        ("times", f"{problem.recurrences}, {format_elapsed_ms(problem.downtime_ms)} down in all"),
        ("opened", format_time(problem.opened_ms)),
        ("resolved", "" if problem.resolved_ms is None else format_time(problem.resolved_ms)),
        ("follows", "" if problem.successor_of is None else problem_number(problem.successor_of)),
        ("ticket", f"{_ticket(row)} at {problem.backend} {row.ticket_url or ''}"),
        ("rejected", row.rejection or ""),
        ("cause", problem.findings.root_cause),
        ("known", problem.findings.known_error),
        ("meanwhile", problem.findings.workaround),
        ("cured by", problem.findings.resolution),
    ]
    for name, value in lines:
        if value != "":
            click.echo(f"{name:<9} {printable(str(value))}".rstrip())
    writer = Writer(ENGLISH, problem_phrases_in(Language.ENGLISH), UTC)
    click.echo(f"\n{printable(writer.findings(case))}")
    click.echo("\nIncidents")
    print_table(
        ("INCIDENT", "BEGAN", "LASTED", "TICKET"),
        [(one.number, format_time(one.started_ms), _lasted(one), one.ticket_number) for one in case.occurrences],
    )


def _lasted(one: "Occurrence") -> str:
    return "goes on" if one.resolved_ms is None else format_elapsed_ms(one.resolved_ms - one.started_ms)


def _as_json(row: "ProblemRow") -> dict[str, Any]:
    problem = row.problem
    return {
        "number": problem.number,
        "state": problem.state,
        "title": problem.title,
        "service": problem.service,
        "ci": problem.ci or None,
        "rule": problem.rule_id,
        "failure": problem.failure,
        "fingerprint": problem.fingerprint,
        "times": problem.recurrences,
        "downtime_seconds": problem.downtime_ms / 1000,
        "opened": format_time(problem.opened_ms),
        "updated": format_time(problem.updated_ms),
        "resolved": None if problem.resolved_ms is None else format_time(problem.resolved_ms),
        "successor_of": None if problem.successor_of is None else problem_number(problem.successor_of),
        "backend": problem.backend,
        "ticket": row.ticket_number,
        "ticket_state": problem.ticket_state,
        "ticket_url": row.ticket_url,
        "ticket_rejection": row.rejection,
        "root_cause": problem.findings.root_cause or None,
        "known_error": problem.findings.known_error or None,
        "workaround": problem.findings.workaround or None,
        "resolution": problem.findings.resolution or None,
    }


def _case_as_json(case: "Case") -> dict[str, Any]:
    return {
        "incidents": [
            {
                "number": one.number,
                "began": format_time(one.started_ms),
                "resolved": None if one.resolved_ms is None else format_time(one.resolved_ms),
                "repeat": one.is_repeat,
                "ticket": one.ticket_number or None,
            }
            for one in case.occurrences
        ],
        "watched_since": format_time(case.since_ms),
        "evidence": [_finding_as_json(found) for found in case.findings],
        "changes": [
            {
                "number": change.number,
                "title": change.title,
                "ended": format_time(change.ended_ms),
                "before": one.number,
            }
            for change, one in case.preceding
        ],
    }


def _finding_as_json(found: "Finding") -> dict[str, Any]:
    return {
        "kind": found.kind,
        "name": found.name,
        "service": found.service or None,
        "count": found.count,
        "of": found.of,
        "expected": round(found.expected, 3),
        "chance": found.chance,
        "period_seconds": found.period_ms / 1000 or None,
    }
