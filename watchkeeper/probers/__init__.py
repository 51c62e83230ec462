"""One file for each probe type, found by its name. A name that begins with an underscore is a part of one of them.

Probe types of others are entry points of the group `watchkeeper.probers`.
"""

from functools import cache

from watchkeeper.probers.base import ProberKind
from watchkeeper.schema import kinds


@cache
def names() -> tuple[str, ...]:
    """The probe types that there are, in order, those of others included. Imports none of watchkeeper's own."""
    own = kinds.names(__path__)
    return tuple(sorted({*own, *(name for name, kind in _others().items() if isinstance(kind, ProberKind))}))


@cache
def find(name: str) -> ProberKind:
    """The prober type of a name; imports its module.

    Raises:
        KeyError: there is none of this name.
        kinds.Broken: there is one of others, which can not be used. It is a KeyError, too.
    """
    if name in kinds.names(__path__):
        own: ProberKind = kinds.find(__name__, __path__, name)
        return own
    kind = _others()[name]
    if isinstance(kind, kinds.Broken):
        raise kind
    return kind


@cache
def _others() -> dict[str, ProberKind | kinds.Broken]:
    from watchkeeper.probers._of_others import of_others

    return of_others(kinds.names(__path__))
