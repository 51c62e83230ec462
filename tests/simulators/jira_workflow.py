"""Workflows: which statuses there are, and which transitions lead from one to another.

Ids differ between workflows, names may be in any language; what is fixed are the keys of the three categories.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Category = Literal["new", "indeterminate", "done"]

CATEGORIES: Mapping[Category, tuple[int, str, str]] = {
    "new": (2, "To Do", "blue-gray"),
    "indeterminate": (4, "In Progress", "yellow"),
    "done": (3, "Done", "green"),
}
"""Of each category's key its id, its name and its colour."""


@dataclass(frozen=True, slots=True)
class Status:
    id: str
    name: str
    category: Category


@dataclass(frozen=True, slots=True)
class Transition:
    """A way to a status.

    `sources`: the statuses that it leads away from, None for every status. `screen`: the fields of its form, None
    without one: then neither fields nor comments are taken. `required`: those that must be given. `resolution`: what
    its post function sets; "" clears it, None leaves it as it is.
    """

    id: str
    name: str
    to: str
    sources: tuple[str, ...] | None = None
    screen: tuple[str, ...] | None = None
    required: tuple[str, ...] = ()
    resolution: str | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """New issues are in the first of the statuses."""

    name: str
    statuses: tuple[Status, ...]
    transitions: tuple[Transition, ...]

    def status(self, id_or_name: str) -> Status:
        """Raises KeyError when there is none."""
        for status in self.statuses:
            if id_or_name in (status.id, status.name):
                return status
        raise KeyError(id_or_name)

    def available(self, status_id: str) -> list[Transition]:
        """The transitions of an issue in this status."""
        return [
            transition
            for transition in self.transitions
            if transition.sources is None or status_id in transition.sources
        ]


SIMPLIFIED = Workflow(
    "Software Simplified Workflow",
    (Status("10000", "To Do", "new"), Status("3", "In Progress", "indeterminate"), Status("10001", "Done", "done")),
    (
        Transition("11", "To Do", "10000", resolution=""),
        Transition("21", "In Progress", "3", resolution=""),
        Transition("31", "Done", "10001", resolution="10000"),
    ),
)
"""A software project's: every status from every status, no forms, the resolution set and cleared by itself."""

INCIDENTS = Workflow(
    "ITSM: Incident Management workflow",
    (
        Status("1", "Open", "new"),
        Status("10002", "Work in progress", "indeterminate"),
        Status("10003", "Pending", "indeterminate"),
        Status("10004", "Completed", "done"),
        Status("6", "Closed", "done"),
        Status("10005", "Canceled", "done"),
    ),
    (
        Transition("711", "Investigate", "10002", ("1",), screen=("assignee",)),
        Transition("721", "Pending", "10003", ("10002",), screen=()),
        Transition("731", "Back to work", "10002", ("10003",)),
        Transition(
            "761", "Resolve", "10004", ("1", "10002", "10003"), screen=("resolution",), required=("resolution",)
        ),
        Transition("771", "Cancel", "10005", ("1", "10002", "10003"), screen=("resolution",), resolution="10001"),
        Transition("781", "Reopen", "1", ("10004",), screen=()),
        Transition("791", "Close", "6", ("10004", "10005")),
    ),
)
"""A service desk's: few ways, Resolve asks for a resolution, Reopen leaves it as it is, Closed is the end."""
