"""Retention keeps each kind of thing for its time."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Table, func, select
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.stores import FaultyDatabase, StoreFault, until
from watchkeeper.config.models import RetentionModel
from watchkeeper.domain.probe import Status
from watchkeeper.engine.retention import Retention
from watchkeeper.store import tables
from watchkeeper.store.record import record

DAY_MS = 86_400_000


class Bench:
    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.now_ms = made.NOW_MS
        self.retention = Retention(lambda: self.now_ms, database, RetentionModel())

    def fill(self) -> None:
        """An interval that is over, and one that is not."""
        statuses = [made.status("web", Status.DOWN), made.status("web", Status.UP, made.NOW_MS + 1)]
        record(self.database, statuses)

    def count(self, table: Table = tables.probe_intervals) -> int:
        with self.database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
def on(database: FaultyDatabase) -> Iterator[Bench]:
    bench = Bench(database)
    yield bench
    bench.retention.end(5)


def test_what_is_not_too_old_stays(on: Bench) -> None:
    on.fill()
    on.now_ms += 400 * DAY_MS

    assert not on.retention.step()
    assert on.count() == 2


def test_what_is_too_old_goes_step_by_step(on: Bench) -> None:
    on.fill()
    on.now_ms += 400 * DAY_MS + 2

    assert on.retention.step()
    assert not on.retention.step()
    assert on.count() == 1


def test_other_times_hold_from_the_next_step_on(on: Bench) -> None:
    on.fill()
    on.now_ms += 5 * DAY_MS
    assert not on.retention.step()

    on.retention.revise(RetentionModel.model_validate({"rollups": "2d"}))

    assert on.retention.step()
    assert on.count() == 1


def test_a_store_that_does_not_answer_is_told_once_and_asked_again(on: Bench) -> None:
    on.fill()
    on.now_ms += 500 * DAY_MS
    on.database.faults += [StoreFault.REFUSED] * 2
    with capture_logs() as logs:
        assert not on.retention.step()
        assert not on.retention.step()
        assert on.retention.step()

    assert [entry["event"] for entry in logs] == ["retention_failing"]
    assert on.count() == 1


def test_the_thread_forgets_by_itself(on: Bench) -> None:
    on.fill()
    on.now_ms += 500 * DAY_MS
    on.retention.begin()

    until(lambda: on.count() == 1)
