"""Delivery: ticket commands from the outbox to their backend, each of them done exactly once.

Commands are claimed, done, and settled. Whatever ends them between claim and settlement (a crash, a timeout, a lost
answer) leaves them uncertain: then the backend is asked for the ticket before one is created, and what is there is
adopted. That it is not there is believed only when an attempt can no longer be under way, and the backend's search
has had the time that it needs. This is decided here, once, for every backend; a backend only names what happened.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from watchkeeper.domain.owner import owner_field
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import CommandKind, ProblemSeen, TicketChange, TicketSeen
from watchkeeper.engine.attempt import Awaited, Desk, Done, TooEarly, attempt
from watchkeeper.engine.change_feed import ChangeReading
from watchkeeper.engine.circuit import Circuit, Reject, Retry, decide
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.learning import Learning
from watchkeeper.engine.readback import ReadBack
from watchkeeper.itsm.base import Ambiguous, Denied, Outcome, Rejected, Throttled, Unavailable
from watchkeeper.store import outbox
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.links import ticket_to_link
from watchkeeper.store.outbox import Claim

IDLE_S: Final = 30.0  # how long the worker sleeps at most when nothing wakes it
STORE_RETRY_S: Final = 2.0

_log = structlog.get_logger("delivery")


@dataclass(frozen=True, slots=True)
class _Settlement:
    """What came of commands. It is told when it is written down, not before: a log must not come between."""

    write: Callable[[], None]
    tell: Callable[[], None]


class Delivery:
    """Delivers the commands of one backend, in a thread of its own. `step` does the same by hand.

    Args:
        jitter: gives random numbers, 0 to 1.
        refused: hears of incidents whose ticket the backend does not open again, and why.
        seen: hears what people did to tickets.
        problem_refused: as `refused`, of problems.
        problem_seen: as `seen`, of the tickets of problems.
        learning: reads what people said, when there is nothing else to do.
        changes: reads planned changes likewise.
    """

    def __init__(
        self,
        desk: Desk,
        database: Database,
        clock: Clock,
        jitter: Callable[[], float],
        figures: Figures,
        refused: Callable[[int, str], None] = lambda _incident, _why: None,
        seen: Callable[[Sequence[TicketSeen]], None] = lambda _seen: None,
        problem_refused: Callable[[int, str], None] = lambda _problem, _why: None,
        problem_seen: Callable[[ProblemSeen], None] = lambda _seen: None,
        learning: Learning | None = None,
        changes: ChangeReading | None = None,
    ) -> None:
        self.name = desk.name
        self.circuit = Circuit()
        self.last_outcome = ""
        """What came of the last command, in the words of the metrics; empty before the first."""
        self._desk = desk
        self._refused = refused
        self._problem_refused = problem_refused
        policy = desk.policy
        self._readback = ReadBack(desk.name, desk.backend, database, clock, policy, seen, problem_seen)
        self._readings = [one for one in (changes, learning) if one is not None]
        self._database = database
        self._clock = clock
        self._jitter = jitter
        self._figures = figures
        self._settlement: _Settlement | None = None  # until it is written down
        self._lost_claim = False  # a command may be in flight of which nobody knows
        self._forgives = False  # what was rejected under another configuration may be accepted now
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._before: Delivery | None = None
        self._thread = threading.Thread(target=self._work, name=f"delivery-{desk.name}", daemon=True)

    def begin(self, after: "Delivery | None" = None) -> None:
        """Begins to work, `after` another delivery to the same backend has ended."""
        self._before = after
        # What that one could not even claim is in nobody's hands then.
        self._lost_claim = after is not None
        self._forgives = True
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
        """Does the next command that is due. False when there is none, or the backend is not to be asked now.

        Raises:
            StoreError: the outbox does not answer. What came of a command is written down with the next step.
        """
        self._write_down()
        if self._lost_claim:
            outbox.recover(self._database, self.name)
        if self._forgives:
            outbox.retry_rejected(self._database, self._clock(), backend=self.name)
            self._forgives = False
        if self.wait_s() > 0:
            return False
        self._lost_claim = True
        now = self._clock()
        certain_after_ms = self._desk.certain_after_ms + self._desk.policy.index_lag_ms
        claim = outbox.claim(self._database, self.name, now, certain_after_ms)
        self._lost_claim = False
        if claim is None:
            return False
        self._settlement = self._attempt(claim, now)
        self._write_down()
        return True

    def _write_down(self) -> None:
        if (settlement := self._settlement) is not None:
            settlement.write()
            self._settlement = None
            settlement.tell()

    def read_back(self) -> bool:
        """Reads some tickets, when it is time. False when it is not, or the backend is not to be asked now.

        Raises:
            StoreError: the database does not answer.
        """
        if self._readback.wait_ms() > 0 or self.wait_s() > 0:
            return False
        try:
            self._readback.step()
            self._recover()
        except Outcome as outcome:
            self._stumble(outcome)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # a backend's bug
            _log.error("backend_failed", backend=self.name, key="", exc_info=error)
            self._stumble(Ambiguous(f"the backend's code failed: {error!r}"))
        return True

    def learn(self) -> bool:
        """Reads what is planned, or what people said, a little, when it is time. False when it is not, or the backend
        is not to be asked now.

        Raises:
            StoreError: the database does not answer.
        """
        due = next((one for one in self._readings if one.wait_ms() == 0), None)
        if due is None or self.circuit.is_open or self.wait_s() > 0:
            return False
        due.step()
        return True

    def _stumble(self, outcome: Outcome) -> None:
        """Reading failed. What is no trouble of the backend as a whole holds up neither delivery nor other pages."""
        if not isinstance(outcome, Unavailable | Throttled | Denied):
            _log.warning("readback_failed", backend=self.name, reason=str(outcome))
            self._readback.skip()
            return
        was_open = self.circuit.is_open
        self.circuit.failed(outcome)
        decision = decide(outcome, 1, self.circuit.failures, self._jitter())
        if isinstance(decision, Retry):
            self.circuit.pause(self._clock() + round(decision.pause_s * 1000))
        if not was_open and self.circuit.is_open:
            self._tell_refusing(outcome)

    def _recover(self) -> None:
        if self.circuit.is_open:
            self.circuit.well()
            _log.info("backend_recovered", backend=self.name)

    def _tell_refusing(self, outcome: Outcome) -> None:
        kind = type(outcome).__name__.lower()
        _log.error("backend_refusing", backend=self.name, reason=str(outcome), kind=kind)

    def wait_s(self) -> float:
        """For how long the backend is not to be asked: it has failed, or has been asked often enough."""
        return max(self.circuit.wait_ms(self._clock()) / 1000, self._desk.budget.wait_s())

    def _attempt(self, claim: Claim, now_ms: int) -> _Settlement:
        try:
            done = attempt(self._desk, claim, now_ms, partial(ticket_to_link, self._database))
        except TooEarly as early:
            return self._later(claim, early, early.after_s, uncertain=True)
        except Awaited as awaited:
            return self._later(claim, awaited, awaited.after_s, uncertain=False)
        except Outcome as outcome:
            return self._failed(claim, outcome)
        except StoreError as error:
            return self._failed(claim, Ambiguous(str(error)))
        except Exception as error:  # noqa: BLE001  # a backend's bug: who knows what was done
            return self._failed(claim, Ambiguous(f"the backend's code failed: {error!r}"), error)
        return self._delivered(claim, done)

    def _later(self, claim: Claim, why: Exception, after_s: float, *, uncertain: bool) -> _Settlement:
        """What was not tried is no attempt, and no more uncertain than before."""
        due = self._clock() + round(after_s * 1000)
        again = partial(outbox.settle_retry, uncertain=uncertain, counts=uncertain)
        write = partial(again, self._database, claim.commands, str(why), due)
        about = {"backend": self.name, "key": claim.command.key, "reason": str(why)}
        return _Settlement(write, partial(_log.info, "ticket_awaited", **about, again_in_s=round(after_s, 1)))

    def _failed(self, claim: Claim, outcome: Outcome, bug: Exception | None = None) -> _Settlement:
        command, reason, now = claim.command, str(outcome), self._clock()
        self._note_outcome(type(outcome).__name__.lower())
        was_open = self.circuit.is_open
        if isinstance(outcome, Rejected):
            self.circuit.well()
        else:
            self.circuit.failed(outcome)
        decision = decide(outcome, claim.attempts, self.circuit.failures, self._jitter())
        about = {"backend": self.name, "command": command.kind.value, "key": command.key, "reason": reason}
        if isinstance(decision, Reject):
            return self._rejected(claim, reason, about)
        self.circuit.pause(now + round(decision.pause_s * 1000))
        due = now + round(decision.after_s * 1000)

        def tell() -> None:
            if bug is not None:
                _log.error("backend_failed", backend=self.name, key=command.key, exc_info=bug)
            if self.circuit.is_open and not was_open:
                self._tell_refusing(outcome)
            wait_s = round(max(decision.pause_s, decision.after_s), 1)
            _log.warning("ticket_delayed", **about, attempts=claim.attempts, retry_in_s=wait_s)

        uncertain = decision.uncertain
        write = partial(outbox.settle_retry, self._database, claim.commands, reason, due, uncertain=uncertain)
        return _Settlement(write, tell)

    def _rejected(self, claim: Claim, reason: str, about: Mapping[str, str]) -> _Settlement:
        if claim.command.kind is CommandKind.REOPEN:
            return self._delivered(claim, Done(claim.ticket, reason, refused=True))
        write = partial(outbox.settle_rejected, self._database, claim.commands, reason, self._clock())
        return _Settlement(write, partial(_log.error, "ticket_rejected", **about))

    def _delivered(self, claim: Claim, done: Done) -> _Settlement:
        self._note_outcome("delivered")
        recovered = self.circuit.is_open
        self.circuit.well()
        last = claim.commands[-1]
        event = {CommandKind.CREATE: "ticket_opened", CommandKind.RESOLVE: "ticket_resolved"}.get(
            last.kind, "ticket_updated"
        )
        note = last.payload.note if isinstance(last.payload, TicketChange) else last.payload.title
        ticket = "" if done.ticket is None else done.ticket.number

        def tell() -> None:
            if recovered:
                _log.info("backend_recovered", backend=self.name)
            if done.others is not None:
                others = [other.number for other in done.others]
                more = {"duplicates": others} if others else {}
                _log.info("ticket_adopted", backend=self.name, ticket=ticket, key=last.key, **more)
            about = {"backend": self.name, "ticket": ticket, **owner_field(last)}
            if done.remark:
                _log.info("ticket_left", **about, remark=done.remark)
            else:
                _log.info(
                    event, **about, text=note, **({"changes": len(claim.commands)} if claim.commands[1:] else {})
                )
            if done.refused and last.incident_id is not None:
                self._refused(last.incident_id, done.remark)
            if done.refused and last.problem_id is not None:
                self._problem_refused(last.problem_id, done.remark)

        write = partial(
            outbox.settle_delivered, self._database, claim.commands, done.ticket, self._clock(), done.remark
        )
        return _Settlement(write, tell)

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
                while not self._ending.is_set() and (self.step() or self.read_back() or self.learn()):
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
        if (wait_s := self.wait_s()) > 0:
            return min(IDLE_S, wait_s)
        read_s = min(IDLE_S, self._readback.wait_ms() / 1000)
        if not self.circuit.is_open:
            read_s = min([read_s, *(one.wait_ms() / 1000 for one in self._readings)])
        due = outbox.next_due_ms(self._database, self.name)
        if due is None:
            return max(0.05, read_s)
        return min(read_s, max(0.05, (due - self._clock()) / 1000))
