"""What the Table API does with records, whoever asks and however: list, read, create, update, delete."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulators import servicenow_journal as journal
from tests.simulators import servicenow_schema as schema
from tests.simulators.servicenow_acl import Acl
from tests.simulators.servicenow_auth import User
from tests.simulators.servicenow_input import taken
from tests.simulators.servicenow_query import parse
from tests.simulators.servicenow_refusal import Refused, by_acl, no_record
from tests.simulators.servicenow_rules import Rules
from tests.simulators.servicenow_store import Row, Store


@dataclass
class Properties:
    """System properties of the instance, and what depends on its database."""

    invalid_query_returns_no_rows: bool = False
    """glide.invalid_query.returns_no_rows"""

    values_ignore_case: bool = False
    """Whether = and its like take upper and lower case for the same, as some collations do."""

    ignores: set[str] = field(default_factory=set)
    """Names of fields whose conditions are dropped, as those of fields that nobody knows."""

    unordered_rows_wander: bool = True
    """Whether rows that a query does not order come in another order each time."""

    dangling_references_are_stored: bool = True
    """Whether a reference to nothing is stored as it is sent; otherwise it is dropped."""


@dataclass
class Records:
    """The Table API without HTTP. Raises Refused."""

    store: Store
    acl: Acl
    rules: Rules
    properties: Properties

    def list(self, user: User, table: str, encoded: str, limit: int, offset: int) -> tuple[list[Row], int]:
        """A page of a query's rows, and how many the query has, both before anybody asks who may see them."""
        self._know(table)
        if table in self.acl.closed and not user.is_admin:
            raise by_acl("Read")
        ignored = self.properties.ignores
        query = parse(encoded, lambda path: path not in ignored and schema.field_at(table, path) is not None)
        if query.invalid and self.properties.invalid_query_returns_no_rows:
            return [], 0
        found = self.store.select(
            table,
            query,
            ignore_case=self.properties.values_ignore_case,
            shuffle=self.properties.unordered_rows_wander,
        )
        page = found[offset : offset + limit]
        return [row for row in page if self.acl.may_read(user, table, row)], len(found)

    def read(self, user: User, table: str, sys_id: str) -> Row:
        self._know(table)
        row = self.store.get(table, sys_id)
        if row is None or not self.acl.may_read(user, table, row):
            raise no_record()
        return row

    def create(self, user: User, table: str, body: Mapping[str, Any], *, display: bool = False) -> Row:
        self._know(table)
        if not self.acl.may_write(user, table):
            raise by_acl("Insert")
        sent = self._taken(user, table, body, display=display)
        kept, entries = journal.split(table, sent)
        new = {name: each.default for name, each in schema.FIELDS[table].items()} | kept
        self.rules.before(self.store, table, None, new, sent, user)
        row = self.store.add(table, new, user.login)
        self._after(table, row, {}, entries, user)
        return row

    def update(self, user: User, table: str, sys_id: str, body: Mapping[str, Any], *, display: bool = False) -> Row:
        row = self.read(user, table, sys_id)
        table = row.get("sys_class_name") or table
        if not self.acl.may_write(user, table):
            raise by_acl("Update")
        sent = self._taken(user, table, body, display=display)
        kept, entries = journal.split(table, sent)
        old, new = dict(row), {**row, **kept}
        self.rules.before(self.store, table, old, new, sent, user)
        self.store.replace(row, new, user.login, touched=bool(entries))
        self._after(table, row, old, entries, user)
        return row

    def delete(self, user: User, table: str, sys_id: str) -> None:
        row = self.read(user, table, sys_id)
        if not user.is_admin:
            raise by_acl("Delete")
        self.store.remove(table, sys_id)
        self._count_incidents(row)

    def _taken(self, user: User, table: str, body: Mapping[str, Any], *, display: bool) -> Row:
        dangling = self.properties.dangling_references_are_stored
        return taken(self.store, self.acl, user, table, body, display=display, dangling=dangling)

    def _after(self, table: str, row: Row, old: Row, entries: Row, user: User) -> None:
        journal.write(self.store, table, row["sys_id"], entries, user.login)
        self._count_incidents(old)
        self._count_incidents(row)

    def _count_incidents(self, row: Row) -> None:
        """Keeps a problem's number of related incidents."""
        problem = self.store.get("problem", row.get("problem_id", ""))
        if problem is not None:
            related = [each for each in self.store.rows("incident") if each["problem_id"] == problem["sys_id"]]
            problem["related_incidents"] = str(len(related))

    def _know(self, table: str) -> None:
        if table not in schema.TABLES:
            raise Refused(400, f"Invalid table {table}")
