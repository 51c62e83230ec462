"""What sources told, as it is kept."""

from dataclasses import replace

from watchkeeper.domain.change import Change, ChangeOutcome, ChangeState
from watchkeeper.domain.expected import Because, Matcher, Operator, Selection, Window
from watchkeeper.store.changes import forget_changes, list_changes, note_unchanged, replace_told, told
from watchkeeper.store.database import Database

ABOUT = Selection(frozenset({"shop", "db"}), frozenset({"CI1"}), ("a*",), (Matcher("env", Operator.MATCHES, "x|y"),))
CHANGE = Change(
    Because.CHANGE, "CHG1", "Switch", 1_000, 9_000, ABOUT, "snow", "sys1", ChangeState.DONE, ChangeOutcome.FAILED
)
PATCH = Window(Because.MAINTENANCE, "patch", "Patch", 1_000, 9_000, ABOUT, "plan", "uid@1")


def test_windows_are_told_as_they_were(database: Database) -> None:
    replace_told(database, "snow", [CHANGE], 500)
    replace_told(database, "plan", [PATCH], 600)

    assert [(one.window, one.read_ms) for one in told(database, "snow", 0)] == [(CHANGE, 500)]
    assert [(one.window, one.read_ms) for one in told(database, "plan", 0)] == [(PATCH, 600)]
    assert told(database, "snow", 9_000) == []


def test_a_window_without_a_state_is_an_approved_change(database: Database) -> None:
    replace_told(database, "cab", [replace(PATCH, because=Because.CHANGE, backend="cab", ref="")], 500)

    [one] = told(database, "cab", 0)
    assert isinstance(one.window, Change)
    assert (one.window.state, one.window.outcome, one.window.ref) == ("approved", "unknown", "patch")


def test_what_a_source_tells_no_more_is_gone_unless_it_is_over(database: Database) -> None:
    past, moved, gone = (replace(CHANGE, ref=ref) for ref in ("past", "moved", "gone"))
    replace_told(database, "snow", [replace(past, to_ms=2_000), moved, gone], 1_500)
    replace_told(database, "other", [replace(gone, backend="other")], 1_500)
    replace_told(database, "snow", [replace(moved, from_ms=5_000)], 3_000)

    assert [(one.window.ref, one.window.from_ms, one.read_ms) for one in told(database, "snow", 0)] == [
        ("past", 1_000, 1_500),
        ("moved", 5_000, 3_000),
    ]
    assert len(told(database, "other", 0)) == 1


def test_when_a_source_was_read_last_is_known_though_nothing_changed(database: Database) -> None:
    replace_told(database, "snow", [CHANGE], 500)
    note_unchanged(database, "snow", 700)
    assert [one.read_ms for one in told(database, "snow", 0)] == [700]


def test_changes_are_listed_and_maintenance_is_none(database: Database) -> None:
    later = replace(CHANGE, ref="sys2", id="CHG2", from_ms=20_000, to_ms=30_000)
    replace_told(database, "snow", [later, CHANGE], 500)
    replace_told(database, "plan", [PATCH], 600)

    def numbers(from_ms: int, to_ms: int, limit: int = 10) -> list[str]:
        return [one.window.id for one in list_changes(database, from_ms=from_ms, to_ms=to_ms, limit=limit)]

    assert [numbers(0, 40_000), numbers(9_000, 40_000), numbers(0, 20_000), numbers(0, 40_000, 1)] == [
        ["CHG1", "CHG2"], ["CHG2"], ["CHG1"], ["CHG2"],
    ]  # fmt: skip


def test_what_was_over_long_ago_is_forgotten(database: Database) -> None:
    replace_told(database, "snow", [CHANGE, replace(CHANGE, ref="sys2", to_ms=10_000)], 500)

    assert forget_changes(database, 9_001) == 1
    assert [one.window.ref for one in told(database, "snow", 0)] == ["sys2"]
