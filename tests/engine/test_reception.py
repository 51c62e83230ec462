"""What others report is answered when it outlives a crash, and not before."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.recording import Bench
from tests.engine.stores import FaultyDatabase, StoreFault, until
from tests.web.intakes import source
from watchkeeper.domain.alert import AlertState
from watchkeeper.domain.effect import ReportChanged
from watchkeeper.domain.report import Report, ReportState
from watchkeeper.domain.watch import Watch
from watchkeeper.engine.evaluation import Evaluation
from watchkeeper.engine.reception import Reception
from watchkeeper.store.record import remember
from watchkeeper.store.reports import remember_reports

EVENTS = source("events", "desk")
FIRING = Report("desk", "backup", ReportState.FIRING, made.NOW_MS, "backup-missing", "No backup", service="shop")
OVER = Report("desk", "backup", ReportState.OVER, made.NOW_MS + 1)


class Desk:
    """A reception with a recorder that works, on a clock that stands still."""

    def __init__(self, database: FaultyDatabase, wait_s: float) -> None:
        self.bench = Bench(database)
        plan = replace(made.plan([], made.rule()), sources={"desk": EVENTS.policy})
        evaluation = Evaluation(Watch(plan), lambda: made.NOW_MS, self.bench.recorder.put, self.bench.figures)
        sources = {"desk": EVENTS}
        self.reception = Reception(
            evaluation, self.bench.recorder, self.bench.figures, lambda: made.NOW_MS, lambda: sources, wait_s
        )

    def take(self, *reports: Report, left_out: int = 0) -> int | None:
        return asyncio.run(self.reception.take(EVENTS, reports, left_out))

    def count(self, name: str, **labels: str) -> float | None:
        return self.bench.figures.registry.get_sample_value(f"watchkeeper_{name}_total", {"source": "desk", **labels})


@pytest.fixture
def desk(database: FaultyDatabase, request: pytest.FixtureRequest) -> Iterator[Desk]:
    made_desk = Desk(database, getattr(request, "param", 5.0))
    with capture_logs():
        made_desk.bench.recorder.begin()
    yield made_desk
    with capture_logs():
        made_desk.bench.recorder.end(5)


def test_what_is_answered_is_in_the_database_with_its_ticket(desk: Desk) -> None:
    with capture_logs():
        assert desk.take(FIRING) == 1
    assert remember_reports(desk.bench.database) == [ReportChanged(FIRING, made.NOW_MS)]
    [alert] = remember(desk.bench.database).alerts
    assert (alert.ref, alert.state) == (FIRING.ref, AlertState.FIRING)
    assert desk.bench.outbox() == [1]

    with capture_logs():
        assert desk.take(FIRING, OVER, OVER) == 1
    assert [one.report.state for one in remember_reports(desk.bench.database)] == [ReportState.OVER]
    assert remember(desk.bench.database).alerts == ()
    assert desk.bench.outbox() == [1, 1]
    assert desk.count("reports_received", outcome="news") == 2
    assert desk.count("reports_received", outcome="known") == 2


def test_what_the_database_does_not_take_is_answered_when_it_is_in_the_journal(desk: Desk) -> None:
    desk.bench.database.faults += [StoreFault.REFUSED] * 1_000
    with capture_logs():
        assert desk.take(FIRING) == 1
        assert desk.bench.recorder.journaled == 1
        assert desk.bench.recorder.end(5) == 0
        desk.bench.database.faults.clear()
        desk.bench.replay()
    assert remember_reports(desk.bench.database) == [ReportChanged(FIRING, made.NOW_MS)]
    assert desk.bench.outbox() == [1]


@pytest.mark.parametrize("desk", [0.1], indirect=True)
def test_what_nothing_has_taken_is_not_answered_and_sent_again_is_one_ticket(desk: Desk) -> None:
    desk.bench.path.mkdir()  # no journal either
    desk.bench.database.faults += [StoreFault.REFUSED] * 1_000
    with capture_logs():
        assert desk.take(FIRING) is None
        assert desk.take(FIRING) is None  # no news, and still not where a crash does not reach it
        desk.bench.database.faults.clear()
        until(lambda: desk.take(FIRING) == 0)
    assert desk.bench.outbox() == [1]


def test_a_service_that_there_is_not_is_told_once_and_counted(desk: Desk) -> None:
    lost = replace(FIRING, service="nowhere")
    with capture_logs() as logs:
        desk.take(lost, lost)
    told = [entry for entry in logs if entry["event"] == "report_service_unknown"]
    assert [entry["text"] for entry in told] == ["there is no service 'nowhere': it counts for 'shop'"]
    assert desk.count("reports_unknown_service") == 2


def test_what_a_source_has_left_out_is_told_and_counted(desk: Desk) -> None:
    with capture_logs() as logs:
        assert desk.take(left_out=40) == 0
    assert [entry["text"] for entry in logs] == ["40 alerts are not in what was sent"]
    assert desk.count("reports_left_out") == 40


def test_refusals_are_counted_one_by_one_and_told_now_and_then(desk: Desk) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            desk.reception.refused("desk", "unreadable", "key: field required")
        desk.reception.refused("", "no_token", "send the token")
    assert [(entry["event"], entry["source"], entry["reason"]) for entry in logs] == [
        ("reports_refused", "desk", "unreadable"),
        ("reports_refused", "", "no_token"),
    ]
    assert desk.count("report_requests_refused", reason="unreadable") == 3
