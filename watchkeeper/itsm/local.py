"""The local desk: watchkeeper's own ticket system, for those who have no other."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Protocol

from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft
from watchkeeper.itsm._text import cut
from watchkeeper.itsm.base import (
    MOST_RESOLUTION,
    BackendKind,
    BackendOptions,
    Call,
    Finding,
    Rejected,
    Surroundings,
)


class Desk(Protocol):
    """Where the desk's tickets are kept."""

    def find(self, desk: str, key: str) -> Sequence[Ticket]: ...
    def fetch(self, desk: str, refs: Iterable[str]) -> Sequence[Ticket]: ...
    def changed(self, desk: str, since_ms: int) -> Sequence[str] | None: ...
    def resolution(self, desk: str, ref: str) -> str: ...
    def create(self, desk: str, draft: TicketDraft, now_ms: int) -> Ticket: ...
    def update(self, desk: str, ref: str, change: TicketChange, now_ms: int) -> Ticket | None: ...


class Options(BackendOptions):
    """The local desk has none of its own."""


class LocalBackend:
    """A desk by its name in the configuration.

    The store's own errors go through as they are. Delivery takes them as ambiguous, which costs nothing here:
    creating a ticket that is there gives that ticket, and a change that was made is not made again.
    """

    def __init__(self, name: str, _options: Options, surroundings: Surroundings) -> None:
        self._name = name
        self._clock = surroundings.clock
        self._desk: Desk = surroundings.desk

    def find(self, key: str) -> Sequence[Ticket]:
        return self._desk.find(self._name, key)

    def create(self, draft: TicketDraft) -> Ticket:
        return self._desk.create(self._name, draft, self._clock())

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        updated = self._desk.update(self._name, ticket.ref, change, self._clock())
        if updated is None:
            raise Rejected(f"the local desk has no ticket {ticket.number}")
        return updated

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        return self._desk.fetch(self._name, refs)

    def changed(self, within_ms: int) -> Sequence[str] | None:
        return self._desk.changed(self._name, self._clock() - within_ms)

    def resolution(self, ticket: Ticket) -> str:
        """What somebody gave as a reason to `watchkeeper tickets resolve` or `close`."""
        return cut(self._desk.resolution(self._name, ticket.ref), MOST_RESOLUTION)

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        return [Call("write", f"desk:{self._name}", asdict(command))]

    def check(self) -> Sequence[Finding]:
        return ()


KIND = BackendKind("local", "watchkeeper's own tickets, in its own database", Options, LocalBackend)
