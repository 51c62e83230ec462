"""In a dry run nothing is sent, and all else goes its way."""

from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.backends import MemoryBackend
from tests.engine.stores import FaultyDatabase
from tests.simulators.http import json_response, serving
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.ticket import TicketChange, TicketDraft, TicketState
from watchkeeper.engine.dry import DryBackend, ReadsOnly
from watchkeeper.itsm import local
from watchkeeper.itsm._http import Http
from watchkeeper.itsm.base import Surroundings, Unavailable
from watchkeeper.store.desk import StoredDesk

DRAFT, RESOLVE = made.create(made.incident()).payload, TicketChange("over", TicketState.RESOLVED, key="a")


@dataclass(eq=False)
class Bench:
    database: FaultyDatabase
    real: MemoryBackend = field(default_factory=MemoryBackend)

    def __post_init__(self) -> None:
        surroundings = Surroundings(lambda: made.NOW_MS, StoredDesk(self.database), Budget(None, lambda: 0))
        self.dry = DryBackend("snow", self.real, local.KIND.make("snow", local.KIND.options(), surroundings))


@pytest.fixture
def on(database: FaultyDatabase) -> Bench:
    return Bench(database)


def test_what_would_be_sent_is_told_and_not_sent(on: Bench) -> None:
    assert isinstance(DRAFT, TicketDraft)
    with capture_logs() as logs:
        ticket = on.dry.create(DRAFT)
        on.dry.update(ticket, RESOLVE)

    assert (on.real.calls, on.real.tickets) == ([], [])
    assert [(one["event"], one["backend"], one["ticket"], one["method"], one["url"]) for one in logs] == [
        ("ticket_preview", "snow", "DRY-1", "put", "memory:")
    ] * 2
    assert [one["body"].get("title") or one["body"]["note"] for one in logs] == [DRAFT.title, "over"]


def test_tickets_are_found_and_read_as_in_a_system_that_is_well(on: Bench) -> None:
    assert isinstance(DRAFT, TicketDraft)
    ticket = on.dry.create(DRAFT)

    assert on.dry.find(DRAFT.key) == [ticket]
    resolved = on.dry.update(ticket, RESOLVE)
    assert resolved.state is TicketState.RESOLVED
    assert on.dry.fetch([ticket.ref, "99"]) == [resolved]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_who_may_only_read_changes_nothing(method: str) -> None:
    http = reading("http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="only shows what it would send"):
        http.call(method, "/api/now/table/incident", json_body={})


def test_who_may_only_read_may_read() -> None:
    with serving(lambda request: json_response(200, {"method": request.method})) as server:
        http = reading(server.url())
        assert http.call("GET", "/forms").json() == {"method": "GET"}
        assert http.call("POST", "/search", json_body={}, reads=True).json() == {"method": "POST"}


def reading(url: str) -> Http:
    budget = ReadsOnly(None, lambda: made.NOW_MS)
    return Http(url, verify=True, timeout_s=5, authenticate=dict, clock=lambda: made.NOW_MS, budget=budget)
