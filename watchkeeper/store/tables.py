"""The tables. Times are ms since the epoch (UTC). Migrations make them; a test holds the two to each other."""

import re
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
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
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# An integer primary key that counts up by itself, on SQLite too.
_Serial = BigInteger().with_variant(Integer, "sqlite")

_ONE_OWNER = "(incident_id IS NULL) <> (problem_id IS NULL)"

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
    Index(None, "service", "to_ms"),
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
    Column("merged_into", BigInteger),  # the incident that turned out to be its cause
    Column("caused_by", _Text, nullable=False, server_default=""),  # the number of a change
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
    Column("impacted", Boolean, nullable=False, server_default=false()),  # it is explained by the incident now
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

problems = Table(
    "problems",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=False),
    Column("fingerprint", _Text, nullable=False),
    Column("title", _Text, nullable=False),
    Column("rule_id", _Text, nullable=False),
    Column("service", _Text, nullable=False),
    Column("ci", _Text, nullable=False),
    Column("failure", _Text, nullable=False),  # its class
    Column("backend", _Text, nullable=False),
    Column("state", _Text, nullable=False),  # open, known_error, resolved
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Column("recurrences", Integer, nullable=False, server_default="0"),
    Column("downtime_ms", BigInteger, nullable=False, server_default="0"),
    Column("workaround", _Text, nullable=False, server_default=""),
    Column("root_cause", _Text, nullable=False, server_default=""),
    Column("known_error", _Text, nullable=False, server_default=""),
    Column("resolution", _Text, nullable=False, server_default=""),
    Column("is_known_error", Boolean, nullable=False, server_default=false()),  # as its ticket says
    Column("successor_of", BigInteger, ForeignKey("problems.id", ondelete="SET NULL")),
    Column("seen_state", _Text),  # what was seen of its ticket last
    Column("seen_number", _Text, nullable=False, server_default=""),
    # The database itself refuses a second problem for one cause.
    Index("uq_problems_unresolved_fingerprint", "fingerprint", unique=True, sqlite_where=text("state <> 'resolved'"), postgresql_where=text("state <> 'resolved'")),
    Index(None, "fingerprint", "id"),
    Index(None, "successor_of"),
    Index(None, "resolved_ms"),
    comment="The causes behind repeats of incidents, known or not yet",
)  # fmt: skip

problem_incidents = Table(
    "problem_incidents",
    metadata,
    Column("problem_id", BigInteger, ForeignKey("problems.id", ondelete="CASCADE"), primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),  # when it was added to the problem
    Index(None, "incident_id"),
    comment="The incidents that a problem caused, as long as they are kept",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE")),
    Column("problem_id", BigInteger, ForeignKey("problems.id", ondelete="CASCADE")),
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
    Index(None, "problem_id", "id"),
    CheckConstraint(_ONE_OWNER, "one_owner"),
    comment="Ticket commands, written with the incidents and problems that cause them",
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE")),
    Column("problem_id", BigInteger, ForeignKey("problems.id", ondelete="CASCADE")),
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
    UniqueConstraint("incident_id"),
    UniqueConstraint("problem_id"),
    CheckConstraint(_ONE_OWNER, "one_owner"),
    Index(None, "number"),
    Index(None, "state", "id"),
    Index(None, "backend", "id"),
    comment="The ticket of each incident and each problem, as its backend last told",
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
    Column("problem", _Text, nullable=False, server_default=""),  # refs of what it is linked to
    Column("duplicate", _Text, nullable=False, server_default=""),
    Column("workaround", _Text, nullable=False, server_default=""),  # what people have found out
    Column("root_cause", _Text, nullable=False, server_default=""),
    Column("known_error", _Text, nullable=False, server_default=""),
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

silences = Table(
    "silences",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("matchers", _Text, nullable=False),  # a JSON list of [name, operator, value] as `effect_json` writes them
    Column("author", _Text, nullable=False),
    Column("reason", _Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),  # when somebody ended it before its time
    Column("ended_by", _Text, nullable=False, server_default=""),
    Index(None, "to_ms"),
    comment="Silences: who said until when which alerts open nothing, and why",
)

changes = Table(
    "changes",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("because", _Text, nullable=False),  # change, or maintenance of a calendar
    Column("backend", _Text, nullable=False),  # the source
    Column("ref", _Text, nullable=False),
    Column("number", _Text, nullable=False),
    Column("title", _Text, nullable=False),
    Column("state", _Text, nullable=False),  # empty of maintenance
    Column("outcome", _Text, nullable=False),  # likewise
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("selection", _Text, nullable=False),  # JSON
    Column("read_ms", BigInteger, nullable=False),  # when its source told it last
    UniqueConstraint("backend", "ref"),
    Index(None, "to_ms"),
    comment="Changes, and maintenance of calendars, as their sources told them last",
)

reports = Table(
    "reports",
    metadata,
    Column("source", _Text, primary_key=True),
    Column("key", _Text, primary_key=True),
    Column("heard_ms", BigInteger, nullable=False),
    Column("report", _Text, nullable=False),  # JSON as `effect_json` writes it
    comment="What others reported last of their alerts that fire, or did a little while ago",
)

resolutions = Table(
    "resolutions",
    metadata,
    Column("incident_id", BigInteger, primary_key=True, autoincrement=False),  # outlives the incident
    Column("key", _Text, nullable=False),
    Column("rule_id", _Text, nullable=False),
    Column("service", _Text, nullable=False),
    Column("resolved_ms", BigInteger, nullable=False),
    Column("text", _Text, nullable=False),  # empty: somebody looked, and there was nothing
    Column("ticket_number", _Text, nullable=False),
    Column("url", _Text, nullable=False),
    Index(None, "key", "resolved_ms"),
    Index(None, "resolved_ms"),
    comment="What people said that resolved incidents",
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("key", _Text, primary_key=True),
    Column("since_ms", BigInteger, nullable=False),  # from when on it was waited for
    Column("started_ms", BigInteger),
    Column("succeeded_ms", BigInteger),
    Column("failed_ms", BigInteger),
    Column("exit_code", Integer),
    Column("output", _Text, nullable=False),
    Column("duration_ms", BigInteger),
    comment="What jobs told of themselves, by a digest of their secret",
)

windows_in_force = Table(
    "windows_in_force",
    metadata,
    Column("because", _Text, primary_key=True),  # maintenance or change
    Column("backend", _Text, primary_key=True),  # the source
    Column("ref", _Text, primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),  # from when on it was known and in force
    Column("to_ms", BigInteger, nullable=False),
    Column("number", _Text, nullable=False),
    Column("title", _Text, nullable=False),
    Column("services", _Text, nullable=False),  # a JSON list: those that it was about as a whole
    Column("probes", _Text, nullable=False),  # likewise: those of other services
    Index(None, "to_ms"),
    comment="Maintenance and approved changes that were in force, and what they were about then",
)

probe_standings = Table(
    "probe_standings",
    metadata,
    Column("probe_id", _Text, primary_key=True),
    Column("category", _Text, nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("labels", _Text, nullable=False),  # a JSON object
    Column("noted_ms", BigInteger, nullable=False),
    comment="What decides whether a probe counts for availability, of those that are gone as well",
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("service", _Text, nullable=False),
    Column("kind", _Text, nullable=False),  # exclude or add
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("author", _Text, nullable=False),
    Column("reason", _Text, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("undone_ms", BigInteger),
    Column("undone_by", _Text, nullable=False, server_default=""),
    Column("undone_reason", _Text, nullable=False, server_default=""),
    Index(None, "service", "to_ms"),
    comment="What people said of the availability of services, and took back",
)
