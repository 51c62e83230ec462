"""A ticket system in memory, as strict as a backend may be and no stricter."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm.base import Call, Finding, Outcome, Rejected


@dataclass
class MemoryBackend:
    """Like most systems it does not mind two tickets of one key.

    `trouble`, asked before and after each change with the method's name, may raise an Outcome: what is raised
    after a change was made has happened all the same.
    """

    tickets: dict[str, Ticket] = field(default_factory=dict)
    drafts: dict[str, TicketDraft] = field(default_factory=dict)
    changes: dict[str, list[TicketChange]] = field(default_factory=dict)
    trouble: Callable[[str, bool], Outcome | None] = lambda _method, _done: None
    findings: Sequence[Finding] = ()
    resolutions: dict[str, str] = field(default_factory=dict)
    """What people said when they resolved tickets, by ref."""

    def find(self, key: str) -> Sequence[Ticket]:
        self._ask("find", done=False)
        return [ticket for ticket in self.tickets.values() if ticket.key == key]

    def create(self, draft: TicketDraft) -> Ticket:
        self._ask("create", done=False)
        ref = str(len(self.tickets) + 1)
        ticket = Ticket(ref, f"MEM-{ref}", draft.key, TicketState.OPEN, draft.title, f"memory:{ref}")
        self.tickets[ref], self.drafts[ref], self.changes[ref] = ticket, draft, []
        self._ask("create", done=True)
        return ticket

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        self._ask("update", done=False)
        if ticket.ref not in self.tickets:
            raise Rejected(f"there is no ticket {ticket.number}")
        made = self.changes[ticket.ref]
        if not (change.key and any(other.key == change.key for other in made)):
            made.append(change)
            current = self.tickets[ticket.ref]
            self.tickets[ticket.ref] = replace(current, state=change.state or current.state)
        self._ask("update", done=True)
        return self.tickets[ticket.ref]

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        self._ask("fetch", done=False)
        return [self.tickets[ref] for ref in refs if ref in self.tickets]

    def changed(self, within_ms: int) -> Sequence[str] | None:
        """There are no times here."""
        self._ask("changed", done=False)
        return None

    def resolution(self, ticket: Ticket) -> str:
        self._ask("resolution", done=False)
        return self.resolutions.get(ticket.ref, "")

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        return [Call("put", "memory:", asdict(command))]

    def check(self) -> Sequence[Finding]:
        return self.findings

    def notes(self, ref: str) -> list[str]:
        """What a person reads under a ticket, the oldest first."""
        return [change.note for change in self.changes[ref]]

    def links(self, ref: str) -> list[str]:
        """The refs of what a ticket is linked to."""
        made = self.changes[ref]
        return [link for link in dict.fromkeys(ref for one in made for ref in (one.problem, one.duplicate)) if link]

    def levels(self, ref: str) -> tuple[Level, Level]:
        """Impact and urgency as a person sees them."""
        draft = self.drafts[ref]
        impact, urgency = draft.impact, draft.urgency
        for change in self.changes[ref]:
            impact, urgency = change.impact or impact, change.urgency or urgency
        return impact, urgency

    def _ask(self, method: str, *, done: bool) -> None:
        if (outcome := self.trouble(method, done)) is not None:
            raise outcome
