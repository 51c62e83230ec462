"""Whole numbers next to numbers with decimals, which CEL keeps apart and people do not."""

import re
from collections.abc import Iterable
from typing import Final

from watchkeeper.config.celtokens import Tokens

NO_OVERLOAD: Final = re.compile(r"found no matching overload for '(.+?)' applied to '\((.*)\)'")


def promote(tokens: Tokens, line: str, column: str, said: str) -> bool:
    """Turns the whole-number literal that an operator stumbled over into one with decimals."""
    overload = NO_OVERLOAD.search(said)
    index = tokens.index_at(int(line), int(column))
    if overload is None or index is None or overload[1][0] not in "_@":
        return False
    kinds = overload[2].split(", ")[-2:]
    if kinds == ["double", "list(int)"]:
        literals = _whole_numbers(tokens, range(index + 1, len(tokens.items)))
    elif kinds == ["double", "int"]:
        literals = _whole_numbers(tokens, range(index + 1, len(tokens.items)))[:1]
    elif kinds == ["int", "double"]:
        literals = _whole_numbers(tokens, range(index - 1, -1, -1))[:1]
    else:
        return False
    for literal in literals:
        tokens.items[literal] = tokens.items[literal].as_double()
    return bool(literals)


def _whole_numbers(tokens: Tokens, indices: Iterable[int]) -> list[int]:
    """The whole-number literals from an operator on, as far as its operand reaches."""
    found: list[int] = []
    depth = 0
    for index in indices:
        token = tokens.items[index]
        if token.kind == "int":
            found.append(index)
        elif token.kind == "operator":
            depth += (token.text in "([{") - (token.text in ")]}")
        if token.text in ("&&", "||") and depth == 0:
            break
    return found
