"""What is wrong with a CEL expression, in words, at the character of it.

CEL's own messages name its types and its place in the text that was compiled; people wrote another one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Final

from watchkeeper.config.celnumbers import NO_OVERLOAD
from watchkeeper.config.celtokens import Tokens
from watchkeeper.config.problems import listing, suggest
from watchkeeper.config.vocabulary import FUNCTIONS, Name
from watchkeeper.domain.probe import Status

_UNDECLARED = re.compile(r"undeclared reference to '(.+?)'")
WORDS: Final = {
    "double": "number",
    "int": "whole number",
    "uint": "whole number",
    "string": "text",
    "bool": "true/false",
    "google.protobuf.Timestamp": "time",
    "google.protobuf.Duration": "duration",
}
_PLAIN: Final = {
    "divide by zero": "a division by zero",
    "modulus by zero": "a division by zero",
    "integer overflow": "a whole number becomes too large",
    "Iteration budget exceeded": "it loops too often",
    "Invalid timezone": 'there is no such time zone: accepted are names such as "Europe/Berlin" and "+01:00"',
    "String to Duration conversion failed": 'a duration is written as "90s", "15m" or "1h30m"',
    "String to Timestamp conversion failed": 'a time is written as "2026-01-31T12:00:00Z"',
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with an expression, at which character of it."""

    offset: int
    message: str


class ExpressionError(Exception):
    """An expression that can not be compiled."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(mistake.message for mistake in mistakes))


class Explainer:
    """Puts CEL's compile-time errors into words, for the expressions of one prober.

    Args:
        names: those that an expression may use.
    """

    def __init__(self, prober: str, names: Mapping[str, Name]) -> None:
        self._prober = prober
        self._names = names

    def explain(self, tokens: Tokens, line: str, column: str, said: str) -> Mistake:
        """The mistake that CEL names at a line and column, both from 1, of what was compiled."""
        index = tokens.index_at(int(line), int(column))
        if index is None:
            end = tokens.items[-1].at + len(tokens.items[-1].text) if tokens.items else 0
            at = end if int(line) > 0 else 0
        else:
            if tokens.items[index].text == "." and index + 1 < len(tokens.items):
                index += 1
            elif tokens.items[index].text == "(" and index and tokens.items[index - 1].kind == "name":
                index -= 1
            at = tokens.items[index].at
        if undeclared := _UNDECLARED.search(said):
            return Mistake(at, self.undeclared(undeclared[1]))
        if overload := NO_OVERLOAD.search(said):
            operator = overload[1].strip("_@").replace("?_:", "? :")
            kinds = " and ".join(WORDS.get(kind, kind) for kind in overload[2].split(", "))
            mixed = {"double", "int"} == set(overload[2].split(", "))
            hint = ": write double(…) around the whole number" if mixed else ""
            return Mistake(at, f"{operator!r} can not be applied to {kinds}{hint}")
        if "recursion" in said:
            return general_mistake(said)
        if said.startswith("Syntax error"):
            said = re.sub(r" expecting \{.*\}$", "", said.split("\n", maxsplit=1)[0]).replace("Syntax error: ", "")
            return Mistake(at, f"is not valid: {said.replace('<EOF>', 'end of the expression')}")
        return Mistake(at, f"is not valid: {said.splitlines()[0]}")

    def undeclared(self, name: str) -> str:
        """What there is instead of a name that there is not."""
        group, dot, rest = name.partition(".")
        if not dot and name in ("values", "facts", "probe", "service"):
            return f"name what you ask of {name}: {listing(n for n in self._names if n.startswith(name + '.'))}"
        if dot and group in ("values", "facts"):
            known = [n.partition(".")[2] for n in self._names if n.startswith(group + ".")]
            has = f"it has {listing(known)}" if known else "it has none"
            what = group.rstrip("s")
            return f"the {self._prober} prober produces no {what} {rest!r}{suggest(rest, known)}: {has}"
        if (function := FUNCTIONS.get(name)) is not None:
            return f"{name} is a function: {function.signature(name)}"
        known = [*self._names, *FUNCTIONS]
        return f"there is no {name!r} here{suggest(name, known)}: there is {listing(known, 40)}"


def asks_for_unknown(tokens: Tokens) -> Iterator[Mistake]:
    """Where the status is compared with what a rule never sees."""
    solid = [token for token in tokens.items if token.kind != "space"]
    message = 'can not be: a sample that is unknown is not judged, so that a rule sees "up" or "down" only'
    for at, token in enumerate(solid):
        if token.text != "status" or (at and solid[at - 1].text == "."):
            continue
        compared = solid[at - 2 : at - 1] if at >= 2 and solid[at - 1].text in ("==", "!=") else []
        operator = solid[at + 1].text if at + 1 < len(solid) else ""
        if operator in ("==", "!="):
            compared += solid[at + 2 : at + 3]
        elif operator == "in":
            compared += takewhile(lambda one: one.text != "]", solid[at + 2 :])
        yield from (Mistake(one.at, message) for one in compared if one.literal() == Status.UNKNOWN)


def divides_by_zero(tokens: Tokens) -> Iterator[Mistake]:
    """Where something is divided by a zero that stands there."""
    solid = [token for token in tokens.items if token.kind != "space"]
    for operator, by in pairwise(solid):
        divides = operator.kind == "operator" and operator.text in "/%"
        if divides and by.kind in ("int", "uint", "float") and not by.text.strip("0xX.uUeE+-"):
            yield Mistake(by.at, "divides by zero")


def general_mistake(said: str) -> Mistake:
    """A mistake without a place."""
    if "recursion" in said:
        return Mistake(0, "is nested too deeply")
    return Mistake(0, f"is not valid: {said.splitlines()[0]}")


def plain_error(said: str) -> str:
    """CEL's run-time error in plain words."""
    text = re.sub(r"^[A-Z_]+: | \[[A-Z_]+\]$", "", said.strip("'\""))
    if missing := re.search(r'No value with name "(.+?)" found', text):
        return f"the sample has no {missing[1]}"
    if missing := re.fullmatch(r'Key not found in map : "?(.*?)"?', text):
        return f"there is no label or entry {missing[1]!r}"
    return _PLAIN.get(text, text)
