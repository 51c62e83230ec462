"""What an instance refuses because there is too much of it: the three sorts of 429, and 202 of a busy session."""

from collections import Counter
from dataclasses import dataclass, field

from tests.simulators.http import Request
from tests.simulators.servicenow_auth import User, session_of
from tests.simulators.servicenow_refusal import Refused
from watchkeeper.domain.rule import Clock

HOUR_MS = 3_600_000


@dataclass
class Limits:
    """Limits that tests set; None: there is none."""

    clock: Clock
    per_hour: int | None = None
    """Requests of one user: a rate limit rule, which tells when to come back."""

    at_once: int | None = None
    """Requests under way: a semaphore whose queue is full does not tell."""

    table_per_hour: dict[str, int] = field(default_factory=dict)
    """Requests about one table: a quota that does not tell either."""

    session_queue: int | None = None
    """Requests of one session that may wait for another; one more gets 202."""

    queued_are_run: bool = True
    """Whether a request that gets 202 is run all the same."""

    _counted: Counter[tuple[str, int]] = field(default_factory=Counter)

    def check(self, user: User, table: str, request: Request) -> None:
        """Raises Refused with 429; what is refused was not done."""
        if self.at_once is not None and len(request.parallel) >= self.at_once:
            raise Refused(429, "Too many requests", "Semaphore queue API_INT is full")
        hour = self.clock() // HOUR_MS
        self._counted[user.login, hour] += 1
        self._counted[f"table {table}", hour] += 1
        if self.per_hour is not None and self._counted[user.login, hour] > self.per_hour:
            raise Refused(429, "Rate limit exceeded", "Maximum requests per hour reached", self._headers(hour))
        if table in self.table_per_hour and self._counted[f"table {table}", hour] > self.table_per_hour[table]:
            raise Refused(429, "Quota exceeded", f"Maximum requests for table {table} reached")

    def overflows(self, request: Request) -> bool:
        """Whether too many requests of this one's session are under way already."""
        session = session_of(request)
        if self.session_queue is None or not session:
            return False
        return sum(session_of(each) == session for each in request.parallel) > self.session_queue

    def _headers(self, hour: int) -> dict[str, str]:
        reset_ms = (hour + 1) * HOUR_MS
        return {
            "Retry-After": str(max(1, (reset_ms - self.clock()) // 1000)),
            "X-RateLimit-Limit": str(self.per_hour),
            "X-RateLimit-Reset": str(reset_ms // 1000),
            "X-RateLimit-Rule": "f1c1f8d1c0a8016400d1b6d5b2a3c4d5",
        }
