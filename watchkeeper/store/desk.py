"""The local desk's tickets: watchkeeper's own ticket system, in its own database."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.store import tables
from watchkeeper.store.database import Database, StoreError


@dataclass(frozen=True, slots=True)
class StoredDesk:
    """One desk of a database."""

    database: Database

    def find(self, desk: str, key: str) -> list[Ticket]:
        """The ticket of a key: none or one."""
        return self._select(desk, tables.desk_tickets.c.key == key)

    def fetch(self, desk: str, refs: Iterable[str]) -> list[Ticket]:
        return self._select(desk, tables.desk_tickets.c.id.in_([int(ref) for ref in refs]))

    def create(self, desk: str, draft: TicketDraft, now_ms: int) -> Ticket:
        """Adds a ticket. The table takes one of each key only."""
        rows = tables.desk_tickets
        with self.database.write() as connection:
            added = insert(rows).values(
                desk=desk,
                key=draft.key,
                kind=draft.kind.value,
                correlation=draft.correlation,
                title=draft.title,
                description=draft.description,
                service=draft.service,
                impact=draft.impact.value,
                urgency=draft.urgency.value,
                state=TicketState.OPEN.value,
                opened_ms=now_ms,
                updated_ms=now_ms,
            )
            row = connection.execute(added.returning(rows)).one()
        return _ticket(row)

    def update(self, desk: str, ref: str, change: TicketChange, now_ms: int) -> Ticket:
        """Adds a note and moves the state. A change whose key is there already is not made again."""
        rows, notes = tables.desk_tickets, tables.desk_notes
        mine = (rows.c.id == int(ref)) & (rows.c.desk == desk)
        with self.database.write() as connection:
            found = connection.execute(select(rows).where(mine)).first()
            if found is None:
                raise StoreError(f"the local desk has no ticket {ref}")
            made = select(notes.c.id).where(notes.c.ticket_id == found.id, notes.c.key == change.key)
            if connection.execute(made).first() is None:
                connection.execute(
                    insert(notes).values(ticket_id=found.id, key=change.key, at_ms=now_ms, text=change.note)
                )
                values: dict[str, Any] = {"updated_ms": now_ms}
                if change.state is not None:
                    values["state"] = change.state.value
                connection.execute(update(rows).where(mine).values(**values))
            row = connection.execute(select(rows).where(mine)).one()
        return _ticket(row)

    def _select(self, desk: str, condition: Any) -> list[Ticket]:
        rows = tables.desk_tickets
        query = select(rows).where(rows.c.desk == desk, condition).order_by(rows.c.id)
        with self.database.read() as connection:
            return [_ticket(row) for row in connection.execute(query)]


def _ticket(row: Any) -> Ticket:
    return Ticket(str(row.id), f"DESK-{row.id}", row.key, TicketState(row.state), row.title)
