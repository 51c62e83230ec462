"""What follows from calls to a backend that did not end well: for the command, and for the backend as a whole."""

from dataclasses import dataclass
from typing import Final

from watchkeeper.itsm.base import Conflict, Denied, Outcome, Rejected, Throttled, Unavailable

MAX_BACKOFF_S: Final = 300.0
MAX_THROTTLE_S: Final = 3600.0  # a backend that asks for more is asked again all the same
FIRST_DENIED_S: Final = 60.0  # systems lock accounts that knock too often
MAX_DENIED_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Retry:
    """To be tried again after a while. `uncertain`: it may have been done. `pause_s`: for how long nothing else is
    tried either."""

    after_s: float
    uncertain: bool
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reject:
    """Not to be tried again as it is."""


def decide(outcome: Outcome, attempts: int, failures: int, jitter: float) -> Retry | Reject:
    """What follows from a call that did not end well.

    Args:
        attempts: how often the command was tried, this time included.
        failures: how often in a row the backend has failed, this time included.
        jitter: a random number, 0 to 1, which spreads out those that failed together.
    """
    match outcome:
        case Rejected():
            return Reject()
        case Conflict():
            return Retry(_backoff_s(attempts, 1.0, MAX_BACKOFF_S, jitter) - 0.5, uncertain=False)
        case Throttled(retry_after_s=wanted, of_ticket=of_ticket) if wanted is not None:
            wait_s = min(MAX_THROTTLE_S, max(1.0, wanted)) + jitter
            return Retry(wait_s, uncertain=False) if of_ticket else Retry(0.0, uncertain=False, pause_s=wait_s)
        case Throttled() | Unavailable():
            return Retry(0.0, uncertain=False, pause_s=_backoff_s(failures, 1.0, MAX_BACKOFF_S, jitter))
        case Denied():
            return Retry(0.0, uncertain=False, pause_s=_backoff_s(failures, FIRST_DENIED_S, MAX_DENIED_S, jitter))
        case _:
            # A command that the backend always fails at must not hold up the others for long.
            after_s = _backoff_s(attempts, 1.0, MAX_BACKOFF_S, jitter)
            return Retry(after_s, uncertain=True, pause_s=_backoff_s(failures, 1.0, MAX_BACKOFF_S, jitter) / 4)


def _backoff_s(times: int, first_s: float, most_s: float, jitter: float) -> float:
    return min(most_s, first_s * 2.0 ** min(times - 1, 30)) * (0.5 + jitter / 2)


class Circuit:
    """Whether a backend is asked at all. While it is open nothing is; then one command is tried.

    Attributes:
        failures: how often in a row the backend has failed.
        reason: of the last time, in words; empty while it is well.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.reason = ""
        self._until_ms = 0

    @property
    def is_open(self) -> bool:
        return self.failures > 0

    def wait_ms(self, now_ms: int) -> int:
        """For how long nothing is to be tried."""
        return max(0, min(self._until_ms - now_ms, round(MAX_THROTTLE_S * 1000) + 1000))

    def well(self) -> None:
        """The backend did what it was asked for, or refused it for what it says."""
        self.failures, self.reason, self._until_ms = 0, "", 0

    def failed(self, outcome: Outcome) -> None:
        """The backend did not answer as it should. What concerns one ticket is no fault of its."""
        if not isinstance(outcome, Conflict) and not getattr(outcome, "of_ticket", False):
            self.failures += 1
            self.reason = str(outcome)

    def pause(self, until_ms: int) -> None:
        self._until_ms = until_ms
