"""What people do to tickets while a program is looking elsewhere. Nothing of it goes over HTTP."""

from typing import TYPE_CHECKING

from tests.simulators.servicenow_rules import CANCELED, CLOSED, IN_PROGRESS, ON_HOLD, RESOLVED
from tests.simulators.servicenow_store import Row

if TYPE_CHECKING:
    from tests.simulators.servicenow import Instance


class Person:
    """Somebody at a desk. Tickets are meant by their sys_id; the platform's rules hold for people too (Refused)."""

    def __init__(self, instance: "Instance", login: str) -> None:
        self._instance = instance
        self.user = instance.auth.users[login]

    def assign(self, sys_id: str, group: str) -> Row:
        """Gives it to a group (by name) and to this person, and begins."""
        found = self._instance.id_of("sys_user_group", group)
        return self.change(sys_id, assignment_group=found, assigned_to=self.user.sys_id, state=IN_PROGRESS)

    def hold(self, sys_id: str, reason: str = "4") -> Row:
        """On hold, by default for a vendor."""
        return self.change(sys_id, state=ON_HOLD, hold_reason=reason, comments="Please wait.")

    def resolve(
        self, sys_id: str, code: str = "Solution provided", notes: str = "Turned it off and on again."
    ) -> Row:
        return self.change(sys_id, state=RESOLVED, close_code=code, close_notes=notes)

    def reopen(self, sys_id: str) -> Row:
        return self.change(sys_id, state=IN_PROGRESS)

    def cancel(self, sys_id: str) -> Row:
        return self.change(sys_id, state=CANCELED)

    def close(self, sys_id: str) -> Row:
        """Closing wants close notes, like resolving; those that are there are kept."""
        row = self._instance.row("incident", sys_id)
        code, notes = row["close_code"] or "Solution provided", row["close_notes"] or "Done."
        return self.change(sys_id, state=CLOSED, close_code=code, close_notes=notes)

    def mark_as_duplicate(self, sys_id: str, of: str) -> Row:
        """Resolves it as a duplicate of another incident, its parent from now on."""
        done = {"state": RESOLVED, "close_code": "Duplicate", "close_notes": "See the parent incident."}
        return self.change(sys_id, parent_incident=of, **done)

    def comment(self, sys_id: str, text: str) -> Row:
        """Something that the caller sees."""
        return self.change(sys_id, comments=text)

    def note(self, sys_id: str, text: str) -> Row:
        """Something that only agents see."""
        return self.change(sys_id, work_notes=text)

    def change(self, sys_id: str, **values: str) -> Row:
        """Any fields of a task: incident, problem or change."""
        with self._instance.lock:
            return dict(self._instance.records.update(self.user, "task", sys_id, values))

    def delete(self, sys_id: str) -> None:
        with self._instance.lock:
            self._instance.records.delete(self.user, "task", sys_id)
