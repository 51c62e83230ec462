"""Where things stand in a CEL expression: just enough of its lexical grammar to point at them.

The grammar is the CEL specification's (its section on syntax); parsing and checking are left to CEL itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[\s]+|//[^\n]*)
  | (?P<string>[bBrR]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''
        |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<float>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?))
  | (?P<uint>(?:0x[0-9a-fA-F]+|\d+)[uU])
  | (?P<int>0x[0-9a-fA-F]+|\d+)
  | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<operator>[!<>=]=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`text` as it is compiled, `at` the offset of what the user wrote."""

    kind: str
    text: str
    at: int

    def as_double(self) -> "Token":
        return replace(self, kind="float", text=f"{int(self.text, 0)}.0")

    def literal(self) -> str | None:
        """The text of a plain string literal, `None` for anything else."""
        if self.kind != "string" or self.text[0] not in "\"'" or self.text[:3] in ('"""', "'''"):
            return None
        body = self.text[1:-1]
        return None if "\\" in body else body


@dataclass(frozen=True, slots=True)
class Call:
    """A call: its name's token and the tokens of each argument. `is_method`: of a function of something, `x.f()`."""

    name: Token
    arguments: tuple[tuple[int, ...], ...]  # indices of tokens
    is_method: bool = False


class Tokens:
    """The tokens of an expression. `render` gives back its text."""

    def __init__(self, text: str) -> None:
        self.items = [Token(m.lastgroup or "other", m[0], m.start()) for m in _TOKEN.finditer(text)]

    def render(self) -> str:
        return "".join(token.text for token in self.items)

    def index_at(self, line: int, column: int) -> int | None:
        """The token at a place of the rendered text, both from 1."""
        lines = self.render().split("\n")
        if not 1 <= line <= len(lines):
            return None
        offset = sum(len(text) + 1 for text in lines[: line - 1]) + column - 1
        position = 0
        for index, token in enumerate(self.items):
            position += len(token.text)
            if offset < position:
                return index
        return None

    def depth(self) -> int:
        """How many brackets are open at once, at most."""
        opened = deepest = 0
        for token in self.items:
            if token.kind == "operator":
                opened += (token.text in "([{") - (token.text in ")]}")
                deepest = max(deepest, opened)
        return deepest

    def calls(self) -> Iterator[Call]:
        """All calls of functions that are not methods."""
        return (call for call in self.all_calls() if not call.is_method)

    def all_calls(self) -> Iterator[Call]:
        """Methods too."""
        solid = [index for index, token in enumerate(self.items) if token.kind != "space"]
        for place, index in enumerate(solid[:-1]):
            token = self.items[index]
            if token.kind == "name" and self.items[solid[place + 1]].text == "(":
                yield Call(
                    token, self._arguments(solid[place + 2 :]), self._is_method(solid[max(place - 2, 0) : place])
                )

    def _is_method(self, before: list[int]) -> bool:
        """Whether the name after these tokens is called on something: `x.f()` is, `.f()` is not."""
        if not before or self.items[before[-1]].text != ".":
            return False
        owner = self.items[before[-2]] if len(before) > 1 else None
        return owner is not None and (owner.kind != "operator" or owner.text in (")", "]", "}"))

    def _arguments(self, rest: list[int]) -> tuple[tuple[int, ...], ...]:
        arguments: list[tuple[int, ...]] = []
        current: list[int] = []
        depth = 0
        for index in rest:
            text = self.items[index].text
            if depth == 0 and text in (",", ")"):
                if current or arguments or text == ",":
                    arguments.append(tuple(current))
                current = []
                if text == ")":
                    break
                continue
            depth += (text in "([{" and self.items[index].kind == "operator") - (
                text in ")]}" and self.items[index].kind == "operator"
            )
            current.append(index)
        return tuple(arguments)
