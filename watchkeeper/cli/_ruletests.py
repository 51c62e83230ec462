"""A session of rule tests: which files, what came of each test, and how that is told."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from xml.etree import ElementTree

import click

from watchkeeper.cli._output import printable
from watchkeeper.config.load import Catalogue, matching
from watchkeeper.config.problems import ConfigError, Problem, listing
from watchkeeper.config.ruletests import Place, RuleTestReader, WrittenTest
from watchkeeper.domain.comparison import Containing
from watchkeeper.domain.outcome import exact_duration
from watchkeeper.domain.ruletest import Failure, Result
from watchkeeper.domain.ruletest import run as run_test

MAX_DIFFERENCES: Final = 20  # that are shown of one list


@dataclass(frozen=True, slots=True)
class Done:
    """A test that was run."""

    written: WrittenTest
    result: Result
    took_s: float

    def place(self, failure: Failure) -> Place:
        return self.written.lists[failure.expectation, failure.what]


@dataclass(frozen=True, slots=True)
class DoneFile:
    """A file whose tests were run, or that has problems."""

    name: str
    problems: Sequence[Problem] = ()
    tests: Sequence[Done] = ()

    @property
    def failed(self) -> int:
        return sum(not one.result.passed for one in self.tests)


@dataclass(slots=True)
class Session:
    """What came of all files. `not_fired`: the rules that no test made fire, unless only some tests were run."""

    text: str
    files: list[DoneFile] = field(default_factory=list)
    not_fired: list[str] = field(default_factory=list)
    rules: int = 0

    @property
    def problems(self) -> list[Problem]:
        """Each once: two files may name the same rules."""
        return list(dict.fromkeys(problem for file in self.files for problem in file.problems))

    @property
    def total(self) -> int:
        return sum(len(file.tests) for file in self.files)

    @property
    def failed(self) -> int:
        return sum(file.failed for file in self.files)

    @property
    def passed(self) -> bool:
        return bool(self.total) and not self.failed and not self.problems

    def lines(self, *, verbose: bool) -> Iterator[str]:
        """A line for each file, one for each test that failed, and why it did."""
        for file in self.files:
            if file.problems:
                yield f"{_FAILED}  {printable(file.name)}: invalid, {_count(len(file.problems), 'problem')}"
            elif file.failed:
                yield f"{_FAILED}  {printable(file.name)}: {file.failed} of {_count(len(file.tests), 'test')}"
            elif file.tests:
                yield f"{_OK}      {printable(file.name)}: {_count(len(file.tests), 'test')}"
            for done in file.tests:
                if not done.result.passed:
                    yield f"  {_FAILED}  {printable(done.written.test.name)}"
                    for failure in done.result.failures:
                        yield from _shown(file.name, done, failure)
                elif verbose:
                    yield f"  {_OK}      {printable(done.written.test.name)}"

    def summary(self) -> str:
        parts = [f"{self.total - self.failed} of {_count(self.total, 'test')} passed"]
        invalid = sum(bool(file.problems) for file in self.files)
        if invalid:
            parts.append(f"{_count(invalid, 'file')} could not be run")
        if self.text and not self.total:
            parts.append(f"no name contains {self.text!r}")
        if self.not_fired:
            which = listing(self.not_fired)
            parts.append(f"{len(self.not_fired)} of {_count(self.rules, 'rule')} fired in no test: {which}")
        return printable("; ".join(parts))

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.total - self.failed,
            "failed": self.failed,
            "invalid": sum(bool(file.problems) for file in self.files),
            "rules_not_fired": self.not_fired,
            "files": [
                {
                    "file": file.name,
                    "problems": [_problem(problem) for problem in file.problems],
                    "tests": [_test(done) for done in file.tests],
                }
                for file in self.files
            ],
        }

    def as_junit(self) -> bytes:
        """The same in the form that CI servers read."""
        suites = ElementTree.Element("testsuites", tests=str(self.total), failures=str(self.failed))
        for file in self.files:
            errors = len(file.problems)
            name = printable(file.name)
            counts = {"tests": len(file.tests) or errors, "failures": file.failed, "errors": errors}
            attributes = {"name": name, **{what: str(count) for what, count in counts.items()}}
            suite = ElementTree.SubElement(suites, "testsuite", attributes)
            for problem in file.problems:
                case = ElementTree.SubElement(suite, "testcase", classname=name, name="can be read")
                ElementTree.SubElement(case, "error", message=printable(str(problem)))
            for done in file.tests:
                told = printable(done.written.test.name)
                case = ElementTree.SubElement(suite, "testcase", classname=name, name=told, time=f"{done.took_s:.6f}")
                if not done.result.passed:
                    lines = [line for one in done.result.failures for line in _shown(file.name, done, one)]
                    failure = ElementTree.SubElement(case, "failure", message=_said(done.result))
                    failure.text = click.unstyle("\n".join(lines))
        return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def run(patterns: Sequence[str], catalogue: Catalogue, text: str) -> Session:
    """Runs the tests whose name contains a text, of all files that are named."""
    reader = RuleTestReader(catalogue)
    session = Session(text)
    rules: set[str] = set()
    fired: set[str] = set()
    for pattern in patterns:
        for path in _files(pattern, session):
            try:
                written = reader.read(path)
            except ConfigError as error:
                session.files.append(DoneFile(str(path), error.problems))
                continue
            chosen = [one for one in written.tests if text.casefold() in one.test.name.casefold()]
            done = [_run(one) for one in chosen]
            session.files.append(DoneFile(str(path), tests=done))
            rules |= set(written.rules)
            fired.update(*(one.result.fired for one in done))
    if not text and not session.problems:
        session.rules = len(rules)
        session.not_fired = sorted(rules - fired)
    return session


def wants_colour() -> bool | None:
    """`None`: where there is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def _files(pattern: str, session: Session) -> list[Path]:
    """The files of a path, a folder or a glob. Where there are none, that is a problem."""
    try:
        named = [Path(name) for name in matching(pattern, Path())] if "\0" not in pattern else []
        found = [file for path in named for file in (_inside(path) if path.is_dir() else [path])]
    except OSError as error:
        session.files.append(DoneFile(pattern, [Problem(pattern, 1, 1, "", f"can not be read: {error.strerror}")]))
        return []
    if not found:
        what = "is a folder without YAML files" if named else "there is no such file"
        session.files.append(DoneFile(pattern, [Problem(pattern, 1, 1, "", what)]))
    return found


def _inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml") and path.is_file())


def _run(written: WrittenTest) -> Done:
    began = perf_counter()
    result = run_test(written.test)
    return Done(written, result, perf_counter() - began)


_OK: Final = click.style("ok", fg="green")
_FAILED: Final = click.style("FAILED", fg="red", bold=True)
_COLOURS: Final = {"-": "red", "+": "green"}


def _shown(file: str, done: Done, failure: Failure) -> Iterator[str]:
    """Why a test failed: a diff for each thing that is not as expected."""
    place = done.place(failure)
    where = f"{printable(file)}:{place.line}:{place.column}"
    yield f"    {where}: {failure.what} at {exact_duration(failure.at_ms)}, - expected, + got:"
    for number, difference in enumerate(failure.differences[:MAX_DIFFERENCES]):
        if number:
            yield ""
        for line in difference.lines():
            yield "      " + click.style(printable(line), fg=_COLOURS.get(line[0]))
    if (more := len(failure.differences) - MAX_DIFFERENCES) > 0:
        yield f"      and {more} more"
    for reason in failure.reasons:
        yield f"    {printable(reason)}"


def _said(result: Result) -> str:
    return ", ".join(f"{failure.what} at {exact_duration(failure.at_ms)}" for failure in result.failures)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _problem(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("file", "line", "column", "path", "message")}


def _test(done: Done) -> dict[str, Any]:
    return {
        "name": done.written.test.name,
        "line": done.written.place.line,
        "passed": done.result.passed,
        "samples": done.result.samples,
        "failures": [
            {
                "line": done.place(failure).line,
                "column": done.place(failure).column,
                "at": exact_duration(failure.at_ms),
                "what": failure.what.value,
                "differences": [
                    {"expected": _plain(one.expected), "got": _plain(one.got)} for one in failure.differences
                ],
                "reasons": list(failure.reasons),
            }
            for failure in done.result.failures
        ],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Containing):
        return {"contains": list(value.texts)}
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
