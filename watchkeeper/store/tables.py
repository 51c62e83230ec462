"""The tables. Times are ms since the epoch (UTC). Migrations make them; a test holds the two to each other."""

import re
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class _Text(TypeDecorator[str]):
    """Text as probes and people give it. What no database keeps in a text, NUL and undecodable bytes, shows as `\ufffd`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        return value if value is None or (value.isascii() and "\0" not in value) else _UNSTORABLE.sub("\ufffd", value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# An integer primary key that counts up by itself, on SQLite too.
_Serial = BigInteger().with_variant(Integer, "sqlite")

runs = Table(
    "runs",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("started_ms", BigInteger, nullable=False),
    Column("alive_ms", BigInteger, nullable=False),  # the last sign of life
    Column("stopped_ms", BigInteger),  # set by a clean stop
    Column("version", _Text, nullable=False),
    Column("last_batch", BigInteger, nullable=False),  # the newest batch of effects that is written
    comment="Each time the daemon ran",
)

probe_intervals = Table(
    "probe_intervals",
    metadata,
    Column("probe_id", _Text, primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),
    Column("to_ms", BigInteger),  # null: still so
    Column("service", _Text, nullable=False),
    Column("status", _Text, nullable=False),
    Column("message", _Text, nullable=False),
    Index(None, "to_ms"),
    Index("ix_probe_intervals_open", "probe_id", sqlite_where=text("to_ms IS NULL"), postgresql_where=text("to_ms IS NULL")),
    comment="The status of each probe over time, without gaps while it is watched",
)  # fmt: skip

alerts = Table(
    "alerts",
    metadata,
    Column("rule_id", _Text, primary_key=True),
    Column("probe_id", _Text, primary_key=True),
    Column("state", _Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("active_since_ms", BigInteger),
    Column("clear_since_ms", BigInteger),
    Column("stalled_since_ms", BigInteger),
    Column("paused_ms", BigInteger, nullable=False),
    Column("recent", Integer, nullable=False, server_default="0"),  # a bit for each of the last verdicts
    Column("returns", Integer, nullable=False, server_default="0"),
    Column("flapping", Boolean, nullable=False, server_default=false()),
    comment="Alerts that are pending or firing",
)

alert_transitions = Table(
    "alert_transitions",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("rule_id", _Text, nullable=False),
    Column("probe_id", _Text, nullable=False),
    Column("before", _Text, nullable=False),
    Column("after", _Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("reason", _Text, nullable=False),
    Index(None, "rule_id", "probe_id", "at_ms"),
    comment="Every change of an alert's state",
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=False),
    Column("key", _Text, nullable=False),
    Column("rule_id", _Text, nullable=False),
    Column("service", _Text, nullable=False),
    Column("title", _Text, nullable=False),
    Column("severity", _Text, nullable=False),
    Column("impact", _Text, nullable=False),
    Column("urgency", _Text, nullable=False),
    Column("backend", _Text, nullable=False),
    Column("state", _Text, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Column("runbook", _Text, nullable=False),
    Column("labels", _Text, nullable=False, server_default="[]"),  # a JSON list of [name, text]
    Column("annotations", _Text, nullable=False, server_default="[]"),  # likewise
    Column("returns", Integer, nullable=False, server_default="0"),
    Column("acknowledged_ms", BigInteger),
    Column("abandoned_ms", BigInteger),  # since when its ticket is over, though the trouble goes on
    Column("seen_state", _Text),  # what was seen of its ticket last
    Column("seen_number", _Text, nullable=False, server_default=""),
    # The database itself refuses a second open incident for one trouble.
    Index("uq_incidents_open_key", "key", unique=True, sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    Index(None, "state", "id"),
    Index(None, "service", "id"),
    Index(None, "resolved_ms"),
    comment="Incidents, open and past",
)  # fmt: skip

incident_alerts = Table(
    "incident_alerts",
    metadata,
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    Column("rule_id", _Text, primary_key=True),
    Column("probe_id", _Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("firing", Boolean, nullable=False),
    Column("flapping", Boolean, nullable=False, server_default=false()),
    comment="The alerts that are or were part of an incident",
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("happening", _Text, nullable=False),
    Column("rule_id", _Text, nullable=False),
    Column("probe_id", _Text, nullable=False),
    Column("text", _Text, nullable=False),
    Index(None, "incident_id"),
    comment="Each incident's timeline",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
    Column("backend", _Text, nullable=False),
    Column("key", _Text, nullable=False),
    Column("kind", _Text, nullable=False),
    Column("payload", _Text, nullable=False),
    Column("state", _Text, nullable=False),  # waiting, in_flight, delivered, rejected
    Column("uncertain", Boolean, nullable=False),  # it may have been done already
    Column("claimed_ms", BigInteger),  # when the newest attempt that may have done it began
    Column("batch", BigInteger),  # the first of the commands that were tried as one
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("done_ms", BigInteger),
    Column("last_error", _Text, nullable=False),
    Index(None, "state", "backend", "id"),
    Index(None, "incident_id", "id"),
    comment="Ticket commands, written with the incidents that cause them",
)

tickets = Table(
    "tickets",
    metadata,
    Column("incident_id", _Serial, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    Column("backend", _Text, nullable=False),
    Column("ref", _Text, nullable=False),
    Column("number", _Text, nullable=False),
    Column("key", _Text, nullable=False),
    Column("state", _Text, nullable=False),
    Column("title", _Text, nullable=False),
    Column("url", _Text, nullable=False),
    Column("assignee", _Text, nullable=False, server_default=""),
    Column("touched", Boolean, nullable=False, server_default=false()),  # by somebody else than watchkeeper
    Column("missing", Integer, nullable=False, server_default="0"),  # how often in a row it was not there when read
    Column("updated_ms", BigInteger, nullable=False),
    UniqueConstraint("ref", "backend"),
    Index(None, "number"),
    Index(None, "state", "incident_id"),
    Index(None, "backend", "incident_id"),
    comment="The ticket of each incident, as its backend last told",
)

desk_tickets = Table(
    "desk_tickets",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("desk", _Text, nullable=False),
    Column("key", _Text, nullable=False),
    Column("kind", _Text, nullable=False),
    Column("correlation", _Text, nullable=False),
    Column("title", _Text, nullable=False),
    Column("description", _Text, nullable=False),
    Column("service", _Text, nullable=False),
    Column("impact", _Text, nullable=False),
    Column("urgency", _Text, nullable=False),
    Column("state", _Text, nullable=False),
    Column("assignee", _Text, nullable=False, server_default=""),
    Column("touched", Boolean, nullable=False, server_default=false()),
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    UniqueConstraint("desk", "key"),
    comment="The local desk's own tickets",
)

desk_notes = Table(
    "desk_notes",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("ticket_id", BigInteger, ForeignKey("desk_tickets.id", ondelete="CASCADE"), nullable=False),
    Column("key", _Text),  # null: a note without a key of its own, never taken for another
    Column("at_ms", BigInteger, nullable=False),
    Column("text", _Text, nullable=False),
    UniqueConstraint("ticket_id", "key"),
    comment="Notes on the local desk's tickets",
)

rollup_tracks = Table(
    "rollup_tracks",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("probe_id", _Text, nullable=False),
    Column("series", _Text, nullable=False),  # a JSON list of names, in the order of the numbers
    Column("seen_ms", BigInteger, nullable=False),  # when it was last in use, to a day
    UniqueConstraint("probe_id", "series"),
    comment="Which numbers each probe's samples have",
)

rollups = Table(
    "rollups",
    metadata,
    Column("key", _Serial, primary_key=True, autoincrement=False),  # tier, period, track: see store/rollups.py
    Column("data", LargeBinary, nullable=False),
    comment="What the probes' numbers were, minute by minute and hour by hour",
)
