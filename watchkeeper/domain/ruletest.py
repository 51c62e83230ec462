"""Tests of rules: samples as somebody wrote them down, and what should come of them.

A test is run by a rehearsal: by the watch that the daemon keeps, under a clock that is moved by hand.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import Final

from watchkeeper.domain.comparison import Difference, compare
from watchkeeper.domain.outcome import Fields, Listed, listed
from watchkeeper.domain.reasons import about, why
from watchkeeper.domain.rehearsal import Rehearsal
from watchkeeper.domain.series import Findings
from watchkeeper.domain.watch import Plan

MAX_REASONS: Final = 5  # for one list

_at = attrgetter("at_ms")


@dataclass(frozen=True, slots=True)
class Expectation:
    """What there should be at a time: all of what is listed, each by the fields that matter.

    Attributes:
        at_ms: after the start.
    """

    at_ms: int
    lists: Mapping[Listed, Sequence[Fields]]


@dataclass(frozen=True, slots=True)
class RuleTest:
    name: str
    plan: Plan
    start_ms: int
    findings: Sequence[Findings]
    expectations: Sequence[Expectation]


@dataclass(frozen=True, slots=True)
class Failure:
    """`expectation`: its index in the test. `reasons`: why alerts are not what was expected, as far as is known."""

    expectation: int
    at_ms: int
    what: Listed
    differences: Sequence[Difference]
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    """`fired`: the rules that did. `samples`: how many there were."""

    failures: Sequence[Failure]
    fired: frozenset[str]
    samples: int

    @property
    def passed(self) -> bool:
        return not self.failures


def run(test: RuleTest) -> Result:
    """Runs a test up to its last expectation. An expectation is looked at when all of its time has happened."""
    rehearsal = Rehearsal(test.plan, test.start_ms)
    samples = merge(*(findings.samples(test.start_ms) for findings in test.findings), key=_at)
    following = next(samples, None)
    count = 0
    failures: list[Failure] = []
    for index, expectation in sorted(enumerate(test.expectations), key=lambda pair: pair[1].at_ms):
        until_ms = test.start_ms + expectation.at_ms
        while following is not None and following.at_ms <= until_ms:
            rehearsal.observe(following)
            count += 1
            following = next(samples, None)
        rehearsal.advance(until_ms)
        failures += _failures(index, expectation, rehearsal, test.start_ms)
    affected = (ref.rule_id for incident in rehearsal.incidents.values() for ref in incident.affected)
    return Result(failures, frozenset(affected), count)


def _failures(index: int, expectation: Expectation, rehearsal: Rehearsal, start_ms: int) -> Iterator[Failure]:
    for what, wanted in expectation.lists.items():
        if differences := compare(what, wanted, listed(what, rehearsal, start_ms)):
            refs = dict.fromkeys(ref for one in differences for ref in _concerned(what, one, rehearsal))
            reasons = [why(rehearsal, rule, probe, start_ms) for rule, probe in list(refs)[:MAX_REASONS]]
            yield Failure(index, expectation.at_ms, what, differences, reasons)


def _concerned(what: Listed, difference: Difference, rehearsal: Rehearsal) -> Iterator[tuple[str, str]]:
    """The rules and probes that a difference is about, where alerts may explain it: the state of one is wrong, or
    something is missing. What is there too much has said its time and its title itself."""
    expected = difference.expected
    plan = rehearsal.watch.plan
    if expected is None:
        yield from _surplus(what, difference.got or {})
        return
    if difference.got is not None and not {"state", "since", "probes", "opened", "resolved"} & _wrong(difference):
        return
    rule_id = expected.get("rule") or _rule_of(expected.get("key"))
    if rule_id not in plan.rules:
        return
    stated = [expected["probe"]] if "probe" in expected else expected.get("probes", ())
    for probe_id in stated or about(plan.rules[rule_id], rehearsal):
        if probe_id in plan.probes:
            yield rule_id, probe_id


def _surplus(what: Listed, got: Fields) -> Iterator[tuple[str, str]]:
    if what is Listed.ALERTS:
        yield got["rule"], got["probe"]


def _wrong(difference: Difference) -> set[str]:
    expected, got = difference.expected or {}, difference.got or {}
    return {name for name in expected if expected[name] != got.get(name)}


def _rule_of(key: object) -> str:
    """The rule that an incident's key names, unless it is that of several rules."""
    return key.partition("/")[0] if isinstance(key, str) else ""
