"""Whom the contract's tests hold to it: backends, and clients that nobody here wrote, which judge the simulators."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from tests.contract import by_jira, by_pysnc
from tests.contract.memory import MemoryBackend
from tests.itsm import jira_backend, rt_desk, servicenow_backend
from tests.peers import databases, requesttracker
from tests.probers.servers import certificate, tls_by
from tests.simulators import jira, servicenow
from tests.simulators.jira_model import Deployment
from tests.store import made
from watchkeeper import itsm
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import Ticket
from watchkeeper.itsm.base import Surroundings, TicketBackend
from watchkeeper.store import listing, tables, ticketlist
from watchkeeper.store.database import Database
from watchkeeper.store.desk import StoredDesk
from watchkeeper.store.outbox import settle_delivered
from watchkeeper.store.record import record


@dataclass
class Subject:
    """A backend, and what a person would read of one of its tickets."""

    backend: TicketBackend
    notes: Callable[[Ticket], list[str]]
    levels: Callable[[Ticket], tuple[Level, Level]]
    links: Callable[[Ticket], list[str]]
    """The refs of what it is linked to, each as often as it is."""
    crowd: int = 30
    """How many tickets are many to it, as far as the time of the tests allows."""
    strangers: int = 3000
    """How many that are not there it is asked for."""


def local(database: Database, name: str = "desk") -> TicketBackend:
    """A local desk on a database. Its clock goes on by a second whenever somebody looks."""
    kind = itsm.find("local")
    clock = count(1_000_000, 1_000)
    budget = Budget(None, lambda: 0)
    return kind.make(name, kind.options(), Surroundings(lambda: next(clock), StoredDesk(database), budget))


@contextmanager
def _memory(_folder: Path) -> Iterator[Subject]:
    memory = MemoryBackend()
    yield Subject(
        memory,
        lambda ticket: memory.notes(ticket.ref),
        lambda ticket: memory.levels(ticket.ref),
        lambda ticket: memory.links(ticket.ref),
    )


@contextmanager
def _servicenow(folder: Path) -> Iterator[Subject]:
    with servicenow.running() as instance, servicenow_backend.made(instance, folder) as backend:
        yield _on_instance(instance, backend)


@contextmanager
def _pysnc(folder: Path) -> Iterator[Subject]:
    ca = certificate(folder)
    with servicenow.running(tls=tls_by(ca)) as instance, by_pysnc.made(instance, ca) as backend:
        yield _on_instance(instance, backend)


def _on_instance(instance: servicenow.Instance, backend: TicketBackend) -> Subject:
    return Subject(
        backend,
        lambda ticket: list(servicenow_backend.notes_of(instance, ticket)),
        lambda ticket: servicenow_backend.levels_of(instance, ticket),
        lambda ticket: servicenow_backend.links_of(instance, ticket),
    )


@contextmanager
def _jira(deployment: Deployment, folder: Path) -> Iterator[Subject]:
    with jira.running(deployment) as site, jira_backend.made(site, folder) as backend:
        yield _on_site(site, backend, strangers=3000 if deployment == "cloud" else 100)


@contextmanager
def _jira_client(deployment: Deployment, _folder: Path) -> Iterator[Subject]:
    with jira.running(deployment) as site, by_jira.made(site) as backend:
        yield _on_site(site, backend, strangers=100)


def _on_site(site: jira.Jira, backend: TicketBackend, *, strangers: int) -> Subject:
    return Subject(
        backend,
        lambda ticket: jira_backend.notes_of(site, ticket.ref),
        lambda ticket: jira_backend.levels_of(site, ticket),
        lambda ticket: jira_backend.links_of(site, ticket),
        strangers=strangers,
    )


@contextmanager
def _rt(_folder: Path) -> Iterator[Subject]:
    rt = requesttracker.shared()
    watchkeeper = rt.client(token=rt.token)
    yield Subject(
        rt_desk.backend(rt, **rt_desk.WITH_LEVELS),
        lambda ticket: rt_desk.notes(watchkeeper, ticket.ref),
        lambda ticket: rt_desk.levels(watchkeeper, ticket),
        lambda ticket: rt_desk.links(watchkeeper, ticket),
        crowd=3,
        strangers=10,
    )
    rt_desk.empty(rt)


@contextmanager
def _local(kind: str, folder: Path) -> Iterator[Subject]:
    with databases.migrated(kind, folder) as database:
        yield Subject(
            local(database),
            lambda ticket: _notes_in(database, ticket),
            lambda ticket: _levels_in(database, ticket),
            lambda ticket: _links_in(database, ticket),
        )


def _notes_in(database: Database, ticket: Ticket) -> list[str]:
    """The notes of a desk's ticket, as `watchkeeper tickets show` reads them."""
    number = int(ticket.ref)
    if listing.show_incident(database, number) is None:
        incident = made.incident(number)
        record(database, [made.opened(incident), made.create(incident)])
        settle_delivered(database, [made.create(incident)], ticket, 0)
    shown = ticketlist.show_ticket(database, ticket.number)
    assert shown is not None
    return [note.text for note in shown.notes]


def _levels_in(database: Database, ticket: Ticket) -> tuple[Level, Level]:
    row = _row_in(database, ticket)
    return Level(row.impact), Level(row.urgency)


def _links_in(database: Database, ticket: Ticket) -> list[str]:
    row = _row_in(database, ticket)
    return [ref for ref in (row.problem, row.duplicate) if ref]


def _row_in(database: Database, ticket: Ticket) -> Any:
    with database.read() as connection:
        return connection.execute(
            select(tables.desk_tickets).where(tables.desk_tickets.c.id == int(ticket.ref))
        ).one()


SUBJECTS: Final[Mapping[str, Callable[[Path], AbstractContextManager[Subject]]]] = {
    "memory": _memory,
    "servicenow": _servicenow,
    "cloud": partial(_jira, "cloud"),
    "server": partial(_jira, "server"),
    "pysnc": _pysnc,
    "jira-client-cloud": partial(_jira_client, "cloud"),
    "jira-client-server": partial(_jira_client, "server"),
    "rt": _rt,
    "sqlite": partial(_local, "sqlite"),
    "postgresql": partial(_local, "postgresql"),
}
"""By name; each is made in a folder of its own."""
