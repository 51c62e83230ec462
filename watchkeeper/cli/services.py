"""`watchkeeper services`: how each service is, and how it does against its objective."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from watchkeeper.cli._level import budget_cells, state_word
from watchkeeper.cli._options import config_option, database_of, json_option, read_config
from watchkeeper.cli._output import print_json, print_table

if TYPE_CHECKING:
    from watchkeeper.domain.servicelevel import Standing


@click.command("services")
@config_option
@json_option
def command(config_path: Path, *, as_json: bool) -> None:
    """Say how services do over the periods that their objectives are agreed for.

    LEFT is what is left of the time that a service may be down; BURN how many times as fast as allowed that was
    spent; RUNS OUT when nothing is left at this rate. Percentages are never rounded up.
    """
    from watchkeeper.app.parts import now_ms
    from watchkeeper.domain.servicelevel import standings_as_plain
    from watchkeeper.store.servicelevel import measure_all

    config = read_config(config_path)
    services = list(config.plan.services.values())
    with database_of(config, for_reading=True) as database:
        standings = list(measure_all(database, config.plan, services, now_ms()))
    if as_json:
        print_json(standings_as_plain(standings))
    elif not standings:
        click.echo("no services")
    else:
        headings = ("SERVICE", "STATE", "HOURS", "PERIOD", "OBJECTIVE", "AVAILABILITY", "LEFT", "BURN", "RUNS OUT")
        print_table(headings, [row for one in standings for row in _rows(one)])


def _rows(standing: "Standing") -> list[tuple[object, ...]]:
    first: tuple[object, ...] = (standing.service.id, state_word(standing.state), standing.service.hours.name)
    levels = standing.levels if standing.service.objectives.availability_ppm is not None else standing.levels[:1]
    return [
        (*(first if index == 0 else ("", "", "")), level.period.name, *budget_cells(level.report))
        for index, level in enumerate(levels)
    ]
