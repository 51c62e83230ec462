"""Changes that are over, and the incidents that were attributed to them."""

from dataclasses import replace

from tests.store import made
from tests.store.test_changes import CHANGE
from watchkeeper.domain.change import Change, ChangeOutcome, ChangeState
from watchkeeper.domain.incident import Incident
from watchkeeper.store.change_records import ended_changes
from watchkeeper.store.changes import replace_told
from watchkeeper.store.database import Database
from watchkeeper.store.record import record


def incident(id_: int, **given: object) -> Incident:
    return replace(made.incident(id_), key=f"key-{id_}", opened_ms=5_000, **given)  # type: ignore[arg-type]


def change(number: str, from_ms: int, to_ms: int, ref: str = "", **given: object) -> Change:
    return replace(CHANGE, id=number, ref=ref or number, from_ms=from_ms, to_ms=to_ms, **given)  # type: ignore[arg-type]


def test_a_change_is_told_with_the_incidents_that_were_attributed_to_it(database: Database) -> None:
    replace_told(database, "snow", [change("CHG1", 1_000, 9_000, outcome=ChangeOutcome.SUCCESSFUL)], 500)
    merged = incident(3, caused_by="CHG1", merged_into=1)
    others = [incident(1, caused_by="CHG1"), incident(2, caused_by="CHG1"), merged, incident(4)]
    record(database, [made.opened(one) for one in others])

    [one] = ended_changes(database, 0, 10_000)

    assert (one.number, one.source, one.title, one.from_ms, one.to_ms) == ("CHG1", "snow", "Switch", 1_000, 9_000)
    assert (one.told, one.incidents, one.outcome) == ("successful", ("INC-1", "INC-2"), "failed")


def test_those_count_whose_last_window_ended_in_the_stretch_of_time(database: Database) -> None:
    windows = [
        change("before", 100, 999),
        change("first", 900, 1_000),
        change("twice", 100, 500),
        change("twice", 1_000, 2_000, "twice#2"),
        change("last", 1_000, 2_999),
        change("after", 1_000, 3_000),
        change("again", 100, 1_500),
        change("again", 2_000, 4_000, "again#2"),
    ]
    replace_told(database, "snow", windows, 50)

    found = ended_changes(database, 1_000, 3_000)

    assert [(one.number, one.from_ms, one.to_ms) for one in found] == [
        ("first", 900, 1_000),
        ("twice", 100, 2_000),
        ("last", 1_000, 2_999),
    ]


def test_what_was_not_approved_or_not_made_does_not_count(database: Database) -> None:
    windows = [change(state.value, 1_000, 2_000, state=state) for state in ChangeState]
    replace_told(database, "snow", windows, 50)

    assert [one.number for one in ended_changes(database, 0, 3_000)] == ["approved", "done", "under_way"]


def test_changes_of_one_number_in_two_sources_are_two(database: Database) -> None:
    for source in ("snow", "jira"):
        replace_told(database, source, [change("CHG1", 1_000, 2_000, backend=source)], 50)

    assert len(ended_changes(database, 0, 3_000)) == 2
