"""When a service is down, of the states of its probes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol

from watchkeeper.domain.probe import NOTHING, Category, Probe, Status


class Counts(NamedTuple):
    """How many of the probes that count are what."""

    up: int
    down: int
    unknown: int


class Condition(Protocol):
    """Says what a service is. It is asked of one probe at least."""

    def __call__(self, counts: Counts, statuses: Mapping[str, Status], /) -> Status: ...


@dataclass(frozen=True, slots=True)
class AnyDown:
    """Down while any probe is."""

    def __call__(self, counts: Counts, _statuses: Mapping[str, Status]) -> Status:
        if counts.down:
            return Status.DOWN
        return Status.UNKNOWN if counts.unknown else Status.UP


@dataclass(frozen=True, slots=True)
class AllDown:
    """Down while all probes are."""

    def __call__(self, counts: Counts, _statuses: Mapping[str, Status]) -> Status:
        if counts.up:
            return Status.UP
        return Status.UNKNOWN if counts.unknown else Status.DOWN


@dataclass(frozen=True, slots=True)
class Quorum:
    """Down while fewer than `least` probes are up. While fewer are watched at all, nobody can tell."""

    least: int

    def __call__(self, counts: Counts, _statuses: Mapping[str, Status]) -> Status:
        if counts.up >= self.least:
            return Status.UP
        if sum(counts) < self.least or counts.up + counts.unknown >= self.least:
            return Status.UNKNOWN
        return Status.DOWN


Ask = Callable[[Sequence[str], Sequence[str]], bool | None]
"""Whether a service is down, when these probes are up and those down; `None`: there is no answer."""


@dataclass(frozen=True, slots=True)
class Expressed:
    """Down while an expression says so. Where its answer hangs on probes of which nobody knows, nobody can tell: they
    are taken all as up, and all as down. `text`: as people wrote it."""

    text: str
    ask: Ask = field(compare=False)

    def __call__(self, counts: Counts, statuses: Mapping[str, Status]) -> Status:
        up = [name for name, status in statuses.items() if status is Status.UP]
        down = [name for name, status in statuses.items() if status is Status.DOWN]
        unknown = [name for name, status in statuses.items() if status is Status.UNKNOWN]
        answer = self.ask([*up, *unknown], down)
        if answer is None or (counts.unknown and answer is not self.ask(up, [*down, *unknown])):
            return Status.UNKNOWN
        return Status.DOWN if answer else Status.UP


class UnknownCounts(StrEnum):
    """What time is taken for in which nobody knew."""

    EXCLUDED = "excluded"  # neither up nor down
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class ProbeStanding:
    """What of a probe decides whether it counts."""

    id: str
    category: Category
    is_critical: bool
    labels: Mapping[str, str] = field(default_factory=lambda: NOTHING)


def standing_of(probe: Probe) -> ProbeStanding:
    """That of a configured probe."""
    return ProbeStanding(probe.id, probe.category, probe.critical, probe.labels)


@dataclass(frozen=True, slots=True)
class AvailabilityPolicy:
    """How a service's availability is measured.

    `probes`: which of its probes count, as ids or globs; none: its critical health probes. `labels`: which they must
    have as well.
    """

    condition: Condition = AnyDown()
    probes: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    unknown: UnknownCounts = UnknownCounts.EXCLUDED

    def takes(self, probe: ProbeStanding) -> bool:
        """Whether a probe of the service counts."""
        if any(probe.labels.get(name) != value for name, value in self.labels):
            return False
        if self.probes:
            return any(fnmatchcase(probe.id, pattern) for pattern in self.probes)
        return probe.category is Category.HEALTH and probe.is_critical

    def describe(self) -> str:
        """When the service is down, in words."""
        which = f"probes like {', '.join(self.probes)}" if self.probes else "critical health probes"
        if self.labels:
            which += " with " + ", ".join(f"{name}={value}" for name, value in self.labels)
        return f"{_WORDS[type(self.condition)](self.condition)} of its {which}"


_WORDS: Mapping[type, Callable[[Any], str]] = {
    AnyDown: lambda _: "any is down",
    AllDown: lambda _: "all are down",
    Quorum: lambda condition: f"fewer than {condition.least} are up",
    Expressed: lambda condition: f"{condition.text}",
}
