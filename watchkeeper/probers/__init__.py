"""One file for each probe type, found by its name. A name that begins with an underscore is a part of one of them."""

from functools import cache

from watchkeeper.probers.base import ProberKind
from watchkeeper.schema import kinds


@cache
def names() -> tuple[str, ...]:
    """The probe types that there are, in order. Imports none of them."""
    return kinds.names(__path__)


@cache
def find(name: str) -> ProberKind:
    """The prober type of a name; imports its module.

    Raises:
        KeyError: there is none of this name.
    """
    kind: ProberKind = kinds.find(__name__, __path__, name)
    return kind
