"""What is taken of what a client sends. The rest is dropped, and nobody says so."""

from collections.abc import Mapping
from typing import Any

from tests.simulators import servicenow_schema as schema
from tests.simulators.servicenow_acl import Acl
from tests.simulators.servicenow_auth import User
from tests.simulators.servicenow_store import Row, Store
from tests.simulators.servicenow_times import is_raw, time_shown_as


def taken(
    store: Store, acl: Acl, user: User, table: str, body: Mapping[str, Any], *, display: bool, dangling: bool
) -> Row:
    """The values that are stored, by field.

    Args:
        display: sysparm_input_display_value, which has names looked up and times read in the user's zone.
        dangling: whether a reference to nothing is stored as it is; otherwise it is dropped.
    """
    values: Row = {}
    for name, given in body.items():
        field = schema.FIELDS[table].get(name)
        if field is None or isinstance(given, dict | list) or not acl.may_write_field(user, table, name):
            continue
        value = _taken(store, user, field, _text(given), display=display, dangling=dangling)
        if value is not None:
            values[name] = value
    return values


def _text(given: object) -> str:
    if given is None:
        return ""
    return str(given).lower() if isinstance(given, bool) else str(given)


def _taken(store: Store, user: User, field: schema.Field, text: str, *, display: bool, dangling: bool) -> str | None:
    if not text:
        return text
    match field.type:
        case "reference":
            return _reference(store, field, text, display=display, dangling=dangling)
        case "boolean":
            return "true" if text in ("true", "1") else "false"
        case "glide_date_time":
            value = time_shown_as(text, user) if display else text
            return value if is_raw(value) else None
        case "integer":
            value = next((key for key, label in field.choices.items() if display and label == text), text)
            return value if value.removeprefix("-").isdecimal() else None
    return text[: field.length]


def _reference(store: Store, field: schema.Field, text: str, *, display: bool, dangling: bool) -> str | None:
    if store.get(field.refers, text) is not None:
        return text
    if display:
        named = store.named(field.refers, text)
        return named[0]["sys_id"] if named else ""
    return text if dangling else None
