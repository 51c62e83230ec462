"""What a window is about, as far as availability goes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from watchkeeper.domain.expected import Selection
from watchkeeper.domain.probe import Probe
from watchkeeper.domain.service import Service

_OF_SERVICE: Final[Mapping[str, Callable[[Service], str]]] = {
    "service": lambda service: service.id,
    "ci": lambda service: service.ci,
}
_OF_PROBE: Final[Mapping[str, Callable[[Probe], str]]] = {
    "probe": lambda probe: probe.id,
    "category": lambda probe: probe.category.value,
    "prober": lambda probe: probe.prober,
}
_OF_ALERT: Final = ("rule", "severity")


@dataclass(frozen=True, slots=True)
class Concerned:
    """`services`: those that it is about as a whole. `probes`: those of other services."""

    services: frozenset[str] = frozenset()
    probes: frozenset[str] = frozenset()


def concerned(selection: Selection, services: Iterable[Service], probes: Iterable[Probe]) -> Concerned:
    """What a selection means. One that asks for a rule or a severity means some alerts only, and none of them."""
    if any(matcher.name in _OF_ALERT for matcher in selection.matchers):
        return Concerned()
    known = {service.id: service for service in services}
    of_service = [matcher for matcher in selection.matchers if matcher.name in _OF_SERVICE]
    of_probe = [matcher for matcher in selection.matchers if matcher.name not in _OF_SERVICE]
    is_any = not (selection.services or selection.cis or selection.probes)
    agreeing = {
        service.id
        for service in known.values()
        if all(matcher.takes(_OF_SERVICE[matcher.name](service)) for matcher in of_service)
    }
    named = {
        name
        for name in agreeing
        if is_any or name in selection.services or (known[name].ci and known[name].ci in selection.cis)
    }
    whole = frozenset(named) if not of_probe else frozenset()
    taken = (
        probe.id
        for probe in probes
        if probe.service in agreeing
        and probe.service not in whole
        and (probe.service in named or any(fnmatchcase(probe.id, pattern) for pattern in selection.probes))
        and all(matcher.takes(_label(probe, matcher.name)) for matcher in of_probe)
    )
    return Concerned(whole, frozenset(taken))


def _label(probe: Probe, name: str) -> str:
    own = _OF_PROBE.get(name)
    return probe.labels.get(name, "") if own is None else own(probe)
