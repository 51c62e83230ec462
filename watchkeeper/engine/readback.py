"""Reading tickets back: what people did to them since."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import Ticket, TicketSeen, TicketState
from watchkeeper.itsm.base import Ambiguous, Rejected, TicketBackend
from watchkeeper.store.database import Database
from watchkeeper.store.readings import PAGE, Standing, note_reading, standings

BELIEVED_GONE: Final = 2  # so often in a row a ticket must not be there
_log = structlog.get_logger("delivery")


class ReadBack:
    """Reads the tickets of one backend, page by page, as often as it is asked to.

    Args:
        tell: hears of tickets whose incident does not know yet how they are.
    """

    def __init__(
        self,
        name: str,
        backend: TicketBackend,
        database: Database,
        clock: Clock,
        every_ms: int,
        tell: Callable[[Sequence[TicketSeen]], None],
    ) -> None:
        self._name = name
        self._backend = backend
        self._database = database
        self._clock = clock
        self._every_ms = every_ms
        self._tell = tell
        self._after_id = 0
        self._due_ms = clock() + every_ms

    def wait_ms(self) -> int:
        """How long until there is something to read."""
        return max(0, min(self._due_ms - self._clock(), self._every_ms))

    def step(self) -> None:
        """Reads one page.

        Raises:
            Outcome: the backend did not answer; the page is read again the next time.
            StoreError: the database did not.
        """
        page = standings(self._database, self._name, self._after_id)
        if page:
            self._read(page)
        self._go_on(page)

    def skip(self) -> None:
        """Goes on behind a page that can not be read.

        Raises:
            StoreError: the database did not answer.
        """
        self._go_on(standings(self._database, self._name, self._after_id))

    def _go_on(self, page: Sequence[Standing]) -> None:
        if len(page) < PAGE:
            self._after_id = 0
            self._due_ms = self._clock() + self._every_ms
        else:
            self._after_id = page[-1].incident_id

    def _read(self, page: Sequence[Standing]) -> None:
        found = self._fetch([one.ticket.ref for one in page])
        known = [one for one in page if one.ticket.ref in found]
        read = [(one, self._as_it_is(one, found[one.ticket.ref])) for one in known]
        now = self._clock()
        changed = [(one, ticket) for one, ticket in read if ticket is None or ticket != one.ticket or one.missing]
        if changed:
            note_reading(self._database, changed, now)
        news = [self._seen(one, ticket, now) for one, ticket in read if ticket is not None and _is_news(one, ticket)]
        if news:
            self._tell(news)

    def _fetch(self, refs: Sequence[str]) -> Mapping[str, Ticket | None]:
        """Tickets by their refs; `None` of those that are not there. What can not be read on its own either is left
        out: one such ticket must not hide the others."""
        try:
            there = {ticket.ref: ticket for ticket in self._backend.fetch(refs)}
        except (Ambiguous, Rejected) as outcome:
            if len(refs) == 1:
                _log.warning("ticket_unreadable", backend=self._name, ref=refs[0], reason=str(outcome))
                return {}
            middle = len(refs) // 2
            return {**self._fetch(refs[:middle]), **self._fetch(refs[middle:])}
        return {ref: there.get(ref) for ref in refs}

    def _as_it_is(self, one: Standing, found: Ticket | None) -> Ticket | None:
        """The ticket; `None` when it was not there, which is not believed yet."""
        if found is not None:
            return replace(found, version="", is_touched=found.is_touched or one.ticket.is_touched)
        if one.missing + 1 < BELIEVED_GONE:
            return None
        if one.ticket.state is not TicketState.CANCELLED:
            _log.warning("ticket_gone", backend=self._name, ticket=one.ticket.number)
        return replace(one.ticket, state=TicketState.CANCELLED, is_touched=True)

    def _seen(self, one: Standing, ticket: Ticket, now_ms: int) -> TicketSeen:
        is_gone = one.missing + 1 >= BELIEVED_GONE and ticket.state is TicketState.CANCELLED
        return TicketSeen(one.incident_id, ticket.number, ticket.state, ticket.assignee, now_ms, is_gone)


def _is_news(one: Standing, ticket: Ticket) -> bool:
    """Whether the incident does not know it yet. That a ticket nobody has touched is open goes without saying."""
    if not one.incident_is_open:
        return False
    known = TicketState.OPEN if one.seen_state is None else one.seen_state
    return ticket.state is not known or (bool(ticket.assignee) and not one.is_taken_up)
