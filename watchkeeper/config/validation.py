"""Data against a model, with errors in plain words that point into the file."""

import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from watchkeeper.config.document import Document, Path_
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.schema.base import Model

M = TypeVar("M", bound=Model)

_SHAPES = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping (key: value)",
    "mapping_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "model_attributes_type": "must be a mapping (key: value)",
    "too_short": "must have at least one entry",
}


def validate(
    model: type[M],
    data: object,
    document: Document,
    path: Path_ = (),
    *,
    known: Iterable[str] = (),
    problems: list[Problem],
) -> M | None:
    """The model of some data of a document, or `None` with its problems added to the list.

    Args:
        path: where in the document the data stands.
        known: keys that are accepted beside the model's own, for suggestions.
    """
    try:
        return model.model_validate(data, context={"base": document.path.parent})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        problems.extend(_problem(model, detail, document, path, tuple(known)) for detail in details)
        return None


def right_part(model: type[Model], data: object, document: Document, **stand_ins: Any) -> dict[str, Any]:
    """Of a mapping whose problems are known, the keys that are right: what can be read on with.

    Args:
        stand_ins: values of required keys, for where the mapping's own is wrong.
    """
    right = dict(stand_ins)
    for key, value in data.items() if isinstance(data, dict) else ():
        try:
            model.model_validate({**right, key: value}, context={"base": document.path.parent})
        except ValidationError:
            continue
        right[key] = value
    return right


def validate_right(model: type[M], data: object, document: Document, **stand_ins: Any) -> M:
    """The model of the right part."""
    right = right_part(model, data, document, **stand_ins)
    return model.model_validate(right, context={"base": document.path.parent})


def _problem(
    model: type[Model], detail: ErrorDetails, document: Document, path: Path_, known: tuple[str, ...]
) -> Problem:
    # In brackets stand notes about the place: that it is a key, or which of several shapes was tried.
    place = tuple(step for step in detail["loc"] if not (isinstance(step, str) and step.startswith("[")))
    kind = detail["type"]
    about_key = kind == "extra_forbidden" or "[key]" in detail["loc"]
    return document.problem((*path, *place), _message(model, detail, place, known), key=about_key)


def _message(model: type[Model], detail: ErrorDetails, place: Path_, known: tuple[str, ...]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        owner = _model_at(model, place[:-1])
        keys = [*_keys(owner), *(known if owner is model else ())] if owner else list(known)
        return f"unknown key{suggest(place[-1], keys)}; accepted: {listing(sorted(keys), 40)}"
    if kind == "missing":
        return "is required and not set"
    if kind in ("enum", "literal_error"):
        accepted = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return (
            f"{detail['input']!r} is not accepted{suggest(detail['input'], accepted.split(', '))}: one of {accepted}"
        )
    if kind == "string_pattern_mismatch":
        return f"{detail['input']!r} is not accepted: it must match {context['pattern']}"
    if kind == "value_error":
        return str(context["error"])
    return _SHAPES.get(kind, detail["msg"][:1].lower() + detail["msg"][1:])


def _keys(model: type[Model]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(annotation: Any, place: Path_) -> type[Model] | None:
    """The model whose mapping stands at a path under a type."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        if not place:
            return annotation
        for name, field in annotation.model_fields.items():
            if (field.alias or name) == place[0]:
                return _model_at(field.annotation, place[1:])
        return None
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _model_at(typing.get_args(annotation)[0], place)
    if origin in (typing.Union, types.UnionType):
        # Pydantic names the branch of a union in the path of an error: it is no key of the file.
        for rest in (place, place[1:]):
            for branch in typing.get_args(annotation):
                if (found := _model_at(branch, rest)) is not None:
                    return found
        return None
    if isinstance(origin, type) and place:  # of a Literal it is none, and nothing stands under one
        inner = typing.get_args(annotation)[-1 if issubclass(origin, Mapping) else 0]
        return _model_at(inner, place[1:])
    return None
