"""What became of changes: how many succeeded, and how many failed.

A change has failed when whoever closed it said so, or when an incident was attributed to it, whatever anybody said:
that is DORA's change failure rate, of changes that led to degraded service (https://dora.dev/guides/dora-metrics/).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from watchkeeper.domain.change import ChangeOutcome


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change that is over. `told`: what its source says came of it. `incidents`: the numbers of those that were
    attributed to it."""

    number: str
    source: str
    title: str
    from_ms: int
    to_ms: int
    told: ChangeOutcome
    incidents: tuple[str, ...] = ()

    @property
    def outcome(self) -> ChangeOutcome:
        return ChangeOutcome.FAILED if self.incidents else self.told


@dataclass(frozen=True, slots=True)
class ChangeRates:
    """`failure`: of all that are over, the share that has failed. `success`: of those whose source tells what came of
    them, the share that was successful, without issues and incidents. `None` where there is none to count."""

    counts: Mapping[ChangeOutcome, int]
    failure: float | None
    success: float | None


def rates_of(records: Collection[ChangeRecord]) -> ChangeRates:
    """How many changes came to what."""
    counts = Counter(record.outcome for record in records)
    told = [record for record in records if record.told is not ChangeOutcome.UNKNOWN]
    successful = sum(record.outcome is ChangeOutcome.SUCCESSFUL for record in told)
    return ChangeRates(
        {outcome: counts[outcome] for outcome in ChangeOutcome},
        counts[ChangeOutcome.FAILED] / len(records) if records else None,
        successful / len(told) if told else None,
    )
