"""Rule files into rules: which probes they match, and their conditions compiled for the probers of these."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from watchkeeper.config.celmistakes import ExpressionError
from watchkeeper.config.document import Document, Path_
from watchkeeper.config.expression import CompiledCondition, Compiler
from watchkeeper.config.probes import FindProber
from watchkeeper.config.problemmodels import override
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.config.rulemodels import FailuresModel, FlappingModel, NoDataModel, RuleFile, RuleModel
from watchkeeper.config.template import CompiledTemplate, TemplateError, compile_template, template_problem
from watchkeeper.config.validation import validate, validate_right
from watchkeeper.domain.probe import Probe
from watchkeeper.domain.recurrence import Override
from watchkeeper.domain.rule import Escalation, GroupBy, Hold, IncidentPolicy, Match, Rule, Thresholds, is_worse

# Not where it is asked whether there is one, nor in a text.
_LABEL: Final = re.compile(r"(?<!has\()(?<![\w.\"'])labels\.([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Known:
    """The names that rules may use, those of things with problems too. `None`: not all could be read."""

    services: Collection[str] | None
    probes: Collection[str] | None
    backends: Collection[str] | None


@dataclass(slots=True)
class RuleReader:
    """Reads rule files one after the other; ids are unique over all of them."""

    find_prober: FindProber
    prober_names: tuple[str, ...]
    probes: Mapping[str, Probe]
    known: "Known"
    problems: list[Problem]
    rules: dict[str, Rule] = field(default_factory=dict)
    places: dict[str, tuple[Document, Path_]] = field(default_factory=dict)
    """Where each of `rules` stands."""
    repeats: dict[str, Override | None] = field(default_factory=dict)
    """What rules say of when their repeats are a problem."""
    compilers: dict[str, Compiler] = field(default_factory=dict)
    """By prober. They take long to make: readers may share them."""
    _places: dict[str, Problem] = field(default_factory=dict)

    def read(self, document: Document) -> None:
        """Adds the rules of a file."""
        file = validate(RuleFile, document.data, document, problems=self.problems)
        if file is None:
            return
        for group_index, group in enumerate(file.groups):
            for index, raw in enumerate(group.rules):
                self._read_one(document, ("groups", group_index, "rules", index), raw)

    def _read_one(self, document: Document, path: Path_, raw: dict[str, Any]) -> None:
        known = len(self.problems)
        self._note_id(document, path, raw.get("id"))
        model = validate(RuleModel, raw, document, path, problems=self.problems)
        if model is None:  # what is right is looked at all the same, so that all problems show in one run
            model = validate_right(RuleModel, raw, document, id="unknown", when="true")
        self._check_names(document, path, model)
        match = Match(**model.match.model_dump())
        matched = [probe for probe in self.probes.values() if match(probe)]
        probers = dict.fromkeys(probe.prober for probe in matched)
        self._check_group_by(document, path, model, matched)
        conditions = self._compile(document, (*path, "when"), model, model.when, probers)
        relief = {}
        if model.resolve_when is not None:
            relief = self._compile(document, (*path, "resolve_when"), model, model.resolve_when, probers)
        title = self._template(document, (*path, "title"), model.title, probers)
        labels = self._templates(document, (*path, "labels"), model.labels, probers)
        annotations = self._templates(document, (*path, "annotations"), model.annotations, probers, one_line=False)
        self._check_escalation(document, path, model)
        self._check_labels(document, path, model, matched)
        if title is None or len(self.problems) > known:
            return
        self.places[model.id] = document, path
        if model.problem is not None:
            self.repeats[model.id] = override(model.problem)
        self.rules[model.id] = Rule(
            id=model.id,
            title=title,
            match=match,
            when=model.when,
            conditions=conditions,
            severity=model.severity,
            incident=IncidentPolicy(
                impact=model.incident.impact,
                urgency=model.incident.urgency,
                group_by=model.incident.group_by,
                backend=model.incident.backend,
                key=model.incident.key,
                escalation=tuple(Escalation(one.after, one.severity) for one in model.escalate),
                inhibits=model.incident.inhibits,
                inhibited=model.incident.inhibited,
            ),
            hold=_hold(model),
            runbook=model.runbook,
            resolve_when=model.resolve_when or "",
            relief=relief,
            labels=labels,
            annotations=annotations,
        )

    def _note_id(self, document: Document, path: Path_, name: object) -> None:
        if not isinstance(name, str):
            return  # said by the model
        if (other := self._places.get(name)) is not None:
            where = f"{other.file}:{other.line}:{other.column}"
            message = f"the id {name!r} is taken by the rule at {where}"
            self.problems.append(document.problem((*path, "id"), message))
        else:
            self._places[name] = document.problem((*path, "id"), "")

    def _check_names(self, document: Document, path: Path_, model: RuleModel) -> None:
        """Names that nothing answers to are mistakes, not rules without effect."""
        match = model.match
        named = (
            (("match", "prober"), match.prober, self.prober_names, "prober"),
            (("match", "service"), match.service, self.known.services, "service"),
            (("match", "probe"), match.probe, self.known.probes, "probe"),
            (("incident", "backend"), model.incident.backend, self.known.backends, "backend"),
        )
        for place, name, known, what in named:
            is_glob = name is not None and any(character in name for character in "*?[")
            if name is not None and not is_glob and known is not None and name not in known:
                message = f"there is no {what} {name!r}{suggest(name, known)}; there is {listing(known)}"
                self.problems.append(document.problem((*path, *place), message))

    def _check_group_by(self, document: Document, path: Path_, model: RuleModel, matched: list[Probe]) -> None:
        if self._may_miss_probes():
            return  # one of them may have the label
        labels = sorted({label for probe in matched for label in probe.labels})
        known = [*GroupBy, *labels]
        for index, name in enumerate(model.incident.group_by):
            if name not in known and matched:
                message = f"no matched probe has the label {name!r}{suggest(name, known)}; accepted: {listing(known)}"
                self.problems.append(document.problem((*path, "incident", "group_by", index), message))

    def _check_labels(self, document: Document, path: Path_, model: RuleModel, matched: list[Probe]) -> None:
        """A label that no matched probe has is a slip of the pen: nothing would ever be known of it."""
        if self._may_miss_probes() or not matched:
            return
        known = sorted({label for probe in matched for label in probe.labels})
        texts: dict[Path_, str] = {
            ("when",): model.when,
            ("resolve_when",): model.resolve_when or "",
            ("title",): model.title,
        }
        texts |= {("labels", name): text for name, text in model.labels.items()}
        texts |= {("annotations", name): text for name, text in model.annotations.items()}
        for place, text in texts.items():
            for found in _LABEL.finditer(text):
                if found[1] not in known:
                    message = f"no matched probe has the label {found[1]!r}{suggest(found[1], known)}: there is "
                    where = document.problem((*path, *place), message + listing(known), offset=found.start(1))
                    self.problems.append(where)

    def _may_miss_probes(self) -> bool:
        """Whether there are probes that could not be read."""
        return self.known.probes is None or len(self.known.probes) > len(self.probes)

    def _check_escalation(self, document: Document, path: Path_, model: RuleModel) -> None:
        if model.escalate and not is_worse(model.escalate[0].severity, model.severity):
            message = f"the rule's severity is {model.severity}: a step must make it worse"
            self.problems.append(document.problem((*path, "escalate", 0, "severity"), message))

    def _compile(
        self, document: Document, path: Path_, model: RuleModel, text: str, probers: Iterable[str]
    ) -> dict[str, CompiledCondition]:
        conditions: dict[str, CompiledCondition] = {}
        for prober in probers or self._likely_probers(model):
            try:
                conditions[prober] = self._compiler(prober).compile(text)
            except ExpressionError as error:
                self.problems.extend(
                    document.problem(path, mistake.message, offset=mistake.offset) for mistake in error.mistakes
                )
        return conditions

    def _likely_probers(self, model: RuleModel) -> list[str]:
        """Where no probe matches, what the rule says is checked against the prober that it names."""
        return [model.match.prober] if model.match.prober in self.prober_names else []

    def _compiler(self, prober: str) -> Compiler:
        if prober not in self.compilers:
            self.compilers[prober] = Compiler(self.find_prober(prober))
        return self.compilers[prober]

    def _templates(
        self,
        document: Document,
        path: Path_,
        texts: Mapping[str, str],
        probers: Collection[str],
        *,
        one_line: bool = True,
    ) -> dict[str, CompiledTemplate]:
        found = {
            name: self._template(document, (*path, name), text, probers, one_line=one_line)
            for name, text in texts.items()
        }
        return {name: template for name, template in found.items() if template is not None}

    def _template(
        self, document: Document, path: Path_, text: str, probers: Iterable[str], *, one_line: bool = True
    ) -> CompiledTemplate | None:
        try:
            return compile_template(text, [self.find_prober(name) for name in probers], one_line=one_line)
        except TemplateError as error:
            self.problems.append(template_problem(document, path, text, error))
            return None


def _hold(model: RuleModel) -> Hold:
    counted = model.for_ if isinstance(model.for_, FailuresModel) else FailuresModel(failures=1)
    flapping = model.flapping
    return Hold(
        for_ms=model.for_ if isinstance(model.for_, int) else 0,
        keep_firing_for_ms=model.keep_firing_for,
        failures=counted.failures,
        of=counted.of or counted.failures,
        no_data_ms=model.no_data.alert_after if isinstance(model.no_data, NoDataModel) else None,
        flapping=Thresholds(flapping.high / 1e6, flapping.low / 1e6) if isinstance(flapping, FlappingModel) else None,
    )
