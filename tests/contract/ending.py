"""Backends whose tickets a person resolves, each with whoever does it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.contract.memory import MemoryBackend
from tests.contract.subjects import local
from tests.itsm import jira_backend, rt_desk, servicenow_backend
from tests.peers import databases, requesttracker
from tests.simulators import jira, servicenow
from tests.simulators.jira_model import Deployment
from tests.simulators.jira_people import Person
from watchkeeper.domain.desk import Act, Move
from watchkeeper.domain.ticket import Ticket
from watchkeeper.itsm.base import MOST_RESOLUTION, TicketBackend
from watchkeeper.store.desk import StoredDesk


@dataclass
class Worked:
    """A backend, and a person who resolves one of its tickets, with these words or with none."""

    backend: TicketBackend
    resolve: Callable[[Ticket, str], None]
    reopen: Callable[[Ticket], None]


@contextmanager
def _memory(_folder: Path) -> Iterator[Worked]:
    memory = MemoryBackend()
    yield Worked(
        memory,
        lambda ticket, text: memory.resolutions.__setitem__(ticket.ref, text[:MOST_RESOLUTION]),
        lambda ticket: memory.resolutions.__setitem__(ticket.ref, ""),
    )


@contextmanager
def _servicenow(folder: Path) -> Iterator[Worked]:
    with servicenow.running() as instance, servicenow_backend.made(instance, folder) as backend:
        person = instance.person()

        def resolve(ticket: Ticket, text: str) -> None:
            person.resolve(ticket.ref.partition("/")[2], notes=text or ".")
            if not text:  # the form asks for some; an administrator may empty it
                person.change(ticket.ref.partition("/")[2], close_notes=" ")

        yield Worked(backend, resolve, lambda ticket: _ignored(person.reopen(ticket.ref.partition("/")[2])))


@contextmanager
def _jira(deployment: Deployment, folder: Path) -> Iterator[Worked]:
    with jira.running(deployment) as site, jira_backend.made(site, folder) as backend:
        alice = Person(site, "alice")

        def resolve(ticket: Ticket, text: str) -> None:
            alice.transitions(ticket.ref, "Done")
            if text:
                alice.comments(ticket.ref, text)

        yield Worked(backend, resolve, lambda ticket: alice.transitions(ticket.ref, "To Do"))


@contextmanager
def _rt(_folder: Path) -> Iterator[Worked]:
    rt = requesttracker.shared()

    def resolve(ticket: Ticket, text: str) -> None:
        if text:
            rt.person.comment(ticket.ref, text)
        rt.person.resolve(ticket.ref)

    yield Worked(rt_desk.backend(rt, **rt_desk.WITH_LEVELS), resolve, lambda ticket: rt.person.reopen(ticket.ref))
    rt_desk.empty(rt)


@contextmanager
def _local(kind: str, folder: Path) -> Iterator[Worked]:
    with databases.migrated(kind, folder) as database:
        desk = StoredDesk(database)

        def act(move: Move, ticket: Ticket, text: str = "") -> None:
            assert desk.act(ticket.number, Act(move, "alice", text=text), 5_000_000) is not None

        yield Worked(
            local(database),
            lambda ticket, text: act(Move.RESOLVE, ticket, text),
            lambda ticket: act(Move.REOPEN, ticket),
        )


def _ignored(_: object) -> None:
    pass


WORKED: Final[Mapping[str, Callable[[Path], AbstractContextManager[Worked]]]] = {
    "memory": _memory,
    "servicenow": _servicenow,
    "cloud": partial(_jira, "cloud"),
    "server": partial(_jira, "server"),
    "rt": _rt,
    "sqlite": partial(_local, "sqlite"),
    "postgresql": partial(_local, "postgresql"),
}
