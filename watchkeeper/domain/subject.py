"""What is under watch: a probe, and each rule that looks at it."""

from collections.abc import Mapping
from typing import Final

from watchkeeper.domain.alert import Alert, AlertState, Verdict
from watchkeeper.domain.probe import Every, Probe, Sample, Status
from watchkeeper.domain.rule import Condition, Rule, Scope
from watchkeeper.domain.service import Service
from watchkeeper.domain.window import EMPTY, Unanswerable


class Binding:
    """A rule on a probe, and the alert that they make.

    `heard_ms`: when a verdict was known last, kept where the rule minds silence.
    `is_edited`: whether the rule has become another one that has given no verdict yet.
    `is_held_anew`: whether it asks the same as before, and is held in another way.
    """

    __slots__ = (
        "alert",
        "condition",
        "heard_ms",
        "is_edited",
        "is_held_anew",
        "minds_silence",
        "relief",
        "rule",
        "unanswered",
    )

    def __init__(self, rule: Rule, prober: str, alert: Alert) -> None:
        self.rule = rule
        self.condition = rule.conditions[prober]
        self.relief = rule.relief.get(prober)
        self.alert = alert
        self.unanswered = ""  # why the last verdict was unknown
        self.minds_silence = rule.hold.no_data_ms is not None
        self.heard_ms = 0
        self.is_edited = False
        self.is_held_anew = False

    def judge(self, scope: Scope) -> Verdict:
        """What the rule says of a sample. What is unknown decides nothing, but for rules on missed runs."""
        unknown = scope.sample.status is Status.UNKNOWN
        verdict = self._ask(self.condition, scope, unknown=unknown)
        if verdict is Verdict.OVER and self.relief is not None and self.alert.state is AlertState.FIRING:
            relieved = self._ask(self.relief, scope, unknown=unknown)
            verdict = _OF_RELIEF[relieved]
        # Where no run took place there is nothing that could be over.
        return Verdict.UNKNOWN if unknown and verdict is Verdict.OVER else verdict

    def _ask(self, condition: Condition, scope: Scope, *, unknown: bool) -> Verdict:
        if unknown and not condition.asks_missed:
            self.unanswered = "the probe could not tell"
            return Verdict.UNKNOWN
        try:
            return Verdict.HOLDS if condition(scope) else Verdict.OVER
        except Unanswerable as reason:
            self.unanswered = str(reason)
        except Exception as error:  # noqa: BLE001  # a bug in a rule's code must not cost another rule its ticket
            self.unanswered = f"the evaluation failed: {error!r}"
        return Verdict.UNKNOWN


_TRAIL: Final = 5  # samples

_OF_RELIEF: Mapping[Verdict, Verdict] = {
    Verdict.HOLDS: Verdict.OVER,
    Verdict.OVER: Verdict.HOLDS,
    Verdict.UNKNOWN: Verdict.UNKNOWN,
}


def trail_of(previous: Sample | None, sample: Sample) -> tuple[Sample, ...]:
    """How a trail begins: with what was before, if it is known."""
    return (sample,) if previous is None else (previous, sample)


class Subject:
    """A probe under watch: its last sample, its status and since when, its window and its bindings."""

    __slots__ = ("bindings", "probe", "sample", "service", "status", "status_since_ms", "trail", "window")

    def __init__(self, probe: Probe, service: Service) -> None:
        self.probe = probe
        self.service = service
        self.sample: Sample | None = None
        self.status: Status | None = None  # None: not yet known
        self.status_since_ms = 0
        self.window = EMPTY
        self.trail: tuple[Sample, ...] = ()  # the last samples while something is wrong, else nothing
        self.bindings: list[Binding] = []

    def scope(self, sample: Sample, now_ms: int) -> Scope:
        return Scope(sample, self.probe, self.service, now_ms, self.window, self.trail)

    def follow(self, previous: Sample | None, sample: Sample) -> None:
        """Keeps a sample, and the one before, for whoever is told of the trouble; none where there is no more."""
        if not self.trail:
            self.trail = trail_of(previous, sample)
        elif sample.status is Status.UP and all(one.alert.state is AlertState.INACTIVE for one in self.bindings):
            self.trail = ()
        else:
            self.trail = (*self.trail, sample)[-_TRAIL:]

    def unheard_since(self, now_ms: int) -> int | None:
        """Since when the probe should have been heard of and was not; `None` while the silence is not too long."""
        if self.sample is None or not isinstance(self.probe.schedule, Every):
            return None
        interval_ms, heard_ms = self.probe.schedule.interval_ms, self.sample.at_ms
        return heard_ms + interval_ms if now_ms - heard_ms > 2 * interval_ms + self.probe.timeout_ms else None

    def looks_at_the_same_as(self, old: "Subject") -> bool:
        return old.probe.prober == self.probe.prober and bool(old.probe.options == self.probe.options)

    def take_over(self, old: "Subject") -> None:
        """Goes on where an earlier one of the same probe was, as far as both look at the same thing in one way."""
        if self.looks_at_the_same_as(old):
            self.sample, self.status, self.status_since_ms = old.sample, old.status, old.status_since_ms
            self.trail = old.trail
            self.window.keep(old.window)

    def spans_ms(self) -> dict[str, int]:
        """The series that the rules ask for, each as far back as the longest asks."""
        spans: dict[str, int] = {}
        for binding in self.bindings:
            asking: list[Mapping[str, int]] = [binding.condition.spans_ms]
            asking += [template.spans_ms for template in binding.rule.templates()]
            if binding.relief is not None:
                asking.append(binding.relief.spans_ms)
            for asked in asking:
                for name, span_ms in asked.items():
                    spans[name] = max(spans.get(name, 0), span_ms)
        return spans
