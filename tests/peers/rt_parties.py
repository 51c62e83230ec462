"""Fixtures: who takes part in the tests of a Request Tracker."""

import pytest

from tests.peers import requesttracker
from tests.peers.requesttracker import Client, Person, RequestTracker


@pytest.fixture(scope="session")
def rt() -> RequestTracker:
    return requesttracker.shared()


@pytest.fixture(scope="session")
def watchkeeper(rt: RequestTracker) -> Client:
    return rt.client(token=rt.token)


@pytest.fixture(scope="session")
def alice(rt: RequestTracker) -> Person:
    return rt.person
