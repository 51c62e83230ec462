"""Literals in a CEL expression that can be wrong: regular expressions, durations, times, time zones.

CEL itself would find that out at each evaluation. Here it is asked when the file is read, and what it says is put at
the literal's place.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from watchkeeper.config.celmistakes import Mistake, plain_error
from watchkeeper.config.celtokens import Call, Tokens

_GETTER: Final = re.compile(r"get(?:FullYear|Month|Date|Day\w+|Hours|Minutes|Seconds|Milliseconds)")


class Literals:
    """Checks literals.

    Args:
        evaluate: evaluates an expression that is made of literals. It raises RuntimeError.
    """

    def __init__(self, evaluate: Callable[[str], Any]) -> None:
        self._evaluate = evaluate

    def patterns(self, tokens: Tokens) -> tuple[dict[int, str], list[Mistake]]:
        """The regular expressions, by the index of their token, and where they are none that could be looked at."""
        found: dict[int, str] = {}
        mistakes: list[Mistake] = []
        for call in _matching(tokens):
            if (index := _only_string(tokens, call.arguments[-1])) is None:
                at = tokens.items[call.arguments[-1][0]].at if call.arguments[-1] else call.name.at
                message = "matches: a regular expression is written as one text in quotes"
                mistakes.append(Mistake(at, message))
                continue
            with suppress(RuntimeError):  # no valid text: that is told when all is compiled
                found[index] = str(self._evaluate(tokens.items[index].text))
        return found, mistakes

    def wrong(self, tokens: Tokens) -> Iterator[Mistake]:
        """Literals that CEL can not take."""
        for call in tokens.all_calls():
            if (question := _question(tokens, call)) is None:
                continue
            try:
                self._evaluate(question)
            except RuntimeError as error:
                if "<input>" not in str(error):  # no valid text: that is told when all is compiled
                    at = tokens.items[call.arguments[-1][0]].at
                    yield Mistake(at, f"is not valid: {plain_error(str(error))}")


def _matching(tokens: Tokens) -> Iterator[Call]:
    return (call for call in tokens.all_calls() if call.name.text == "matches" and call.arguments)


def _question(tokens: Tokens, call: Call) -> str | None:
    """What to ask about a call that ends with a text in quotes: an expression that is wrong if the text is."""
    index = _only_string(tokens, call.arguments[-1]) if call.arguments else None
    if index is None:
        return None
    name, text = call.name.text, tokens.items[index].text
    if name == "matches":
        return f'"".matches({text})'
    if not call.is_method and name in ("duration", "timestamp"):
        return f"{name}({text})"
    if call.is_method and _GETTER.fullmatch(name):
        return f"timestamp(0).{name}({text})"
    return None


def _only_string(tokens: Tokens, indices: tuple[int, ...]) -> int | None:
    """The index of the token, if these are one text in quotes."""
    return indices[0] if len(indices) == 1 and tokens.items[indices[0]].kind == "string" else None
