"""Rate limits: https://developer.atlassian.com/cloud/jira/platform/rate-limiting/

Cloud has several limiters at once and names the one that says no; Data Center has a bucket of tokens for each user
and tells of it in every answer. All of them count by the simulator's clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil

from tests.simulators.http import Response
from tests.simulators.jira_model import Deployment

MOST_COUNTERS = 10_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """`fill` tokens every `interval_s` seconds, at most `size` of them."""

    size: int = 1_000_000
    fill: int = 100
    interval_s: int = 1


@dataclass
class Limits:
    """`burst_per_s`: requests of each method and endpoint. `issue_writes`: how many of one issue in how many s."""

    deployment: Deployment
    burst_per_s: int | None = None
    issue_writes: tuple[int, int] | None = None
    bucket: Bucket = Bucket()
    tells_when: bool = True
    """Whether a refusal has a Retry-After; not all of them do."""
    _counts: dict[tuple[str, int], int] = field(default_factory=dict)
    _levels: dict[str, tuple[float, int]] = field(default_factory=dict)

    def check(
        self, who: str, endpoint: str, issue: str | None, now_ms: int
    ) -> tuple[Response | None, dict[str, str]]:
        """A refusal if there is one, and the headers that belong to every answer. `issue`: the one to be written."""
        if self.deployment == "server":
            return self._from_bucket(who, now_ms)
        if self.burst_per_s is not None:
            refused = self._count("jira-burst-based", endpoint, self.burst_per_s, 1, now_ms)
            if refused is not None:
                return refused, {}
        if self.issue_writes is not None and issue is not None:
            most, seconds = self.issue_writes
            return self._count("jira-per-issue-on-write", issue, most, seconds, now_ms), {}
        return None, {}

    def _count(self, reason: str, key: str, most: int, seconds: int, now_ms: int) -> Response | None:
        window = now_ms // (seconds * 1000)
        counted = self._counts.get((key, window), 0)
        if counted < most:
            if len(self._counts) > MOST_COUNTERS:
                self._counts.clear()
            self._counts[key, window] = counted + 1
            return None
        ends_ms = (window + 1) * seconds * 1000
        reset = datetime.fromtimestamp(ends_ms / 1000, UTC)
        headers = {
            "Content-Type": "text/plain",
            "RateLimit-Reason": reason,
            "X-RateLimit-Limit": str(most),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{reset:%Y-%m-%dT%H:%MZ}",
            **self._retry_after(ceil((ends_ms - now_ms) / 1000)),
        }
        return Response(429, headers, b"Rate limit exceeded")

    def _from_bucket(self, who: str, now_ms: int) -> tuple[Response | None, dict[str, str]]:
        bucket = self.bucket
        level, at_ms = self._levels.get(who, (float(bucket.size), now_ms))
        filled = min(bucket.size, level + (now_ms - at_ms) / 1000 / bucket.interval_s * bucket.fill)
        enough = filled >= 1
        self._levels[who] = (filled - enough, now_ms)
        headers = {
            "X-RateLimit-Limit": str(bucket.size),
            "X-RateLimit-Remaining": str(int(filled - enough)),
            "X-RateLimit-Interval-Seconds": str(bucket.interval_s),
            "X-RateLimit-FillRate": str(bucket.fill),
        }
        if enough:
            return None, {**headers, "retry-after": "0"}
        wait_s = ceil((1 - filled) / bucket.fill * bucket.interval_s)
        refused = Response(
            429, {"Content-Type": "text/html", **self._retry_after(max(1, wait_s))}, b"Rate limit exceeded"
        )
        return refused, headers

    def _retry_after(self, seconds: int) -> Mapping[str, str]:
        name = "Retry-After" if self.deployment == "cloud" else "retry-after"
        return {name: str(seconds)} if self.tells_when else {}
