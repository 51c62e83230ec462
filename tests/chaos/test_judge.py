"""The judge of the chaos test sees what is wrong. Whoever always finds everything well is of no use."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.chaos.adapters import Act, Found, Note
from tests.chaos.judge import Case, Decided, Ordered, judge
from tests.chaos.people import Deed
from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._text import mark

JOINED = Ordered(2, "wk-1", "update", "b joined", "delivered", 2, "", 20)
LEFT = Ordered(3, "wk-1", "update", "b left", "delivered", 3, "", 30)
OVER = Ordered(4, "wk-1", "resolve", "over", "delivered", 3, "", 30)
CREATED = Ordered(1, "wk-1", "create", "", "delivered", 1, "", 10)
FIRST, SECOND = Note(mark("wk-1-2"), "b joined"), Note(mark("wk-1-3"), "two things: b left, over")
TICKET = Found("T-1", "wk-1", TicketState.RESOLVED, (FIRST, SECOND))
INCIDENT = Decided("INC-1", "down/probe=a", "wk-1", is_open=False)
WELL = Case([INCIDENT], [CREATED, JOINED, LEFT, OVER], [TICKET], {})
A, B = ("down", "a"), ("down", "b")
CAUSE = Decided("INC-2", "down/probe=b", "wk-2", is_open=True, firing=frozenset({B}), impacted=frozenset({A}))
MERGED = replace(INCIDENT, part_of=frozenset({"wk-2"}))
LATE = replace(
    WELL,
    incidents=[MERGED, CAUSE],
    tickets=[replace(TICKET, links=("T-2",)), Found("T-2", "wk-2", TicketState.OPEN, (), links=())],
    in_trouble={A: "", B: "down/probe=b"},
)
"""A cause that was found late, and has taken over."""
PROBLEM = replace(WELL, problems=[Decided("PRB-1", "down|shop", "wk-3", is_open=True)])


def with_ticket(ticket: Found, *deeds: Deed, commands: Sequence[Ordered] = WELL.commands) -> Case:
    return replace(WELL, tickets=[ticket], deeds={"wk-1": deeds} if deeds else {}, commands=commands)


def deed(act: Act, at_ms: int = 25, text: str = "") -> Deed:
    return Deed("wk-1", act, text, at_ms)


def test_nothing_is_wrong_with_one_ticket_that_tells_everything_once_and_in_order() -> None:
    assert judge(WELL).wrong == ()


def test_nothing_is_wrong_with_what_is_merged_into_its_cause_and_linked_to_it() -> None:
    assert judge(LATE).wrong == ()


def test_nothing_is_wrong_with_what_a_storm_has_gathered() -> None:
    storm = replace(CAUSE, incident_key="@storm", firing=frozenset({A, B}), impacted=frozenset())
    assert judge(replace(LATE, incidents=[MERGED, storm], in_trouble={A: "down/a", B: "down/b"})).wrong == ()


def test_duplicates_and_losses_are_counted() -> None:
    twice = judge(replace(WELL, tickets=[TICKET, replace(TICKET, ref="T-2")]))
    assert (twice.duplicates, twice.lost) == (1, 0)
    none = judge(replace(WELL, tickets=[]))
    assert (none.duplicates, none.lost) == (0, 1)


STATES = TicketState
WRONG = {
    "a ticket of nobody": replace(WELL, tickets=[TICKET, replace(TICKET, key="wk-2")]),
    "an incident too few": replace(WELL, in_trouble={A: "down/probe=a"}),
    "an incident too many": replace(WELL, incidents=[replace(INCIDENT, is_open=True)]),
    "an alert in two incidents": replace(LATE, in_trouble={A: "down/probe=a", B: "down/probe=b"}),
    "an alert in the incident of another": replace(LATE, in_trouble={A: "", B: "down/probe=c"}),
    "an alert that is told of, and is over": replace(LATE, in_trouble={B: "down/probe=b"}),
    "an alert that nothing tells of": replace(LATE, incidents=[MERGED, replace(CAUSE, impacted=frozenset())]),
    "two open incidents of a key": replace(LATE, incidents=[MERGED, CAUSE, CAUSE]),
    "a link that is lacking": replace(LATE, tickets=[replace(TICKET, links=()), LATE.tickets[1]]),
    "a link that is there twice": replace(LATE, tickets=[replace(TICKET, links=("T-2", "T-2")), LATE.tickets[1]]),
    "a link that nobody decided": with_ticket(replace(TICKET, links=("T-2",))),
    "a problem without a ticket": PROBLEM,
    "two tickets of a problem": replace(
        PROBLEM, tickets=[TICKET, *(Found(ref, "wk-3", TicketState.OPEN, ()) for ref in ("P-1", "P-2"))]
    ),
    "a problem that was resolved": replace(PROBLEM, tickets=[TICKET, Found("P-1", "wk-3", TicketState.RESOLVED, ())]),
    "a command that waits": replace(WELL, commands=[*WELL.commands[:3], replace(OVER, state="waiting")]),
    "a ticket that is open still": with_ticket(replace(TICKET, state=STATES.OPEN)),
    "a note that is lacking": with_ticket(replace(TICKET, notes=(SECOND,))),
    "a note that is there twice": with_ticket(replace(TICKET, notes=(FIRST, SECOND, SECOND))),
    "notes in another order": with_ticket(replace(TICKET, notes=(SECOND, FIRST))),
    "a note that nobody decided": with_ticket(replace(TICKET, notes=(FIRST, SECOND, Note(mark("wk-1-9"), "?")))),
    "a note that does not tell all": with_ticket(replace(TICKET, notes=(FIRST, replace(SECOND, text="over")))),
    "a cancelled ticket that was resolved": with_ticket(TICKET, deed(Act.CANCEL)),
    "a closed ticket that was opened": with_ticket(replace(TICKET, state=STATES.OPEN), deed(Act.CLOSE)),
    "somebody's ticket that was resolved": with_ticket(replace(TICKET, assignee="ann"), deed(Act.ASSIGN)),
    "a ticket that was taken from somebody": with_ticket(replace(TICKET, state=STATES.IN_PROGRESS), deed(Act.ASSIGN)),
    "a resolved ticket that was pulled back": with_ticket(
        replace(TICKET, state=STATES.IN_PROGRESS), deed(Act.RESOLVE)
    ),
    "a remark that is gone": with_ticket(TICKET, deed(Act.COMMENT, text="This is remark 1.")),
}


@pytest.mark.parametrize("what", WRONG)
def test_it_sees(what: str) -> None:
    assert judge(WRONG[what]).wrong


def test_what_a_person_resolved_may_be_opened_again_when_the_trouble_goes_on() -> None:
    again = Ordered(5, "wk-1", "reopen", "it goes on", "delivered", 5, "", 40)
    notes = (*TICKET.notes, Note(mark("wk-1-5"), "it goes on"))
    opened = replace(TICKET, state=STATES.IN_PROGRESS, notes=notes)

    assert judge(with_ticket(opened, deed(Act.RESOLVE), commands=[*WELL.commands, again])).wrong == ()


def test_a_ticket_that_a_person_has_ended_needs_no_notes_any_more() -> None:
    ended = "T-1 is cancelled: nothing is added to it"
    commands = [CREATED, JOINED, *(replace(one, remark=ended) for one in (LEFT, OVER))]

    assert (
        judge(
            with_ticket(Found("T-1", "wk-1", STATES.CANCELLED, (FIRST,)), deed(Act.CANCEL), commands=commands)
        ).wrong
        == ()
    )
