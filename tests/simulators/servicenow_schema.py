"""The tables of the simulated instance: their fields, what these refer to, their choices.

As in a real instance a table has its parent's fields, and the dictionary knows a field by the table that defines it:
correlation_id is a field of task, not of incident.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Field:
    """One column. `type` is ServiceNow's internal type; `refers` the table that a reference points into."""

    name: str
    type: str = "string"
    length: int = 40
    label: str = ""
    refers: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    read_only: bool = False

    @property
    def title(self) -> str:
        return self.label or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Table:
    """`number`: the first number its rows get, if they get any. `display`: the field that a row is named by."""

    name: str
    fields: Sequence[Field]
    extends: str = ""
    number: str = ""
    display: str = "name"


def text(name: str, length: int = 40, label: str = "", default: str = "") -> Field:
    return Field(name, length=length, label=label, default=default)


def whole(name: str, default: str = "", read_only: bool = False) -> Field:
    return Field(name, "integer", default=default, read_only=read_only)


def truth(name: str, default: str = "false") -> Field:
    return Field(name, "boolean", default=default)


def moment(name: str, read_only: bool = False) -> Field:
    return Field(name, "glide_date_time", read_only=read_only)


def reference(name: str, refers: str, read_only: bool = False) -> Field:
    return Field(name, "reference", 32, refers=refers, read_only=read_only)


def journal(name: str) -> Field:
    return Field(name, "journal_input", 4000)


def choice(name: str, choices: Mapping[str, str], default: str = "", of: str = "integer", label: str = "") -> Field:
    return Field(name, of, label=label, choices=choices, default=default)


INCIDENT_STATES = {"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled"}
HOLD_REASONS = {"1": "Awaiting Caller", "3": "Awaiting Problem", "4": "Awaiting Vendor", "5": "Awaiting Change"}
CLOSE_CODES = {
    code: code
    for code in (
        "Duplicate",
        "Known error",
        "No resolution provided",
        "Resolved by caller",
        "Resolved by change",
        "Resolved by problem",
        "Resolved by request",
        "Solution provided",
        "Workaround provided",
        "User error",
    )
}
PROBLEM_STATES = {
    "101": "New",
    "102": "Assess",
    "103": "Root Cause Analysis",
    "104": "Fix in Progress",
    "106": "Resolved",
    "107": "Closed",
}
CHANGE_STATES = {
    "-5": "New",
    "-4": "Assess",
    "-3": "Authorize",
    "-2": "Scheduled",
    "-1": "Implement",
    "0": "Review",
    "3": "Closed",
    "4": "Canceled",
}
CHANGE_CLOSE_CODES = {
    "successful": "Successful",
    "successful_issues": "Successful with issues",
    "unsuccessful": "Unsuccessful",
}
LEVELS = {"1": "1 - High", "2": "2 - Medium", "3": "3 - Low"}
PRIORITIES = {"1": "1 - Critical", "2": "2 - High", "3": "3 - Moderate", "4": "4 - Low", "5": "5 - Planning"}
INSTALLED = {"1": "Installed", "3": "In Maintenance", "7": "Retired"}

SYSTEM = (
    Field("sys_id", "GUID", 32, read_only=True),
    moment("sys_created_on", read_only=True),
    Field("sys_created_by", read_only=True),
    moment("sys_updated_on", read_only=True),
    Field("sys_updated_by", read_only=True),
    whole("sys_mod_count", read_only=True),
)

TASK = Table(
    "task",
    (
        Field("sys_class_name", "sys_class_name", 80, read_only=True),
        text("number"),
        text("short_description", 160),
        text("description", 4000),
        choice("state", {"1": "Open", "2": "Work in Progress", "3": "Closed Complete"}, "1"),
        truth("active", "true"),
        choice("impact", LEVELS, "3"),
        choice("urgency", LEVELS, "3"),
        Field("priority", "integer", choices=PRIORITIES, read_only=True),
        text("correlation_id", 100, "Correlation ID"),
        text("correlation_display", 100),
        reference("cmdb_ci", "cmdb_ci"),
        reference("business_service", "cmdb_ci_service"),
        reference("service_offering", "cmdb_ci_service"),
        reference("assignment_group", "sys_user_group"),
        reference("assigned_to", "sys_user"),
        reference("parent", "task"),
        text("contact_type"),
        choice("approval", {"not requested": "Not Yet Requested", "approved": "Approved"}, "not requested", "string"),
        moment("opened_at"),
        reference("opened_by", "sys_user"),
        moment("closed_at"),
        reference("closed_by", "sys_user"),
        moment("work_start"),
        moment("work_end"),
        text("close_notes", 4000, "Resolution notes"),
        journal("work_notes"),
        journal("comments"),
    ),
    display="number",
)

INCIDENT = Table(
    "incident",
    (
        choice("state", INCIDENT_STATES, "1"),
        choice("incident_state", INCIDENT_STATES, "1"),
        reference("caller_id", "sys_user"),
        text("category"),
        text("subcategory"),
        choice("close_code", CLOSE_CODES, of="string", label="Resolution code"),
        choice("hold_reason", HOLD_REASONS, label="On hold reason"),
        reference("problem_id", "problem"),
        reference("caused_by", "change_request"),
        reference("rfc", "change_request"),
        reference("parent_incident", "incident"),
        moment("resolved_at"),
        reference("resolved_by", "sys_user"),
        whole("reopen_count", "0", read_only=True),
        reference("reopened_by", "sys_user", read_only=True),
        moment("reopened_time", read_only=True),
    ),
    "task",
    "INC0010001",
    "number",
)

PROBLEM = Table(
    "problem",
    (
        choice("state", PROBLEM_STATES, "101"),
        text("cause_notes", 4000),
        text("fix_notes", 4000),
        text("workaround", 4000),
        text("resolution_code"),
        truth("known_error"),
        whole("related_incidents", "0", read_only=True),
    ),
    "task",
    "PRB0040001",
    "number",
)

CHANGE = Table(
    "change_request",
    (
        choice("state", CHANGE_STATES, "-5"),
        choice("type", {"normal": "Normal", "standard": "Standard", "emergency": "Emergency"}, "normal", "string"),
        truth("on_hold"),
        choice("close_code", CHANGE_CLOSE_CODES, of="string"),
        moment("start_date"),
        moment("end_date"),
    ),
    "task",
    "CHG0030001",
    "number",
)

EVENT_FIELDS = (
    text("source", 100),
    text("event_class", 100),
    text("node", 100),
    text("resource", 100),
    text("metric_name", 100),
    text("type", 100),
    text("message_key", 1024),
    choice("severity", {"1": "Critical", "2": "Major", "3": "Minor", "4": "Warning", "5": "OK", "0": "Clear"}),
    text("additional_info", 4000),
    text("description", 4000),
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        TASK,
        INCIDENT,
        PROBLEM,
        CHANGE,
        Table("task_ci", (reference("task", "task"), reference("ci_item", "cmdb_ci")), display="sys_id"),
        Table(
            "task_cmdb_ci_service",
            (reference("task", "task"), reference("cmdb_ci_service", "cmdb_ci_service")),
            display="sys_id",
        ),
        Table(
            "cmdb_ci",
            (
                Field("sys_class_name", "sys_class_name", 80, read_only=True),
                text("name", 255),
                choice("install_status", INSTALLED, "1"),
                text("operational_status", default="1"),
            ),
        ),
        Table("cmdb_ci_service", (text("busines_criticality"),), "cmdb_ci"),
        Table("sys_user_group", (text("name", 80), truth("active", "true"))),
        Table(
            "sys_user",
            (text("user_name"), text("name", 151), text("email", 100), text("time_zone"), truth("active", "true")),
        ),
        Table(
            "kb_knowledge",
            (
                *(text("number"), text("short_description", 100), Field("text", "html", 65_536)),
                *(Field("wiki", "wiki_text", 4000), text("meta", 4000), text("kb_category"), text("workflow_state")),
            ),
            number="KB0010001",
            display="short_description",
        ),
        Table(
            "sys_choice",
            (
                *(text("name", 80), text("element", 80), text("value"), text("label", 60), truth("inactive")),
                *(text("language", default="en"), whole("sequence")),
            ),
            display="label",
        ),
        Table(
            "sys_dictionary",
            (
                *(text("name", 80), text("element", 80), text("internal_type"), whole("max_length")),
                *(text("reference", 80), text("column_label", 80), truth("mandatory"), truth("read_only")),
                truth("active", "true"),
            ),
            display="element",
        ),
        Table("sys_db_object", (text("name", 80), text("label", 80), reference("super_class", "sys_db_object"))),
        Table(
            "sys_journal_field", (text("name", 80), text("element", 80), text("element_id", 32), text("value", 4000))
        ),
        Table("em_event", (*EVENT_FIELDS, text("resolution_state"), moment("time_of_event"), text("state"))),
        Table("em_alert", (*EVENT_FIELDS, text("number"), text("state")), number="Alert0010001", display="number"),
    )
}


def lineage(table: str) -> Iterator[Table]:
    """A table and its parents, from the bottom up."""
    while table:
        found = TABLES[table]
        yield found
        table = found.extends


def fields(table: str) -> dict[str, Field]:
    """All fields of a table by name; a table's own definition stands before its parent's."""
    found = {each.name: each for each in SYSTEM}
    for level in reversed(list(lineage(table))):
        found.update({each.name: each for each in level.fields})
    return found


def field_at(table: str, path: str) -> Field | None:
    """The field at the end of a dotted path, None when there is no such field."""
    first, _, rest = path.partition(".")
    found = FIELDS[table].get(first)
    if found is None or not rest:
        return found
    return field_at(found.refers, rest) if found.refers else None


def children(table: str) -> list[str]:
    """A table and all that extend it."""
    return [name for name in TABLES if any(level.name == table for level in lineage(name))]


FIELDS: Mapping[str, Mapping[str, Field]] = {name: fields(name) for name in TABLES}
