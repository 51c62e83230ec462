"""What is planned, as the configuration has it, and where it is read from."""

from dataclasses import dataclass, field
from pathlib import Path

from watchkeeper.config.document import Path_
from watchkeeper.domain.expected import Because, Selection
from watchkeeper.domain.maintenance import Maintenance
from watchkeeper.schema.fields import Secret


@dataclass(frozen=True, slots=True)
class Calendar:
    """An iCalendar file or URL. `name`: what the source is called, alone among all. `id`, `title`: of maintenance;
    changes have those of their events. `summary`: a glob that the events' titles must be like. `stands`: where in the
    daemon's file."""

    because: Because
    name: str
    id: str
    place: str | Secret
    timezone: str
    summary: str
    selection: Selection
    stands: Path_ = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class ChangeFile:
    """A YAML file of changes. `services`: those that there are."""

    name: str
    path: Path
    services: frozenset[str]


@dataclass(frozen=True, slots=True)
class ChangeBackend:
    """A ticket backend whose changes are read, by its name: so the source is called too. `every_ms`: how often."""

    backend: str
    every_ms: int = 120_000


@dataclass(frozen=True, slots=True)
class Planned:
    """What is planned, and where it is read from."""

    maintenance: tuple[Maintenance, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    change_files: tuple[ChangeFile, ...] = ()
    change_backends: tuple[ChangeBackend, ...] = ()
