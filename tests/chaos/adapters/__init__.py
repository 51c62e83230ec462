"""Ticket systems as the chaos test needs them: one module for each, found by its name.

A module has `open_desk(folder, mischief)`, which gives a `Desk` as long as it is open; `FAULTS`, what can go wrong
with its requests; and `ACTS`, what people can do that watchkeeper is to see.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol

from tests.chaos.mischief import Mischief
from tests.simulators.http import Fault
from watchkeeper.domain.ticket import TicketState


@dataclass(frozen=True, slots=True)
class Note:
    """`mark`: that of the change which wrote it, as `watchkeeper.itsm._text.mark` makes it; empty of people's."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A ticket as it really is, whatever the system tells clients.

    `links`: the refs of the tickets of the incident and of the problem that it says it is part of; `None` where
    nobody can tell.
    """

    ref: str
    key: str
    state: TicketState
    notes: tuple[Note, ...]
    assignee: str = ""
    links: tuple[str, ...] | None = None


class Act(StrEnum):
    """What a person does to a ticket."""

    ASSIGN = "assign"
    RESOLVE = "resolve"
    CANCEL = "cancel"
    CLOSE = "close"
    REOPEN = "reopen"
    COMMENT = "comment"


class Desk(Protocol):
    """An open ticket system."""

    has_wire: bool
    """Whether its requests are seen by the mischief."""

    def settings(self) -> str:
        """The backend's settings, a YAML mapping in one line."""

    def tickets(self) -> list[Found]:
        """Every ticket that there is, the oldest first."""

    def act(self, act: Act, ref: str, text: str) -> bool:
        """Does it as a person. `text`: of a comment. False where the system does not let people do that now."""

    def disturb(self, seconds: float) -> None:
        """Makes trouble for so long in the system's own way, where it is not asked by requests. Does not wait."""


class Adapter(Protocol):
    """A module of this package."""

    FAULTS: Sequence[Fault]
    ACTS: Sequence[Act]

    def open_desk(self, folder: Path, mischief: Mischief) -> AbstractContextManager[Desk]: ...


def names() -> list[str]:
    return sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))


def find(name: str) -> Adapter:
    module: Adapter = import_module(f"{__name__}.{name}")
    return module
