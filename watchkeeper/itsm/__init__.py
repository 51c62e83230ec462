"""One file for each ticket system, found by its name. A name that begins with an underscore is a part of one."""

from functools import cache

from watchkeeper.itsm.base import BackendKind
from watchkeeper.schema import kinds


@cache
def names() -> tuple[str, ...]:
    """The backend types that there are, in order. Imports none of them."""
    return kinds.names(__path__)


@cache
def find(name: str) -> BackendKind:
    """The backend type of a name; imports its module.

    Raises:
        KeyError: there is none of this name.
    """
    kind: BackendKind = kinds.find(__name__, __path__, name)
    return kind
