"""What incidents have to do with each other."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("merged_into", sa.BigInteger(), nullable=True))
    op.add_column("incidents", sa.Column("caused_by", sa.Text(), server_default="", nullable=False))
    op.add_column("incident_alerts", sa.Column("impacted", sa.Boolean(), server_default=sa.false(), nullable=False))
