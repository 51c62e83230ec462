"""Changes of a ticket system, read in small steps by its delivery, and expected as windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from tests.contract.memory import MemoryBackend
from tests.engine.planners import DAY, HOUR, MINUTE
from tests.engine.stores import FaultyDatabase
from tests.itsm import servicenow_backend
from tests.itsm.servicenow_changes import plan
from tests.simulators import faults as f
from tests.simulators import servicenow
from watchkeeper.config.planned import ChangeBackend, Planned
from watchkeeper.domain.announced import Announced
from watchkeeper.domain.budget import Budget
from watchkeeper.domain.change import ChangeState
from watchkeeper.domain.expected import Window
from watchkeeper.domain.maintenance import Span
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import TicketPolicy
from watchkeeper.engine.attempt import Desk
from watchkeeper.engine.change_feed import ChangeFeed, ChangeReading, feeds_of
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.windows import Windows
from watchkeeper.itsm.base import Finding, Rejected, Throttled, Unavailable

NOW = 1_795_564_800_000
SHOP = Service("shop", "Web shop", ci="web01")


@dataclass(eq=False)
class Planner(MemoryBackend):
    """Tells its plans in pages of one; `failures` come first."""

    plans: list[Announced] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)

    def planned_changes(self, from_ms: int, to_ms: int) -> Iterator[Sequence[Announced]]:
        self.asked.append((from_ms, to_ms))
        for change in [*self.plans]:
            yield ()
            if self.failures:
                raise self.failures.pop(0)
            yield [change]
        if self.failures:
            raise self.failures.pop(0)

    def check_changes(self) -> Sequence[Finding]:
        return ()


def change(number: str, from_ms: int, to_ms: int, about: str = "shop") -> Announced:
    return Announced(
        number, number, number, (Span(from_ms, to_ms),), ChangeState.APPROVED, services=frozenset({about})
    )


class Bench:
    """A backend, its delivery, and the windows that come of it, under a clock that is moved by hand."""

    def __init__(self, database: FaultyDatabase, figures: Figures) -> None:
        self.database, self.figures = database, figures
        self.now_ms = NOW
        self.backend = Planner()
        self.told: list[Sequence[Window]] = []
        self.feeds: dict[str, ChangeFeed] = {}
        self.start()

    def start(self, source: ChangeBackend | None = None, services: Sequence[Service] = (SHOP,)) -> None:
        self.windows = Windows(self.database, lambda: self.now_ms, self.told.append, self.figures)
        self.configure(source or ChangeBackend("snow"), services)
        budget = Budget(None, lambda: self.now_ms)
        desk = Desk("snow", self.backend, TicketPolicy(read_every_ms=400 * DAY), budget)
        reading = ChangeReading(self.backend, lambda: self.now_ms, lambda: self.feeds.get("snow"))
        clock, figures = (lambda: self.now_ms), self.figures
        self.delivery = Delivery(desk, self.database, clock, Random(1).random, figures, changes=reading)
        self.windows.load()

    def configure(self, *sources: ChangeBackend | Sequence[Service]) -> None:
        source, services = sources
        assert isinstance(source, ChangeBackend)
        assert not isinstance(services, ChangeBackend)
        self.feeds = feeds_of([source], services, lambda: self.now_ms, self.windows.refresh, self.feeds)
        self.windows.revise(Planned(), list(self.feeds.values()))

    def look(self) -> list[str]:
        """Reads what is due, and collects. The ids of what is expected now."""
        while self.delivery.learn():
            pass
        self.windows.read()
        self.windows.step()
        return [one.id for one in self.told[-1] if one.from_ms <= self.now_ms < one.to_ms] if self.told else []

    def is_stale(self) -> bool:
        return self.figures.registry.get_sample_value("watchkeeper_window_source_stale", {"source": "snow"}) == 1


@pytest.fixture
def on(database: FaultyDatabase, figures: Figures) -> Bench:
    return Bench(database, figures)


def test_a_change_is_expected_as_soon_as_it_is_read(on: Bench) -> None:
    on.backend.plans = [change("CHG1", NOW - HOUR, NOW + HOUR), change("CHG2", NOW - HOUR, NOW + HOUR, "other")]

    assert on.look() == ["CHG1"]
    assert on.told[-1][0].selection.services == {"shop"}
    assert on.backend.asked == [(NOW - 7 * DAY, NOW + 7 * DAY)]


def test_what_is_put_on_hold_or_moved_is_seen_when_it_is_read_next(on: Bench) -> None:
    on.backend.plans = [change("CHG1", NOW - HOUR, NOW + HOUR), change("CHG2", NOW - HOUR, NOW + HOUR)]
    on.look()
    on.backend.plans = [change("CHG2", NOW + HOUR, NOW + 2 * HOUR)]
    on.now_ms += 2 * MINUTE - 1
    assert on.look() == ["CHG1", "CHG2"]

    on.now_ms += 1
    assert on.look() == []
    assert [one.id for one in on.told[-1]] == ["CHG2"]


def test_every_says_how_often(on: Bench) -> None:
    on.start(ChangeBackend("snow", 10 * MINUTE))
    on.look()
    for _ in range(30):
        on.now_ms += MINUTE
        on.look()

    assert len(on.backend.asked) == 4


def test_while_it_can_not_be_read_what_was_told_stays_valid_and_no_page_of_it_is_believed(on: Bench) -> None:
    on.backend.plans = [change("CHG1", NOW - HOUR, NOW + HOUR)]
    on.look()
    on.backend.plans = [change("CHG2", NOW - HOUR, NOW + HOUR), change("CHG3", NOW, NOW + HOUR)]
    on.now_ms += 2 * MINUTE
    on.backend.failures = [Unavailable("connection refused")]
    on.delivery.learn()  # what it fails at comes in the middle
    with capture_logs() as logs:
        assert on.look() == ["CHG1"]
    assert on.is_stale()
    [told] = [one for one in logs if one["event"] == "window_source_failing"]
    assert (told["source"], told["error"]) == ("snow", "connection refused")

    on.now_ms += 2 * MINUTE
    assert on.look() == ["CHG2", "CHG3"]
    assert not on.is_stale()


@pytest.mark.parametrize(
    "outcome", [Unavailable("away"), Rejected("no such table"), Throttled("slow", 30.0), ValueError("a bug")]
)
def test_after_a_failure_it_is_asked_less_and_less_often_and_never_forgotten(on: Bench, outcome: Exception) -> None:
    on.backend.failures = [outcome] * 1000
    for _ in range(60):
        on.look()
        on.now_ms += MINUTE

    assert 5 <= len(on.backend.asked) <= 8
    on.backend.failures.clear()
    on.backend.plans = [change("CHG1", NOW, NOW + DAY)]
    on.now_ms += 15 * MINUTE
    assert on.look() == ["CHG1"]


def test_a_wait_that_the_system_asks_for_is_kept(on: Bench) -> None:
    on.backend.failures = [Throttled("slow", 600.0)]
    on.look()
    on.now_ms += 9 * MINUTE
    on.look()
    assert len(on.backend.asked) == 1

    on.now_ms += MINUTE
    on.look()
    assert len(on.backend.asked) == 2


def test_while_the_backend_refuses_tickets_it_is_not_asked_and_the_source_is_stale(on: Bench) -> None:
    on.backend.plans = [change("CHG1", NOW - HOUR, NOW + HOUR)]
    on.look()
    on.delivery.circuit.failed(Unavailable("away"))
    for _ in range(11):
        on.now_ms += MINUTE
        assert on.look() == ["CHG1"]

    assert len(on.backend.asked) == 1
    assert on.is_stale()


def test_a_restart_remembers_and_that_it_has_not_read_yet_is_no_failure(on: Bench) -> None:
    on.backend.plans = [change("CHG1", NOW - HOUR, NOW + HOUR)]
    on.look()
    on.feeds = {}
    on.start()
    with capture_logs() as logs:
        on.windows.read()
        on.windows.step()

    assert [one.id for one in on.told[-1]] == ["CHG1"]
    assert not on.is_stale()
    assert [one for one in logs if one["log_level"] == "error"] == []


def test_another_catalogue_means_other_services_at_once(on: Bench) -> None:
    on.backend.plans = [change("CHG1", NOW - HOUR, NOW + HOUR, "Till")]
    assert on.look() == []

    on.configure(ChangeBackend("snow"), [Service("till", "Till")])
    assert on.look() == ["CHG1"]
    assert len(on.backend.asked) == 1


def test_a_backend_that_is_no_source_any_more_is_not_asked(on: Bench) -> None:
    on.look()
    on.feeds = {}
    on.now_ms += DAY

    assert not on.delivery.learn()
    assert len(on.backend.asked) == 1


def test_a_change_that_lasts_too_long_is_left_out_and_told_once(on: Bench) -> None:
    on.backend.plans = [change("CHG1", NOW, NOW + 40 * DAY), change("CHG2", NOW, NOW + 40 * DAY, "other")]
    with capture_logs() as logs:
        assert on.look() == []
        on.now_ms += 5 * MINUTE
        on.look()

    assert [one["changes"] for one in logs if one["event"] == "changes_left_out"] == [["CHG1"]]


def test_the_metrics_count_what_became_of_changes(on: Bench) -> None:
    on.backend.plans = [change("CHG1", NOW - HOUR, NOW + HOUR)]
    on.look()
    on.now_ms += 2 * HOUR
    on.look()

    value = on.figures.registry.get_sample_value
    assert value("watchkeeper_changes", {"outcome": "unknown"}) == 1
    assert value("watchkeeper_changes", {"outcome": "failed"}) == 0
    assert value("watchkeeper_change_failure_ratio") == 0
    ratio = value("watchkeeper_change_success_ratio")
    assert ratio is not None
    assert isnan(ratio)  # nobody has told an outcome


def test_a_servicenow_that_goes_away_and_comes_back_with_other_changes(
    database: FaultyDatabase, figures: Figures, tmp_path: Path
) -> None:
    with servicenow.running() as instance, servicenow_backend.made(instance, tmp_path) as snow:
        told: list[Sequence[Window]] = []
        windows = Windows(database, instance.clock, told.append, figures)
        feeds = feeds_of([ChangeBackend("snow")], [SHOP], instance.clock, windows.refresh)
        windows.revise(Planned(), list(feeds.values()))
        reading = ChangeReading(snow, instance.clock, lambda: feeds["snow"])

        def look() -> list[str]:
            while reading.wait_ms() == 0:
                reading.step()
            windows.read()
            windows.step()
            now = instance.clock()
            return [one.title for one in told[-1] if one.from_ms <= now < one.to_ms]

        first = plan(instance, "first", hours=(-1, 1))
        assert look() == ["first"]
        assert [(one.backend, one.ref) for one in told[-1]] == [("snow", first["sys_id"])]

        instance.faults.always(f.SAYS_503)
        instance.person().change(first["sys_id"], on_hold="true")
        plan(instance, "second", hours=(-1, 1), ci="", services=["Web shop"])
        instance.clock.advance(120)
        assert look() == ["first"]

        instance.faults.clear()
        instance.clock.advance(120)
        assert look() == ["second"]
