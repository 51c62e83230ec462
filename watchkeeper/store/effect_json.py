"""Effects as JSON values and back, exactly. Made from the types of their fields: a new effect needs nothing here."""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

from watchkeeper.domain.effect import Effect

_SCALARS = (str, int, float, bool, NoneType)


class Codec(NamedTuple):
    """`read` raises ValueError for what `write` would not have made."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def to_json(effect: Effect) -> Any:
    """An effect as a JSON value."""
    return codec(Effect).write(effect)


def from_json(value: Any) -> Effect:
    """The effect of a JSON value.

    Raises:
        ValueError: it is none.
    """
    return cast(Effect, codec(Effect).read(value))


@cache
def codec(kind: Any) -> Codec:
    """How values of a type are written and read.

    Raises:
        TypeError: of a type that is not known here.
    """
    origin = get_origin(kind)
    if origin in {Union, UnionType}:
        return _of_union(get_args(kind))
    if origin in {tuple, frozenset}:
        return _of_collection(origin, kind)
    if kind in _SCALARS:
        return _of_scalar(kind)
    if not isinstance(kind, type) or origin is not None:
        raise TypeError(f"a field of type {kind!r} can not be written as JSON")
    if issubclass(kind, Enum):
        return Codec(lambda member: member.value, kind)
    if is_dataclass(kind):
        return _of_dataclass(kind)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _of_named_tuple(kind)
    raise TypeError(f"a field of type {kind!r} can not be written as JSON")


def _of_scalar(kind: type) -> Codec:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{kind.__name__} expected, not {value!r:.60}")
        return value

    return Codec(lambda value: value, read)


def _of_collection(origin: Any, kind: Any) -> Codec:
    item = codec(get_args(kind)[0])
    if origin is tuple and get_args(kind)[1:] != (...,):
        raise TypeError(f"a field of type {kind!r} can not be written as JSON")

    def write(value: Any) -> list[Any]:
        written = [item.write(one) for one in value]
        return sorted(written) if origin is frozenset else written

    def read(value: Any) -> Any:
        return origin(item.read(one) for one in _list(value))

    return Codec(write, read)


def _of_named_tuple(kind: Any) -> Codec:
    hints = get_type_hints(kind)
    items = [codec(hints[name]) for name in kind._fields]

    def write(value: Any) -> list[Any]:
        return [item.write(one) for item, one in zip(items, value, strict=True)]

    def read(value: Any) -> Any:
        return kind(*(item.read(one) for item, one in zip(items, _list(value), strict=True)))

    return Codec(write, read)


def _of_dataclass(kind: Any) -> Codec:
    hints = get_type_hints(kind)
    parts = {field.name: codec(hints[field.name]) for field in fields(kind)}
    # What a version before this one did not know yet.
    optional = {field.name for field in fields(kind) if field.default is not MISSING}

    def write(value: Any) -> dict[str, Any]:
        return {name: part.write(getattr(value, name)) for name, part in parts.items()}

    def read(value: Any) -> Any:
        found = _object(value)
        if not (parts.keys() - optional) <= found.keys() <= parts.keys():
            raise ValueError(f"{kind.__name__} has other fields than {', '.join(found)}")
        return kind(**{name: parts[name].read(one) for name, one in found.items()})

    return Codec(write, read)


def _of_union(kinds: tuple[Any, ...]) -> Codec:
    """Of several dataclasses, each written under its name; or of something and None."""
    if NoneType in kinds:
        some = codec(Union[tuple(kind for kind in kinds if kind is not NoneType)])  # noqa: UP007  # made here
        return Codec(
            lambda value: None if value is None else some.write(value),
            lambda value: None if value is None else some.read(value),
        )
    named = {kind.__name__: codec(kind) for kind in kinds if isinstance(kind, type) and is_dataclass(kind)}
    if len(named) != len(kinds):
        raise TypeError(f"one of {kinds!r} can not be told from the others in JSON")

    def write(value: Any) -> dict[str, Any]:
        name = type(value).__name__
        return {name: named[name].write(value)}

    def read(value: Any) -> Any:
        [(name, content)] = _object(value).items()
        if name not in named:
            raise ValueError(f"{name:.60} is not known: expected is one of {', '.join(named)}")
        return named[name].read(content)

    return Codec(write, read)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list is expected, not {value!r:.60}")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"an object is expected, not {value!r:.60}")
    return value
