"""One file for each probe type, found by its name. A name that begins with an underscore is a part of one of them."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from watchkeeper.probers.base import ProberKind


@cache
def names() -> tuple[str, ...]:
    """The probe types that there are, in order. Imports none of them."""
    return tuple(
        sorted(module.name for module in iter_modules(__path__) if module.name != "base" and module.name[0] != "_")
    )


@cache
def find(name: str) -> ProberKind:
    """The prober type of a name; imports its module.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in names():
        raise KeyError(name)
    kind: ProberKind = import_module(f"{__name__}.{name}").KIND
    return kind
