"""Event management: events are taken at once, and become alerts later."""

from typing import Any

from tests.simulators import servicenow_schema as schema
from tests.simulators.servicenow_auth import User
from tests.simulators.servicenow_refusal import Refused
from tests.simulators.servicenow_store import Row, Store

ROLE = "evt_mgmt_integration"
PARTS_OF_KEY = ("source", "node", "type", "resource", "metric_name")
CLEAR = "0"


def insert(store: Store, user: User, body: Any) -> int:
    """POST /api/global/em/jsonv2: how many events were taken. No business rule runs on them."""
    if not user.is_admin and ROLE not in user.roles:
        raise Refused(403, "User Not Authorized", f"Requires role {ROLE}")
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list):
        raise Refused(400, "Bad request", "records is missing")
    for record in records:
        if isinstance(record, dict):
            # A value that is no text, such as an object in additional_info, is not taken.
            values = {name: text for name, text in record.items() if isinstance(text, str)}
            store.add("em_event", {**values, "state": "Ready"}, user.login)
    return len(records)


def process(store: Store) -> None:
    """What a job of the instance does every few seconds: one alert for each message key."""
    for event in store.rows("em_event"):
        if event["state"] == "Ready":
            store.replace(event, {**event, "state": "Processed"}, "system")
            _alert(store, {**event, "message_key": event["message_key"] or _key(event)})


def _alert(store: Store, event: Row) -> None:
    values = {each.name: event[each.name] for each in schema.EVENT_FIELDS}
    closes = event["severity"] == CLEAR or event["resolution_state"] == "Closing"
    known = next((row for row in store.rows("em_alert") if row["message_key"] == event["message_key"]), None)
    if known is None:
        if not closes:
            store.add("em_alert", {**values, "state": "Open"}, "system")
        return
    state = "Closed" if closes else "Reopen" if known["state"] == "Closed" else known["state"]
    store.replace(known, {**known, **values, "state": state}, "system")


def _key(event: Row) -> str:
    return "_".join(event[name] for name in PARTS_OF_KEY)
