"""What resolved incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "resolutions",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("resolved_ms", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("ticket_number", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_resolutions")),
        comment="What people said that resolved incidents",
    )
    op.create_index(op.f("ix_resolutions_key_resolved_ms"), "resolutions", ["key", "resolved_ms"])
    op.create_index(op.f("ix_resolutions_resolved_ms"), "resolutions", ["resolved_ms"])
