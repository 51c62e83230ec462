"""The local desk's tickets: watchkeeper's own ticket system, in its own database."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from watchkeeper.domain.desk import Act, WrongMove, act_on, in_words, said_at_the_end
from watchkeeper.domain.ticket import (
    MAX_FINDING,
    ProblemFindings,
    Ticket,
    TicketChange,
    TicketDraft,
    TicketKind,
    TicketState,
)
from watchkeeper.store import tables
from watchkeeper.store.database import Database

_AT_ONCE: Final = 1000
_MAX_CHANGED: Final = 100
_MOST_NOTES: Final = 50
_NUMBER: Final = re.compile(r"DESK-(\d{1,18})", re.ASCII | re.IGNORECASE)
_rows, _notes = tables.desk_tickets, tables.desk_notes


@dataclass(frozen=True, slots=True)
class StoredDesk:
    """The desks of one database, each under its name.

    Every method raises StoreError when the database does not answer; whether a change was made is then not known.
    """

    database: Database

    def find(self, desk: str, key: str) -> list[Ticket]:
        """The ticket of a key: none or one."""
        with self.database.read() as connection:
            found = _of_key(connection, desk, key)
        return [] if found is None else [found]

    def fetch(self, desk: str, refs: Iterable[str]) -> list[Ticket]:
        """The tickets of these refs, in no order. What is no ref of this desk is left out."""
        ids = sorted({number for ref in refs if (number := _id(ref)) is not None})
        found: list[Ticket] = []
        with self.database.read() as connection:
            for begin in range(0, len(ids), _AT_ONCE):
                some = _rows.c.id.in_(ids[begin : begin + _AT_ONCE])
                found += map(_ticket, connection.execute(select(_rows).where(_rows.c.desk == desk, some)))
        return found

    def changed(self, desk: str, since_ms: int) -> list[str] | None:
        """The refs of the tickets that were changed since then; `None` when these are too many."""
        query = select(_rows.c.id).where(_rows.c.desk == desk, _rows.c.updated_ms >= since_ms).limit(_MAX_CHANGED + 1)
        with self.database.read() as connection:
            found = [str(id_) for id_ in connection.scalars(query)]
        return None if len(found) > _MAX_CHANGED else found

    def resolution(self, desk: str, ref: str) -> str:
        """What a person said when the ticket was resolved or closed last; empty where it is not, or nobody did."""
        mine = (_rows.c.id == _id(ref)) & (_rows.c.desk == desk)
        ended = _rows.c.state.in_((TicketState.RESOLVED.value, TicketState.CLOSED.value))
        query = (
            select(_notes.c.text)
            .join_from(_notes, _rows)
            .where(mine, ended, _notes.c.key.is_(None))
            .order_by(_notes.c.id.desc())
            .limit(_MOST_NOTES)
        )
        with self.database.read() as connection:
            return said_at_the_end(connection.scalars(query))

    def create(self, desk: str, draft: TicketDraft, now_ms: int) -> Ticket:
        """Adds a ticket. There is one of each key only: where it is there already, it stays as it is."""
        with self.database.write() as connection:
            if (there := _of_key(connection, desk, draft.key)) is not None:
                return there
            added = insert(_rows).values(
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
            return _ticket(connection.execute(added.returning(_rows)).one())

    def update(self, desk: str, ref: str, change: TicketChange, now_ms: int) -> Ticket | None:
        """Adds a note, and moves state, impact and urgency. Links are made where there are none yet. A change whose
        key is there already is not made again.

        Returns the ticket after it; `None` when there is no such ticket.
        """
        mine = (_rows.c.id == _id(ref)) & (_rows.c.desk == desk)
        key = change.key or None
        with self.database.write() as connection:
            # The row is locked: of two workers with the same change, the second one finds it made.
            found = connection.execute(select(_rows).where(mine).with_for_update()).first()
            if found is None:
                return None
            made = select(_notes.c.id).where(_notes.c.ticket_id == found.id, _notes.c.key == key)
            if key is not None and connection.execute(made).first() is not None:
                return _ticket(found)
            note = insert(_notes).values(ticket_id=found.id, key=key, at_ms=now_ms, text=change.note)
            connection.execute(note)
            values: dict[str, Any] = {"updated_ms": now_ms}
            links = {"problem": change.problem, "duplicate": change.duplicate}
            values |= {name: link for name, link in links.items() if link and not getattr(found, name)}
            changed = {"state": change.state, "impact": change.impact, "urgency": change.urgency}
            values |= {name: new.value for name, new in changed.items() if new is not None}
            return _ticket(connection.execute(update(_rows).where(mine).values(**values).returning(_rows)).one())

    def act(self, number: str, act: Act, now_ms: int) -> tuple[str, Ticket] | None:
        """What a person does to a ticket, of whatever desk. Also written down as if it had been read back already.

        Returns the desk, and the ticket after it; `None` when there is no such ticket.

        Raises:
            WrongMove: it can not be done to the ticket as it is, or what it is. Nothing was changed.
        """
        found = _NUMBER.fullmatch(number)
        mine = _rows.c.id == (int(found[1]) if found else None)
        with self.database.write() as connection:
            row = connection.execute(select(_rows).where(mine).with_for_update()).first()
            if row is None:
                return None
            outcome = act_on(_ticket(row), act)
            if act.insight is not None and row.kind != TicketKind.PROBLEM.value:
                raise WrongMove(f"DESK-{row.id} is no problem: only a problem has a {in_words(act.insight)}")
            connection.execute(insert(_notes).values(ticket_id=row.id, at_ms=now_ms, text=outcome.note))
            values = {
                "state": outcome.state.value,
                "assignee": outcome.assignee,
                "touched": True,
                "updated_ms": now_ms,
            }
            told = tables.tickets
            same = (told.c.backend == row.desk) & (told.c.ref == str(row.id))
            connection.execute(update(told).where(same).values(**values))
            if act.insight is not None:
                values[act.insight.value.replace("-", "_")] = act.text[:MAX_FINDING]
            return row.desk, _ticket(
                connection.execute(update(_rows).where(mine).values(**values).returning(_rows)).one()
            )


def _id(ref: str) -> int | None:
    """The row of a ref; `None` when it can not be one of ours."""
    return int(ref) if ref.isascii() and ref.isdecimal() and len(ref) <= 18 else None


def _of_key(connection: Connection, desk: str, key: str) -> Ticket | None:
    row = connection.execute(select(_rows).where(_rows.c.desk == desk, _rows.c.key == key)).first()
    return None if row is None else _ticket(row)


def _ticket(row: Any) -> Ticket:
    return Ticket(
        ref=str(row.id),
        number=f"DESK-{row.id}",
        key=row.key,
        state=TicketState(row.state),
        title=row.title,
        assignee=row.assignee,
        is_touched=row.touched,
        findings=ProblemFindings(
            row.workaround, row.root_cause, row.known_error, is_known_error=row.known_error != ""
        ),
    )
