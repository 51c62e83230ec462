"""What the atoms of a condition ask: how a term (a name, a call) compares with literals, and how large it can be.

Not a number is left aside: it compares with nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from watchkeeper.config.celboolean import Atom, NotUnderstood, closing, comparison, split
from watchkeeper.config.celtokens import Token
from watchkeeper.config.vocabulary import FUNCTIONS, Function, Parameter, asked
from watchkeeper.domain.probe import Status
from watchkeeper.domain.window import DURATION

Literal = float | str | bool
MostSamples = Callable[[int], int]
"""How many samples a window of so many ms holds at most."""

_EXACT: Final = 2**53  # beyond, whole numbers that differ are one number with decimals
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OF_THEIR_SERIES: Final = frozenset(("avg", "min", "max", "quantile"))


@dataclass(frozen=True, slots=True)
class Test:
    """Whether a term compares so with one of some literals. `atom` is where that stands.

    `term` is the same for the same term. `operator` is one of `== != < <= > >= in`.
    """

    atom: Atom
    subject: tuple[Token, ...]
    term: str
    operator: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what a number lies, both included. `low` above `high`: there is no answer. `why` says it in words."""

    low: float = -inf
    high: float = inf
    why: str = ""


ANYTHING: Final = Bounds()


def test_of(atom: Atom) -> Test:
    """The question that an atom asks. What is not understood is a question of its own, about nothing else."""
    tokens = atom.tokens
    if written(tokens) == "up":
        return Test(atom, tokens, "status", "==", (Status.UP.value,))
    try:
        found = _compared(atom)
    except NotUnderstood:
        found = None
    return found or Test(atom, tokens, f"{written(tokens)} is true", "==", (True,))


def written(tokens: Sequence[Token]) -> str:
    """Tokens as one text, the same for what differs in spaces and quotes only."""
    texts = [repr(text) if (text := token.literal()) is not None else token.text for token in tokens]
    return " ".join(texts)


def bounds_of(subject: Sequence[Token], most_samples: MostSamples) -> Bounds:
    """Between what a number lies."""
    words = [token.text for token in subject]
    if words in (["duration"], ["missed"]):
        return Bounds(0, why="is never below 0")
    if words[:2] == ["values", "."] and len(words) == 3:
        return _of_series(words[2])
    function = FUNCTIONS.get(subject[0].text) if subject else None
    if function is None or (arguments := arguments_of(subject)) is None:
        return ANYTHING
    if len(arguments) != len(function.parameters):
        return ANYTHING
    return _of_call(subject[0].text, function, arguments, most_samples)


def arguments_of(call: Sequence[Token]) -> list[Sequence[Token]] | None:
    """The arguments of a call that is all there is; `None` where it is none."""
    if len(call) < 3 or call[0].kind != "name" or call[1].text != "(" or closing(call, 1) != len(call) - 1:
        return None
    return split(call[2:-1], ",")


def _of_call(name: str, function: Function, arguments: list[Sequence[Token]], most_samples: MostSamples) -> Bounds:
    literals = [one[0].literal() if len(one) == 1 else None for one in arguments]
    if (reads := asked(function, literals)) is not None:
        series, span_ms = reads
        most = most_samples(span_ms)
        if Parameter.WINDOW in function.parameters and most < function.least:
            return Bounds(1, 0, f"needs {function.least} samples, and its window holds {most} at most")
        if name == "count":
            return Bounds(function.low, most, f"is {most} at most, as its window holds no more samples")
        if name == "quantile" and (q := _number(arguments[0])) is not None and not 0 <= q <= 1:
            return Bounds(1, 0, "is asked for a quantile that is not between 0 and 1")
        if name in _OF_THEIR_SERIES:
            return _of_series(series)
        if name == "sum" and _of_series(series).low >= 0:
            return Bounds(0, why="is never below 0")
    if function.high < inf:
        return Bounds(function.low, function.high, f"is {function.low:g} to {function.high:g}")
    return Bounds(function.low, why=f"is never below {function.low:g}") if function.low > -inf else ANYTHING


def _of_series(name: str) -> Bounds:
    """Probers name their values after what they are."""
    if name.endswith("_percent"):
        return Bounds(0, 100, "is 0 to 100")
    if name == DURATION or name.endswith("_bytes"):
        return Bounds(0, why="is never below 0")
    return ANYTHING


def _compared(atom: Atom) -> Test | None:
    sides = comparison(atom.tokens)
    if sides is None:
        return None
    left, operator, right = sides
    if operator == "in":
        literals = _list(right)
    elif (literal := _literal(right)) is not None:
        literals = (literal,)
    elif (literal := _literal(left)) is not None:
        left, operator, literals = right, _MIRRORED[operator], (literal,)
    else:
        return None
    if literals is None or not left or _literal(left) is not None:
        return None
    kinds = {type(one) for one in literals}
    if len(kinds) > 1 or (operator not in ("==", "!=", "in") and kinds != {float}):
        return None
    term = written(left)
    if kinds == {bool}:
        return _truth(atom, tuple(left), operator, literals)
    # Texts and numbers are never the same term: what may be either is looked at as two.
    kind = "" if term == "status" or kinds == {float} else " as text"
    return Test(atom, tuple(left), term + kind, operator, literals)


def _truth(atom: Atom, subject: tuple[Token, ...], operator: str, literals: tuple[Literal, ...]) -> Test | None:
    """`up == false` asks the same as `!up`."""
    if operator == "in":
        return None
    is_wanted = literals[0] is (operator == "==")
    if written(subject) == "up":
        return Test(atom, subject, "status", "==" if is_wanted else "!=", (Status.UP.value,))
    return Test(atom, subject, f"{written(subject)} is true", "==", (is_wanted,))


def _list(tokens: Sequence[Token]) -> tuple[Literal, ...] | None:
    if not tokens or tokens[0].text != "[" or closing(tokens, 0) != len(tokens) - 1:
        return None
    inner = tokens[1:-1]
    found = [_literal(part) for part in split(inner, ",") if part] if inner else []
    literals = tuple(one for one in found if one is not None)
    return literals if len(literals) == len(found) else None


def _literal(tokens: Sequence[Token]) -> Literal | None:
    if len(tokens) == 1:
        if (text := tokens[0].literal()) is not None:
            return text
        if tokens[0].text in ("true", "false") and tokens[0].kind == "name":
            return tokens[0].text == "true"
    return _number(tokens)


def _number(tokens: Sequence[Token]) -> float | None:
    """The value of a number, or of a product of numbers such as `4 * 86400`."""
    value = 1.0
    for factor in split(tokens, "*"):
        is_negative = len(factor) == 2 and factor[0].text == "-"
        digits = factor[-1] if len(factor) == 1 or is_negative else None
        if digits is None or digits.kind not in ("int", "float"):
            return None
        value *= (-1 if is_negative else 1) * (int(digits.text, 0) if digits.kind == "int" else float(digits.text))
    return value if abs(value) < _EXACT else None
