"""Journal fields: what is written into one is added to a table of entries; the field itself stays empty."""

from collections.abc import Mapping

from tests.simulators import servicenow_schema as schema
from tests.simulators.servicenow_auth import User
from tests.simulators.servicenow_store import Row, Store
from tests.simulators.servicenow_times import shown_time


def split(table: str, values: Mapping[str, str]) -> tuple[Row, Row]:
    """The values that a row keeps, and the entries for its journals."""
    kept: Row = {}
    entries: Row = {}
    for name, text in values.items():
        (entries if schema.FIELDS[table][name].type == "journal_input" else kept)[name] = text
    return kept, {name: text for name, text in entries.items() if text}


def write(store: Store, table: str, sys_id: str, entries: Mapping[str, str], by: str) -> None:
    for element, text in entries.items():
        store.add("sys_journal_field", {"name": table, "element": element, "element_id": sys_id, "value": text}, by)


def entries_of(store: Store, sys_id: str, element: str) -> list[Row]:
    """The oldest first."""
    rows = store.rows("sys_journal_field")
    return [row for row in rows if row["element_id"] == sys_id and row["element"] == element]


def shown(store: Store, sys_id: str, field: schema.Field, user: User) -> str:
    """What display_value gives: all entries in one text, the newest first, in the user's time."""
    return "".join(
        f"{shown_time(row['sys_created_on'], user)} - {row['sys_created_by']} ({field.title})\n{row['value']}\n\n"
        for row in reversed(entries_of(store, sys_id, field.name))
    )
