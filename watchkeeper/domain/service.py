"""The service catalogue: what is promised, to whom it belongs, what it depends on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from watchkeeper.domain.calendar import Calendar, always
from watchkeeper.domain.condition import AvailabilityPolicy
from watchkeeper.domain.period import MONTH, Period

USUAL_HOURS: Final = always()
ANY_DOWN: Final = AvailabilityPolicy()


class Criticality(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Objectives:
    """What is agreed for a service. `None` where nothing is. `availability_over`: the periods it is agreed for."""

    availability_ppm: int | None = None
    response_ms: int | None = None
    resolution_ms: int | None = None
    availability_over: tuple[Period, ...] = (MONTH,)


@dataclass(frozen=True, slots=True)
class Service:
    """`hours`: when it is promised to work. `availability`: how that is measured."""

    id: str
    title: str
    owner: str = ""
    criticality: Criticality = Criticality.MEDIUM
    ci: str = ""
    depends_on: tuple[str, ...] = ()
    objectives: Objectives = field(default_factory=Objectives)
    hours: Calendar = USUAL_HOURS
    availability: AvailabilityPolicy = ANY_DOWN


def needed_by(services: Iterable[Service]) -> dict[str, list[str]]:
    """The ids of the services that depend on each, where any do."""
    found: dict[str, list[str]] = {}
    for service in services:
        for other in service.depends_on:
            found.setdefault(other, []).append(service.id)
    return found


def dependants(service_id: str, needed: Mapping[str, Iterable[str]], most: int) -> list[str]:
    """The ids of the services that can not work without one, directly or not: the nearest first, at most so many."""
    found = [service_id]
    for one in found:  # grows while it is gone through
        for other in needed.get(one, ()):
            if other not in found:
                found.append(other)
            if len(found) > most:
                return found[1:]
    return found[1:]
