"""Replays history through the rules of a plan, under the clock of the history."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from watchkeeper.domain.incident import Incident
from watchkeeper.domain.past import Slice
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rehearsal import Rehearsal
from watchkeeper.domain.rule import Condition, Rule, Scope
from watchkeeper.domain.watch import Plan
from watchkeeper.domain.window import EMPTY, Unanswerable

_LOOK_EVERY: Final = 5_000  # samples, before it is asked whether to go on
_MOST_REASONS: Final = 30  # of one rule; the rest is counted together
_OTHER_REASONS: Final = "other reasons"
_ASKS_FOR_FACTS: Final = re.compile(r"\bhas\s*\(\s*facts\s*\.")  # which would be told that there is none


@dataclass(slots=True)
class Asked:
    """A condition that counts when it has no answer, and why."""

    condition: Condition
    unanswered: Counter[str]
    spans_ms: Mapping[str, int]
    asks_missed: bool
    asks_for_facts: bool

    def __call__(self, scope: Scope) -> bool:
        if self.asks_for_facts:
            raise self._count(Unanswerable("facts are not stored"))
        try:
            return self.condition(scope)
        except Unanswerable as reason:
            raise self._count(reason) from None

    def explain(self, scope: Scope) -> Sequence[tuple[str, str]]:
        return self.condition.explain(scope)

    def _count(self, reason: Unanswerable) -> Unanswerable:
        text = str(reason)
        known = text in self.unanswered or len(self.unanswered) < _MOST_REASONS
        self.unanswered[text if known else _OTHER_REASONS] += 1
        return reason


class Backtest:
    """A plan that history is replayed through.

    Args:
        plan: with the rules that shall be judged.
        from_ms: when watching begins. Earlier samples only fill the windows of rules.

    Attributes:
        samples: how many were replayed; `unknown`: how many of them could not tell.
        unanswered: of each rule, how often it had no answer, by the reason.
    """

    def __init__(self, plan: Plan, from_ms: int) -> None:
        self._from_ms = from_ms
        self.unanswered: dict[str, Counter[str]] = {rule_id: Counter() for rule_id in plan.rules}
        rules = {rule.id: self._asked(rule) for rule in plan.rules.values()}
        self._rehearsal = Rehearsal(replace(plan, rules=rules), from_ms)
        self.samples = 0
        self.unknown = 0

    @property
    def incidents(self) -> list[Incident]:
        """What would have been opened, as it was in the end."""
        return list(self._rehearsal.incidents.values())

    def observe(self, samples: Iterable[Sample]) -> None:
        """Replays samples, in the order of their times."""
        observe, from_ms = self._rehearsal.observe, self._from_ms
        for sample in samples:
            if sample.at_ms < from_ms:
                self._remember(sample)
                continue
            observe(sample)
            self.samples += 1
            if sample.status is Status.UNKNOWN:
                self.unknown += 1
        self._rehearsal.commands.clear()

    def end(self, at_ms: int) -> None:
        """Lets the time go by until the end of the history."""
        self._rehearsal.advance(at_ms)

    def _remember(self, sample: Sample) -> None:
        subject = self._rehearsal.watch.subjects.get(sample.probe_id)
        if subject is not None and subject.window is not EMPTY:
            subject.window.append(sample)

    def _asked(self, rule: Rule) -> Rule:
        counter, facts = (
            self.unanswered[rule.id],
            _ASKS_FOR_FACTS.search(f"{rule.when} {rule.resolve_when}") is not None,
        )

        def asked(conditions: Mapping[str, Condition]) -> dict[str, Condition]:
            return {
                prober: Asked(condition, counter, condition.spans_ms, condition.asks_missed, facts)
                for prober, condition in conditions.items()
            }

        return replace(rule, conditions=asked(rule.conditions), relief=asked(rule.relief))


def warm_up_ms(plan: Plan) -> int:
    """How far back the windows of its rules look at most."""
    subjects = Rehearsal(plan, 0).watch.subjects.values()
    return max((span for subject in subjects for span in subject.spans_ms().values()), default=0)


def replay(
    slices: Iterable[Slice],
    backtests: Iterable[Backtest],
    progress: Callable[[int], None],
    stopped: Callable[[], bool],
) -> int | None:
    """Replays history through some plans side by side.

    Args:
        progress: hears how far it is, in ms since the epoch.
        stopped: whether to end early.

    Returns:
        Until when history was replayed, if it was stopped early.
    """
    backtests = list(backtests)
    for until_ms, samples in slices:
        for begin in range(0, len(samples), _LOOK_EVERY):
            some = samples[begin : begin + _LOOK_EVERY]
            for backtest in backtests:
                backtest.observe(some)
            progress(some[-1].at_ms)
            if stopped():
                return some[-1].at_ms
        progress(until_ms)
        if stopped():
            return until_ms
    return None
