"""What is accepted, and hardly what was meant: rules without effect, probes that nobody looks at, two tickets for one
trouble. Everything said here is sure; what can not be told is not said.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from watchkeeper.config.celterms import written
from watchkeeper.config.celtokens import Tokens
from watchkeeper.config.codes import Code
from watchkeeper.config.conditionwarnings import condition_warnings
from watchkeeper.config.document import Document, Path_
from watchkeeper.config.pace import pace_of, some
from watchkeeper.config.problems import Problem, in_order, suggest
from watchkeeper.config.rulewarnings import (
    escalation_warnings,
    hold_warnings,
    objective_warnings,
    retention_warnings,
    window_warnings,
)
from watchkeeper.config.seenrule import SeenRule
from watchkeeper.domain.correlation import incident_key
from watchkeeper.domain.rule import GroupBy, Match, Rule
from watchkeeper.domain.watch import Plan

MAX_PROBES_NAMED: Final = 10
"""Of each file; of more such probes only their number is told."""

MAX_COMPARED: Final = 500  # names that one may have been meant


@dataclass(frozen=True, slots=True)
class Places:
    """Where things stand. `probes`: each probe's id; those that `each` makes share one."""

    daemon: Document
    probes: Mapping[str, Problem]
    rules: Mapping[str, tuple[Document, Path_]]


def find_warnings(plan: Plan, places: Places, kept_ms: int, *, has_all_rules: bool) -> list[Problem]:
    """The warnings about a plan, by place.

    Args:
        kept_ms: for how long numbers are stored.
        has_all_rules: whether all rules could be read, so that one can say what no rule looks at.
    """
    paces = [(probe, pace_of(probe)) for probe in plan.probes.values()]
    seen = [
        SeenRule(rule, *places.rules[rule.id], [one for one in paces if rule.match(one[0])])
        for rule in plan.rules.values()
    ]
    found: list[Problem] = []
    if has_all_rules:
        found += _of_coverage(plan, places, seen)
    for one in seen:
        if one.matched:
            found += _of_rule(one, plan, kept_ms)
        else:
            found.append(one.warning(Code.RULE_MATCHES_NOTHING, ("match",), _no_match(one.rule.match, plan)))
    found += _of_shared_keys(seen, plan)
    found += _of_same_conditions(seen, plan)
    return in_order(found)


def _of_rule(seen: SeenRule, plan: Plan, kept_ms: int) -> Iterator[Problem]:
    of_condition = list(condition_warnings(seen))
    yield from of_condition
    if not of_condition:
        yield from window_warnings(seen)
    yield from hold_warnings(seen)
    yield from retention_warnings(seen, kept_ms)
    yield from objective_warnings(seen, plan.services)
    yield from escalation_warnings(seen)


def _of_coverage(plan: Plan, places: Places, seen: Iterable[SeenRule]) -> Iterator[Problem]:
    if not plan.probes:
        return
    if not plan.rules:
        message = "there are no rules, so that nothing ever opens a ticket; write some and name their files here"
        yield places.daemon.problem(("rule_files",), "").as_warning(Code.NO_RULES, message)
        return
    looked_at = set[str]().union(*(one.probe_ids for one in seen))
    unseen: dict[Problem, list[str]] = {}
    for probe_id in plan.probes:
        if probe_id not in looked_at:
            unseen.setdefault(places.probes[probe_id], []).append(probe_id)
    made = Counter(places.probes[probe_id] for probe_id in plan.probes) if unseen else Counter()
    by_file: dict[str, list[Problem]] = {}
    for place in unseen:
        by_file.setdefault(place.file, []).append(place)
    for entries in by_file.values():
        rest = len(entries) - MAX_PROBES_NAMED
        for number, place in enumerate(entries[:MAX_PROBES_NAMED], start=1):
            more = f"; so it is with {rest} more of this file" if number == MAX_PROBES_NAMED and rest > 0 else ""
            what = _unseen(unseen[place], made[place])
            message = f"{what}; add a rule that matches, or remove what nobody minds{more}"
            yield place.as_warning(Code.PROBE_WITHOUT_RULE, message)


def _unseen(probe_ids: list[str], made: int) -> str:
    if made == 1:
        return "no rule looks at this probe"
    if len(probe_ids) == made:
        return f"no rule looks at any of its {made} probes"
    return f"no rule looks at {len(probe_ids)} of its {made} probes: {some(probe_ids)}"


def _no_match(match: Match, plan: Plan) -> str:
    """What is to blame where one part of `match` alone fits no probe."""
    probes = plan.probes.values()
    advice = "correct it, or remove the rule"
    if not probes:
        return f"there is no probe that the rule could look at; {advice}"
    for what, one in _parts_of(match):
        if not any(map(one, probes)):
            hint = "".join(_close(plan, name, value) for name, value in one.labels.items())
            return f"no probe has {what}{hint}; {advice}"
    return f"no probe has all of this, though some have each of it; {advice}"


def _close(plan: Plan, label: str, value: str) -> str:
    """What a label's value may have been meant to be."""
    values = dict.fromkeys(probe.labels[label] for probe in plan.probes.values() if label in probe.labels)
    names = dict.fromkeys(name for probe in plan.probes.values() for name in probe.labels)
    return suggest(value, list(values)[:MAX_COMPARED]) if values else suggest(label, list(names)[:MAX_COMPARED])


def _parts_of(match: Match) -> Iterator[tuple[str, Match]]:
    if match.category is not None:
        yield f"the category {match.category}", Match(category=match.category)
    if match.prober is not None:
        yield f"the prober {match.prober}", Match(prober=match.prober)
    if match.service is not None:
        yield f"the service {match.service}", Match(service=match.service)
    if match.probe is not None:
        yield f"the id {match.probe}", Match(probe=match.probe)
    for name, value in match.labels.items():
        yield f"the label {name}: {value}", Match(labels={name: value})


def _of_shared_keys(seen: Iterable[SeenRule], plan: Plan) -> Iterator[Problem]:
    """Rules that are to open one incident, and can not."""
    by_key: dict[str, list[SeenRule]] = {}
    for one in seen:
        by_key.setdefault(_key(one.rule), []).append(one)
    for key, sharing in by_key.items():
        first = sharing[0]
        for other in sharing[1:]:
            if _group_by(first.rule) != _group_by(other.rule):
                message = (
                    f"shares the key {key} with the rule {first.rule.id} ({first.where}), which groups by "
                    f"{_grouping(first.rule)}, this one by {_grouping(other.rule)}: they never open one incident; "
                    "give both the same group_by, or keys of their own"
                )
                yield other.warning(Code.KEYS_DO_NOT_MEET, ("incident",), message)
            elif _backend(first.rule, plan) != _backend(other.rule, plan) and _keys(first) & _keys(other):
                message = (
                    f"opens the same incidents as the rule {first.rule.id} ({first.where}), whose tickets go to "
                    f"{_backend(first.rule, plan)}, this one's to {_backend(other.rule, plan)}: "
                    "the first to fire decides; give both one backend"
                )
                yield other.warning(Code.BACKENDS_DISAGREE, ("incident", "backend"), message)


def _of_same_conditions(seen: Iterable[SeenRule], plan: Plan) -> Iterator[Problem]:
    """Rules that open two tickets for one trouble."""
    by_condition: dict[str, list[SeenRule]] = {}
    for one in seen:
        tokens = [token for token in Tokens(one.rule.when).items if token.kind != "space"]
        by_condition.setdefault(written(tokens), []).append(one)
    for alike in by_condition.values():
        for place, other in enumerate(alike):
            for first in alike[:place]:
                if _key(first.rule) == _key(other.rule) or _backend(first.rule, plan) != _backend(other.rule, plan):
                    continue
                if not first.probe_ids.isdisjoint(other.probe_ids):
                    both = [probe.id for probe, _ in other.matched if probe.id in first.probe_ids]
                    message = (
                        f"is also the condition of the rule {first.rule.id} ({first.where}), and both look at "
                        f"{some(both)}: one trouble opens two tickets; give both one incident.key, or remove one"
                    )
                    yield other.warning(Code.SAME_CONDITION, ("when",), message)
                    break


def _key(rule: Rule) -> str:
    return rule.incident.key or rule.id


def _keys(seen: SeenRule) -> set[str]:
    return {incident_key(seen.rule, probe) for probe, _ in seen.matched}


def _group_by(rule: Rule) -> list[str]:
    return [name for name in rule.incident.group_by if name != GroupBy.RULE]


def _grouping(rule: Rule) -> str:
    return f"[{', '.join(rule.incident.group_by)}]"


def _backend(rule: Rule, plan: Plan) -> str:
    return rule.incident.backend or plan.default_backend
