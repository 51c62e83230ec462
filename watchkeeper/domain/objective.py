"""How much of what is agreed on a service's availability is left."""

from dataclasses import dataclass
from fractions import Fraction

from watchkeeper.domain.availability import MILLION, Measured, bad_states
from watchkeeper.domain.calendar import Calendar, advance


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """What of an objective is left.

    `allowed_ms`: how long the service may be down in the period: for a period that goes on, of the service hours to
    come as well. `left_ms`: what is left of that; negative when more was spent. Both are rounded down. `burn`: how
    many times as fast as allowed it was spent so far. `runs_out_ms`: when it ran out, or will at the rate so far;
    `None`: not in this period.
    """

    objective_ppm: int
    allowed_ms: int
    spent_ms: int
    left_ms: int
    burn: Fraction | None
    runs_out_ms: int | None

    @property
    def is_kept(self) -> bool:
        """Whether no more was spent than is allowed."""
        return self.left_ms >= 0


def budget_of(measured: Measured, objective_ppm: int, calendar: Calendar, until_ms: int) -> ErrorBudget | None:
    """The budget of what was measured so far of a period.

    Args:
        until_ms: when the period ends; not before what was measured does.

    Returns:
        `None` where nothing was measured.
    """
    if not measured.counted_ms:
        return None
    now_ms, spent_ms = measured.span.to_ms, measured.bad_ms
    total_ms = measured.counted_ms + calendar.hours_ms(now_ms, until_ms)
    share = MILLION - objective_ppm
    left = total_ms * share - spent_ms * MILLION  # in millionths of a millisecond, like all that is not called _ms
    burn = Fraction(spent_ms * MILLION, measured.counted_ms * share) if share else None
    if left < 0:
        runs_out_ms = _ran_out(measured, total_ms * share)
    elif spent_ms:
        ahead_ms = left * measured.counted_ms // (spent_ms * MILLION)
        # Of a rolling period that of its length, as if nothing old left it.
        end_ms = until_ms if until_ms > now_ms else now_ms + measured.span.to_ms - measured.span.from_ms
        runs_out_ms = advance(calendar, now_ms, ahead_ms, end_ms)
    else:
        runs_out_ms = None
    return ErrorBudget(objective_ppm, total_ms * share // MILLION, spent_ms, left // MILLION, burn, runs_out_ms)


def _ran_out(measured: Measured, allowed: int) -> int | None:
    """The first instant at which more was spent than is allowed, to the millisecond before."""
    is_bad = bad_states(measured.unknown)
    spent_ms = 0
    for from_ms, to_ms, _, state in measured.stretches:
        if is_bad(state):
            if (spent_ms + to_ms - from_ms) * MILLION > allowed:
                return from_ms + allowed // MILLION - spent_ms
            spent_ms += to_ms - from_ms
    return None
