"""What a condition asks about, piece by piece, and what each piece is at a moment: why a rule fired."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from watchkeeper.config.celtokens import Call, Token, Tokens
from watchkeeper.config.vocabulary import FUNCTIONS, Kind, Name, Parameter
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.units import format_number, format_time

_MOST_TERMS: Final = 20
_MOST_TEXT: Final = 100
_MOST_WRITTEN: Final = 200


@dataclass(frozen=True, slots=True)
class Term:
    """A name or a call of a function, as it is written."""

    written: str
    get: Callable[[Scope], Any]

    def value(self, scope: Scope) -> str:
        """What it is now, for people; `?` where there is no answer."""
        try:
            return shown(self.get(scope))
        except Exception:  # noqa: BLE001  # what explains a ticket must not cost it
            return "?"


def terms_of(tokens: Tokens, names: Mapping[str, Name]) -> Iterator[Term]:
    """The names and calls of an expression, each once, in their order, up to a bound.

    Calls whose arguments are not plain literals are left out; the names in them are not.
    """
    found: dict[str, Term] = {}
    calls = {call.name.at: call for call in tokens.calls() if call.name.text in FUNCTIONS}
    solid = [token for token in tokens.items if token.kind != "space"]
    for place, token in enumerate(solid):
        if len(found) == _MOST_TERMS:
            break
        if token.kind != "name" or (place and solid[place - 1].text == "."):
            continue
        if (call := calls.get(token.at)) is not None:
            term = _of_call(tokens, call)
        else:
            term = _of_name(_path(solid[place : place + 4]), names)
        if term is not None:
            found.setdefault(term.written, term)
    yield from found.values()


def _path(tokens: Sequence[Token]) -> list[str]:
    """The one or two parts of a name that begins here. What is called is no part of it."""
    texts = [token.text for token in tokens]
    has_two = len(texts) > 2 and texts[1] == "." and tokens[2].kind == "name" and texts[3:] != ["("]
    return [texts[0], texts[2]] if has_two else texts[:1]


def _of_call(tokens: Tokens, call: Call) -> Term | None:
    function = FUNCTIONS[call.name.text]
    arguments: list[str | float] = []
    for parameter, indices in zip(function.parameters, call.arguments, strict=False):
        text = "".join(tokens.items[index].text for index in indices)
        literal = tokens.items[indices[0]].literal() if len(indices) == 1 else None
        if parameter is not Parameter.NUMBER and literal is not None:
            arguments.append(literal)
        elif parameter is Parameter.NUMBER and (number := _number(text)) is not None:
            arguments.append(number)
        else:
            return None
    if len(arguments) != len(function.parameters):
        return None
    written = ", ".join(f'"{one}"' if isinstance(one, str) else format_number(one) for one in arguments)
    return Term(f"{call.name.text}({written})"[:_MOST_WRITTEN], lambda scope: function.call(scope, *arguments))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _of_name(path: list[str], names: Mapping[str, Name]) -> Term | None:
    root, whole = path[0], ".".join(path)
    if whole in names:
        return None if names[whole].kind is Kind.LABELS else Term(whole, names[whole].get)
    if root not in names:
        return None
    if names[root].kind is not Kind.LABELS:
        return Term(root, names[root].get)
    return Term(whole, lambda scope: scope.probe.labels.get(path[-1])) if len(path) > 1 else None


def shown(value: Any) -> str:
    """A value for people."""
    if value is None:
        return "?"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return format_number(float(value))
    if isinstance(value, datetime):
        return format_time(round(value.timestamp() * 1000))
    text = " ".join(str(value)[: 2 * _MOST_TEXT].split())
    return f'"{text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"}"'
