"""Metrics in Prometheus's text format, and what chooses some of their series.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from prometheus_client.parser import text_fd_to_metric_families

_LABEL: Final = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*(,|$)""", re.ASCII
)
_SELECTOR: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s*", re.ASCII | re.DOTALL)
_ESCAPES: Final = re.compile(r"""\\([\\"'])""")
_ACCEPTED: Final = (
    'accepted is a metric with labels, as in PromQL: node_load1, or disk_bytes{mount="/", type!~"tmp.*"}'
)

Labels = tuple[tuple[str, str], ...]
"""The labels of a series, in the order of their names."""

Metrics = Mapping[str, Mapping[Labels, float]]
"""The number of each series, by metric."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a label must be like. One that a series does not have is an empty text."""

    label: str
    text: str
    pattern: re.Pattern[str] | None
    negative: bool

    def fits(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.label, "")
        same = found == self.text if self.pattern is None else self.pattern.fullmatch(found) is not None
        return same is not self.negative


@dataclass(frozen=True, slots=True)
class Selector:
    """Chooses the series of a metric whose labels fit."""

    written: str
    metric: str
    matchers: tuple[Matcher, ...]

    def choose(self, metrics: Metrics) -> dict[Labels, float]:
        """The numbers of the series that fit."""
        found = metrics.get(self.metric, {})
        if not self.matchers:
            return dict(found)
        return {labels: number for labels, number in found.items() if self._fits(dict(labels))}

    def _fits(self, labels: Mapping[str, str]) -> bool:
        return all(matcher.fits(labels) for matcher in self.matchers)


def parse_selector(text: Any) -> Selector:
    """The selector that a text is.

    Raises:
        ValueError: it is none.
    """
    if isinstance(text, Selector):
        return text
    matched = _SELECTOR.fullmatch(text) if isinstance(text, str) and len(text) <= 2000 else None
    if matched is None:
        raise ValueError(f"{text!r} chooses no series: {_ACCEPTED}")
    matchers = []
    rest, at = matched[2] or "", 0
    while rest[at:].strip():
        found = _LABEL.match(rest, at)
        if found is None:
            raise ValueError(f"{rest[at:].strip()[:40]!r} says nothing of a label: {_ACCEPTED}")
        matchers.append(_matcher(found[1], found[2], _ESCAPES.sub(r"\1", found[3][1:-1])))
        at = found.end()
    return Selector(text, matched[1], tuple(matchers))


def _matcher(label: str, operator: str, text: str) -> Matcher:
    if operator[-1] != "~":
        return Matcher(label, text, None, operator == "!=")
    try:
        return Matcher(label, text, re.compile(text, re.DOTALL), operator == "!~")
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None


def parse_metrics(lines: Iterable[str], most: int) -> Metrics:
    """The numbers of a text. Of a series that is there twice, the last.

    Args:
        most: how many series are accepted.

    Raises:
        ValueError: it is no such text, or has more series. The parser has words of its own for it, or none.
    """
    found: dict[str, dict[Labels, float]] = {}
    samples = (one for family in text_fd_to_metric_families(lines) for one in family.samples)  # type: ignore[arg-type]
    count = 0
    for one in islice(samples, most + 1):
        count += 1
        found.setdefault(one.name, {})[tuple(sorted(one.labels.items()))] = one.value
    if count > most:
        raise ValueError(f"more than {most} series")
    return found
