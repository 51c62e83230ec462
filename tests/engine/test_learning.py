"""What people said when they resolved tickets is learnt, and offered the next time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.contract.memory import MemoryBackend
from tests.engine import made
from tests.engine.stores import FaultyDatabase
from tests.store import made as stored
from watchkeeper.domain.article import Article, Asked, Source
from watchkeeper.domain.knowledge import Knowledge, Shelf
from watchkeeper.domain.ticket import Ticket, TicketState
from watchkeeper.engine.learning import MOST_TRIES, Learning, Published
from watchkeeper.engine.library import Library
from watchkeeper.itsm.base import Denied, Rejected, Throttled, Unavailable
from watchkeeper.store.outbox import settle_delivered
from watchkeeper.store.record import record
from watchkeeper.store.resolutions import all_resolutions

MINUTE = 60_000
HOUR = 60 * MINUTE


@dataclass(eq=False)
class Memory(MemoryBackend):
    """Fails as often as it is told to, and publishes articles in pages of one."""

    failures: list[Exception] = field(default_factory=list)
    published: list[Article] = field(default_factory=list)
    asked: int = 0

    def resolution(self, ticket: Ticket) -> str:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return super().resolution(ticket)

    def articles(self, query: str, most: int) -> Iterator[Sequence[Article]]:
        for article in self.published[:most]:
            if self.failures:
                raise self.failures.pop(0)
            if query in article.title:
                yield [article]


class Bench:
    """A backend that is learnt from, under a clock that is moved by hand."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.backend = Memory()
        self.now_ms = made.NOW_MS
        self.known = Knowledge()
        self.library = Library(database, self.take)
        self.published: Published | None = self.articles("")
        self.start()

    def articles(self, query: str) -> Published:
        return Published(query, HOUR, lambda found: self.library.put(Source.SERVICENOW, found))

    def start(self) -> None:
        self.learning = Learning(
            "desk",
            self.backend,
            self.database,
            lambda: self.now_ms,
            MINUTE,
            self.library.learnt,
            lambda: self.published,
        )

    def take(self, shelves: Mapping[Source, Shelf]) -> None:
        self.known = self.known.replacing(shelves)

    def ended(self, number: int, text: str) -> None:
        """An incident that is over, with a ticket that a person has resolved."""
        incident = stored.incident(number)
        record(
            self.database,
            [stored.opened(incident), stored.create(incident), stored.over(incident, at_ms=self.now_ms)],
        )
        ticket = Ticket(str(number), f"T-{number}", "wk", TicketState.RESOLVED, "title", "", "alice", is_touched=True)
        settle_delivered(self.database, [stored.create(incident)], ticket, self.now_ms)
        self.backend.resolutions[str(number)] = text

    def learn(self, after_ms: int = MINUTE) -> None:
        """Lets some time pass, and reads what is due."""
        self.now_ms += after_ms
        while self.learning.wait_ms() == 0:
            self.learning.step()
        self.library.step()

    def said(self) -> list[str]:
        return [one.text for one in all_resolutions(self.database)]


@pytest.fixture
def on(database: FaultyDatabase) -> Bench:
    return Bench(database)


def test_what_somebody_said_is_offered_the_next_time(on: Bench) -> None:
    on.ended(1, "Removed old dumps.")

    on.learn()

    [found] = on.known.best(Asked("service-down", "tcp", "shop", key="service-down/probe=p1"))
    assert (found.article.title, found.article.body) == ("INC-1", "Removed old dumps.")


def test_each_ticket_is_asked_for_once(on: Bench) -> None:
    on.ended(1, "Restarted.")
    on.ended(2, "")

    on.learn()
    on.start()
    on.learn()

    assert on.backend.asked == 2
    assert on.said() == ["Restarted."]


@pytest.mark.parametrize("trouble", [Unavailable("away"), Throttled("later"), Denied("no"), ValueError("a bug")])
def test_a_backend_that_does_not_answer_is_asked_again_later(on: Bench, trouble: Exception) -> None:
    on.ended(1, "Restarted.")
    on.backend.failures = [trouble, trouble]

    on.learn()
    assert (on.backend.asked, on.said()) == (1, [])
    on.learn(MINUTE - 1)
    assert on.backend.asked == 1
    on.learn(1)
    assert on.backend.asked == 2
    on.learn(2 * MINUTE)

    assert on.said() == ["Restarted."]


def test_a_ticket_that_is_gone_is_not_asked_for_again(on: Bench) -> None:
    on.ended(1, "Restarted.")
    on.ended(2, "Rebooted.")
    on.backend.failures = [Rejected("there is no such ticket")]

    on.learn()
    on.learn()

    assert (on.backend.asked, on.said()) == (2, ["Rebooted."])


def test_a_ticket_that_can_never_be_read_does_not_hide_the_others_for_ever(on: Bench) -> None:
    on.ended(1, "Restarted.")
    on.ended(2, "Rebooted.")
    on.backend.failures = [Unavailable("nonsense")] * MOST_TRIES

    for _ in range(MOST_TRIES + 1):
        on.learn(HOUR)

    assert on.said() == ["Rebooted."]


def test_published_articles_are_read_and_read_again_when_it_is_time(on: Bench) -> None:
    on.backend.published = [Article(name, name, source=Source.SERVICENOW) for name in ("one", "two")]
    on.learn(0)
    assert {one.id for one in on.known} == {"one", "two"}

    on.backend.published = on.backend.published[:1]
    on.learn(HOUR - 1)
    assert len(on.known) == 2
    on.learn(1)

    assert [one.id for one in on.known] == ["one"]


def test_articles_that_can_not_be_read_stay_as_they_were(on: Bench) -> None:
    on.backend.published = [Article("one", "one", source=Source.SERVICENOW)]
    on.learn(0)
    on.backend.published = []
    on.backend.failures = [Unavailable("away")]
    on.backend.published = [Article("two", "two", source=Source.SERVICENOW)]

    on.learn(HOUR)
    assert [one.id for one in on.known] == ["one"]
    on.learn(MINUTE)

    assert [one.id for one in on.known] == ["two"]


def test_what_has_not_changed_is_not_told_again(on: Bench) -> None:
    on.ended(1, "Restarted.")
    on.learn()
    known = on.known

    on.library.learnt()
    on.learn()

    assert on.known is known
    assert set(on.library.shelves) == {Source.RESOLUTION}


def test_a_backend_that_keeps_nothing_of_this_is_never_asked(on: Bench) -> None:
    from tests.engine.backends import MemoryBackend as Mute

    learning = Learning("desk", Mute(), on.database, lambda: on.now_ms, MINUTE)
    on.now_ms += 10 * HOUR

    assert learning.wait_ms() > 0


def test_another_query_is_asked_at_once_and_none_no_more(on: Bench) -> None:
    on.backend.published = [Article(name, name, source=Source.SERVICENOW) for name in ("one", "two")]
    on.learn(0)

    on.published = on.articles("two")
    on.learn(1)
    assert [one.id for one in on.known] == ["two"]

    on.published = None
    on.backend.published = []
    on.learn(10 * HOUR)
    assert [one.id for one in on.known] == ["two"]
