"""Reading tickets back: what people did to them since."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import ProblemSeen, Ticket, TicketPolicy, TicketSeen, TicketState
from watchkeeper.itsm.base import Ambiguous, Rejected, TicketBackend
from watchkeeper.store.database import Database
from watchkeeper.store.readings import PAGE, Standing, note_reading, standings, standings_of

BELIEVED_GONE: Final = 2  # so often in a row a ticket must not be there
ALLOWANCE_MS: Final = 300_000
"""So much longer ago something may have been changed than it seems: clocks differ, and what is written is to be seen
only when it is committed."""

_log = structlog.get_logger("delivery")


class ReadBack:
    """Reads the tickets of one backend: what has changed, as often as it is asked to, and now and then all, page by
    page, because a backend does not tell of everything, and some can not tell at all.

    Args:
        policy: how often.
        tell: hears of tickets whose incident does not know yet how they are.
        tell_problem: likewise of those of problems, and of what people found out.
    """

    def __init__(
        self,
        name: str,
        backend: TicketBackend,
        database: Database,
        clock: Clock,
        policy: TicketPolicy,
        tell: Callable[[Sequence[TicketSeen]], None],
        tell_problem: Callable[[ProblemSeen], None] = lambda _seen: None,
    ) -> None:
        self._name = name
        self._backend = backend
        self._database = database
        self._clock = clock
        self._policy = policy
        self._every_ms = policy.read_every_ms
        self._tell = tell
        self._tell_problem = tell_problem
        self._due_ms = clock() + self._every_ms
        self._missing: set[str] = set()  # refs of what was not there when it was read last
        self._read_until_ms: int | None = None  # all that was changed before has been read; `None`: nobody knows
        self._swept_ms = 0  # when the last sweep through all tickets began
        self._is_sweeping = False
        self._has_skipped = False
        self._after_id = 0

    def wait_ms(self) -> int:
        """How long until there is something to read."""
        now_ms = self._clock()
        self._due_ms = min(self._due_ms, now_ms + self._every_ms)  # the clock may have been set back
        return max(0, self._due_ms - now_ms)

    def step(self) -> None:
        """Reads what has changed, or one page of everything.

        Raises:
            Outcome: the backend did not answer; the same is read the next time.
            StoreError: the database did not.
        """
        if not self._is_sweeping:
            if self._read_changes(self._clock()):
                return
            self._begin_sweep()
        page = standings(self._database, self._name, self._after_id)
        if page:
            self._read(page)
        self._go_on(page)

    def skip(self) -> None:
        """Goes on behind a page that can not be read. Where it is what has changed, everything is read instead.

        Raises:
            StoreError: the database did not answer.
        """
        if not self._is_sweeping:
            self._begin_sweep()
            return
        self._has_skipped = True
        self._go_on(standings(self._database, self._name, self._after_id))

    def _read_changes(self, now_ms: int) -> bool:
        """Reads what has changed since the last time, and again what was not there. False when that can not be told,
        or it is time to read everything."""
        since_ms = self._read_until_ms
        # Not either after the clock was set back.
        if since_ms is None or not since_ms <= now_ms < self._swept_ms + self._policy.sweep_every_ms:
            return False
        changed = self._backend.changed(now_ms - since_ms + self._policy.index_lag_ms + ALLOWANCE_MS)
        if changed is None or len(refs := {*changed, *self._missing}) > PAGE:
            return False
        if page := standings_of(self._database, self._name, refs):
            self._read(page)
        self._read_until_ms = now_ms
        self._due_ms = self._clock() + self._every_ms
        return True

    def _begin_sweep(self) -> None:
        self._is_sweeping, self._has_skipped, self._after_id = True, False, 0
        self._swept_ms = self._clock()
        self._missing.clear()

    def _go_on(self, page: Sequence[Standing]) -> None:
        if len(page) == PAGE:
            self._after_id = page[-1].id
            return
        self._is_sweeping = False
        self._read_until_ms = None if self._has_skipped else self._swept_ms
        self._due_ms = self._clock() + self._every_ms

    def _read(self, page: Sequence[Standing]) -> None:
        found = self._fetch([one.ticket.ref for one in page])
        known = [one for one in page if one.ticket.ref in found]
        read = [(one, self._as_it_is(one, found[one.ticket.ref])) for one in known]
        now = self._clock()
        changed = [
            (one, ticket)
            for one, ticket in read
            if ticket is None or replace(ticket, findings=one.ticket.findings) != one.ticket or one.missing
        ]
        if changed:
            note_reading(self._database, changed, now)
        self._missing = self._missing - found.keys() | {one.ticket.ref for one, ticket in read if ticket is None}
        news = [
            _seen(one, incident, ticket, now)
            for one, ticket in read
            if ticket is not None and (incident := one.incident_id) is not None and _is_news(one, ticket)
        ]
        if news:
            self._tell(news)
        for one, ticket in read:
            if ticket is not None and one.problem_id is not None and _is_news_of_problem(one, ticket):
                self._tell_problem(_seen_of_problem(one, one.problem_id, ticket, now))

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


def _seen(one: Standing, incident: int, ticket: Ticket, now_ms: int) -> TicketSeen:
    return TicketSeen(incident, ticket.number, ticket.state, ticket.assignee, now_ms, _is_gone(one, ticket))


def _seen_of_problem(one: Standing, problem: int, ticket: Ticket, now_ms: int) -> ProblemSeen:
    gone = _is_gone(one, ticket)
    findings = one.findings if gone else ticket.findings
    return ProblemSeen(problem, ticket.number, ticket.state, ticket.assignee, now_ms, gone, findings)


def _is_gone(one: Standing, ticket: Ticket) -> bool:
    return one.missing + 1 >= BELIEVED_GONE and ticket.state is TicketState.CANCELLED


def _is_news(one: Standing, ticket: Ticket) -> bool:
    """Whether the incident does not know it yet. That a ticket nobody has touched is open goes without saying."""
    if not one.is_open:
        return False
    known = TicketState.OPEN if one.seen_state is None else one.seen_state
    return ticket.state is not known or (bool(ticket.assignee) and not one.is_taken_up)


def _is_news_of_problem(one: Standing, ticket: Ticket) -> bool:
    """Whether the problem does not know it yet, be it resolved or not."""
    known = TicketState.OPEN if one.seen_state is None else one.seen_state
    has_vanished = _is_gone(one, ticket)  # what people found out is not told any more, and stays known
    return ticket.state is not known or (ticket.findings != one.findings and not has_vanished)
