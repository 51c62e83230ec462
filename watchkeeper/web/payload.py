"""What is sent by others, read with care: it may be anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from watchkeeper.domain.report import Report, cleaned
from watchkeeper.domain.rule import Named

MOST_NAMES: Final = 50  # labels, annotations
MOST_VALUE: Final = 500  # characters of the value of a label
_MOST_MISTAKES: Final = 5

M = TypeVar("M", bound=BaseModel)


class Unreadable(Exception):
    """It is not what was expected. The text says where, and what is accepted."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The reports of a request. `left_out`: how many more its sender has not sent."""

    reports: Sequence[Report]
    left_out: int = 0


def read_json(model: type[M], body: bytes) -> M:
    """The model of a JSON object.

    Raises:
        Unreadable: it is none. The text names the first fields that are wrong.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Unreadable(_words(error)) from None


def read_json_list(model: type[M], body: bytes) -> list[M]:
    """The models of a JSON list of objects, or of one object.

    Raises:
        Unreadable: it is neither.
    """
    if body.lstrip()[:1] != b"[":
        return [read_json(model, body)]
    try:
        return TypeAdapter(list[model]).validate_json(body)  # type: ignore[valid-type]  # made here
    except ValidationError as error:
        raise Unreadable(_words(error)) from None


def bounded_names(found: Mapping[str, str]) -> tuple[Named, ...]:
    """Labels or annotations in the order of their names, as many and as long as is kept."""
    named = sorted((cleaned(name, 100), cleaned(text, MOST_VALUE)) for name, text in found.items())
    return tuple(Named(*pair) for pair in dict(named).items())[:MOST_NAMES]


def _words(error: ValidationError) -> str:
    mistakes = error.errors(include_url=False, include_context=True, include_input=False)
    lines = []
    for mistake in mistakes[:_MOST_MISTAKES]:
        where = _path(mistake["loc"])
        said = mistake["msg"].removeprefix("Value error, ")
        what = said[:1].lower() + said[1:]
        if mistake["type"] == "json_invalid":
            what = f"this is not JSON: {mistake.get('ctx', {}).get('error', what)}"
        elif mistake["type"] == "extra_forbidden":
            what = "there is no such field"
        lines.append(f"{where}: {what}" if where else what)
    if len(mistakes) > _MOST_MISTAKES:
        lines.append(f"and {len(mistakes) - _MOST_MISTAKES} more mistakes")
    return "\n".join(cleaned(line, 500) for line in lines)


def _path(place: Sequence[str | int]) -> str:
    """`[3].labels.severity`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")
