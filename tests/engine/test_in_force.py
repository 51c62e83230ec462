"""The engine keeps which windows were in force, whatever is configured or told later."""

from collections.abc import Sequence

from sqlalchemy import insert, select
from structlog.testing import capture_logs

from tests.domain.made import SHOP
from tests.engine.planners import HOUR, MINUTE, NOW, Desk, HandSource, window
from tests.engine.stores import FaultyDatabase
from watchkeeper.config.planned import Planned
from watchkeeper.domain.expected import Because, Selection
from watchkeeper.domain.maintenance import Maintenance, Once
from watchkeeper.domain.matchers import parse_matcher
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.probe import Category, Every, Probe
from watchkeeper.domain.silence import SilenceDraft
from watchkeeper.domain.spans import Span
from watchkeeper.engine.figures import Figures
from watchkeeper.store import tables
from watchkeeper.store.silences import StoredSilences

WEB = Probe("web", "http", "shop", Category.HEALTH, Every(60_000), 1000, None, {"env": "live"}, critical=False)
PLAN = Plan({"shop": SHOP}, {"web": WEB}, {}, "desk")
ABOUT_SHOP = Selection(frozenset({"shop"}))


def watching(database: FaultyDatabase, figures: Figures, *sources: HandSource, planned: Planned = Planned()) -> Desk:  # noqa: B008
    desk = Desk(database, figures, *sources)
    desk.windows.revise(planned, sources, PLAN)
    return desk


def kept(database: FaultyDatabase) -> Sequence[tuple[str, int, int]]:
    """Number, and minutes from now from and to."""
    rows = tables.windows_in_force
    query = select(rows.c.number, rows.c.from_ms, rows.c.to_ms).order_by(rows.c.from_ms, rows.c.number)
    with database.read() as connection:
        found = connection.execute(query).all()
    return [(number, (begin - NOW) // MINUTE, (end - NOW) // MINUTE) for number, begin, end in found]


def move(desk: Desk, minutes: int) -> None:
    desk.now_ms = NOW + minutes * MINUTE
    desk.look()


def once(from_min: int, to_min: int) -> Planned:
    span = Span(NOW + from_min * MINUTE, NOW + to_min * MINUTE)
    return Planned(maintenance=(Maintenance("patch", "Patching", ABOUT_SHOP, Once(span)),))


def test_maintenance_is_kept_when_it_begins(database: FaultyDatabase, figures: Figures) -> None:
    desk = watching(database, figures, planned=once(10, 20))
    desk.look()
    assert kept(database) == []
    move(desk, 10)
    assert kept(database) == [("patch", 10, 20)]


def test_maintenance_that_is_planned_afterwards_changes_nothing_of_the_past(
    database: FaultyDatabase, figures: Figures
) -> None:
    desk = watching(database, figures)
    desk.look()
    desk.now_ms = NOW + 15 * MINUTE
    desk.windows.revise(once(-60, -30), (), PLAN)
    desk.look()
    assert kept(database) == []

    desk.windows.revise(once(-60, 30), (), PLAN)
    desk.look()
    assert kept(database) == [("patch", 15, 30)]


def test_maintenance_that_is_configured_no_more_stays_as_it_was(database: FaultyDatabase, figures: Figures) -> None:
    desk = watching(database, figures, planned=once(10, 20))
    for minute in (0, 10, 25):
        move(desk, minute)
    desk.windows.revise(Planned(), (), PLAN)
    move(desk, 30)

    assert kept(database) == [("patch", 10, 20)]


def test_a_change_that_ends_early_is_kept_until_then(database: FaultyDatabase, figures: Figures) -> None:
    source = HandSource("cab", window("CHG1", NOW + HOUR, NOW + 3 * HOUR))
    desk = watching(database, figures, source)
    for minute in (0, 60):
        move(desk, minute)
    source.windows = [window("CHG1", NOW + HOUR, NOW + HOUR + 25 * MINUTE)]
    move(desk, 90)

    assert kept(database) == [("CHG1", 60, 85)]


def test_a_restart_in_a_window_goes_on_with_it(database: FaultyDatabase, figures: Figures) -> None:
    source = HandSource("cab", window("CHG1", NOW + HOUR, NOW + 3 * HOUR))
    first = watching(database, figures, source)
    for minute in (0, 60):
        move(first, minute)

    second = watching(database, figures, source)
    second.windows.load()
    move(second, 100)
    source.windows = [window("CHG1", NOW + HOUR, NOW + 2 * HOUR)]
    move(second, 130)

    assert kept(database) == [("CHG1", 60, 120)]


def test_a_window_that_nobody_was_there_for_counts_from_the_last_sign_of_life(
    database: FaultyDatabase, figures: Figures
) -> None:
    with database.write() as connection:
        for alive_ms in (NOW - 30 * MINUTE, NOW):
            run = {"started_ms": 1, "alive_ms": alive_ms, "version": "1", "last_batch": 0}
            connection.execute(insert(tables.runs).values(**run))
    desk = watching(database, figures, planned=once(-60, -10))
    desk.look()

    assert kept(database) == [("patch", -30, -10)]


def test_a_silence_is_not_kept(database: FaultyDatabase, figures: Figures) -> None:
    draft = SilenceDraft((parse_matcher('service="shop"'),), "alice", "why", NOW, NOW + HOUR)
    StoredSilences(database).add(draft, NOW)
    desk = watching(database, figures, HandSource("cab", window("S", NOW, NOW + HOUR, Because.SILENCE)))
    for minute in (0, 5):
        move(desk, minute)

    assert kept(database) == []


def test_what_it_was_about_is_kept_with_it(database: FaultyDatabase, figures: Figures) -> None:
    live = Selection(matchers=(parse_matcher('env="live"'),))
    span = Span(NOW + MINUTE, NOW + HOUR)
    planned = Planned(
        maintenance=(
            Maintenance("live", "live", live, Once(span)),
            Maintenance("shop", "shop", ABOUT_SHOP, Once(span)),
        )
    )
    desk = watching(database, figures, planned=planned)
    for minute in (0, 2):
        move(desk, minute)

    rows = tables.windows_in_force
    with database.read() as connection:
        found = connection.execute(
            select(rows.c.number, rows.c.services, rows.c.probes).order_by(rows.c.number)
        ).all()
    assert [tuple(row) for row in found] == [("live", "[]", '["web"]'), ("shop", '["shop"]', "[]")]


def test_what_the_database_does_not_take_is_kept_with_the_next_look(
    database: FaultyDatabase, figures: Figures
) -> None:
    desk = watching(database, figures, planned=once(10, 20))
    desk.look()
    database.close()
    assert database.file is not None
    away = database.file.with_suffix(".away")
    database.file.rename(away)
    with capture_logs() as logs:
        for minute in (12, 25):
            move(desk, minute)
    away.rename(database.file)
    move(desk, 30)

    assert [one["event"] for one in logs if one["event"] == "windows_not_kept"] == ["windows_not_kept"]
    assert kept(database) == [("patch", 10, 20)]


def test_which_probes_count_is_noted_for_when_they_are_gone(database: FaultyDatabase, figures: Figures) -> None:
    watching(database, figures).look()

    with database.read() as connection:
        [row] = connection.execute(select(tables.probe_standings)).all()
    assert (row.probe_id, row.category, row.critical, row.labels) == ("web", "health", False, '{"env": "live"}')
