from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.itsm import servicenow_backend
from tests.simulators.servicenow import Instance, running
from watchkeeper.itsm.base import TicketBackend


@pytest.fixture
def instance() -> Iterator[Instance]:
    with running() as instance:
        yield instance


@pytest.fixture
def snow(instance: Instance, tmp_path: Path) -> Iterator[TicketBackend]:
    """A backend of the simulated ServiceNow."""
    with servicenow_backend.made(instance, tmp_path) as backend:
        yield backend
