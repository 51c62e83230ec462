"""How a record is shown: which fields, raw or as people read them, references with or without their link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulators import servicenow_journal as journal
from tests.simulators import servicenow_schema as schema
from tests.simulators.servicenow_acl import Acl
from tests.simulators.servicenow_auth import User
from tests.simulators.servicenow_store import Row, Store
from tests.simulators.servicenow_times import shown_time


@dataclass(frozen=True)
class View:
    """`fields`: those asked for, none for all. `display`: "false", "true" or "all"."""

    fields: Sequence[str] = ()
    display: str = "false"
    links: bool = True


def view_of(query: Mapping[str, str]) -> View:
    """What a request's sysparm_ parameters ask for."""
    return View(
        [name for name in query.get("sysparm_fields", "").split(",") if name],
        query.get("sysparm_display_value", "false"),
        query.get("sysparm_exclude_reference_link", "false") != "true",
    )


def render(store: Store, acl: Acl, user: User, table: str, row: Row, view: View, base: str) -> dict[str, Any]:
    """A record's JSON. Fields that are not there, or not this user's to read, are left out."""
    table = row.get("sys_class_name") or table
    paths = view.fields or list(schema.FIELDS[table])
    shown = {}
    for path in paths:
        field = schema.field_at(table, path)
        if field is not None and acl.may_read_field(user, table, path):
            value = store.cell(table, row, path).value
            shown[path] = _cell(field, value, _display(store, user, row, field, value), view, base)
    return shown


def _cell(field: schema.Field, value: str, display: str, view: View, base: str) -> Any:
    """An empty reference has no link: it is the plain empty string."""
    link = {"link": f"{base}/api/now/table/{field.refers}/{value}"} if field.refers and value and view.links else {}
    if view.display == "all":
        return {"display_value": display, "value": value, **link}
    if view.display == "true":
        return {"display_value": display, **link} if link else display
    return {**link, "value": value} if link else value


def _display(store: Store, user: User, row: Row, field: schema.Field, value: str) -> str:
    if field.type == "journal_input":
        return journal.shown(store, row["sys_id"], field, user)
    if field.refers:
        return store.name_of(field.refers, value)
    if field.type == "glide_date_time" and value:
        return shown_time(value, user)
    return field.choices.get(value, value)
