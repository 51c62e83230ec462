"""What people may do to tickets of the local desk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.desk import Act, Move, WrongMove, act_on, possible
from watchkeeper.domain.ticket import Ticket, TicketState

OPEN, IN_PROGRESS, ON_HOLD = TicketState.OPEN, TicketState.IN_PROGRESS, TicketState.ON_HOLD
RESOLVED, CLOSED, CANCELLED = TicketState.RESOLVED, TicketState.CLOSED, TicketState.CANCELLED
NAMES = st.sampled_from(("alice", "bob"))
ACTS = st.builds(Act, st.sampled_from(Move), NAMES, NAMES, st.sampled_from(("", "disk cleaned")))


def ticket(state: TicketState = OPEN, assignee: str = "") -> Ticket:
    return Ticket("1", "DESK-1", "wk-1", state, "Web shop is down", assignee=assignee)


@pytest.mark.parametrize(
    ("move", "before", "after"),
    [
        (Move.TAKE, OPEN, IN_PROGRESS),
        (Move.TAKE, ON_HOLD, IN_PROGRESS),
        (Move.HOLD, IN_PROGRESS, ON_HOLD),
        (Move.RESOLVE, OPEN, RESOLVED),
        (Move.RESOLVE, ON_HOLD, RESOLVED),
        (Move.REOPEN, RESOLVED, OPEN),
        (Move.CLOSE, RESOLVED, CLOSED),
        (Move.CLOSE, IN_PROGRESS, CLOSED),
        (Move.CANCEL, OPEN, CANCELLED),
        (Move.NOTE, RESOLVED, RESOLVED),
        (Move.ASSIGN, OPEN, OPEN),
    ],
)
def test_a_move_leads_from_one_state_to_another(move: Move, before: TicketState, after: TicketState) -> None:
    assert act_on(ticket(before), Act(move, "alice", "bob", "said")).state is after


@pytest.mark.parametrize(
    ("act", "assignee", "note"),
    [
        (Act(Move.TAKE, "alice"), "alice", "alice took it up"),
        (Act(Move.ASSIGN, "alice", "bob"), "bob", "alice assigned it to bob"),
        (Act(Move.HOLD, "alice", text="waits for a part"), "carol", "alice put it on hold: waits for a part"),
        (Act(Move.NOTE, "alice", text="looks bad"), "carol", "alice: looks bad"),
    ],
)
def test_who_works_on_it_and_what_is_noted_follow(act: Act, assignee: str, note: str) -> None:
    moved = act_on(ticket(IN_PROGRESS, "carol"), act)
    assert (moved.assignee, moved.note) == (assignee, note)


@given(st.sampled_from((CLOSED, CANCELLED)), ACTS)
def test_closed_and_cancelled_are_for_good(state: TicketState, act: Act) -> None:
    with pytest.raises(WrongMove, match="for good"):
        act_on(ticket(state), act)


@given(st.sampled_from(TicketState), ACTS)
def test_only_what_is_resolved_can_be_opened_again(state: TicketState, act: Act) -> None:
    if act.move is Move.REOPEN and state is not RESOLVED:
        with pytest.raises(WrongMove):
            act_on(ticket(state), act)


@given(st.sampled_from(TicketState), NAMES | st.just(""), ACTS)
def test_a_move_that_is_possible_is_made_and_no_other_is(state: TicketState, assignee: str, act: Act) -> None:
    before = ticket(state, assignee)
    already = act in (Act(Move.TAKE, assignee, act.to, act.text), Act(Move.ASSIGN, act.by, assignee, act.text))
    if act.move not in possible(state):
        with pytest.raises(WrongMove):
            act_on(before, act)
    elif not already:
        moved = act_on(before, act)
        assert act.by in moved.note
        assert act.move is Move.NOTE or (moved.state, moved.assignee) != (state, assignee)


def test_a_wrong_move_says_what_is_possible() -> None:
    with pytest.raises(WrongMove, match=r"^DESK-1 is resolved: possible is reopen, close, note$"):
        act_on(ticket(RESOLVED), Act(Move.TAKE, "alice"))


def test_who_has_a_ticket_need_not_take_it() -> None:
    with pytest.raises(WrongMove, match=r"^DESK-1 is with alice already$"):
        act_on(ticket(IN_PROGRESS, "alice"), Act(Move.TAKE, "alice"))
