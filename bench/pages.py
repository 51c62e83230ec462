"""A daemon's pages, and its metrics as numbers."""

import http.client
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LAG = "watchkeeper_scheduler_lag_seconds"
_LINE = re.compile(r"^(\w+)(\{[^}]*\})? (\S+)$")
_WANTED = tuple(
    f"watchkeeper_{name}"
    for name in (
        "scheduler_lag_seconds",
        "probe_missed_runs_total",
        "samples_total",
        "runs_",
        "outbox_depth",
        "incidents_opened_total",
    )
)


def fetch(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a page on 127.0.0.1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Metrics:
    """watchkeeper's own metrics at one time: each name with the sum over its labels, and each series by itself."""

    series: Mapping[tuple[str, str], float]

    @classmethod
    def scraped(cls, port: int) -> "Metrics":
        _, body = fetch(port, "/metrics")
        series = {}
        for line in body.decode().splitlines():
            if line.startswith(_WANTED) and (found := _LINE.match(line)):
                series[found[1], found[2] or ""] = float(found[3])
        return cls(series)

    def total(self, name: str) -> float:
        return sum(value for (found, _), value in self.series.items() if found == name)

    def histogram(self, name: str) -> "Histogram":
        buckets = sorted(
            (float(labels.split('le="')[1].split('"')[0]), value)
            for (found, labels), value in self.series.items()
            if found == f"{name}_bucket"
        )
        return Histogram([bound for bound, _ in buckets], [count for _, count in buckets])

    @property
    def lag(self) -> "Histogram":
        return self.histogram(_LAG)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative counts of what was at most each bound."""

    bounds: Sequence[float]
    counts: Sequence[float]

    def since(self, before: "Histogram") -> "Histogram":
        return Histogram(self.bounds, [now - then for now, then in zip(self.counts, before.counts, strict=True)])

    def at_most(self, share: float) -> float:
        """The bound that this share of all was not above: a quantile, rounded up to the next bound."""
        if not self.counts or not self.counts[-1]:
            return 0.0
        return self.bounds[bisect_left(self.counts, share * self.counts[-1])]
