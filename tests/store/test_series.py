"""Which status a probe had, as it is read back after a start."""

from dataclasses import replace

from tests.store import made
from watchkeeper.domain.alert import Alert, AlertRef, AlertState
from watchkeeper.domain.effect import AlertChanged
from watchkeeper.domain.history import Span
from watchkeeper.domain.probe import Status
from watchkeeper.store.database import Database
from watchkeeper.store.record import begin_run, note_alive, record
from watchkeeper.store.series import read_statuses

UP, DOWN, UNKNOWN = Status.UP, Status.DOWN, Status.UNKNOWN
SECOND_MS = 1000


def test_statuses_are_read_back_in_order_and_what_is_older_is_left_out(database: Database) -> None:
    record(database, [made.status("web", UP, 100), made.status("web", DOWN, 200), made.status("api", UP, 210)])
    record(database, [made.status("web", UNKNOWN, 300)])

    assert read_statuses(database, "web", 0, 400) == [
        Span(100, 200, UP),
        Span(200, 300, DOWN),
        Span(300, 400, UNKNOWN),
    ]
    assert read_statuses(database, "web", 200, 400) == [Span(200, 300, DOWN), Span(300, 400, UNKNOWN)]
    assert read_statuses(database, "gone", 0, 400) == []


def moved(at_ms: int) -> AlertChanged:
    inactive = Alert(AlertRef("down", "web"))
    return AlertChanged(
        inactive, replace(inactive, state=AlertState.FIRING, since_ms=at_ms, active_since_ms=1), "down"
    )


def test_an_alert_that_moved_after_the_last_sign_of_life_is_one_too(database: Database) -> None:
    run = begin_run(database, 0, "1", [])
    record(database, [made.status("web", DOWN, SECOND_MS)])
    note_alive(database, run, 2 * SECOND_MS)
    record(database, [moved(4 * SECOND_MS)])

    begin_run(database, 9 * SECOND_MS, "1", [("web", "shop")])

    assert read_statuses(database, "web", 0, 9 * SECOND_MS)[0] == Span(SECOND_MS, 4 * SECOND_MS, DOWN)


def test_an_alert_that_moved_long_after_tells_nothing_of_the_status(database: Database) -> None:
    record(database, [made.status("web", DOWN, SECOND_MS), made.status("web", UNKNOWN, 2 * SECOND_MS)])
    record(database, [moved(60 * SECOND_MS)])

    spans = read_statuses(database, "web", 0, 90 * SECOND_MS)

    assert spans == [Span(SECOND_MS, 2 * SECOND_MS, DOWN), Span(2 * SECOND_MS, 90 * SECOND_MS, UNKNOWN)]
