"""A ticket system that is away for a day, by a clock that is moved by hand, and what becomes of all that waits.

`python -m tests.engine.outage` prints the figures.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import Fault, MemoryBackend
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.ticket import Ticket, TicketPolicy
from watchkeeper.engine.attempt import Desk
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.itsm.base import Ambiguous, Outcome, Throttled, Unavailable
from watchkeeper.store import migrate, outbox
from watchkeeper.store.database import Database
from watchkeeper.store.record import record

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS
PER_MINUTE: Final = 60
_BATCH_MS: Final = 2 * MINUTE_MS
OUTAGES: Final[dict[str, Outcome]] = {
    "refuses connections": Unavailable("connection refused"),
    "does not answer": Ambiguous("did not answer in time"),
    "asks for fewer calls": Throttled("too many requests"),
}
_MEMORY: Final = Path("/dev/shm")


@dataclass(eq=False)
class DistantBackend(MemoryBackend):
    """A backend that is away until a time, and then takes so many calls a minute and refuses the rest.

    `answered`: when it was asked, since it is back. `refused`: how often it was asked too much then; `impatient`: how
    often it was asked before the time was over that it had asked for.
    """

    clock: Callable[[], int] = lambda: 0
    away: Outcome = field(default_factory=lambda: Unavailable("connection refused"))
    back_ms: int = 0
    asked_in_vain: int = 0
    answered: list[int] = field(default_factory=list)
    refused: int = 0
    impatient: int = 0
    _again_ms: int = 0

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        self._begin("fetch")
        return super().fetch(refs)

    def _begin(self, call: str) -> Fault:
        fault = super()._begin(call)
        now = self.clock()
        if now < self.back_ms:
            self.asked_in_vain += 1
            raise self.away
        minute = now // MINUTE_MS
        self.answered.append(now)
        self.impatient += now < self._again_ms
        if sum(1 for at in self.answered[-PER_MINUTE - 1 :] if at // MINUTE_MS == minute) > PER_MINUTE:
            self.refused += 1
            self._again_ms = (minute + 1) * MINUTE_MS
            raise Throttled("too many requests", (self._again_ms - now) / 1000)
        return fault


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of an outage. `commands`: of each incident in its order, the notes that were decided."""

    backend: DistantBackend
    commands: dict[int, list[str]]
    resolved: frozenset[int]
    drain_s: float
    undelivered: int

    @property
    def calls_per_ticket(self) -> float:
        return len(self.backend.answered) / len(self.backend.tickets)

    @property
    def most_in_a_minute(self) -> int:
        """The most calls in any sixty seconds, by sliding windows."""
        answered = self.backend.answered
        most, first = 0, 0
        for last, at in enumerate(answered):
            while answered[first] <= at - MINUTE_MS:
                first += 1
            most = max(most, last - first + 1)
        return most


def outage(database: Database, away: Outcome, incidents: int = 500, seed: int = 1) -> Drained:
    """A day without the ticket system, on which incidents open, get worse and are over; then it is back."""
    now = [made.NOW_MS]

    def clock() -> int:
        return now[0]

    back_ms = made.NOW_MS + DAY_MS
    policy = TicketPolicy(rate_per_minute=PER_MINUTE, read_every_ms=10 * DAY_MS)
    budget = Budget(PER_MINUTE, clock)
    backend = DistantBackend(clock=clock, away=away, back_ms=back_ms, spend=budget.spend)
    desk = Desk("desk", backend, policy, budget, certain_after_ms=125_000)
    delivery = Delivery(desk, database, clock, Random(seed).random, Figures("1.2.3"))
    day = _day(incidents, Random(seed))
    with capture_logs():
        for at_ms, effects in day.happenings:
            _work_until(delivery, database, now, at_ms)
            record(database, effects)
        _work_until(delivery, database, now, back_ms + DAY_MS)
    drained_ms = max(backend.answered, default=back_ms) - back_ms
    left = sum(depth.count for depth in outbox.depths(database))
    return Drained(backend, day.notes, day.resolved, drained_ms / 1000, left)


@dataclass(frozen=True, slots=True)
class _Day:
    """`happenings`: what is recorded at which time, in its order, every few minutes."""

    happenings: Sequence[tuple[int, Sequence[Effect]]]
    notes: dict[int, list[str]]
    resolved: frozenset[int]


def _day(incidents: int, chance: Random) -> _Day:
    """What happens on it, in its order."""
    happenings: list[tuple[int, Sequence[Effect]]] = []
    notes: dict[int, list[str]] = {}
    resolved = set()
    for number in range(1, incidents + 1):
        opened_ms = made.NOW_MS + DAY_MS * (number - 1) // incidents
        incident = replace(made.incident(number), started_ms=opened_ms, opened_ms=opened_ms)
        happenings.append((opened_ms, [made.opened(incident), made.create(incident)]))
        later = sorted(chance.randint(opened_ms, made.NOW_MS + DAY_MS - 1) for _ in range(chance.randint(1, 6)))
        notes[number] = [f"incident {number}, note {n}" for n in range(len(later))]
        for at_ms, text in zip(later, notes[number], strict=True):
            happenings.append((at_ms, [replace(made.note(incident, text), created_ms=at_ms)]))
        if chance.random() < 0.6:
            resolved.add(number)
            text = f"incident {number} is over"
            notes[number].append(text)
            at_ms = made.NOW_MS + DAY_MS - 1
            happenings.append((at_ms, [replace(made.resolve(incident, text), created_ms=at_ms)]))
    happenings.sort(key=lambda each: each[0])
    batches: dict[int, list[Effect]] = {}
    for at_ms, effects in happenings:
        batches.setdefault(at_ms - at_ms % _BATCH_MS + _BATCH_MS, []).extend(effects)
    return _Day(list(batches.items()), notes, frozenset(resolved))


def _work_until(delivery: Delivery, database: Database, now: list[int], until_ms: int) -> None:
    """Has it do what is due, and moves the clock from one time at which it would wake up to the next."""
    while True:
        while delivery.step():
            pass
        due_ms = outbox.next_due_ms(database, "desk")
        if due_ms is None:
            break
        wakes_ms = max(now[0] + max(1, round(delivery.wait_s() * 1000)), due_ms)
        if wakes_ms >= until_ms:
            break
        now[0] = wakes_ms
    now[0] = max(now[0], until_ms)


@contextmanager
def fresh_database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        database = Database(f"sqlite:///{folder}/watchkeeper.db")
        try:
            migrate.upgrade(database)
            yield database
        finally:
            database.close()


def told(name: str, drained: Drained) -> str:
    """The figures, in a line."""
    backend = drained.backend
    return (
        f"a day away ({name}): {len(backend.tickets)} tickets, {sum(map(len, drained.commands.values()))} changes, "
        f"{backend.asked_in_vain} calls in vain; then {drained.calls_per_ticket:.2f} calls per ticket, drained in "
        f"{drained.drain_s / 60:.0f} min, {drained.most_in_a_minute} calls in a minute at most, "
        f"{backend.refused} refused"
    )


def main() -> None:
    for name, away in OUTAGES.items():
        with fresh_database() as database:
            print(told(name, outage(database, away)))


if __name__ == "__main__":
    main()
