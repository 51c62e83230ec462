"""Who may see and write what. What is not allowed is mostly left out without a word."""

from dataclasses import dataclass, field

from tests.simulators import servicenow_schema as schema
from tests.simulators.servicenow_auth import User
from tests.simulators.servicenow_store import Row


@dataclass
class Acl:
    """Tests add to these sets; the role admin stands above them all."""

    read_roles: dict[str, str] = field(
        default_factory=lambda: {
            "incident": "itil",
            "problem": "itil",
            "change_request": "itil",
            "sys_dictionary": "personalize_dictionary",
            "sys_journal_field": "journal_reader",
        }
    )
    """A table that is not named here can be read by everybody."""

    write_roles: dict[str, str] = field(
        default_factory=lambda: {"incident": "itil", "problem": "itil", "change_request": "itil", "task_ci": "itil"}
    )
    """A table that is not named here can be written by admins only. Nobody else deletes."""

    closed: set[str] = field(default_factory=set)
    """Tables that the Table API refuses to list."""

    hidden: set[str] = field(default_factory=set)
    """The sys_ids of rows that are not shown."""

    unreadable: set[tuple[str, str]] = field(default_factory=set)
    unwritable: set[tuple[str, str]] = field(default_factory=set)
    """Table and field."""

    def may_read(self, user: User, table: str, row: Row) -> bool:
        role = self.read_roles.get(row.get("sys_class_name") or table)
        return user.is_admin or (row["sys_id"] not in self.hidden and (role is None or role in user.roles))

    def may_read_field(self, user: User, table: str, path: str) -> bool:
        return user.is_admin or (table, path) not in self.unreadable

    def may_write(self, user: User, table: str) -> bool:
        return user.is_admin or self.write_roles.get(table, "admin") in user.roles

    def may_write_field(self, user: User, table: str, name: str) -> bool:
        return not schema.FIELDS[table][name].read_only and (user.is_admin or (table, name) not in self.unwritable)
