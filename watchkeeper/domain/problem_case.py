"""What is known around a problem: its incidents, what is striking about them, and what went before."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from watchkeeper.domain.chance import Span
from watchkeeper.domain.evidence import AFTERMATH_MS, Finding, Other, PastChange, find
from watchkeeper.domain.expected import Window
from watchkeeper.domain.recurrence import LONGEST_MS, Occurrence

MOST_PRECEDING: Final = 5
MOST_SEARCHES: Final = 20


@dataclass(frozen=True, slots=True)
class Case:
    """The evidence at a time. `occurrences`: of the problem's fingerprint, the oldest first. `repeats`: how many of
    them are other times that it happened. `since_ms`: from when on anything is known. `preceding`: changes that had
    just ended when one of the last incidents began. `was_searched`: whether it was looked for findings."""

    occurrences: tuple[Occurrence, ...]
    repeats: int
    since_ms: int
    findings: tuple[Finding, ...]
    preceding: tuple[tuple[PastChange, Occurrence], ...]
    was_searched: bool = True


class Searches:
    """How much time there is to look for evidence, which takes longer than everything else: for `MOST_SEARCHES` in a
    minute. Beyond that, as in a storm, problems are opened and told without."""

    def __init__(self) -> None:
        self._begun: deque[int] = deque(maxlen=MOST_SEARCHES)

    def may_begin(self, at_ms: int) -> bool:
        """Whether there is time for one now. If so, it counts."""
        if len(self._begun) == MOST_SEARCHES and at_ms - self._begun[0] < 60_000:
            return False
        self._begun.append(at_ms)
        return True


def past_change(window: Window) -> PastChange:
    """A change as its calendar tells it."""
    where = window.selection
    named = ", ".join(sorted(where.services or where.cis or where.probes))
    return PastChange(window.id, window.title, named, window.from_ms, window.to_ms)


def gather(
    fingerprint: str, known: Iterable[Occurrence], changes: Iterable[PastChange], now_ms: int, zone: tzinfo
) -> Case:
    """The evidence for a fingerprint, as it was at a time: of the ninety days before.

    Args:
        known: all incidents that are remembered.
        zone: of the service.
    """
    past = [one for one in known if now_ms - LONGEST_MS <= one.started_ms and one.opened_ms <= now_ms]
    own = [one for one in past if one.fingerprint == fingerprint]
    since_ms = min((one.started_ms for one in past), default=now_ms)
    times = [one.started_ms for one in own if one.is_repeat]
    made = [change for change in changes if change.started_ms <= now_ms]
    return Case(
        occurrences=tuple(own),
        repeats=len(times),
        since_ms=since_ms,
        findings=find(times, _others(past, own), made, Span(since_ms, now_ms), zone),
        preceding=_preceding(own, made),
    )


def unsearched(own: Sequence[Occurrence], now_ms: int) -> Case:
    """What is known without a search, where there is no time for one."""
    repeats = sum(one.is_repeat for one in own)
    return Case(tuple(own), repeats, now_ms, (), (), was_searched=False)


def new_findings(after: Case, before: Case) -> list[Finding]:
    """What is striking now, and was not before."""
    known = {finding.claim for finding in before.findings}
    return [finding for finding in after.findings if finding.claim not in known]


def _others(past: Iterable[Occurrence], own: Sequence[Occurrence]) -> dict[Other, list[int]]:
    """When everything else began. Another failure that the same rule finds in the service is no cause."""
    same = {Other(one.rule_id, one.service) for one in own}
    found: dict[Other, list[int]] = {}
    for one in past:
        other = Other(one.rule_id, one.service)
        if one.is_repeat and other not in same:
            found.setdefault(other, []).append(one.started_ms)
    return found


def _preceding(own: Sequence[Occurrence], changes: Sequence[PastChange]) -> tuple[tuple[PastChange, Occurrence], ...]:
    """The newest first."""
    found = [
        (change, one)
        for one in own[:-20:-1]
        if one.is_repeat
        for change in changes
        if change.ended_ms <= one.started_ms <= change.ended_ms + AFTERMATH_MS
    ]
    return tuple(found[:MOST_PRECEDING])
