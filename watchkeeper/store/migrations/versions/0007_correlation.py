"""What incidents have to do with each other."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pass
