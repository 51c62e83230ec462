"""A change names what it links to as its backend knows it; what can not be linked stands in the note."""

import pytest

from watchkeeper.domain.handling import coalesce
from watchkeeper.domain.links import Linked, Other, link
from watchkeeper.domain.phrases import CHINESE
from watchkeeper.domain.ticket import ChangeRef, Command, CommandKind, TicketChange

CHANGE = TicketChange("it happens again")
THERE, COMING, ELSEWHERE = Other("T-1", "desk", "r1"), Other("PRB-1", "desk", is_coming=True), Other("X-1", "x", "rx")


def test_refs_take_the_place_of_ids() -> None:
    change = TicketChange("again", caused_by=ChangeRef("desk", "c1", "CHG1"))

    linked = link(change, "desk", THERE, Other("T-2", "desk", "r2")).change

    assert (linked.note, linked.problem, linked.duplicate, linked.cause) == ("again", "r1", "r2", "c1")


@pytest.mark.parametrize(("other", "said"), [
    (ELSEWHERE, "(Part of the problem X-1.)"),
    (Other("PRB-9"), "(Part of the problem PRB-9.)"),
    (Other("PRB-9", "desk"), "(Part of the problem PRB-9.)"),
    (Other("PRB-9", "x", is_coming=True), "(Part of the problem PRB-9.)"),
])  # fmt: skip
def test_what_can_not_be_linked_is_said(other: Other, said: str) -> None:
    linked = link(CHANGE, "desk", other, None)

    assert linked == Linked(TicketChange(f"it happens again\n{said}"))


def test_what_is_coming_is_awaited_as_long_as_there_is_time() -> None:
    assert link(CHANGE, "desk", COMING, None) == Linked(CHANGE, awaits="PRB-1")
    hurried = link(CHANGE, "desk", COMING, None, may_wait=False)
    assert hurried == Linked(TicketChange("it happens again\n(Part of the problem PRB-1.)"))


def test_it_is_said_in_the_language_of_the_tickets() -> None:
    assert link(TicketChange(""), "desk", None, ELSEWHERE, CHINESE).change.note == "（与 X-1 重复。）"


def test_of_several_changes_the_last_link_of_each_kind_counts() -> None:
    changes = [
        TicketChange("one", problem_id=1, duplicate_of=5),
        TicketChange("two", problem_id=2),
        TicketChange("three", caused_by=ChangeRef("desk", "c1", "CHG1")),
    ]
    together = coalesce([Command(1, "desk", "wk-1", CommandKind.UPDATE, change, 5) for change in changes])

    assert (together.problem_id, together.duplicate_of) == (2, 5)
    assert together.caused_by == ChangeRef("desk", "c1", "CHG1")
