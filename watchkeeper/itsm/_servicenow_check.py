"""The self-test of a ServiceNow instance: what would make calls fail, and what to ask its administrator for."""

from collections.abc import Iterator, Mapping
from typing import Final

from watchkeeper.itsm._servicenow_client import Client, NotAllowed, Row
from watchkeeper.itsm._servicenow_names import Names, Unresolved
from watchkeeper.itsm._servicenow_options import Options
from watchkeeper.itsm._servicenow_records import INCIDENT, INCIDENT_STATES, PROBLEM, TABLES, texts
from watchkeeper.itsm.base import Denied, Finding, Outcome, Rejected

IMPOSSIBLE: Final = "watchkeeper-self-test-no-such-key"
_SAMPLE: Final = 10
_MANY: Final = 1000
_LEVELS: Final = 10  # of tables that extend one another
_SET_ANYWAY: Final = frozenset({"short_description", "description", "impact", "urgency", "number", "state"})


def check(client: Client, names: Names, options: Options) -> list[Finding]:
    """What is wrong, in words. Writes nothing but an empty change to a ticket of watchkeeper's own."""
    found: list[Finding] = []
    for part in (_tables, _names, _choices, _dictionary):
        try:
            found += map(Finding, part(client, names, options))
        except Outcome as outcome:
            # What follows would fail at the same.
            return [*found, Finding(_in_the_way(outcome, options))]
    return found


def _in_the_way(outcome: Outcome, options: Options) -> str:
    if isinstance(outcome, Denied):
        return (
            f"ServiceNow does not let watchkeeper in: {outcome}. Ask the administrator whether its user is "
            "active, needs no second factor, and may use the REST API"
        )
    return f"ServiceNow can not be asked: {outcome}. Check `url`: {options.url}"


def _tables(client: Client, _names: Names, _options: Options) -> Iterator[str]:
    for table in TABLES:
        impossible = client.search(table, f"correlation_id={IMPOSSIBLE}", ("sys_id", "correlation_id"), _SAMPLE)
        if impossible.rows or impossible.hidden:
            yield (
                f"{table} can not be searched by correlation_id: a key that no record has finds some. Let "
                "watchkeeper read this field, and have the property glide.invalid_query.returns_no_rows set to true"
            )
        mine = "correlation_idSTARTSWITHwk-^ORDERBYDESCsys_created_on"
        sample = client.search(table, mine, ("sys_id", "number", "correlation_id", "work_notes"), _SAMPLE)
        if not sample.rows:
            sample = client.search(table, "ORDERBYDESCsys_created_on", ("sys_id", "correlation_id"), _SAMPLE)
        if sample.hidden and not sample.rows:
            yield f"no {table} is shown to watchkeeper: its user needs the role itil"
        for row in sample.rows[:1]:
            if "correlation_id" not in row.values:
                yield f"watchkeeper may not read {table}.correlation_id, which it finds its tickets by"
            elif row["correlation_id"].startswith("wk-"):
                yield from _may_change(client, table, row)


def _may_change(client: Client, table: str, row: Row) -> Iterator[str]:
    if "work_notes" not in row.values:
        yield f"watchkeeper may not read {table}.work_notes: a note may come twice after an answer was lost"
    try:
        client.update(table, row["sys_id"], {}, ("sys_id",), "")
    except NotAllowed as refusal:
        yield f"watchkeeper may not change its own {row['number']}: {refusal}"
    except Rejected:
        pass  # what it says of an empty change is not about permissions


def _names(_client: Client, names: Names, options: Options) -> Iterator[str]:
    wanted = [(name, str(value)) for name, values in options.all_fields().items() for value in values]
    wanted += texts(options.problem_fields).items()
    for name, value in dict.fromkeys(wanted):
        try:
            names.resolve(name, value)
        except Unresolved as error:
            yield str(error)


def _choices(client: Client, _names: Names, options: Options) -> Iterator[str]:
    codes = choices_of(client, "close_code")
    for name, code in (("close_code", options.close_code), ("duplicate_close_code", options.duplicate_close_code)):
        if codes and code and code not in codes:
            accepted = ", ".join(codes)
            yield f"{name}: {code!r} is no resolution code of this instance; there is {accepted}"
    unknown = [
        f"{value} ({label})"
        for value, label in choices_of(client, "state").items()
        if value not in INCIDENT_STATES and value not in options.states
    ]
    if unknown:
        yield f"states: incidents have states that are not named, and count as in_progress: {', '.join(unknown)}"


def choices_of(client: Client, element: str) -> Mapping[str, str]:
    """The values that people may choose, and their labels. None where they are not shown."""
    query = f"name={INCIDENT}^element={element}^inactive=false^ORDERBYsequence"
    fields = ("sys_id", "name", "element", "value", "label")
    found = client.search("sys_choice", query, fields, _MANY).rows
    rows = [row for row in found if (row["name"], row["element"]) == (INCIDENT, element)]
    return {row["value"]: row["label"] for row in rows}


def _dictionary(client: Client, _names: Names, options: Options) -> Iterator[str]:
    """Fields that there are not, and those that a table asks for. Who may not read the dictionary is not told."""
    asked = {INCIDENT: {**options.all_fields(), **options.resolve_fields}, PROBLEM: options.problem_fields}
    for table, given in asked.items():
        columns = _columns(client, table)
        if not columns:
            continue
        for name in given:
            if name not in columns:
                yield f"{name}: {table} has no such field"
        mandatory = {name for name, row in columns.items() if row["mandatory"] == "true"}
        key = "problem_fields" if table == PROBLEM else "fields"
        for name in sorted(mandatory - given.keys() - _SET_ANYWAY):
            yield f"{key}: {table} asks for {name} ({columns[name]['column_label']}), which is not among them"


def _columns(client: Client, table: str) -> dict[str, Row]:
    """The fields of a table, also those that it has from the tables that it extends."""
    columns: dict[str, Row] = {}
    for level in _lineage(client, table):
        fields = ("sys_id", "name", "element", "mandatory", "column_label")
        query = f"name={level}^active=true^elementISNOTEMPTY^ORDERBYsys_id"
        found = client.search("sys_dictionary", query, fields, _MANY)
        if found.hidden:
            return {}
        for row in found.rows:
            if row["name"] == level:
                columns.setdefault(row["element"], row)
    return columns


def _lineage(client: Client, table: str) -> Iterator[str]:
    for _ in range(_LEVELS):
        yield table
        fields = ("sys_id", "name", "super_class.name")
        found = client.search("sys_db_object", f"name={table}^ORDERBYsys_id", fields, 2).rows
        parents = [row["super_class.name"] for row in found if row["name"] == table]
        if not parents or not parents[0]:
            return
        table = parents[0]
