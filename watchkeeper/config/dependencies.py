"""Whether what depends on something depends on what there is, and not on itself."""

from collections.abc import Mapping
from dataclasses import replace

from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.domain.dependencies import find_cycle
from watchkeeper.domain.probe import Probe
from watchkeeper.domain.service import Service


def find_broken_dependencies(
    services: Mapping[str, Service],
    probes: Mapping[str, Probe],
    known_probes: Mapping[str, object] | None,
    places: Mapping[str, Problem],
) -> list[Problem]:
    """Parents that do not exist, and the first cycle.

    Args:
        known_probes: all probes by their id, those with mistakes too; `None` where they are not known.
        places: where it is written what each needs, by `service ID` and `probe ID`.
    """
    problems = []
    for probe in probes.values():
        for parent in probe.parents:
            if known_probes is not None and parent not in known_probes:
                there = f"there is {listing(known_probes)}"
                message = f"there is no probe {parent!r}{suggest(parent, known_probes)}; {there}"
                problems.append(replace(places[f"probe {probe.id}"], message=message))
    cycle = find_cycle(services, probes)
    if cycle:
        steps = " needs ".join(cycle)
        # Parents sooner than services: these hold for many, and are rarely wrong.
        place = next(places[step] for step in sorted(cycle) if step in places)
        problems.append(replace(place, message=f"nothing may need itself: {steps}"))
    return problems
