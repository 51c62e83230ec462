"""What the platform makes of a record before it is stored: data lookup, data policies, business rules."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulators import servicenow_schema as schema
from tests.simulators.servicenow_auth import User
from tests.simulators.servicenow_refusal import by_business_rule, by_data_policy
from tests.simulators.servicenow_store import Row, Store
from tests.simulators.servicenow_times import ms_of

NEW, IN_PROGRESS, ON_HOLD, RESOLVED, CLOSED, CANCELED = "1", "2", "3", "6", "7", "8"
ENDED = (CLOSED, CANCELED)
AWAITING_CALLER = "1"
PROBLEM_NEW, PROBLEM_ASSESS, PROBLEM_RESOLVED, PROBLEM_CLOSED = "101", "102", "106", "107"
JOURNALS = ("work_notes", "comments")


@dataclass
class Rules:
    """Switches of an instance's rules, which tests turn."""

    caller_is_mandatory: bool = False
    mandatory: set[tuple[str, str]] = field(default_factory=set)
    """Table and field that a data policy wants filled."""

    assign: Callable[[Row], str | None] = lambda _row: None
    """An assignment rule: the sys_id of the group that a record goes to, whatever it said; None leaves it."""

    closed_are_refused: bool = False
    """Whether a change of an ended incident's state is refused with 403; otherwise it is dropped, with 200."""

    autoclose_days: int = 7
    """glide.ui.autoclose.time"""

    def before(self, store: Store, table: str, old: Row | None, new: Row, sent: Row, user: User) -> None:
        """Changes `new` as the platform does. Raises Refused.

        Args:
            old: the record as it is stored, None for a new one.
            sent: what was taken of what the client sent, journal entries too.
        """
        if "priority" in new:
            new["priority"] = _priority(new["impact"], new["urgency"])
        if "opened_at" in new and old is None:
            new["opened_at"] = new["opened_at"] or store.now()
            new["opened_by"] = new["opened_by"] or user.sys_id
        if table == "incident":
            self._incident(store, old, new, sent, user)
        elif table == "problem":
            _problem(old, new)
        group = self.assign(new) if "assignment_group" in new else None
        if group is not None:
            new["assignment_group"] = group
        self._policies(store, table, new)

    def autoclose(self, store: Store, now_ms: int) -> None:
        """Closes what was resolved for long enough, as a scheduled job does."""
        for row in store.rows("incident"):
            if row["state"] == RESOLVED and row["resolved_at"]:
                age_ms = now_ms - ms_of(row["resolved_at"])
                if age_ms >= self.autoclose_days * 86_400_000:
                    ended = {"state": CLOSED, "incident_state": CLOSED, "active": "false", "closed_at": store.now()}
                    store.replace(row, {**row, **ended}, "system")

    def _policies(self, store: Store, table: str, new: Row) -> None:
        wanted = [name for owner, name in sorted(self.mandatory) if owner == table]
        missing = [schema.FIELDS[table][name].title for name in wanted if not new[name]]
        if table == "incident" and self.caller_is_mandatory and store.get("sys_user", new["caller_id"]) is None:
            missing.append("Caller")
        if missing:
            raise by_data_policy(missing)

    def _incident(self, store: Store, old: Row | None, new: Row, sent: Row, user: User) -> None:
        was = old["state"] if old is not None else NEW
        if new["state"] == was:
            new["state"] = new["incident_state"]  # of the two fields the one that changed is right
        if old is not None and was in ENDED and not (user.is_admin and new["state"] == was):
            if self.closed_are_refused and new["state"] != was:
                raise by_business_rule("incident", "Closed incidents can not be reopened")
            new.update(old)
        new["incident_state"] = state = new["state"]
        new["active"] = "false" if state in ENDED else "true"
        if state == ON_HOLD and was != ON_HOLD:
            _needs(new, "incident", "hold_reason")
            if new["hold_reason"] == AWAITING_CALLER and not sent.get("comments"):
                raise by_data_policy(["Additional comments"])
        if state in (RESOLVED, CLOSED):
            _needs(new, "incident", "close_code", "close_notes")
        if state != was:
            _enter(store, was, new, user)


def _enter(store: Store, was: str, new: Row, user: User) -> None:
    state, now = new["state"], store.now()
    if state == CLOSED and not user.roles & {"admin", "itil_admin"}:
        raise by_business_rule("incident", "Only itil_admin may close an incident")
    if was == RESOLVED and state not in ENDED:
        new["reopen_count"] = str(int(new["reopen_count"]) + 1)
        new["reopened_by"], new["reopened_time"] = user.sys_id, now
    if state != ON_HOLD:
        new["hold_reason"] = ""
    if state == RESOLVED:
        new["resolved_at"], new["resolved_by"] = now, user.sys_id
    if state in ENDED:
        new["closed_at"], new["closed_by"] = now, user.sys_id


def _problem(old: Row | None, new: Row) -> None:
    """The state model: one state after the other, and a new problem is new."""
    if old is None:
        new["state"] = PROBLEM_NEW
        return
    states = list(schema.PROBLEM_STATES)
    was, state = old["state"], new["state"]
    if state == was:
        return
    if state not in states or states.index(state) != states.index(was) + 1:
        raise by_business_rule("problem", "Validate state transition")
    if state == PROBLEM_ASSESS:
        _needs(new, "problem", "assigned_to")
    if state == PROBLEM_RESOLVED:
        _needs(new, "problem", "cause_notes", "fix_notes", "resolution_code")
    new["active"] = "false" if state == PROBLEM_CLOSED else "true"


def _needs(new: Row, table: str, *names: str) -> None:
    missing = [schema.FIELDS[table][name].title for name in names if not new[name]]
    if missing:
        raise by_data_policy(missing)


def _priority(impact: str, urgency: str) -> str:
    """The lookup table that comes with the platform."""
    if {impact, urgency} <= {"1", "2", "3"}:
        return str(int(impact) + int(urgency) - 1)
    return "5"
