"""The service catalogue: what is promised, to whom it belongs, what it depends on."""

from dataclasses import dataclass, field
from enum import StrEnum


class Criticality(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Objectives:
    """What is agreed for a service. `None` where nothing is."""

    availability_ppm: int | None = None
    response_ms: int | None = None
    resolution_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    id: str
    title: str
    owner: str = ""
    criticality: Criticality = Criticality.MEDIUM
    ci: str = ""
    depends_on: tuple[str, ...] = ()
    objectives: Objectives = field(default_factory=Objectives)
