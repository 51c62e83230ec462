"""What is done to tickets that people work on too."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.handling import coalesce, handle
from watchkeeper.domain.phrases import CHINESE
from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import AutoResolve, Command, CommandKind, Ticket, TicketChange, TicketState

STATES = st.sampled_from(list(TicketState))
CHANGES = st.builds(
    TicketChange,
    st.sampled_from(("joined", "left", "worse", "over")),
    st.sampled_from((None, TicketState.OPEN, TicketState.RESOLVED)),
    st.just(""),
    st.sampled_from((None, *Level)),
    st.sampled_from((None, *Level)),
)


def commands(*changes: TicketChange) -> list[Command]:
    keyed = [replace(change, key=f"wk-1-{n}") for n, change in enumerate(changes, start=1)]
    begin_ms, minute_ms = 1_700_000_000_000, 60_000
    return [
        Command(1, "desk", "wk-1", CommandKind.UPDATE, change, begin_ms + n * minute_ms, n)
        for n, change in enumerate(keyed, start=1)
    ]


def ticket(state: TicketState, assignee: str = "", *, is_touched: bool = False) -> Ticket:
    return Ticket("r1", "T-1", "wk-1", state, "Web shop is down", assignee=assignee, is_touched=is_touched)


def test_one_change_stays_as_it_is() -> None:
    [command] = commands(TicketChange("joined"))
    assert coalesce([command]) == command.payload


@given(st.lists(CHANGES, min_size=2, max_size=60))
def test_several_changes_come_to_the_last_of_each(changes: list[TicketChange]) -> None:
    one = coalesce(commands(*changes))
    for name in ("state", "impact", "urgency"):
        said = [getattr(change, name) for change in changes if getattr(change, name) is not None]
        assert getattr(one, name) == (said[-1] if said else None)
    assert one.key == "wk-1-1"
    assert one.note.startswith(f"{len(changes)} things happened:")
    assert len(one.note.splitlines()) <= 22


def test_a_note_that_is_told_with_others_keeps_its_time() -> None:
    note = coalesce(commands(TicketChange("joined"), TicketChange("left"))).note
    assert note.splitlines()[1:] == ["2023-11-14 22:14:20Z  joined", "2023-11-14 22:15:20Z  left"]


OVER = TicketChange("over", TicketState.RESOLVED)


@pytest.mark.parametrize("state", [TicketState.CLOSED, TicketState.CANCELLED])
@pytest.mark.parametrize("change", [OVER, TicketChange("joined"), TicketChange("goes on", TicketState.OPEN)])
def test_what_is_over_for_good_is_left_alone(state: TicketState, change: TicketChange) -> None:
    handling = handle(change, ticket(state), AutoResolve.ALWAYS)
    assert handling.change is None
    assert handling.why_not == f"T-1 is {state}: nothing is added to it"
    assert handling.refused is (change.state is TicketState.OPEN)


def test_what_a_person_has_resolved_is_not_resolved_again() -> None:
    assert handle(OVER, ticket(TicketState.RESOLVED), AutoResolve.NEVER).change == TicketChange("over")


def test_what_a_person_has_opened_again_is_not_opened_twice() -> None:
    again = TicketChange("goes on", TicketState.OPEN)
    assert handle(again, ticket(TicketState.IN_PROGRESS), AutoResolve.ALWAYS).change == TicketChange("goes on")
    assert handle(again, ticket(TicketState.RESOLVED), AutoResolve.ALWAYS).change == again


@given(CHANGES, STATES, st.sampled_from(list(AutoResolve)), st.booleans())
def test_a_ticket_is_never_pulled_back_from_where_a_person_put_it(
    change: TicketChange, state: TicketState, policy: AutoResolve, touched: bool
) -> None:
    done = handle(change, ticket(state, is_touched=touched), policy).change
    if done is None or done.state is None:
        return
    assert done.state is change.state
    if done.state is TicketState.RESOLVED:
        assert not state.is_over
        assert policy is AutoResolve.ALWAYS or (policy is AutoResolve.UNTOUCHED and not touched)
    else:
        assert state is TicketState.RESOLVED


def test_what_is_left_to_a_person_says_to_whom() -> None:
    handling = handle(OVER, ticket(TicketState.IN_PROGRESS, "alice", is_touched=True), AutoResolve.UNTOUCHED)
    assert handling.change == TicketChange("over\n(Left to alice to resolve.)")


def test_of_several_links_to_a_problem_the_last_one_counts() -> None:
    linked = TicketChange("linked", problem="problem/1")
    assert coalesce(commands(linked, TicketChange("joined"))).problem == "problem/1"
    assert coalesce(commands(linked, replace(linked, problem="problem/2"))).problem == "problem/2"


def test_what_is_said_on_a_ticket_is_in_its_language_and_what_is_logged_in_english() -> None:
    several = coalesce(commands(*[TicketChange("加入")] * 30), CHINESE).note.splitlines()
    assert (several[0], several[4]) == ("期间发生了 30 件事：", "（另有 10 条）")
    left = handle(OVER, ticket(TicketState.IN_PROGRESS, "alice", is_touched=True), AutoResolve.UNTOUCHED, CHINESE)
    assert left.change == TicketChange("over\n（工单留待 alice 解决。）")
    assert left.why_not == "left to alice to resolve"
