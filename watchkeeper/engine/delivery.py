"""Delivery: ticket commands from the outbox to their backend, each of them done exactly once.

A command is claimed, done, and settled. Whatever ends a command between claim and settlement (a crash, a timeout, a
lost answer) leaves it uncertain: then the backend is asked for the ticket before one is created, and what is there
is adopted. This is decided here, once, for every backend; a backend only names what happened.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from watchkeeper.domain.incident import incident_number
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import Command, CommandKind, Ticket, TicketChange, TicketDraft
from watchkeeper.engine.figures import Figures
from watchkeeper.itsm.base import Ambiguous, Outcome, Rejected, Throttled, TicketBackend, Unavailable
from watchkeeper.store import outbox
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.outbox import Claim

MAX_BACKOFF_S: Final = 300.0
MAX_THROTTLE_S: Final = 3600.0  # a backend that asks for more is asked again all the same
IDLE_S: Final = 30.0  # how long the worker sleeps at most when nothing wakes it
STORE_RETRY_S: Final = 2.0

_log = structlog.get_logger("delivery")


@dataclass(frozen=True, slots=True)
class Retry:
    """To be tried again after a while. `uncertain`: it may have been done."""

    after_s: float
    uncertain: bool


@dataclass(frozen=True, slots=True)
class Reject:
    """Not to be tried again as it is."""


def decide(outcome: Outcome, attempts: int, jitter: float) -> Retry | Reject:
    """What follows from a call that did not end well.

    Args:
        attempts: how often the command was tried, this time included.
        jitter: a random number, 0 to 1, which spreads out those that failed together.
    """
    backoff = min(MAX_BACKOFF_S, 2.0 ** min(attempts - 1, 20)) * (0.5 + jitter / 2)
    match outcome:
        case Rejected():
            return Reject()
        case Throttled(retry_after_s=wanted) if wanted is not None:
            return Retry(min(MAX_THROTTLE_S, max(1.0, wanted)) + jitter, uncertain=False)
        case Throttled() | Unavailable():
            return Retry(backoff, uncertain=False)
        case _:
            return Retry(backoff, uncertain=True)


@dataclass(frozen=True, slots=True)
class _Settlement:
    """What came of a command. It is told when it is written down, not before: a log must not come between."""

    write: Callable[[], None]
    tell: Callable[[], None]


class Delivery:
    """Delivers the commands of one backend, in a thread of its own. `step` does the same by hand.

    Args:
        jitter: gives random numbers, 0 to 1.
    """

    def __init__(
        self,
        name: str,
        backend: TicketBackend,
        database: Database,
        clock: Clock,
        jitter: Callable[[], float],
        figures: Figures,
    ) -> None:
        self.name = name
        self.last_outcome = ""
        """What came of the last command, in the words of the metrics; empty before the first."""
        self._backend = backend
        self._database = database
        self._clock = clock
        self._jitter = jitter
        self._figures = figures
        self._settlement: _Settlement | None = None  # until it is written down
        self._lost_claim = False  # a command may be in flight of which nobody knows
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._before: Delivery | None = None
        self._thread = threading.Thread(target=self._work, name=f"delivery-{name}", daemon=True)

    def begin(self, after: "Delivery | None" = None) -> None:
        """Begins to work, `after` another delivery to the same backend has ended."""
        self._before = after
        # What that one could not even claim is in nobody's hands then.
        self._lost_claim = after is not None
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._wanted.set()

    def stop(self) -> None:
        """Has it finish the command under way and end. Waits for neither."""
        self._ending.set()
        self._wanted.set()

    def end(self, within_s: float) -> None:
        """Finishes the command under way, and stops."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def step(self) -> bool:
        """Does the next command that is due. False when there is none.

        Raises:
            StoreError: the outbox does not answer. What came of a command is written down with the next step.
        """
        self._write_down()
        if self._lost_claim:
            outbox.recover(self._database, self.name)
        self._lost_claim = True
        claim = outbox.claim(self._database, self.name, self._clock())
        self._lost_claim = False
        if claim is None:
            return False
        self._settlement = self._attempt(claim)
        self._write_down()
        return True

    def _write_down(self) -> None:
        if (settlement := self._settlement) is not None:
            settlement.write()
            self._settlement = None
            settlement.tell()

    def _attempt(self, claim: Claim) -> _Settlement:
        """Does a command. What came of it is neither written down nor told yet."""
        try:
            ticket, adopted = self._do(claim)
        except Outcome as outcome:
            return self._failed(claim, outcome)
        except StoreError as error:
            return self._failed(claim, Ambiguous(str(error)))
        except Exception as error:  # noqa: BLE001  # a backend's bug: who knows what was done
            return self._failed(claim, Ambiguous(f"the backend's code failed: {error!r}"), error)
        return self._delivered(claim, ticket, adopted)

    def _do(self, claim: Claim) -> tuple[Ticket, Sequence[Ticket]]:
        """The ticket, and where it was there already all that were found, the oldest first."""
        command = claim.command
        if isinstance(command.payload, TicketDraft):
            if claim.uncertain and (there := self._backend.find(command.key)):
                return there[0], there
            return self._backend.create(command.payload), ()
        return self._backend.update(claim.ticket or self._find(command), command.payload), ()

    def _find(self, command: Command) -> Ticket:
        there = self._backend.find(command.key)
        if not there:
            raise Rejected("its ticket is gone")
        return there[0]

    def _failed(self, claim: Claim, outcome: Outcome, bug: Exception | None = None) -> _Settlement:
        command, reason, now = claim.command, str(outcome), self._clock()
        self._note_outcome(type(outcome).__name__.lower())
        decision = decide(outcome, claim.attempts, self._jitter())
        about = {"backend": self.name, "command": command.kind.value, "key": command.key, "reason": reason}
        if isinstance(decision, Reject):
            return _Settlement(
                partial(outbox.settle_rejected, self._database, command, reason, now),
                partial(_log.error, "ticket_rejected", **about),
            )
        due = now + round(decision.after_s * 1000)

        def tell() -> None:
            if bug is not None:
                _log.error("backend_failed", backend=self.name, key=command.key, exc_info=bug)
            _log.warning("ticket_delayed", **about, attempts=claim.attempts, retry_in_s=round(decision.after_s, 1))

        uncertain = decision.uncertain
        write = partial(outbox.settle_retry, self._database, command, reason, due, uncertain=uncertain)
        return _Settlement(write, tell)

    def _delivered(self, claim: Claim, ticket: Ticket, adopted: Sequence[Ticket]) -> _Settlement:
        self._note_outcome("delivered")
        command = claim.command
        event = {CommandKind.CREATE: "ticket_opened", CommandKind.RESOLVE: "ticket_resolved"}.get(
            command.kind, "ticket_updated"
        )
        note = command.payload.note if isinstance(command.payload, TicketChange) else command.payload.title

        def tell() -> None:
            if adopted:
                others = [other.number for other in adopted[1:]]
                more = {"duplicates": others} if others else {}
                _log.info("ticket_adopted", backend=self.name, ticket=ticket.number, key=command.key, **more)
            number = incident_number(command.incident_id)
            _log.info(event, backend=self.name, ticket=ticket.number, incident=number, text=note)

        return _Settlement(partial(outbox.settle_delivered, self._database, command, ticket, self._clock()), tell)

    def _note_outcome(self, outcome: str) -> None:
        self.last_outcome = outcome
        self._figures.deliveries.labels(self.name, outcome).inc()

    def _work(self) -> None:
        if self._before is not None:
            self._before._thread.join()
            self._before = None
        failing = False
        while True:
            self._wanted.clear()
            # Only now: whoever ends the worker sets `_wanted` after `_ending`. What was done is written down first.
            if self._ending.is_set() and self._settlement is None:
                return
            try:
                self._write_down()
                while not self._ending.is_set() and self.step():
                    pass
                if failing:
                    _log.info("outbox_recovered", backend=self.name)
                failing = False
                if not self._ending.is_set():
                    self._wanted.wait(self._idle_s())
            except StoreError as error:
                if not failing:
                    _log.error("outbox_failing", backend=self.name, error=str(error))
                failing = True
                self._wanted.wait(STORE_RETRY_S)

    def _idle_s(self) -> float:
        due = outbox.next_due_ms(self._database, self.name)
        if due is None:
            return IDLE_S
        return min(IDLE_S, max(0.05, (due - self._clock()) / 1000))
