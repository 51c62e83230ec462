from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.itsm import rt_desk, servicenow_backend
from tests.peers.requesttracker import RequestTracker
from tests.peers.rt_parties import alice, rt, watchkeeper
from tests.simulators.servicenow import Instance, running
from watchkeeper.itsm.base import TicketBackend

__all__ = ["alice", "instance", "make", "rt", "snow", "watchkeeper"]


@pytest.fixture
def make(rt: RequestTracker) -> Iterator[Callable[..., TicketBackend]]:  # the fixture
    """Makes a backend for the queue Levels of the real Request Tracker, which is empty afterwards."""
    yield lambda **given: rt_desk.backend(rt, **rt_desk.WITH_LEVELS | given)
    rt_desk.empty(rt)


@pytest.fixture
def instance() -> Iterator[Instance]:
    with running() as instance:
        yield instance


@pytest.fixture
def snow(instance: Instance, tmp_path: Path) -> Iterator[TicketBackend]:
    """A backend of the simulated ServiceNow."""
    with servicenow_backend.made(instance, tmp_path) as backend:
        yield backend
