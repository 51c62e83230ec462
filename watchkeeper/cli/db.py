"""`watchkeeper db`: the database's schema and its backups."""

from pathlib import Path

import click

from watchkeeper.cli._options import config_option, database_of, find_state


@click.group("db")
def command() -> None:
    """Upgrade or back up the database."""


@command.command("upgrade")
@config_option
def upgrade(config_path: Path) -> None:
    """Bring the database to this version's schema. `watchkeeper run` does the same at its start."""
    from watchkeeper.store import migrate

    with database_of(find_state(config_path)) as database:
        before = migrate.upgrade(database)
        if before == migrate.SCHEMA:
            click.echo(f"{database.name} is up to date (schema {before})")
        elif before is None:
            click.echo(f"{database.name} was made (schema {migrate.SCHEMA})")
        else:
            click.echo(f"{database.name} was upgraded from schema {before} to {migrate.SCHEMA}")


@command.command("backup")
@config_option
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the new file; `backups` beside the database if this is not given.",
)
def backup(config_path: Path, folder: Path | None) -> None:
    """Back up a SQLite database while it is in use.

    The new file is checked and has its name only when it is complete. For PostgreSQL, use its own tools.
    """
    from watchkeeper.app.parts import now_ms
    from watchkeeper.store.backup import backup as copy

    with database_of(find_state(config_path)) as database:
        beside = database.file.parent / "backups" if database.file is not None else Path("backups")
        target = copy(database, folder or beside, now_ms())
        click.echo(f"{target} ({target.stat().st_size} bytes)")
