"""Regular expressions in RE2's syntax, which take time in proportion to the text, whatever they are."""

import re
from collections.abc import Callable
from typing import Any, Final

from cel_expr_python import cel

from watchkeeper.config.cellimits import MOST_WEIGHT, weight
from watchkeeper.config.celmistakes import plain_error

_UNENCODABLE: Final = re.compile("[\ud800-\udfff]")


class PatternError(Exception):
    """No regular expression that could be used. Its text says why."""


def compile_pattern(text: str) -> Callable[[str], bool]:
    """Whether a text holds what a pattern describes. It is `matches` of rules.

    Raises:
        PatternError: it is not valid, or too large.
    """
    if _UNENCODABLE.search(text):
        raise PatternError("holds half of a surrogate pair, which is no character")
    if weight(text) > MOST_WEIGHT:
        raise PatternError(f"is too large: at most {MOST_WEIGHT} characters, where x{{9}} counts as nine")
    expression: Any = _ENVIRONMENT.compile(f"text.matches({_quoted(text)})")
    answer = expression.eval(data={"text": ""})
    if answer.type() == cel.Type.ERROR:
        raise PatternError(f"is not valid: {plain_error(str(answer.value()))}")

    def holds(said: str) -> bool:
        return bool(expression.eval(data={"text": _UNENCODABLE.sub("\ufffd", said)}).value() is True)

    return holds


_ENVIRONMENT: Any = cel.NewEnv(variables={"text": cel.Type.STRING})


def _quoted(text: str) -> str:
    """A text as a literal of CEL."""
    plain = (
        character if character.isascii() and character.isalnum() else f"\\U{ord(character):08x}" for character in text
    )
    return f'"{"".join(plain)}"'
