"""What availability is measured by, beside the status of probes."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_index(op.f("ix_probe_intervals_service_to_ms"), "probe_intervals", ["service", "to_ms"])
    op.create_table(
        "windows_in_force",
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("probes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("because", "backend", "ref", "from_ms", name=op.f("pk_windows_in_force")),
        comment="Maintenance and approved changes that were in force, and what they were about then",
    )
    op.create_index(op.f("ix_windows_in_force_to_ms"), "windows_in_force", ["to_ms"])
    op.create_table(
        "probe_standings",
        sa.Column("probe_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("noted_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("probe_id", name=op.f("pk_probe_standings")),
        comment="What decides whether a probe counts for availability, of those that are gone as well",
    )
    op.create_table(
        "corrections",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("undone_ms", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.Text(), server_default="", nullable=False),
        sa.Column("undone_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        comment="What people said of the availability of services, and took back",
    )
    op.create_index(op.f("ix_corrections_service_to_ms"), "corrections", ["service", "to_ms"])
