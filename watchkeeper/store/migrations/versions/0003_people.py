"""What people do to tickets, and commands that are tried as one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("claimed_ms", sa.BigInteger(), nullable=True))
    op.add_column("outbox", sa.Column("batch", sa.BigInteger(), nullable=True))
    for table in ("tickets", "desk_tickets"):
        op.add_column(table, sa.Column("assignee", sa.Text(), server_default="", nullable=False))
        op.add_column(table, sa.Column("touched", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("tickets", sa.Column("missing", sa.Integer(), server_default="0", nullable=False))
    op.add_column("incidents", sa.Column("acknowledged_ms", sa.BigInteger(), nullable=True))
    op.add_column("incidents", sa.Column("abandoned_ms", sa.BigInteger(), nullable=True))
    op.add_column("incidents", sa.Column("seen_state", sa.Text(), nullable=True))
    op.add_column("incidents", sa.Column("seen_number", sa.Text(), server_default="", nullable=False))
