"""What a set of incidents is like to live with: how many, how long, how noisy; and how two sets differ."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from watchkeeper.domain.incident import Incident


class Measure(NamedTuple):
    """What is measured by. `until_ms`: when the history ends, and with it what is still open. `short_ms`: an incident
    that is resolved sooner was hardly worth a ticket. `again_ms`: one that opens sooner after the last of its key
    was resolved is a repeat."""

    until_ms: int
    short_ms: int
    again_ms: int


@dataclass(frozen=True, slots=True)
class Noise:
    """Times in ms. `open_ms` is of all incidents together, from when they opened; lengths are too."""

    incidents: int
    still_open: int
    open_ms: int
    median_ms: int
    longest_ms: int
    short: int
    repeats: int
    returns: int
    """How often trouble came back within incidents, where the rule counts that."""


def open_ms(incident: Incident, until_ms: int) -> int:
    """How long it was open."""
    return (until_ms if incident.resolved_ms is None else incident.resolved_ms) - incident.opened_ms


def noise(incidents: Sequence[Incident], measure: Measure) -> Noise:
    """The figures of some incidents, in the order in which they opened."""
    lengths = [open_ms(incident, measure.until_ms) for incident in incidents]
    over: dict[str, int] = {}
    repeats = 0
    for incident in incidents:
        before = over.get(incident.key)
        repeats += before is not None and incident.opened_ms - before <= measure.again_ms
        if incident.resolved_ms is not None:
            over[incident.key] = incident.resolved_ms
    return Noise(
        incidents=len(incidents),
        still_open=sum(incident.resolved_ms is None for incident in incidents),
        open_ms=sum(lengths),
        median_ms=round(median(lengths)) if lengths else 0,
        longest_ms=max(lengths, default=0),
        short=sum(
            incident.resolved_ms is not None and length < measure.short_ms
            for incident, length in zip(incidents, lengths, strict=True)
        ),
        repeats=repeats,
        returns=sum(incident.returns for incident in incidents),
    )


def noise_by_rule(incidents: Iterable[Incident], measure: Measure) -> dict[str, Noise]:
    """The figures of each rule that opened something, the noisiest first."""
    by_rule: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        by_rule[incident.rule_id].append(incident)
    return {
        rule_id: noise(some, measure)
        for rule_id, some in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0]))
    }


class Kind(StrEnum):
    """What became of an incident under other rules."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Difference:
    """An incident under old rules and under new ones. One of them may be missing."""

    kind: Kind
    old: Incident | None
    new: Incident | None

    @property
    def opened_ms(self) -> int:
        return min(one.opened_ms for one in (self.old, self.new) if one is not None)


def compare(old: Sequence[Incident], new: Sequence[Incident]) -> list[Difference]:
    """How incidents differ, in order of time. Two of one key that were open at one time are the same one; each has at
    most one counterpart, the first that overlaps.

    Args:
        old, new: each in the order in which they opened.
    """
    waiting: dict[str, list[Incident]] = defaultdict(list)
    for incident in new:
        waiting[incident.key].append(incident)
    found = []
    for incident in old:
        candidates = waiting[incident.key]
        other = next((candidate for candidate in candidates if _overlap(incident, candidate)), None)
        if other is None:
            found.append(Difference(Kind.REMOVED, incident, None))
            continue
        candidates.remove(other)
        kind = Kind.SAME if _fingerprint(incident) == _fingerprint(other) else Kind.CHANGED
        found.append(Difference(kind, incident, other))
    found += [Difference(Kind.ADDED, None, incident) for some in waiting.values() for incident in some]
    return sorted(found, key=lambda one: one.opened_ms)


def _overlap(one: Incident, other: Incident) -> bool:
    return (other.resolved_ms is None or one.opened_ms <= other.resolved_ms) and (
        one.resolved_ms is None or other.opened_ms <= one.resolved_ms
    )


def _fingerprint(incident: Incident) -> tuple[object, ...]:
    return incident.opened_ms, incident.resolved_ms, incident.severity
