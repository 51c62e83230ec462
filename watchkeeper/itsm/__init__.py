"""One file for each ticket system, found by its name. A name that begins with an underscore is a part of one."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from watchkeeper.itsm.base import BackendKind


@cache
def names() -> tuple[str, ...]:
    """The backend types that there are, in order. Imports none of them."""
    return tuple(
        sorted(module.name for module in iter_modules(__path__) if module.name != "base" and module.name[0] != "_")
    )


@cache
def find(name: str) -> BackendKind:
    """The backend type of a name; imports its module.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in names():
        raise KeyError(name)
    kind: BackendKind = import_module(f"{__name__}.{name}").KIND
    return kind
