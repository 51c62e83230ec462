"""Windows from calendars and files of changes, whatever comes instead of them."""

from pathlib import Path

import pytest

from tests.engine.planners import MINUTE, Desk
from tests.engine.stores import FaultyDatabase
from tests.simulators.http import Response, serving
from watchkeeper.config.planned import Calendar, ChangeFile, Planned
from watchkeeper.domain.expected import Because, Selection
from watchkeeper.engine.figures import Figures
from watchkeeper.schema.fields import Secret

SHOP = Selection(frozenset({"shop"}))
EVENT = """\
BEGIN:VCALENDAR
BEGIN:VEVENT
UID:u1
SUMMARY:Patch
DTSTART:20261125T000000Z
DURATION:PT1H
END:VEVENT
END:VCALENDAR
"""


def calendar(place: str | Secret, because: Because = Because.MAINTENANCE) -> Planned:
    return Planned(calendars=(Calendar(because, "maintenance/plan", "plan", place, "UTC", "", SHOP),))


def test_a_calendar_is_read_from_a_file(database: FaultyDatabase, figures: Figures, tmp_path: Path) -> None:
    file = tmp_path / "plan.ics"
    file.write_text(EVENT)
    desk = Desk(database, figures, planned=calendar(str(file)))
    assert desk.look() == ["plan"]
    assert desk.told[-1][0].title == "Patch"
    file.unlink()
    desk.now_ms += 5 * MINUTE
    assert desk.look() == ["plan"]
    assert desk.windows.states()[0].failure == f"{file}: No such file or directory"


def test_a_calendar_is_fetched_and_what_comes_instead_is_told(
    database: FaultyDatabase, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"now": Response(200, {}, EVENT.encode())}
    with serving(lambda _: answers["now"]) as server:
        monkeypatch.setenv("PLAN", server.url("/plan.ics?key=secret"))
        desk = Desk(database, figures, planned=calendar(Secret("env", "PLAN"), Because.CHANGE))
        assert desk.look() == ["u1"]
        for answer, said in (
            (Response(404, {}, b"gone"), "answered 404: gone"),
            (Response(302, {"Location": "https://login.example/"}), "sends elsewhere (302)"),
            (Response(200, {}, b"<html>Sign in</html>"), "the secret PLAN is no iCalendar text"),
            (Response(200, {}, b"BEGIN:VCALENDAR\r\n" + b"x" * 10_000_000), "the secret PLAN is larger than 4 MiB"),
            (Response(503, {}, b""), "failed (503)"),
        ):
            answers["now"] = answer
            desk.now_ms += 5 * MINUTE
            assert desk.look() == ["u1"]
            [state] = desk.windows.states()
            assert said in state.failure
            assert "key=secret" not in state.failure
    desk.now_ms += 5 * MINUTE
    assert desk.look() == ["u1"]
    assert "can not be reached" in desk.windows.states()[0].failure


def test_a_file_of_changes_is_read_again_and_a_broken_one_changes_nothing(
    database: FaultyDatabase, figures: Figures, tmp_path: Path
) -> None:
    file = tmp_path / "changes.yaml"
    one = "changes:\n  - {id: CHG1, services: [shop], from: 2026-11-25T00:00Z, to: 2026-11-25T01:00Z}\n"
    file.write_text(one)
    desk = Desk(database, figures, planned=Planned(change_files=(ChangeFile("plan", file, frozenset({"shop"})),)))
    assert desk.look() == ["CHG1"]
    file.write_text(one.replace("shop", "shp"))
    desk.now_ms += 5 * MINUTE
    assert desk.look() == ["CHG1"]
    assert "there is no service 'shp'" in desk.windows.states()[0].failure
    file.write_text(one.replace("CHG1", "CHG2"))
    desk.now_ms += 5 * MINUTE
    assert desk.look() == ["CHG2"]
