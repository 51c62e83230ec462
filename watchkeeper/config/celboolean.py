"""What a CEL expression says with `&&`, `||`, `!` and `?:`, and about what.

Only expressions that CEL has accepted are taken apart. Comparisons, calls and arithmetic stay runs of tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watchkeeper.config.celtokens import Token, Tokens

MAX_DEPTH: Final = 60

_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_RELATIONS: Final = frozenset(("==", "!=", "<", "<=", ">", ">=", "in"))


@dataclass(frozen=True, slots=True)
class Atom:
    """Something that is true or false: a comparison, a name, a call. Its tokens, without the space between them."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Formula"


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple["Formula", ...]


Formula = Atom | Not | All | Either
"""`All(())` is true, `Either(())` is false."""


class NotUnderstood(Exception):
    """The expression is built in a way that is not looked into."""


def parse(text: str) -> Formula:
    """The boolean structure of an expression.

    Raises:
        NotUnderstood: it can not be told, or is nested too deeply.
    """
    return _parse([token for token in Tokens(text).items if token.kind != "space"], 0)


def split(tokens: Sequence[Token], *separators: str) -> list[Sequence[Token]]:
    """The parts between separators that stand in no brackets.

    Raises:
        NotUnderstood: brackets do not close.
    """
    parts: list[Sequence[Token]] = []
    begin = place = 0
    while place < len(tokens):
        token = tokens[place]
        if token.kind == "operator" and token.text in _CLOSING:
            place = closing(tokens, place)
        elif token.kind != "string" and token.text in separators:
            parts.append(tokens[begin:place])
            begin = place + 1
        place += 1
    return [*parts, tokens[begin:]]


def closing(tokens: Sequence[Token], opening: int) -> int:
    """Where the bracket closes that opens at a place.

    Raises:
        NotUnderstood: nowhere.
    """
    open_brackets: list[str] = []
    for place in range(opening, len(tokens)):
        token = tokens[place]
        if token.kind != "operator":
            continue
        if token.text in _CLOSING:
            open_brackets.append(_CLOSING[token.text])
        elif token.text in (")", "]", "}"):
            if open_brackets.pop() != token.text:
                break
            if not open_brackets:
                return place
    raise NotUnderstood


def comparison(tokens: Sequence[Token]) -> tuple[Sequence[Token], str, Sequence[Token]] | None:
    """Left side, operator and right side; `None` where it is no comparison, or more than one."""
    sides = split(tokens, *_RELATIONS)
    if len(sides) != 2:
        return None
    left, right = sides
    return left, tokens[len(left)].text, right


def _parse(tokens: Sequence[Token], depth: int) -> Formula:
    if not tokens or depth > MAX_DEPTH:
        raise NotUnderstood
    condition, *branches = split(tokens, "?")
    if branches:
        rest = tokens[len(condition) + 1 :]
        yes = split(rest, ":")[0]
        first, second = _parse(yes, depth + 1), _parse(rest[len(yes) + 1 :], depth + 1)
        asked = _parse(condition, depth + 1)
        return Either((All((asked, first)), All((Not(asked), second))))
    for operator, kind in (("||", Either), ("&&", All)):
        parts = split(tokens, operator)
        if len(parts) > 1:
            return kind(tuple(_parse(part, depth + 1) for part in parts))
    if len(split(tokens, *_RELATIONS)) == 1:
        if tokens[0].text == "!":
            return Not(_parse(tokens[1:], depth + 1))
        if tokens[0].text == "(" and closing(tokens, 0) == len(tokens) - 1:
            return _parse(tokens[1:-1], depth + 1)
        if len(tokens) == 1 and tokens[0].text in ("true", "false"):
            return All(()) if tokens[0].text == "true" else Either(())
    return Atom(tuple(tokens))
