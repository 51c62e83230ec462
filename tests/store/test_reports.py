"""What others reported last is stored with the alerts that follow, and comes back after a restart."""

from dataclasses import replace

from sqlalchemy import update
from structlog.testing import capture_logs

from watchkeeper.domain.alert import Alert, AlertState
from watchkeeper.domain.effect import AlertChanged, ReportChanged, ReportGone
from watchkeeper.domain.report import Measured, Report, ReportState
from watchkeeper.domain.rule import Named, Severity
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.record import record, remember
from watchkeeper.store.reports import remember_reports

REPORT = Report(
    source="am",
    key="web1#26918e5de482d3c2",
    state=ReportState.FIRING,
    at_ms=1000,
    rule="Slow",
    title="Slow 💤",
    severity=Severity.MINOR,
    labels=(Named("team", "web"),),
    values=(Measured("p99", 3.5),),
    expires_ms=9000,
)
OTHER = replace(REPORT, key="web2")
FIRED = AlertChanged(Alert(REPORT.ref), Alert(REPORT.ref, AlertState.FIRING, 2000, 1000), "slow")


def test_a_report_comes_back_with_its_alert(database: Database) -> None:
    record(database, [ReportChanged(REPORT, 2000), FIRED, ReportChanged(OTHER, 2000)])

    assert remember_reports(database) == [ReportChanged(REPORT, 2000), ReportChanged(OTHER, 2000)]
    assert [alert.ref for alert in remember(database).alerts] == [REPORT.ref]


def test_of_several_reports_of_an_alert_the_last_is_kept(database: Database) -> None:
    over = ReportChanged(replace(REPORT, state=ReportState.OVER), 3000)
    record(database, [ReportChanged(REPORT, 2000), over])
    assert remember_reports(database) == [over]

    record(database, [ReportChanged(OTHER, 4000), ReportGone("am", REPORT.key, 4000), ReportGone("am", "x", 4000)])
    assert remember_reports(database) == [ReportChanged(OTHER, 4000)]

    record(database, [ReportGone("am", OTHER.key, 5000), ReportChanged(OTHER, 5000)])
    assert remember_reports(database) == [ReportChanged(OTHER, 5000)]


def test_a_report_that_can_not_be_read_costs_no_other(database: Database) -> None:
    record(database, [ReportChanged(REPORT, 2000), ReportChanged(OTHER, 2000)])
    with database.write() as connection:
        table = tables.reports
        connection.execute(update(table).where(table.c.key == OTHER.key).values(report='{"source": 3}'))

    with capture_logs() as logs:
        assert remember_reports(database) == [ReportChanged(REPORT, 2000)]
    assert [(entry["event"], entry["source"], entry["key"]) for entry in logs] == [
        ("report_unreadable", "am", "web2")
    ]
