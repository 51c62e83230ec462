"""Encoded queries. What is wrong in one is dropped without a word, and the rest of it is run."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OPERATORS = (
    *("NOT IN", "NOT LIKE", "DOES NOT CONTAIN", "CONTAINS", "STARTSWITH", "ENDSWITH", "ISNOTEMPTY", "ISEMPTY"),
    *("LIKE", "IN", "!=", ">=", "<=", "=", ">", "<"),
)
CONDITION = re.compile(rf"([A-Za-z0-9_.]+?)({'|'.join(OPERATORS)})(.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    path: str
    operator: str
    value: str


@dataclass(frozen=True)
class Query:
    """`any_of` these, where each is all of its groups, where each is one of its conditions."""

    any_of: Sequence[Sequence[Sequence[Condition]]]
    order: Sequence[tuple[str, bool]]
    """Path, and whether it descends; the first counts most."""

    invalid: Sequence[str]
    """The parts that were dropped."""


@dataclass(frozen=True)
class Cell:
    """A value as conditions see it."""

    value: str
    display: str
    type: str


def parse(encoded: str, known: Callable[[str], bool]) -> Query:
    """`known`: whether there is a field at this path. There is no way to write a ^ that separates nothing."""
    any_of: list[list[list[Condition]]] = [[]]
    order: list[tuple[str, bool]] = []
    invalid: list[str] = []
    for part in filter(None, encoded.split("^")):
        if part.startswith("ORDERBY"):
            descends = part.startswith("ORDERBYDESC")
            path = part.removeprefix("ORDERBYDESC") if descends else part.removeprefix("ORDERBY")
            if known(path):
                order.append((path, descends))
            continue
        if part == "EQ":
            continue
        alternative, begins = part.startswith("OR"), part.startswith("NQ")
        if begins:
            any_of.append([])
        condition = _condition(part[2:] if alternative or begins else part, known)
        if condition is None:
            invalid.append(part)
        elif alternative and any_of[-1]:
            any_of[-1][-1].append(condition)
        else:
            any_of[-1].append([condition])
    return Query(any_of, order, invalid)


def _condition(part: str, known: Callable[[str], bool]) -> Condition | None:
    found = CONDITION.fullmatch(part)
    return Condition(*found.groups()) if found and known(found[1]) else None


def matches(query: Query, cell: Callable[[str], Cell], *, ignore_case: bool) -> bool:
    """Whether a row is one of those that a query asks for. `cell`: the row's value at a path."""
    return any(
        all(any(_holds(condition, cell(condition.path), ignore_case) for condition in group) for group in groups)
        for groups in query.any_of
    )


def _holds(condition: Condition, cell: Cell, ignore_case: bool) -> bool:
    def fold(text: str) -> str:
        return text.lower() if ignore_case else text

    value, wanted = fold(cell.value), fold(condition.value)
    shown = fold(cell.display) if cell.type == "reference" else value
    match condition.operator:
        case "=":
            return value == wanted
        case "!=":
            return value != wanted
        case "IN":
            return value in wanted.split(",")
        case "NOT IN":
            return value not in wanted.split(",")
        case "LIKE" | "CONTAINS":
            return wanted in shown
        case "NOT LIKE" | "DOES NOT CONTAIN":
            return wanted not in shown
        case "STARTSWITH":
            return shown.startswith(wanted)
        case "ENDSWITH":
            return shown.endswith(wanted)
        case "ISEMPTY":
            return value == ""
        case "ISNOTEMPTY":
            return value != ""
    return _compares(condition.operator, cell.type, value, wanted)


def _compares(operator: str, kind: str, value: str, wanted: str) -> bool:
    """Nothing is before or after an empty value; times of UTC compare as text."""
    if not value or not wanted:
        return False
    if kind == "integer":
        try:
            order = int(value) - int(wanted)
        except ValueError:
            return False
    else:
        order = (value > wanted) - (value < wanted)
    return {">": order > 0, "<": order < 0, ">=": order >= 0, "<=": order <= 0}[operator]
