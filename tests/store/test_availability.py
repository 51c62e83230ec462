"""Availability measured from what is stored: of probes that are there and gone, of windows that were in force."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from watchkeeper.domain.availability import CorrectionKind
from watchkeeper.domain.calendar import always
from watchkeeper.domain.concerned import Concerned
from watchkeeper.domain.condition import AvailabilityPolicy, ProbeStanding, standing_of
from watchkeeper.domain.correction import CorrectionDraft, WrongCorrection, require_sensible
from watchkeeper.domain.expected import Because
from watchkeeper.domain.inforce import Kept, Key
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.probe import Category, Every, Probe
from watchkeeper.domain.service import Objectives, Service
from watchkeeper.domain.servicelevel import Report, standings_as_plain
from watchkeeper.domain.spans import Span
from watchkeeper.domain.timeline import State
from watchkeeper.store import tables
from watchkeeper.store.corrections import add_correction, list_corrections, undo_correction
from watchkeeper.store.database import Database
from watchkeeper.store.in_force import keep, last_look, left_open, note_standings
from watchkeeper.store.retention import forget_intervals, forget_windows
from watchkeeper.store.servicelevel import measure_all, measure_service

HOUR = 3_600_000
NOW = 1_795_564_800_000  # 2026-11-25T00:00Z
SHOP = Service("shop", "Web shop", objectives=Objectives(999_000))
DATABASE = Service("db", "Database")


def probe(name: str, service: str = "shop", category: Category = Category.HEALTH, **more: Any) -> Probe:
    return Probe(name, "http", service, category, Every(60_000), 1000, None, **more)


def plan(*probes: Probe, services: tuple[Service, ...] = (SHOP, DATABASE)) -> Plan:
    return Plan({one.id: one for one in services}, {one.id: one for one in probes}, {}, "desk")


def store(database: Database, *rows: tuple[str, str, int, int | None, str], **more: str) -> None:
    """Intervals: probe, service, hours before now from and to, status."""
    with database.write() as connection:
        connection.execute(
            insert(tables.probe_intervals),
            [
                {
                    "probe_id": name,
                    "service": service,
                    "from_ms": NOW - begin * HOUR,
                    "to_ms": None if end is None else NOW - end * HOUR,
                    "status": status,
                    "message": f"it is {status}",
                }
                for name, service, begin, end, status in rows
            ],
        )


def run_of_daemon(database: Database, alive_ms: int, stopped_ms: int | None = None) -> None:
    values = {"started_ms": 1, "alive_ms": alive_ms, "stopped_ms": stopped_ms, "version": "1", "last_batch": 0}
    with database.write() as connection:
        connection.execute(insert(tables.runs).values(**values))


def report(database: Database, known: Plan, hours: int = 10, service: Service = SHOP) -> Report:
    span = Span(NOW - hours * HOUR, NOW)
    return measure_service(database, known, service, span, NOW, NOW)


def totals(of: Report) -> dict[str, int]:
    return {state.value: ms // HOUR for state, ms in of.measured.totals.items() if ms}


WEB = probe("web")


def test_what_is_stored_is_measured(database: Database) -> None:
    store(database, ("web", "shop", 20, 8, "up"), ("web", "shop", 8, 5, "down"), ("web", "shop", 5, None, "up"))

    found = report(database, plan(WEB))

    assert totals(found) == {"up": 7, "down": 3}
    [outage] = found.measured.outages
    assert [(one.probe_id, one.message) for one in outage.causes] == [("web", "it is down")]


def test_what_was_forgotten_is_no_data(database: Database) -> None:
    store(database, ("web", "shop", 20, 8, "down"), ("web", "shop", 8, None, "up"))
    assert totals(report(database, plan(WEB))) == {"down": 2, "up": 8}

    forget_intervals(database, NOW - 9 * HOUR)
    assert totals(report(database, plan(WEB))) == {"down": 2, "up": 8}, "it lasted over the edge"
    forget_intervals(database, NOW - 7 * HOUR)

    assert totals(report(database, plan(WEB))) == {"no_data": 2, "up": 8}


def test_nothing_stored_is_no_data_and_never_a_hundred_percent(database: Database) -> None:
    found = report(database, plan(WEB))

    assert (totals(found), found.measured.percent, found.budget) == ({"no_data": 10}, "no data", None)


def test_probes_of_other_kinds_and_other_services_do_not_count(database: Database) -> None:
    others = [
        probe("disk", category=Category.CAPACITY),
        probe("dump", category=Category.BACKUP),
        probe("door", critical=False),
        probe("db-1", "db"),
    ]
    store(database, ("web", "shop", 20, None, "up"), *((one.id, one.service, 20, None, "down") for one in others))

    assert totals(report(database, plan(WEB, *others))) == {"up": 10}


def test_a_service_says_which_probes_count(database: Database) -> None:
    disk = probe("disk", category=Category.CAPACITY, labels={"tier": "1"})
    store(database, ("web", "shop", 20, None, "up"), ("disk", "shop", 20, None, "down"))
    policies = [
        AvailabilityPolicy(probes=("d*",)),
        AvailabilityPolicy(probes=("*",), labels=(("tier", "1"),)),
        AvailabilityPolicy(labels=(("tier", "1"),)),
    ]

    found = [
        totals(report(database, plan(WEB, disk), service=replace(SHOP, availability=policy))) for policy in policies
    ]

    assert found == [{"down": 10}, {"down": 10}, {"no_data": 10}]


def test_a_probe_that_is_gone_counts_as_it_did(database: Database) -> None:
    store(database, ("old", "shop", 20, 8, "down"), ("heap", "shop", 20, 8, "down"), ("web", "shop", 8, None, "up"))
    gone = [ProbeStanding("old", Category.HEALTH, True), ProbeStanding("heap", Category.CAPACITY, True)]
    assert totals(report(database, plan(WEB))) == {"no_data": 2, "up": 8}

    note_standings(database, [*gone, standing_of(WEB)], NOW - HOUR, 0)

    assert totals(report(database, plan(WEB))) == {"down": 2, "up": 8}
    note_standings(database, [], NOW, NOW - HOUR + 1)
    assert totals(report(database, plan(WEB))) == {"no_data": 2, "up": 8}


def test_a_probe_that_moved_counts_for_each_service_while_it_was_its(database: Database) -> None:
    store(database, ("web", "db", 20, 8, "down"), ("web", "shop", 8, None, "up"))

    assert totals(report(database, plan(WEB))) == {"no_data": 2, "up": 8}
    assert totals(report(database, plan(WEB), service=DATABASE)) == {"down": 2, "no_data": 8}


@pytest.mark.parametrize(
    ("alive_ms", "stopped_ms", "expected"),
    [
        (NOW - 5_000, None, {"up": 10}),
        (NOW - 4 * HOUR, None, {"up": 6, "unknown": 4}),
        (NOW - 4 * HOUR, NOW - 4 * HOUR, {"up": 6, "unknown": 4}),
    ],
)
def test_while_no_daemon_is_heard_of_nobody_knows(
    database: Database, alive_ms: int, stopped_ms: int | None, expected: dict[str, int]
) -> None:
    run_of_daemon(database, NOW - 20 * HOUR, NOW - 20 * HOUR)
    run_of_daemon(database, alive_ms, stopped_ms)
    store(database, ("web", "shop", 20, None, "up"))

    assert totals(report(database, plan(WEB))) == expected


def kept(from_h: int, to_h: int, services: set[str], probes: set[str] = frozenset(), ref: str = "CHG1") -> Kept:  # type: ignore[assignment]
    key = Key(Because.CHANGE, "snow", ref)
    about = Concerned(frozenset(services), frozenset(probes))
    return Kept(key, NOW - from_h * HOUR, NOW - to_h * HOUR, ref, "Switch", about)


def test_a_window_that_was_in_force_is_excluded_for_what_it_was_about(database: Database) -> None:
    store(database, ("web", "shop", 20, None, "down"), ("db-1", "db", 20, None, "down"))
    keep(database, [kept(8, 6, {"shop"}), kept(5, 4, {"shop-2"}, ref="CHG2"), kept(30, 20, {"shop"}, ref="CHG3")])
    known = plan(WEB, probe("db-1", "db"))

    assert totals(report(database, known)) == {"planned": 2, "down": 8}
    assert totals(report(database, known, service=DATABASE)) == {"down": 10}
    [told] = report(database, known).measured.adjustments
    assert (told.kind, told.number, told.why, told.down_ms) == ("change", "CHG1", "Switch", 2 * HOUR)


def test_a_window_about_a_probe_is_excluded_for_it_alone(database: Database) -> None:
    store(database, ("web", "shop", 20, None, "down"), ("api", "shop", 20, 7, "up"), ("api", "shop", 7, None, "down"))
    keep(database, [kept(8, 6, set(), {"web", "elsewhere"})])

    assert totals(report(database, plan(WEB, probe("api")))) == {"up": 1, "down": 9}


def test_a_window_is_kept_until_it_is_forgotten_and_ends_when_it_is_written_to(database: Database) -> None:
    keep(database, [kept(8, -2, {"shop"})])
    keep(database, [replace(kept(8, -2, {"shop"}), to_ms=NOW - 7 * HOUR)])
    [found] = left_open(database, NOW - 8 * HOUR)

    assert found == kept(8, 7, {"shop"})
    assert left_open(database, NOW - 7 * HOUR) == []
    assert [forget_windows(database, NOW - 7 * HOUR), forget_windows(database, NOW)] == [0, 1]


def test_the_last_look_is_the_sign_of_life_before_this_run(database: Database) -> None:
    assert last_look(database) is None
    run_of_daemon(database, 5)
    assert last_look(database) is None
    run_of_daemon(database, 9)
    assert last_look(database) == 5


def draft(kind: CorrectionKind, from_h: int, to_h: int, service: str = "shop") -> CorrectionDraft:
    return CorrectionDraft(service, kind, NOW - from_h * HOUR, NOW - to_h * HOUR, "alice", "why")


def test_corrections_count_until_they_are_taken_back_and_stay_on_record(database: Database) -> None:
    store(database, ("web", "shop", 20, 8, "up"), ("web", "shop", 8, 5, "down"), ("web", "shop", 5, None, "up"))
    excluded = add_correction(database, draft(CorrectionKind.EXCLUDE, 9, 6), NOW)
    added = add_correction(database, draft(CorrectionKind.ADD, 2, 1), NOW)
    add_correction(database, draft(CorrectionKind.ADD, 2, 0, "db"), NOW)
    assert (excluded.number, added.number) == ("COR-1", "COR-2")

    assert totals(report(database, plan(WEB))) == {"up": 6, "excluded": 2, "down": 2}
    undone = undo_correction(database, "cor-1", "bob", "wrong", NOW + 1)
    assert undone is not None
    assert (undone.undone_by, undone.undone_reason, undone.author) == ("bob", "wrong", "alice")
    assert totals(report(database, plan(WEB))) == {"up": 6, "down": 4}
    undo_correction(database, "COR-2", "bob", "wrong", NOW + 1)
    assert totals(report(database, plan(WEB))) == {"up": 7, "down": 3}

    assert [one.number for one in list_corrections(database, "shop", 10)] == ["COR-2", "COR-1"]
    assert len(list_corrections(database, None, 10)) == 3
    assert len(list_corrections(database, None, 2)) == 2


def test_a_correction_is_taken_back_once(database: Database) -> None:
    add_correction(database, draft(CorrectionKind.ADD, 2, 1), NOW)
    undo_correction(database, "COR-1", "bob", "wrong", NOW)

    with pytest.raises(WrongCorrection, match="COR-1 was taken back already, by bob"):
        undo_correction(database, "COR-1", "eve", "again", NOW)
    assert undo_correction(database, "COR-2", "bob", "wrong", NOW) is None
    assert undo_correction(database, "SIL-1", "bob", "wrong", NOW) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"author": " "}, "its author is missing"),
        ({"reason": ""}, "its reason is missing"),
        ({"reason": "x" * 1001}, "longer than 1,000"),
        ({"to_ms": NOW - 3 * HOUR}, "end before it begins"),
        ({"to_ms": NOW + 1}, "yet to come"),
        ({"from_ms": NOW - 400 * 24 * HOUR}, "longer than 366d"),
    ],
)
def test_a_correction_that_can_not_be_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(WrongCorrection, match=why):
        require_sensible(replace(draft(CorrectionKind.ADD, 2, 1), **change), NOW)


def test_all_services_are_measured_over_their_periods(database: Database) -> None:
    store(database, ("web", "shop", 20, 8, "up"), ("web", "shop", 8, None, "down"), ("db-1", "db", 3, None, "up"))
    known = plan(WEB, probe("db-1", "db"))

    standings = list(measure_all(database, known, list(known.services.values()), NOW))

    assert [(one.service.id, one.state) for one in standings] == [("shop", State.DOWN), ("db", State.UP)]
    [shop, other] = standings_as_plain(standings)
    assert (shop["periods"][0]["period"], shop["periods"][0]["percent"]) == ("month", "60.0000 %")
    assert shop["periods"][0]["objective"]["met"] is False
    assert other["periods"][0]["objective"] is None


def test_a_service_without_probes_has_no_data(database: Database) -> None:
    [standing] = measure_all(database, plan(services=(SHOP,)), [SHOP], NOW)

    assert standing.state is State.NO_DATA
    assert standing.levels[0].report.measured.percent == "no data"
    assert standing.service.hours == always()
