"""Names of groups, people and things, and the records that they mean. An instance itself would guess."""

from collections import OrderedDict
from typing import Final, NamedTuple

from watchkeeper.domain.rule import Clock
from watchkeeper.itsm._servicenow_client import SYS_ID, Client
from watchkeeper.itsm.base import Denied, Rejected

_KEPT: Final = 1000
_KEPT_MS: Final = 600_000
_MISS_KEPT_MS: Final = 60_000  # what was not there may have been made since
_LOOK: Final = 10  # the instance counts rows before it hides some


class Target(NamedTuple):
    """What a field refers to, and by which of its fields a name is meant."""

    table: str
    name: str = "name"


TARGETS: Final = {
    "assigned_to": Target("sys_user", "user_name"),
    "assignment_group": Target("sys_user_group"),
    "business_service": Target("cmdb_ci_service"),
    "caller_id": Target("sys_user", "user_name"),
    "cmdb_ci": Target("cmdb_ci"),
    "company": Target("core_company"),
    "location": Target("cmn_location"),
    "opened_by": Target("sys_user", "user_name"),
    "service_offering": Target("service_offering"),
}
"""Fields whose values may be names."""


class Unresolved(Exception):
    """A name does not mean exactly one record. Its text says so, for people."""


class Names:
    """What names mean, kept for a while."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[int, str, str]] = OrderedDict()

    def resolve(self, field: str, value: str) -> str:
        """The sys_id that a field gets.

        Args:
            value: a name, or a sys_id, which is taken as it is.

        Raises:
            Unresolved: there is none of this name, or more than one.
            Outcome: the instance did not answer.
        """
        if not is_name(field, value):
            return value
        key = (field, value)
        until_ms, sys_id, why_not = self._known.get(key, (0, "", ""))
        if self._clock() >= until_ms:
            sys_id, why_not = self._look(field, value)
            self._known[key] = (self._clock() + (_KEPT_MS if sys_id else _MISS_KEPT_MS), sys_id, why_not)
            self._known.move_to_end(key)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        if not sys_id:
            raise Unresolved(why_not)
        return sys_id

    def _look(self, field: str, value: str) -> tuple[str, str]:
        target = TARGETS[field]
        what = f"{field}: {target.table} has"
        if "^" in value or value.lower().startswith("javascript:"):
            return "", f"{field}: {value!r} can not be looked up by name; give its sys_id"
        try:
            found = self._client.search(target.table, query_of(field, value), ("sys_id", target.name), _LOOK)
        except (Denied, Rejected) as refusal:
            return "", f"{field}: {target.table} can not be read: {refusal}"
        matches = [row["sys_id"] for row in found.rows if row[target.name] == value]
        if found.hidden and len(matches) < 2:
            return "", f"{what} records of the {target.name} {value!r} that are not shown to watchkeeper"
        if len(matches) != 1:
            number = "no record" if not matches else f"{len(matches)} records"
            hint = "" if not matches else "; give the sys_id of one"
            return "", f"{what} {number} of the {target.name} {value!r}{hint}"
        return matches[0], ""


def is_name(field: str, value: str) -> bool:
    """Whether a value is looked up."""
    return field in TARGETS and value != "" and SYS_ID.fullmatch(value) is None


def query_of(field: str, value: str) -> str:
    """What is asked to find the record of a name."""
    return f"{TARGETS[field].name}={value}^ORDERBYsys_id"
