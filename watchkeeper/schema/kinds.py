"""Kinds of things, one file for each, found by the name of the file: there is no list to extend."""

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


class Broken(KeyError):
    """There is one of this name, and it can not be used. The text says why."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def names(path: Iterable[str]) -> tuple[str, ...]:
    """The kinds that a package has, in order. Imports none of them.

    Args:
        path: the package's `__path__`. Its `base.py` is no kind, and neither is a file whose name begins with an
            underscore: that is a part of one.
    """
    found = (module.name for module in iter_modules(path))
    return tuple(sorted(name for name in found if name != "base" and not name.startswith("_")))


def find(package: str, path: Iterable[str], name: str) -> Any:
    """What the module of this name has as its `KIND`; imports it.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in names(path):
        raise KeyError(name)
    return import_module(f"{package}.{name}").KIND
