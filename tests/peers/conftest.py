"""Who takes part in the tests of a Request Tracker."""

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


@pytest.fixture(scope="session")
def eve(rt: RequestTracker) -> Client:
    """Sees problems, but neither their custom fields nor their comments, and no incident."""
    return rt.client(requesttracker.EVE)
