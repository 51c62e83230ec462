"""Names in matchers that nothing answers to: a mistyped one would silence nothing, and nobody would know."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from watchkeeper.config.problems import listing, suggest
from watchkeeper.domain.expected import OWN_NAMES, Matcher, Operator
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.probe import Category, Probe
from watchkeeper.domain.report import FOREIGN
from watchkeeper.domain.rule import Severity

_ALWAYS = {"severity": [one.value for one in Severity], "category": [one.value for one in Category]}


@dataclass(frozen=True, slots=True)
class MatcherNames:
    """What matchers can ask for. `values`: by the names that are an alert's own, the values that there are; those of
    which not all are known are missing. `labels`: those that probes have, `None` where not all are known. `sources`:
    of reports; what they send may have any probe, rule and label.
    """

    values: Mapping[str, Collection[str]] = field(default_factory=dict)
    labels: Collection[str] | None = None
    sources: Collection[str] = ()

    def mistake(self, matcher: Matcher) -> str | None:
        """What is wrong with one that asks for what there is not."""
        name, value = matcher.name, matcher.value
        known = {**_ALWAYS, **self.values}.get(name)
        if matcher.operator is not Operator.IS or not value or known is None or value in known:
            return None
        if name in ("rule", "probe") and value.partition("/")[0] in {FOREIGN + one for one in self.sources}:
            return None
        return f"there is no {name} {value!r}{suggest(value, known)}; there is {listing(known)}"

    def odd(self, matcher: Matcher) -> str | None:
        """What is odd about one whose name no probe has now."""
        if matcher.name in OWN_NAMES or self.labels is None or self.sources or matcher.name in self.labels:
            return None
        names = [*OWN_NAMES, *self.labels]
        return f"matches no probe now: none has the label {matcher.name!r}{suggest(matcher.name, names)}"


def matcher_names(plan: Plan) -> MatcherNames:
    """What the matchers of a whole plan can ask for."""
    values = {"service": list(plan.services), "rule": list(plan.rules), "probe": list(plan.probes)}
    return MatcherNames(values, labels_of(plan.probes.values()), list(plan.sources))


def labels_of(probes: Iterable[Probe]) -> Collection[str]:
    """The names of the labels that probes have."""
    return {name: None for probe in probes for name in probe.labels}


def first_mistake(matchers: Iterable[Matcher], names: MatcherNames) -> str | None:
    """What is wrong with the first of some matchers that is."""
    return next((wrong for one in matchers if (wrong := names.mistake(one)) is not None), None)
