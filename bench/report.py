"""What was found: a table for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. `met`: whether the target was; None where there is no target."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return {None: "", True: "met", False: "MISSED"}[self.met]


@dataclass(slots=True)
class Result:
    """What came of a case. `raw` is all figures, for later questions."""

    case: str
    title: str
    rows: list[Row] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def info(self, what: str, measured: str) -> None:
        self.rows.append(Row(what, measured))

    def at_most(self, what: str, measured: float, limit: float, unit: str, digits: int = 1) -> None:
        """A figure that should not be above a limit."""
        self.rows.append(Row(what, f"{measured:.{digits}f} {unit}", f"≤ {limit:g} {unit}", measured <= limit))

    def at_least(self, what: str, measured: float, limit: float, unit: str, digits: int = 1) -> None:
        """A figure that should not be below a limit."""
        self.rows.append(Row(what, f"{measured:.{digits}f} {unit}", f"≥ {limit:g} {unit}", measured >= limit))

    def holds(self, what: str, measured: str, target: str, met: bool) -> None:
        self.rows.append(Row(what, measured, target, met))


def show(result: Result) -> str:
    """A result as a Markdown table, which can be read as it is."""
    head = ("", "target", "measured", "verdict")
    lines = [head, *((row.what, row.target, row.measured, row.verdict) for row in result.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    written = [_line(line, widths) for line in lines]
    written.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    title = f"{result.case}: {result.title} ({result.seconds:.0f} s)"
    return "\n".join(("", title, "", *written, *(f"Note: {note}" for note in result.notes)))


def write(about: dict[str, Any], results: Sequence[Result]) -> Path:
    """Writes everything under the time and as the latest. Returns where."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({**about, "cases": [_as_json(result) for result in results]}, indent=1, ensure_ascii=False)
    file = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    for path in (file, RESULTS / "latest.json"):
        path.write_text(text + "\n")
    return file


def _as_json(result: Result) -> dict[str, Any]:
    rows = [{**asdict(row), "verdict": row.verdict} for row in result.rows]
    return {**asdict(result), "rows": rows}


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
