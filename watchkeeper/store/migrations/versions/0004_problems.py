"""Problems, and what links tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ONE_OWNER = "(incident_id IS NULL) <> (problem_id IS NULL)"
_OUTBOX = (
    "id", "incident_id", "backend", "key", "kind", "payload", "state", "uncertain", "claimed_ms", "batch", "attempts",
    "next_attempt_ms", "created_ms", "done_ms", "last_error",
)  # fmt: skip
_TICKETS = (
    "incident_id", "backend", "ref", "number", "key", "state", "title", "url", "assignee", "touched", "missing",
    "updated_ms",
)  # fmt: skip


def upgrade() -> None:
    for text in ("problem", "duplicate", "workaround", "root_cause", "known_error"):
        op.add_column("desk_tickets", sa.Column(text, sa.Text(), server_default="", nullable=False))
    _make_problems()
    # Who owns a row is not to be altered in place on SQLite: both tables are made again, and nothing points at them.
    for table, make, columns, order in (
        ("outbox", _make_outbox, _OUTBOX, "id"),
        ("tickets", _make_tickets, _TICKETS, "incident_id"),
    ):
        kept = f"{table}_before"
        op.execute(f"CREATE TABLE {kept} AS SELECT * FROM {table}")  # noqa: S608  # names from here
        op.drop_table(table)
        make()
        names = ", ".join(columns)
        op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {kept} ORDER BY {order}")  # noqa: S608
        op.drop_table(kept)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('outbox', 'id'), max(id)) FROM outbox HAVING max(id) > 0")


def _make_problems() -> None:
    op.create_table(
        "problems",
        sa.Column("id", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("ci", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("resolved_ms", sa.BigInteger(), nullable=True),
        sa.Column("recurrences", sa.Integer(), server_default="0", nullable=False),
        sa.Column("downtime_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("workaround", sa.Text(), server_default="", nullable=False),
        sa.Column("root_cause", sa.Text(), server_default="", nullable=False),
        sa.Column("known_error", sa.Text(), server_default="", nullable=False),
        sa.Column("resolution", sa.Text(), server_default="", nullable=False),
        sa.Column("is_known_error", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("successor_of", sa.BigInteger(), nullable=True),
        sa.Column("seen_state", sa.Text(), nullable=True),
        sa.Column("seen_number", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["successor_of"], ["problems.id"], name=op.f("fk_problems_successor_of"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problems")),
        comment="The causes behind repeats of incidents, known or not yet",
    )
    op.create_index(
        "uq_problems_unresolved_fingerprint",
        "problems",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text("state <> 'resolved'"),
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    op.create_index(op.f("ix_problems_fingerprint_id"), "problems", ["fingerprint", "id"], unique=False)
    op.create_index(op.f("ix_problems_successor_of"), "problems", ["successor_of"], unique=False)
    op.create_index(op.f("ix_problems_resolved_ms"), "problems", ["resolved_ms"], unique=False)
    op.create_table(
        "problem_incidents",
        sa.Column("problem_id", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["problems.id"], name=op.f("fk_problem_incidents_problem_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_problem_incidents_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("problem_id", "incident_id", name=op.f("pk_problem_incidents")),
        comment="The incidents that a problem caused, as long as they are kept",
    )
    op.create_index(op.f("ix_problem_incidents_incident_id"), "problem_incidents", ["incident_id"], unique=False)


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=True),
        sa.Column("problem_id", sa.BigInteger(), nullable=True),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("uncertain", sa.Boolean(), nullable=False),
        sa.Column("claimed_ms", sa.BigInteger(), nullable=True),
        sa.Column("batch", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        *_owners("outbox"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        comment="Ticket commands, written with the incidents and problems that cause them",
    )
    op.create_index(op.f("ix_outbox_state_backend_id"), "outbox", ["state", "backend", "id"], unique=False)
    op.create_index(op.f("ix_outbox_incident_id_id"), "outbox", ["incident_id", "id"], unique=False)
    op.create_index(op.f("ix_outbox_problem_id_id"), "outbox", ["problem_id", "id"], unique=False)


def _make_tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=True),
        sa.Column("problem_id", sa.BigInteger(), nullable=True),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("assignee", sa.Text(), server_default="", nullable=False),
        sa.Column("touched", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("missing", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        *_owners("tickets"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("ref", "backend", name=op.f("uq_tickets_ref_backend")),
        sa.UniqueConstraint("incident_id", name=op.f("uq_tickets_incident_id")),
        sa.UniqueConstraint("problem_id", name=op.f("uq_tickets_problem_id")),
        comment="The ticket of each incident and each problem, as its backend last told",
    )
    op.create_index(op.f("ix_tickets_number"), "tickets", ["number"], unique=False)
    op.create_index(op.f("ix_tickets_state_id"), "tickets", ["state", "id"], unique=False)
    op.create_index(op.f("ix_tickets_backend_id"), "tickets", ["backend", "id"], unique=False)


def _owners(table: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f(f"fk_{table}_incident_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["problems.id"], name=op.f(f"fk_{table}_problem_id"), ondelete="CASCADE"
        ),
        sa.CheckConstraint(_ONE_OWNER, name=op.f(f"ck_{table}_one_owner")),
    ]
