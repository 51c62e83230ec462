"""Which windows were in force, and what they were about."""

from collections.abc import Sequence

import pytest

from tests.domain.made import SHOP
from watchkeeper.domain.concerned import Concerned, concerned
from watchkeeper.domain.expected import Because, Selection, Window
from watchkeeper.domain.inforce import Follower
from watchkeeper.domain.matchers import parse_matcher
from watchkeeper.domain.probe import Category, Every, Probe
from watchkeeper.domain.service import Service

ABOUT = Concerned(frozenset({"shop"}))
DATABASE = Service("db", "Database", ci="CI-7")


def probe(name: str, service: str = "shop", **labels: str) -> Probe:
    return Probe(name, "http", service, Category.HEALTH, Every(60_000), 1000, None, labels)


PROBES = [probe("web-1", env="live"), probe("web-2", env="test"), probe("db-1", "db")]


def means(selection: Selection) -> tuple[set[str], set[str]]:
    found = concerned(selection, [SHOP, DATABASE], PROBES)
    return set(found.services), set(found.probes)


@pytest.mark.parametrize(
    ("selection", "services", "probes"),
    [
        (Selection(frozenset({"shop"})), {"shop"}, set()),
        (Selection(cis=frozenset({"CI-7"})), {"db"}, set()),
        (Selection(frozenset({"shop"}), frozenset({"CI-7"})), {"shop", "db"}, set()),
        (Selection(probes=("web-*",)), set(), {"web-1", "web-2"}),
        (Selection(frozenset({"db"}), probes=("web-2",)), {"db"}, {"web-2"}),
        (Selection(probes=("*",)), set(), {"web-1", "web-2", "db-1"}),
        (Selection(matchers=(parse_matcher('env="test"'),)), set(), {"web-2"}),
        (Selection(frozenset({"shop"}), matchers=(parse_matcher('env="live"'),)), set(), {"web-1"}),
        (Selection(matchers=(parse_matcher('service=~"sh.*"'),)), {"shop"}, set()),
        (Selection(matchers=(parse_matcher('ci="CI-7"'), parse_matcher('probe="db-1"'))), set(), {"db-1"}),
        (Selection(matchers=(parse_matcher('category="health"'), parse_matcher('prober="http"')),
                   services=frozenset({"shop"})), set(), {"web-1", "web-2"}),
        (Selection(frozenset({"shop"}), matchers=(parse_matcher('severity="low"'),)), set(), set()),
        (Selection(matchers=(parse_matcher('rule="slow"'),)), set(), set()),
        (Selection(frozenset({"gone"})), set(), set()),
    ],
)  # fmt: skip
def test_a_window_is_about_services_or_about_some_of_their_probes(
    selection: Selection, services: set[str], probes: set[str]
) -> None:
    assert means(selection) == (services, probes)


class Book:
    """Follows windows under a clock that is moved by hand, and keeps what is told."""

    def __init__(self, since_ms: int = 0) -> None:
        self.follower = Follower({}, since_ms)
        self.kept: dict[tuple[str, int], int] = {}

    def look(self, now_ms: int, *windows: Window, about: Concerned = ABOUT) -> None:
        for one in self.follower.follow(windows, lambda _: about, now_ms):
            self.kept[one.key.ref, one.from_ms] = one.to_ms

    def spans(self) -> Sequence[tuple[int, int]]:
        return sorted((from_ms, to_ms) for (_, from_ms), to_ms in self.kept.items())


def window(from_ms: int, to_ms: int, ref: str = "CHG1", because: Because = Because.CHANGE) -> Window:
    return Window(because, ref, "work", from_ms, to_ms, Selection(frozenset({"shop"})), "snow", ref)


def test_a_window_that_was_known_before_counts_from_its_beginning() -> None:
    book = Book()
    book.look(50, window(100, 200))
    assert book.spans() == []
    book.look(102, window(100, 200))
    book.look(150, window(100, 200))
    book.look(250, window(100, 200))

    assert book.spans() == [(100, 200)]


def test_a_window_that_is_planned_afterwards_counts_from_when_it_was_known() -> None:
    book = Book()
    book.look(50)
    book.look(150, window(100, 200))

    assert book.spans() == [(150, 200)]


def test_a_window_that_is_planned_for_the_past_never_counts() -> None:
    book = Book()
    book.look(50)
    book.look(250, window(100, 200))
    book.look(300, window(100, 200))

    assert book.spans() == []


def test_a_window_between_two_looks_counts() -> None:
    book = Book()
    book.look(50, window(100, 200))
    book.look(250, window(100, 200))

    assert book.spans() == [(100, 200)]


def test_a_window_of_a_time_when_nobody_looked_counts_from_then_on() -> None:
    book = Book(since_ms=120)
    book.look(250, window(100, 200), window(100, 110, "CHG2"), window(130, 140, "CHG3"))

    assert book.spans() == [(120, 200), (130, 140)]


def test_a_window_that_ends_early_is_kept_until_then() -> None:
    book = Book()
    book.look(50, window(100, 200))
    book.look(110, window(100, 200))
    book.look(130, window(100, 125))

    assert book.spans() == [(100, 125)]


def test_a_window_that_is_told_no_more_ends_now() -> None:
    book = Book()
    book.look(50, window(100, 200))
    book.look(110, window(100, 200))
    book.look(130)
    book.look(140)

    assert book.spans() == [(100, 130)]


def test_a_window_that_is_made_longer_is_kept_so() -> None:
    book = Book()
    book.look(50, window(100, 200))
    book.look(110, window(100, 200))
    book.look(130, window(100, 300))
    book.look(250, window(100, 300))

    assert book.spans() == [(100, 300)]


def test_a_window_that_is_made_longer_when_it_is_over_counts_again_from_then_on() -> None:
    book = Book()
    book.look(50, window(100, 200))
    book.look(110, window(100, 200))
    book.look(220, window(100, 200))
    book.look(230, window(100, 300))

    assert book.spans() == [(100, 200), (230, 300)]


def test_a_window_that_is_moved_to_later_ends_and_begins_again() -> None:
    book = Book()
    book.look(50, window(100, 200))
    book.look(110, window(100, 200))
    book.look(120, window(150, 250))
    book.look(160, window(150, 250))

    assert book.spans() == [(100, 120), (150, 250)]


def test_a_window_that_is_about_something_else_counts_for_each_while_it_was() -> None:
    book = Book()
    book.look(50, window(100, 200))
    book.look(110, window(100, 200))
    book.look(120, window(100, 200), about=Concerned(frozenset({"db"})))

    assert book.spans() == [(100, 120), (120, 200)]


def test_windows_of_a_maintenance_that_comes_again_each_count() -> None:
    book = Book()
    both = [window(from_ms, from_ms + 50, "patch", Because.MAINTENANCE) for from_ms in (100, 300)]
    for now_ms in range(0, 400, 20):
        book.look(now_ms, *both)

    assert book.spans() == [(100, 150), (300, 350)]


def test_silences_and_windows_about_nothing_do_not_count() -> None:
    book = Book()
    book.look(50, window(0, 200, because=Because.SILENCE))
    book.look(60, window(0, 200), about=Concerned())

    assert book.spans() == []


def test_a_clock_that_is_set_back_before_a_window_and_goes_on_loses_nothing() -> None:
    book = Book()
    for now_ms in (50, 110, 90, 105, 150, 250):
        book.look(now_ms, window(100, 200))

    assert book.spans() == [(100, 200)]


def test_a_window_that_is_over_and_made_longer_counts_from_then_on_though_it_never_was_in_force() -> None:
    book = Book()
    book.look(240)
    book.look(250, window(100, 200))
    book.look(260, window(100, 300))

    assert book.spans() == [(260, 300)]
