"""Alembic's entry: migrations run on the connection, and in the transaction, that they are given."""

from alembic import context

from watchkeeper.store.migrate import VERSION_TABLE
from watchkeeper.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
