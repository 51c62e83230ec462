"""`watchkeeper rules`: unit tests of rules."""

from pathlib import Path

import click

from watchkeeper.cli._options import UNREACHABLE, WRONG, fail, json_option


@click.group("rules")
def command() -> None:
    """Test rules."""


@command.command("test")
@click.argument("patterns", metavar="FILE...", nargs=-1, required=True)
@json_option
@click.option("-v", "--verbose", is_flag=True, help="List the tests that passed, too.")
@click.option("--filter", "text", default="", help="Run the tests whose name contains this, in any case.")
@click.option("--coverage", is_flag=True, help="Fail when there is a rule that no test made fire.")
@click.option(
    "--junit",
    "report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a JUnit report to this file.",
)
def test(
    patterns: tuple[str, ...], *, as_json: bool, verbose: bool, text: str, coverage: bool, report: Path | None
) -> None:
    """Run unit tests of rules.

    FILE is a file of tests, a folder of such files, or a glob. Samples stand in it as series, and what should come of
    them as alerts, incidents and tickets at given times. Exit status 0 when all tests passed; 1 when one failed, a
    file has mistakes or there is no test.
    """
    from watchkeeper.app.parts import catalogue
    from watchkeeper.cli import _ruletests as tests
    from watchkeeper.cli._output import print_json

    session = tests.run(patterns, catalogue(), text)
    if as_json:
        print_json(session.as_json())
    for line in () if as_json else session.lines(verbose=verbose):
        click.echo(line, color=tests.wants_colour())
    for problem in session.problems:
        click.echo(problem, err=True)
    if not as_json:
        click.echo(session.summary())
    if report is not None:
        try:
            report.write_bytes(session.as_junit())
        except OSError as error:
            fail(f"watchkeeper: {report} can not be written: {error.strerror}", UNREACHABLE)
    if not session.passed or (coverage and session.not_fired):
        raise SystemExit(WRONG)
