"""Rule test files into tests that can be run. All errors of a file at once."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from watchkeeper.config.document import Document, Path_
from watchkeeper.config.expression import Compiler
from watchkeeper.config.load import Catalogue, load, matching
from watchkeeper.config.problems import ConfigError, Problem, listing, suggest
from watchkeeper.config.rules import Known, RuleReader
from watchkeeper.config.ruletestmodels import (
    DEFAULT_START_MS,
    ContainsModel,
    ExpectationModel,
    RuleTestFile,
    RuleTestModel,
)
from watchkeeper.config.series import MAX_SAMPLES
from watchkeeper.config.seriesreader import SeriesReader
from watchkeeper.config.testedprobes import ProbesUnderTest, read_services, running_every
from watchkeeper.config.validation import validate, validate_right
from watchkeeper.domain.comparison import Containing
from watchkeeper.domain.outcome import Listed, exact_duration
from watchkeeper.domain.ruletest import Expectation, RuleTest
from watchkeeper.domain.series import Findings
from watchkeeper.domain.watch import Plan
from watchkeeper.schema.base import Model

_TIMES = frozenset(("since", "started", "opened", "resolved"))
_UNORDERED = frozenset(("probes",))
_BACKEND = "desk"  # where tickets go when no daemon's file says otherwise
_NOTHING = Plan({}, {}, {}, _BACKEND)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class WrittenTest:
    """A test, and where it and the lists of its expectations stand."""

    test: RuleTest
    place: Place
    lists: Mapping[tuple[int, Listed], Place]


@dataclass(frozen=True, slots=True)
class WrittenTests:
    """The tests of a file, and the ids of the rules that they are about."""

    path: Path
    tests: Sequence[WrittenTest]
    rules: Collection[str]


@dataclass(slots=True)
class RuleTestReader:
    """Reads test files one after the other. What takes long to make is made once for all of them."""

    catalogue: Catalogue
    _compilers: dict[str, Compiler] = field(default_factory=dict)
    _plans: dict[tuple[str, tuple[str, ...]], Plan | ConfigError] = field(default_factory=dict)

    def read(self, path: Path) -> WrittenTests:
        """The tests of a file.

        Raises:
            ConfigError: with every problem of the file, and of the rules that it names.
        """
        document = Document(path, labels=("id", "name", "at"))
        problems: list[Problem] = []
        file = validate(RuleTestFile, document.data, document, problems=problems)
        if file is None:
            stand_in = {"name": "", "expect": [{}]}
            file = validate_right(RuleTestFile, document.data, document, tests=[stand_in])
            if file.tests == [stand_in]:
                file = file.model_copy(update={"tests": []})
        plan = self._plan(document, file, problems)
        reader = _TestReader(document, self.catalogue, plan, problems, is_whole=not problems)
        tests = [reader.read(index, raw) for index, raw in enumerate(file.tests)]
        if problems:
            raise ConfigError(problems)
        return WrittenTests(path, tests, plan.rules.keys())

    def _plan(self, document: Document, file: RuleTestFile, problems: list[Problem]) -> Plan:
        """What is watched; with problems added to the list, as much of it as could be read."""
        if file.config is not None:
            return self._plan_of_config(document, file, file.config, problems)
        if not file.rule_files and "rule_files" not in document.data:
            problems.append(document.problem((), "names no rules: `rule_files` or `config` is required"))
        services = read_services(file.services, file.probes)
        probes = ProbesUnderTest(self.catalogue, services, problems)
        probes.read(document, file.probes)
        everything = Known(None, None, None)
        find, names = self.catalogue.find_prober, self.catalogue.prober_names
        rules = RuleReader(find, names, probes.probes, everything, problems, compilers=self._compilers)
        for rule_file in _rule_documents(document, file.rule_files, problems):
            rules.read(rule_file)
        return Plan(services, probes.probes, rules.rules, _BACKEND)

    def _plan_of_config(self, document: Document, file: RuleTestFile, config: str, problems: list[Problem]) -> Plan:
        beside = [key for key in ("services", "probes") if key in document.data]
        problems += [
            document.problem((key,), "stands beside `config`, which has its own", key=True) for key in beside
        ]
        if not os.path.exists(config):  # not Path.exists, which raises where it may not look
            problems.append(document.problem(("config",), "there is no such file"))
            return _NOTHING
        found = self._plans.get(key_ := (config, file.rule_files))
        if found is None:
            try:
                found = load(Path(config), self.catalogue, file.rule_files or None).plan
            except ConfigError as error:
                found = error
            self._plans[key_] = found
        if isinstance(found, ConfigError):
            problems.extend(found.problems)
            return _NOTHING
        return found


def _rule_documents(document: Document, patterns: Sequence[str], problems: list[Problem]) -> list[Document]:
    documents: dict[str, Document] = {}
    for index, pattern in enumerate(patterns):
        path: Path_ = ("rule_files", index)
        try:
            names = matching(pattern, document.path.parent)
        except OSError as error:
            problems.append(document.problem(path, f"{pattern} can not be read: {error.strerror}"))
            continue
        if not names:
            problems.append(document.problem(path, f"no file matches {pattern}"))
        for name in names:
            if name not in documents:
                try:
                    documents[name] = Document(Path(name))
                except ConfigError as error:
                    problems.extend(error.problems)
    return list(documents.values())


class _TestReader:
    """Reads the tests of one file.

    Args:
        is_whole: whether the plan is all that the file names: then what is not in it is not there.
    """

    def __init__(
        self, document: Document, catalogue: Catalogue, plan: Plan, problems: list[Problem], *, is_whole: bool
    ) -> None:
        self._document = document
        self._plan = plan
        self._is_whole = is_whole
        self._problems = problems
        self._series = SeriesReader(document, catalogue.find_prober, problems)
        self._names: set[str] = set()

    def read(self, index: int, raw: dict[str, Any]) -> WrittenTest:
        path: Path_ = ("tests", index)
        model = validate(RuleTestModel, raw, self._document, path, problems=self._problems)
        if model is None:
            model = validate_right(RuleTestModel, raw, self._document, name="", expect=[{}])
        elif model.name in self._names:
            self._say((*path, "name"), f"{model.name!r} is the name of another test of this file")
        self._names.add(model.name)
        expected = raw.get("expect")
        read = [
            self._expectation((*path, "expect", number), one, model.series)
            for number, one in enumerate(expected if isinstance(expected, list) else ())
            if isinstance(one, dict)  # what is none is said by the model
        ]
        findings = self._findings((*path, "series"), model)
        probes = {name: probe for name, probe in self._plan.probes.items() if name in model.series}
        if model.interval is not None:
            probes = {name: running_every(probe, model.interval) for name, probe in probes.items()}
        plan = replace(self._plan, probes=probes)
        expectations = [one for one in read if one is not None]
        start_ms = DEFAULT_START_MS if model.start is None else model.start
        test = RuleTest(model.name, plan, start_ms, findings, expectations)
        lists = {
            (number, what): self._place((*path, "expect", number, what.value))
            for number, one in enumerate(expectations)
            for what in one.lists
        }
        return WrittenTest(test, self._place(path), lists)

    def _findings(self, path: Path_, model: RuleTestModel) -> list[Findings]:
        plan = self._plan
        found: list[Findings] = []
        for probe_id, data in model.series.items():
            if (probe := plan.probes.get(probe_id)) is None:
                self._unknown((*path, probe_id), "probe", probe_id, plan.probes, key=True)
            elif (one := self._series.read((*path, probe_id), probe, data, model.interval)) is not None:
                found.append(one)
        if sum(one.runs for one in found) > MAX_SAMPLES:
            self._say(path, f"makes more than {MAX_SAMPLES:,} samples")
        return found

    def _expectation(self, path: Path_, raw: dict[str, Any], watched: Collection[str]) -> Expectation | None:
        model = validate(ExpectationModel, raw, self._document, path, problems=self._problems)
        if model is None:
            return None
        lists = {}
        for what in (Listed(key) for key in raw if key != "at"):  # in their order, which is that of what is told
            if (items := getattr(model, what.value)) is not None:
                for index, item in enumerate(items):
                    self._check_names((*path, what.value, index), item, watched)
                lists[what] = tuple(map(_fields, items))
        return Expectation(model.at, lists)

    def _check_names(self, path: Path_, item: Model, watched: Collection[str]) -> None:
        """Names that nothing answers to are mistakes: what has them can never be there."""
        plan = self._plan
        backends = {plan.default_backend, *(rule.incident.backend for rule in plan.rules.values())} - {None}
        for name, known in (
            ("rule", plan.rules),
            ("service", plan.services),
            ("backend", sorted(map(str, backends))),
        ):
            if (value := getattr(item, name, None)) is not None and value not in known:
                self._unknown((*path, name), name, value, known)
        places = [((*path, "probe"), getattr(item, "probe", None))]
        places += [((*path, "probes", index), one) for index, one in enumerate(getattr(item, "probes", None) or ())]
        for place, probe in places:
            if probe is not None and probe not in plan.probes:
                self._unknown(place, "probe", probe, plan.probes)
            elif probe is not None and probe not in watched:
                self._say(
                    place, f"this test has no series of {probe}, so it is not watched (`{probe}: _` never runs)"
                )

    def _unknown(self, path: Path_, what: str, name: str, known: Collection[str], *, key: bool = False) -> None:
        if self._is_whole:
            self._say(path, f"there is no {what} {name!r}{suggest(name, known)}; there is {listing(known)}", key=key)

    def _say(self, path: Path_, message: str, *, key: bool = False) -> None:
        self._problems.append(self._document.problem(path, message, key=key))

    def _place(self, path: Path_) -> Place:
        found = self._document.problem(path, "", key=True)
        return Place(found.line, found.column)


def _fields(item: Model) -> dict[str, Any]:
    """What an item of a list states, as plain fields."""
    stated = {name: getattr(item, name) for name in type(item).model_fields}
    return {name: _plain(name, value) for name, value in stated.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    if name in _TIMES:
        return exact_duration(value)
    if name in _UNORDERED:
        return sorted(set(value))
    if isinstance(value, ContainsModel):
        return Containing((value.contains,) if isinstance(value.contains, str) else value.contains)
    if isinstance(value, dict):
        return {key: _plain("", one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain("", one) for one in value]
    return value
