"""Repeats of incidents become problems: exactly one at a time for each failure, whatever happens in between."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.domain.made import SHOP
from tests.domain.repeats import BEGIN, DAY, HOUR, MINUTE, REFUSED, Desk, changed, created, with_problems
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.effect import Happening, ProblemChanged, ProblemHappening
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.problem import ProblemState
from watchkeeper.domain.recurrence import APART_MS, Occurrence, Override, ProblemPolicy, Thresholds, occurrence
from watchkeeper.domain.storm import STORM_KEY
from watchkeeper.domain.ticket import (
    Command,
    CommandKind,
    Language,
    ProblemFindings,
    TicketKind,
    TicketState,
)


def test_the_third_time_within_a_fortnight_opens_a_problem_and_links_all_three() -> None:
    desk = Desk()
    first, second = desk.happens(BEGIN), desk.happens(BEGIN + 3 * DAY, "10.0.0.9:8443: connection refused")
    assert desk.effects == []
    third = desk.opens(BEGIN + 13 * DAY)
    problem = desk.only()
    assert (problem.state, problem.recurrences, problem.downtime_ms) == (ProblemState.OPEN, 3, 10 * MINUTE)
    changed_, create, *links = desk.effects
    assert isinstance(changed_, ProblemChanged)
    assert (changed_.happening, changed_.linked) == (ProblemHappening.OPENED, (1, 2, 3))
    assert isinstance(create, Command)
    assert (create.kind, create.problem_id, create.incident_id) == (CommandKind.CREATE, problem.id, None)
    draft = created(create)
    assert (draft.kind, draft.key, draft.title) == (
        TicketKind.PROBLEM,
        create.key,
        "Recurring: Web shop: …: connection refused",
    )
    assert [(one.incident_id, one.key) for one in links if isinstance(one, Command)] == [
        (one.id, ticket_key(one.key, one.opened_ms)) for one in (first, second, third)
    ]
    assert {changed(one).problem_id for one in links if isinstance(one, Command)} == {problem.id}


def test_three_times_in_more_than_a_fortnight_are_no_problem() -> None:
    desk = Desk()
    for day in (0, 8, 14):
        desk.happens(BEGIN + day * DAY)
    assert desk.effects == []


def test_different_failures_are_counted_on_their_own() -> None:
    desk = Desk()
    for hour, message in enumerate(
        ("answered 503 in 1 s", "answered 500 in 1 s", "answered 503 in 2 s", REFUSED) * 2
    ):
        desk.happens(BEGIN + hour * HOUR, message)
    assert [problem.failure for problem in desk.stored.values()] == ["answered 503 in #"]


def test_what_begins_everywhere_at_once_happened_once() -> None:
    desk = Desk()
    for probe in "abcde":
        desk.happens(BEGIN, key=f"down/probe={probe}")
    assert desk.effects == []
    desk.happens(BEGIN + APART_MS, key="down/probe=a")
    desk.happens(BEGIN + 2 * APART_MS, key="down/probe=b")
    assert desk.only().recurrences == 3
    assert len(desk.linked) == 7


def test_the_same_trouble_that_is_back_counts_however_soon() -> None:
    desk = Desk()
    for minute in (0, 2, 4):
        desk.happens(BEGIN + minute * MINUTE, lasts_ms=MINUTE)
    assert desk.only().recurrences == 3


def test_an_incident_that_only_takes_anothers_place_is_no_repeat_but_belongs_to_the_same_problem() -> None:
    desk = Desk()
    desk.happens(BEGIN)
    going_on = desk.succeeds(desk.succeeds(desk.opens(BEGIN + DAY), BEGIN + DAY + HOUR), BEGIN + DAY + 2 * HOUR)
    assert desk.effects == []
    desk.resolves(going_on, BEGIN + DAY + 3 * HOUR)
    last = desk.opens(BEGIN + 2 * DAY)
    assert desk.only().recurrences == 3
    assert desk.only().downtime_ms == 3 * HOUR + 5 * MINUTE
    new = desk.succeeds(last, BEGIN + 2 * DAY + HOUR)
    assert desk.only().recurrences == 3
    assert desk.linked[new.id] == desk.only().id


def test_accumulated_downtime_makes_a_problem_when_an_incident_is_over() -> None:
    desk = Desk(with_problems(ProblemPolicy(Thresholds(after=None, downtime_ms=4 * HOUR))))
    desk.happens(BEGIN, lasts_ms=3 * HOUR)
    second = desk.opens(BEGIN + DAY)
    assert desk.effects == []
    desk.resolves(second, BEGIN + DAY + HOUR)
    assert desk.only().downtime_ms == 4 * HOUR
    assert "down for 4h within 14d" in created(desk.commands(CommandKind.CREATE)[0]).description


def test_incidents_that_flap_make_a_problem() -> None:
    desk = Desk(with_problems(ProblemPolicy(Thresholds(flapping=2))))
    for day in (0, 1):
        desk.flaps(desk.opens(BEGIN + day * DAY, key=f"down/probe={day}"), BEGIN + day * DAY + HOUR)
    assert "came and went in 2 incidents" in created(desk.commands(CommandKind.CREATE)[0]).description


def test_rules_and_services_may_count_otherwise_or_not_at_all() -> None:
    policy = ProblemPolicy(
        services={"shop": Override(after=2), "mail": None}, rules={"slow": None, "down": Override(within_ms=DAY)}
    )
    assert policy.thresholds_of("down", "shop") == Thresholds(after=2, within_ms=DAY)
    assert policy.thresholds_of("other", "mail") is None
    assert policy.thresholds_of("slow", "shop") is None
    assert policy.thresholds_of("down", "mail") == Thresholds(within_ms=DAY)
    assert replace(policy, is_on=False).thresholds_of("other", "web") is None
    assert replace(policy, is_on=False).thresholds_of("other", "shop") == Thresholds(after=2)


def test_each_repeat_is_added_to_the_problem_and_linked() -> None:
    desk = Desk()
    for day in range(3):
        desk.happens(BEGIN + day * DAY)
    desk.effects.clear()
    fourth = desk.opens(BEGIN + 4 * DAY)
    repeated, update, link = desk.effects
    assert isinstance(repeated, ProblemChanged)
    assert (repeated.happening, repeated.problem.recurrences) == (ProblemHappening.RECURRED, 4)
    assert isinstance(update, Command)
    assert isinstance(link, Command)
    assert (update.kind, update.problem_id) == (CommandKind.UPDATE, repeated.problem.id)
    assert changed(update).note.startswith(f"Again (no. 4): {fourth.number} since")
    assert (link.incident_id, changed(link).problem_id) == (fourth.id, repeated.problem.id)


def test_one_that_recurs_soon_after_people_resolved_it_is_opened_again() -> None:
    desk = Desk()
    for day in range(3):
        desk.happens(BEGIN + day * DAY)
    desk.people(desk.only(), TicketState.RESOLVED, BEGIN + 5 * DAY)
    assert desk.only().state is ProblemState.RESOLVED
    desk.effects.clear()
    desk.opens(BEGIN + 9 * DAY)
    assert desk.happened() == ["reopened"]
    [reopen] = desk.commands(CommandKind.REOPEN)
    assert changed(reopen).state is TicketState.OPEN
    assert "4d after the problem was resolved" in changed(reopen).note
    # As long as its ticket is not open again, it is still read as resolved.
    assert desk.people(desk.only(), TicketState.RESOLVED, BEGIN + 9 * DAY + MINUTE) == []
    assert desk.only().state is ProblemState.OPEN


def test_one_whose_ticket_is_closed_gets_a_successor_with_its_history() -> None:
    desk = Desk()
    for day in range(3):
        desk.happens(BEGIN + day * DAY)
    said = "restart the pool", "a leak in the pool", "KE 7: pool leaks", "patched"
    found = ProblemFindings(*said, is_known_error=True)
    desk.people(desk.only(), TicketState.IN_PROGRESS, BEGIN + 4 * DAY, found)
    assert desk.only().state is ProblemState.KNOWN_ERROR
    desk.people(desk.only(), TicketState.CLOSED, BEGIN + 5 * DAY, found)
    desk.effects.clear()
    desk.opens(BEGIN + 6 * DAY)
    assert desk.happened() == ["succeeded", "opened"]
    assert desk.stored[2].successor_of == 1
    text = created(desk.commands(CommandKind.CREATE)[0]).description
    for part in ("PRB-1 DESK-1", "after 3 times", *said, "INC-1:"):
        assert part in text


def test_one_that_can_not_be_opened_again_gets_a_successor() -> None:
    desk = Desk()
    for day in range(3):
        desk.happens(BEGIN + day * DAY)
    desk.people(desk.only(), TicketState.RESOLVED, BEGIN + 5 * DAY)
    desk.opens(BEGIN + 6 * DAY)
    desk.effects.clear()
    desk.refuses(desk.stored[1], BEGIN + 6 * DAY + MINUTE)
    assert desk.happened() == ["succeeded", "opened"]
    assert [one.state for one in desk.stored.values()] == [ProblemState.RESOLVED, ProblemState.OPEN]
    desk.opens(BEGIN + 7 * DAY)
    assert desk.stored[2].recurrences == 1


def test_long_after_it_was_resolved_or_when_it_was_cancelled_it_is_counted_anew() -> None:
    for state, days in ((TicketState.RESOLVED, 40), (TicketState.CANCELLED, 5)):
        desk = Desk()
        for day in range(3):
            desk.happens(BEGIN + day * DAY)
        desk.people(desk.only(), state, BEGIN + 4 * DAY)
        later = BEGIN + days * DAY
        desk.happens(later)
        desk.happens(later + DAY)
        assert len(desk.stored) == 1
        desk.happens(later + 2 * DAY)
        assert desk.stored[2].successor_of == 1


def test_what_people_say_is_heard_and_nothing_is_sent() -> None:
    desk = Desk()
    for day in range(3):
        desk.happens(BEGIN + day * DAY)
    desk.effects.clear()
    desk.people(desk.only(), TicketState.OPEN, BEGIN + 3 * DAY)
    desk.people(desk.only(), TicketState.OPEN, BEGIN + 3 * DAY, ProblemFindings(workaround="restart it"))
    desk.people(desk.only(), TicketState.OPEN, BEGIN + 3 * DAY, ProblemFindings("restart it", is_known_error=True))
    desk.people(desk.only(), TicketState.RESOLVED, BEGIN + 3 * DAY, ProblemFindings("restart it", "the disk"))
    desk.people(desk.only(), TicketState.IN_PROGRESS, BEGIN + 3 * DAY)
    desk.people(desk.only(), TicketState.IN_PROGRESS, BEGIN + 3 * DAY)
    desk.people(desk.only(), TicketState.IN_PROGRESS, BEGIN + 3 * DAY, gone=True)
    assert desk.happened() == ["noted", "noted", "known_error", "resolved", "reopened", "resolved"]
    assert desk.commands() == []


def test_an_incident_that_was_part_of_another_one_does_not_count() -> None:
    desk = Desk()
    for day in range(5):
        desk.resolves(desk.opens(BEGIN + day * DAY), BEGIN + day * DAY + MINUTE, Happening.MERGED)
    assert desk.effects == []


def test_what_gathers_a_storm_does_not_count() -> None:
    desk = Desk()
    for day in range(5):
        desk.happens(BEGIN + day * DAY, key=STORM_KEY)
    assert desk.effects == []


def test_a_problem_is_written_in_the_language_of_its_backend() -> None:
    desk = Desk(with_problems(language=Language.CHINESE))
    for day in range(8):
        desk.happens(BEGIN + day * DAY)
    draft = created(desk.commands(CommandKind.CREATE)[0])
    assert draft.title.startswith("反复发生：")
    assert "14 天内发生 3 次" in draft.description
    assert "有规律：总在" in draft.description


def test_new_evidence_is_told_once() -> None:
    desk = Desk()
    for day in range(20):
        desk.happens(BEGIN + day * DAY)
    told = [changed(one).note for one in desk.commands(CommandKind.UPDATE) if one.problem_id is not None]
    assert sum("regular: always at about" in note for note in told) + ("regular: always at about" in created(
        desk.commands(CommandKind.CREATE)[0]).description) == 1  # fmt: skip


KEYS = st.sampled_from(["a", "b", "c"])
FAILURES = st.sampled_from([REFUSED, "answered 503 in 1.5 s"])
POLICY = ProblemPolicy(
    Thresholds(after=3, within_ms=4 * HOUR, downtime_ms=3 * HOUR, flapping=2), reopen_within_ms=6 * HOUR
)


@dataclass
class Told:
    """An incident as the model has it."""

    key: str
    failure: str
    started_ms: int
    opened_ms: int
    counts: bool
    resolved_ms: int | None = None
    flapped: bool = False
    problem: int | None = None


class Interleaved(RuleBasedStateMachine):
    """Whatever the order of things, and however often it is restarted: what is open is what the definition says."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(with_problems(POLICY, SHOP))
        self.now = BEGIN
        self.told: dict[int, Told] = {}
        self.state: dict[int, tuple[str, bool, TicketState | None, int | None]] = {}  # failure, open, seen, resolved
        self.open: dict[str, Incident] = {}

    @rule(minutes=st.integers(1, 200))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule(key=KEYS, failure=FAILURES)
    def trouble_begins(self, key: str, failure: str) -> None:
        if key in self.open:
            return
        self.now += 1
        incident = self.desk.opens(self.now, failure, key=f"down/probe={key}")
        self.open[key] = incident
        same = [one for one in self.told.values() if one.failure == failure]
        firsts = [one for one in same if one.counts]
        is_part = bool(firsts) and (
            self.now - firsts[-1].opened_ms < APART_MS
            and key not in {one.key for one in same if one.opened_ms >= firsts[-1].opened_ms}
        )
        self.told[incident.id] = new = Told(key, failure, self.now, self.now, counts=not is_part)
        self._expect_opened(new)

    def _expect_opened(self, new: Told) -> None:
        problem = self._last(new.failure)
        if problem is None:
            self._expect_count(new.failure)
            return
        _, is_open, seen, resolved_ms = self.state[problem]
        if is_open:
            new.problem = problem
            return
        assert resolved_ms is not None
        if seen is TicketState.CANCELLED or self.now - resolved_ms > POLICY.reopen_within_ms:
            self._expect_count(new.failure)
        elif seen is TicketState.RESOLVED:
            self.state[problem] = (new.failure, True, seen, None)
            new.problem = problem
        else:
            new.problem = self._expect_open(new.failure)

    def _expect_open(self, failure: str) -> int:
        number = len(self.state) + 1
        self.state[number] = (failure, True, None, None)
        return number

    def _last(self, failure: str) -> int | None:
        return max((number for number, one in self.state.items() if one[0] == failure), default=None)

    def _expect_count(self, failure: str) -> None:
        """The definition, counted anew each time."""
        since = self.now - POLICY.thresholds.within_ms
        free = [one for one in self.told.values() if one.failure == failure and one.problem is None]
        new = [one for one in free if one.opened_ms > since]
        is_due = sum(one.counts for one in new) >= 3 or sum(one.flapped for one in new) >= 2
        is_due = is_due or self._down_ms(free, since) >= 3 * HOUR
        problem = self._last(failure)
        if is_due and (problem is None or not self.state[problem][1]):
            number = self._expect_open(failure)
            for one in free:
                one.problem = number

    def _down_ms(self, free: Iterable[Told], since: int) -> int:
        """By the ends of intervals: between two of them all of the time is down, or none."""
        spans = [(max(one.started_ms, since), one.resolved_ms) for one in free if (one.resolved_ms or 0) > since]
        ends = sorted({end for span in spans for end in span if end is not None})
        return sum(
            after - before
            for before, after in pairwise(ends)
            if any(begin <= before and end is not None and after <= end for begin, end in spans)
        )

    @rule(key=KEYS)
    def trouble_ends(self, key: str) -> None:
        if (incident := self.open.pop(key, None)) is None:
            return
        self.now += 1
        told = self.told[incident.id]
        told.resolved_ms = self.now
        self.desk.resolves(incident, self.now)
        if told.problem is None:
            self._expect_count(told.failure)

    @rule(key=KEYS)
    def trouble_flaps(self, key: str) -> None:
        if (incident := self.open.get(key)) is None:
            return
        self.now += 1
        told = self.told[incident.id]
        told.flapped = True
        self.desk.flaps(incident, self.now)
        if told.problem is None:
            self._expect_count(told.failure)

    @rule(key=KEYS)
    def trouble_goes_on_under_another_number(self, key: str) -> None:
        if (incident := self.open.get(key)) is None:
            return
        self.now += 1
        old = self.told[incident.id]
        old.resolved_ms = self.now
        self.open[key] = new = self.desk.succeeds(incident, self.now)
        if old.problem is None:
            self._expect_count(old.failure)
        self.told[new.id] = replace(
            old, opened_ms=self.now, counts=False, resolved_ms=None, flapped=False, problem=old.problem
        )

    @precondition(lambda self: self.state)
    @rule(data=st.data(), state=st.sampled_from(TicketState))
    def people_move_a_problem(self, data: st.DataObject, state: TicketState) -> None:
        number = data.draw(st.sampled_from(sorted(self.state)))
        self.now += 1
        self.desk.people(self.desk.stored[number], state, self.now)
        failure, is_open, seen, resolved_ms = self.state[number]
        if state is not seen:
            if state.is_over:
                is_open, resolved_ms = False, self.now if resolved_ms is None else resolved_ms
            elif self._last(failure) == number:
                is_open, resolved_ms = True, None
        self.state[number] = (failure, is_open, state, resolved_ms)

    @precondition(lambda self: self.state)
    @rule(data=st.data())
    def a_ticket_can_not_be_opened_again(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.state)))
        self.now += 1
        self.desk.refuses(self.desk.stored[number], self.now)
        failure, is_open, seen, _ = self.state[number]
        if is_open:
            self.state[number] = (failure, False, seen, self.now)
            last = max(key for key, one in self.told.items() if one.failure == failure)
            new = self._expect_open(failure)
            if self.told[last].problem is None:
                self.told[last].problem = new

    @rule()
    def it_is_restarted(self) -> None:
        self.desk.restart()

    @invariant()
    def problems_are_what_the_definition_says(self) -> None:
        stored = self.desk.stored
        assert sorted(stored) == sorted(self.state)
        for number, (_, is_open, _, resolved_ms) in self.state.items():
            assert (not stored[number].is_resolved) == is_open
            assert stored[number].resolved_ms == resolved_ms
        assert {one.id for one in self.desk.problems.open} == {
            one.id for one in stored.values() if not one.is_resolved
        }

    @invariant()
    def each_incident_belongs_to_its_problem(self) -> None:
        assert self.desk.linked == {key: one.problem for key, one in self.told.items() if one.problem is not None}

    @invariant()
    def a_ticket_is_created_once_before_anything_else_is_done_to_it_or_linked_to_it(self) -> None:
        made: set[int] = set()
        for command in self.desk.commands():
            if command.kind is CommandKind.CREATE:
                assert command.problem_id is not None
                assert command.problem_id not in made
                made.add(command.problem_id)
            elif command.problem_id is not None:
                assert command.problem_id in made
            else:
                assert changed(command).problem_id in made


TestInterleaved = Interleaved.TestCase
TestInterleaved.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_past_incidents_are_bounded() -> None:
    from watchkeeper.domain import recurrence

    known = recurrence.Recurrence()
    one = occurrence(Desk().opens(BEGIN), REFUSED, "")
    for number in range(recurrence.MOST_INCIDENTS + 50):
        known.add(_at(one, number))
    assert len(list(known)) == recurrence.MOST_INCIDENTS
    assert known.get(0) is None
    assert known.of("fp-1") == []


def _at(one: Occurrence, number: int) -> Occurrence:
    at_ms = BEGIN + number * MINUTE
    return replace(one, id=number, fingerprint=f"fp-{number}", key=f"k-{number}", started_ms=at_ms, opened_ms=at_ms)


def test_in_a_storm_problems_are_told_without_evidence() -> None:
    desk = Desk(with_problems(ProblemPolicy(Thresholds(after=2))))
    for day in range(2):
        for number in range(100):
            desk.happens(
                BEGIN + day * DAY + number,
                f"{chr(97 + number % 26) * 3} {chr(97 + number // 26)} broke",
                key=f"k-{number}",
            )
    texts = [created(one).description for one in desk.commands(CommandKind.CREATE)]
    assert len(texts) == 100
    assert sum("Too much happened at once" in text for text in texts) == 80
