"""What can not work without what: services by what they depend on, probes by what lies on the way to their target."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from watchkeeper.domain.probe import Probe
from watchkeeper.domain.service import Service

_NONE: Final[frozenset[str]] = frozenset()


class Dependencies:
    """The whole graph, which must be free of cycles; see `find_cycle`. What is upstream of something is what it can
    not work without, directly or not; what is downstream is the other way round."""

    def __init__(self, services: Iterable[Service], probes: Iterable[Probe]) -> None:
        self._above_service = _closure({one.id: one.depends_on for one in services if one.depends_on})
        self._below_service = _reversed(self._above_service)
        self._above_probe = _closure({one.id: one.parents for one in probes if one.parents})
        self._below_probe = _reversed(self._above_probe)

    def services_above(self, service_id: str) -> frozenset[str]:
        """The services upstream of one."""
        return self._above_service.get(service_id, _NONE)

    def services_below(self, service_id: str) -> frozenset[str]:
        """The services downstream of one."""
        return self._below_service.get(service_id, _NONE)

    def probes_above(self, probe_id: str) -> frozenset[str]:
        """The probes upstream of one."""
        return self._above_probe.get(probe_id, _NONE)

    def probes_below(self, probe_id: str) -> frozenset[str]:
        """The probes downstream of one."""
        return self._below_probe.get(probe_id, _NONE)


def find_cycle(services: Mapping[str, Service], probes: Mapping[str, Probe]) -> Sequence[str]:
    """What depends on itself, step by step, and at the end what it began with; empty where nothing does.

    Services are named as `service NAME`, probes as `probe NAME`. A probe depends on its parents and on the services
    that its own depends on; a service on the services that it names, and through these on all of their probes.
    """
    probes_of: dict[str, list[str]] = {}
    for probe in probes.values():
        probes_of.setdefault(probe.service, []).append(f"probe {probe.id}")
    edges: dict[str, list[str]] = {}
    for service in services.values():
        needed = [f"service {other}" for other in service.depends_on]
        edges[f"service {service.id}"] = needed
        edges[f"all of {service.id}"] = probes_of.get(service.id, [])
    for probe in probes.values():
        needed = [f"probe {other}" for other in probe.parents]
        own = services.get(probe.service)
        above = () if own is None else own.depends_on
        edges[f"probe {probe.id}"] = [*needed, *(f"reach {other}" for other in above)]
    for service in services.values():
        onward = [f"reach {other}" for other in service.depends_on]
        edges[f"reach {service.id}"] = [f"all of {service.id}", *onward]
    return _readable(_cycle(edges))


def _readable(cycle: Sequence[str]) -> list[str]:
    """Without the steps in between that nobody wrote."""
    named = [step.replace("reach ", "service ") for step in cycle if not step.startswith("all of ")]
    if named and named[0] != named[-1]:
        named.append(named[0])
    return named


def _cycle(edges: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The first cycle that is found; without recursion, as chains may be long."""
    done: set[str] = set()
    for start in edges:
        way: list[str] = []
        on_way: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = [(start, iter((start,)))]
        while stack:
            _, following = stack[-1]
            node = next((one for one in following if one not in done), None)
            if node is None:
                stack.pop()
                if way:
                    left = way.pop()
                    on_way.discard(left)
                    done.add(left)
            elif node in on_way:
                return [*way[way.index(node) :], node]
            else:
                way.append(node)
                on_way.add(node)
                stack.append((node, iter(edges.get(node, ()))))
    return []


def _closure(above: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """All that is upstream of each, directly or not."""
    found: dict[str, frozenset[str]] = {}
    for start in above:
        reached = dict.fromkeys(above[start])
        queue = list(reached)
        for node in queue:  # grows while it is gone through
            for other in above.get(node, ()):
                if other not in reached:
                    reached[other] = None
                    queue.append(other)
        found[start] = frozenset(reached) - {start}
    return found


def _reversed(above: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    below: dict[str, set[str]] = {}
    for lower, uppers in above.items():
        for upper in uppers:
            below.setdefault(upper, set()).add(lower)
    return {upper: frozenset(lowers) for upper, lowers in below.items()}
