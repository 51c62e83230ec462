"""Problems as SARIF 2.1.0, the format in which code review tools take what checkers found.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from watchkeeper import __version__
from watchkeeper.config.codes import HELP, Code
from watchkeeper.config.problems import Level, Problem

_ROOT = "%SRCROOT%"  # what tools call the folder that everything is relative to
_CODES = list(Code)


def sarif(problems: Iterable[Problem], folder: Path, notes: Iterable[str] = ()) -> dict[str, Any]:
    """The log of one run. Columns count characters, as everywhere in watchkeeper.

    Args:
        folder: absolute; files below it are named relative to it.
        notes: what was found that stands in no file.
    """
    driver = {"name": "watchkeeper", "version": __version__, "rules": [_rule(code) for code in _CODES]}
    invocation = {
        "executionSuccessful": True,
        "toolExecutionNotifications": [{"level": "error", "message": {"text": note}} for note in notes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"uri": f"{_uri(folder).rstrip('/')}/"}},
        "invocations": [invocation],
        "results": [_result(problem, folder) for problem in problems],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _rule(code: Code) -> dict[str, Any]:
    level = Level.ERROR if code is Code.INVALID else Level.WARNING
    return {
        "id": code.value,
        "shortDescription": {"text": HELP[code]},
        "fullDescription": {"text": HELP[code]},
        "help": {"text": HELP[code]},
        "defaultConfiguration": {"level": level.value},
    }


def _result(problem: Problem, folder: Path) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _artifact(problem.file, folder),
            "region": {"startLine": problem.line, "startColumn": problem.column},
        }
    }
    if problem.path:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.path}]
    return {
        "ruleId": problem.code.value,
        "ruleIndex": _CODES.index(problem.code),
        "level": problem.level.value,
        "message": {"text": problem.text},
        "locations": [location],
    }


def _artifact(file: str, folder: Path) -> dict[str, str]:
    path = Path(os.path.normpath(folder / file))
    if path.is_relative_to(folder):
        return {"uri": quote(os.fsencode(path.relative_to(folder))), "uriBaseId": _ROOT}
    return {"uri": _uri(path)}


def _uri(path: Path) -> str:
    return f"file://{quote(os.fsencode(path))}"
