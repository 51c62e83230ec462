"""Who takes part in the tests of a Request Tracker."""

import pytest

from tests.peers import requesttracker
from tests.peers.requesttracker import Client, RequestTracker
from tests.peers.rt_parties import alice, rt, watchkeeper

__all__ = ["alice", "eve", "rt", "watchkeeper"]


@pytest.fixture(scope="session")
def eve(rt: RequestTracker) -> Client:  # the fixture
    """Sees problems, but neither their custom fields nor their comments, and no incident."""
    return rt.client(requesttracker.EVE)
