"""Alerts that flap, and what rules say of incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("recent", sa.Integer(), server_default="0", nullable=False))
    op.add_column("alerts", sa.Column("returns", sa.Integer(), server_default="0", nullable=False))
    op.add_column("alerts", sa.Column("flapping", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("incidents", sa.Column("labels", sa.Text(), server_default="[]", nullable=False))
    op.add_column("incidents", sa.Column("annotations", sa.Text(), server_default="[]", nullable=False))
    op.add_column("incidents", sa.Column("returns", sa.Integer(), server_default="0", nullable=False))
    op.add_column("incident_alerts", sa.Column("flapping", sa.Boolean(), server_default=sa.false(), nullable=False))
