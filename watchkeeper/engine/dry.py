"""A dry run: everything goes its way, and what would be sent to ticket systems is told instead."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import structlog

from watchkeeper.domain.announced import Announced
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft
from watchkeeper.itsm.base import Call, Finding, PlansChanges, Rejected, TicketBackend, Unavailable

NUMBER: Final = "DRY"
_log = structlog.get_logger("delivery")


class ReadsOnly(Budget):
    """A budget of calls that change nothing: no other can be paid from it, so that none can be made."""

    def spend(self, *, reads: bool = False) -> None:
        """Takes one call.

        Raises:
            Unavailable: it would change something.
        """
        if not reads:
            raise Unavailable("watchkeeper only shows what it would send")
        super().spend(reads=True)


class DryBackend:
    """Tells what a ticket system would be sent, and answers as a good one would: from a desk.

    Args:
        silent: the backend of that system, unable to change anything. It is asked for previews and
            for planned changes only.
        desk: where the tickets are kept that there would be.
    """

    def __init__(self, name: str, silent: TicketBackend, desk: TicketBackend) -> None:
        self._name = name
        self._silent = silent
        self._desk = desk

    def find(self, key: str) -> Sequence[Ticket]:
        return [_renamed(ticket) for ticket in self._desk.find(key)]

    def create(self, draft: TicketDraft) -> Ticket:
        calls = self.preview(draft)
        ticket = _renamed(self._desk.create(draft))
        self._tell(ticket, calls)
        return ticket

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        calls = self.preview(change)
        updated = _renamed(self._desk.update(ticket, change))
        self._tell(updated, calls)
        return updated

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        return [_renamed(ticket) for ticket in self._desk.fetch(refs)]

    def changed(self, within_ms: int) -> Sequence[str] | None:
        return self._desk.changed(within_ms)

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        return self._silent.preview(command)

    def planned_changes(self, from_ms: int, to_ms: int) -> Iterator[Sequence[Announced]]:
        """Those of the system itself: reading changes nothing."""
        if not isinstance(self._silent, PlansChanges):
            raise Rejected(f"{self._name} has no changes to read")
        return self._silent.planned_changes(from_ms, to_ms)

    def check_changes(self) -> Sequence[Finding]:
        return ()

    def check(self) -> Sequence[Finding]:
        return ()

    def _tell(self, ticket: Ticket, calls: Sequence[Call]) -> None:
        for call in calls:
            _log.info(
                "ticket_preview",
                backend=self._name,
                ticket=ticket.number,
                method=call.method,
                url=call.url,
                body=call.body,
            )


def _renamed(ticket: Ticket) -> Ticket:
    """So that nobody looks for it."""
    return replace(ticket, number=f"{NUMBER}-{ticket.ref}")
