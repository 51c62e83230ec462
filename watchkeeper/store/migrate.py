"""Bringing the database to this version's schema."""

from pathlib import Path
from typing import Final

from sqlalchemy import inspect, text

from watchkeeper.store.database import Database, StoreError

SCHEMA: Final = "0001"
"""The newest revision in migrations/versions."""


def revision(database: Database) -> str | None:
    """The schema's revision in the database; `None` of an empty database.

    Raises:
        StoreError: it does not answer, or holds somebody else's tables.
    """
    with database.read() as connection:
        tables = set(inspect(connection).get_table_names())
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise StoreError(
                f"the database {database.name} holds tables that are not watchkeeper's. Nothing was changed. "
                "Give watchkeeper a database of its own in `state`"
            )
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())


def upgrade(database: Database) -> str | None:
    """Migrates to the newest schema. Returns the revision that was there before.

    Raises:
        StoreError: the database is newer than this version, or it can not be used.
    """
    before = revision(database)
    if before == SCHEMA:
        return before
    if before is not None and before > SCHEMA:
        raise StoreError(
            f"the database {database.name} was written by a newer watchkeeper: its schema is {before}, this version "
            f"knows {SCHEMA}. Nothing was changed. Install the newer version, or restore an older backup"
        )
    # Late: Alembic is only needed when there is something to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if database.file is not None:
        with database.read() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before
