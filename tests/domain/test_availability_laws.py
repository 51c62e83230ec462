"""What is true of availability whatever happened."""

from dataclasses import replace
from itertools import zip_longest
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.pasts import MONDAY, Past
from watchkeeper.domain.availability import Correction, CorrectionKind, History, InForce, Measured, measure
from watchkeeper.domain.calendar import Calendar, always
from watchkeeper.domain.condition import AllDown, AnyDown, AvailabilityPolicy, Quorum, UnknownCounts
from watchkeeper.domain.expected import Because
from watchkeeper.domain.probe import Status
from watchkeeper.domain.spans import Span
from watchkeeper.domain.timeline import Interval, State

LENGTH = 300_000
SPAN = Span(MONDAY, MONDAY + LENGTH)

instants = st.integers(-20_000, LENGTH + 20_000).map(lambda at: MONDAY + at)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    first, second = draw(instants), draw(instants)
    return Span(min(first, second), max(first, second) + 1)


@st.composite
def probe_pasts(draw: st.DrawFn, name: str) -> list[Interval]:
    edges = sorted(draw(st.sets(instants, max_size=8)))
    found = []
    for begin, end in zip_longest(edges, edges[1:]):
        status = draw(st.sampled_from([*Status, None]))
        if status is not None:
            found.append(Interval(name, begin, end, status))
    return found


@st.composite
def corrections(draw: st.DrawFn, number: int = 1) -> Correction:
    return Correction(number, "shop", draw(st.sampled_from(CorrectionKind)), *draw(spans()), "alice", "why", 0)


@st.composite
def windows(draw: st.DrawFn) -> InForce:
    probes = draw(st.none() | st.frozensets(st.sampled_from("abc"), min_size=1))
    return InForce(*draw(spans()), Because.CHANGE, "CHG1", "work", probes)


@st.composite
def histories(draw: st.DrawFn) -> History:
    return History(
        [one for name in "abc" for one in draw(probe_pasts(name))],
        draw(st.lists(windows(), max_size=3)),
        draw(st.lists(corrections(), max_size=3)),
    )


policies = st.builds(
    AvailabilityPolicy,
    condition=st.sampled_from([AnyDown(), AllDown(), Quorum(1), Quorum(2), Quorum(3)]),
    unknown=st.sampled_from(UnknownCounts),
)
calendars = st.sampled_from(
    [
        always(),
        Calendar("none", always().zone, ((),) * 7),
        Calendar("minutes", always().zone, (((1, 2), (3, 4)),) * 7),
    ]
)


def essence(measured: Measured) -> tuple[object, ...]:
    return measured.totals, measured.stretches, [(one.from_ms, one.to_ms, one.counted_ms) for one in measured.outages]


@given(histories(), policies, calendars)
def test_the_parts_of_a_span_add_up_to_it(history: History, policy: AvailabilityPolicy, calendar: Calendar) -> None:
    measured = measure(SPAN, history, policy, calendar)

    assert sum(measured.totals.values()) == LENGTH
    assert [one.from_ms for one in measured.stretches] == [
        SPAN.from_ms,
        *(one.to_ms for one in measured.stretches[:-1]),
    ]
    assert measured.stretches[-1].to_ms == SPAN.to_ms
    assert sum(one.counted_ms for one in measured.outages) == measured.bad_ms
    assert measured.counted_ms <= LENGTH


@given(histories(), policies, calendars, st.integers(1, LENGTH - 1))
def test_to_measure_a_span_in_two_parts_changes_nothing(
    history: History, policy: AvailabilityPolicy, calendar: Calendar, at: int
) -> None:
    whole = measure(SPAN, history, policy, calendar)
    first = measure(Span(SPAN.from_ms, MONDAY + at), history, policy, calendar)
    second = measure(Span(MONDAY + at, SPAN.to_ms), history, policy, calendar)

    assert whole.totals == {state: first.totals[state] + second.totals[state] for state in State}


@given(histories(), policies, calendars, st.data())
def test_to_split_a_window_or_a_correction_changes_nothing(
    history: History, policy: AvailabilityPolicy, calendar: Calendar, data: st.DataObject
) -> None:
    def halves(one: Span) -> tuple[Span, Span]:
        at = data.draw(st.integers(one.from_ms, one.to_ms))
        return Span(one.from_ms, at), Span(at, one.to_ms)

    split = History(
        history.intervals,
        [
            one._replace(from_ms=half.from_ms, to_ms=half.to_ms)
            for one in history.planned
            for half in halves(Span(one.from_ms, one.to_ms))
        ],
        [
            replace(one, from_ms=half.from_ms, to_ms=half.to_ms)
            for one in history.corrections
            for half in halves(Span(one.from_ms, one.to_ms))
        ],
    )

    whole = measure(SPAN, history, policy, calendar)
    assert measure(SPAN, split, policy, calendar).totals == whole.totals


@given(histories(), policies, calendars, st.data())
def test_to_split_an_interval_changes_nothing(
    history: History, policy: AvailabilityPolicy, calendar: Calendar, data: st.DataObject
) -> None:
    pieces: list[Interval] = []
    for one in history.intervals:
        at = data.draw(st.integers(one.from_ms, one.to_ms or SPAN.to_ms + 20_000))
        pieces += [one._replace(to_ms=at), one._replace(from_ms=at)]

    split = replace(history, intervals=pieces)

    assert essence(measure(SPAN, split, policy, calendar)) == essence(measure(SPAN, history, policy, calendar))


@given(histories(), policies, calendars, corrections(9))
def test_a_correction_that_is_taken_back_changes_nothing(
    history: History, policy: AvailabilityPolicy, calendar: Calendar, correction: Correction
) -> None:
    undone = replace(correction, undone_ms=1, undone_by="bob")
    corrected = replace(history, corrections=[*history.corrections, undone])

    before, after = (measure(SPAN, one, policy, calendar) for one in (history, corrected))

    assert essence(before) == essence(after)
    assert before.adjustments == after.adjustments


@given(spans(), policies, calendars)
def test_to_add_an_outage_and_to_exclude_it_leaves_nothing_down(
    span: Span, policy: AvailabilityPolicy, calendar: Calendar
) -> None:
    up = [Interval("a", MONDAY, None, Status.UP), Interval("b", MONDAY, None, Status.UP)]
    both = [Correction(n, "shop", kind, *span, "alice", "why", 0) for n, kind in enumerate(CorrectionKind)]

    measured = measure(SPAN, History(up, [], both), policy, calendar)

    assert measured.totals[State.DOWN] == 0


@given(histories(), policies, calendars, st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_known_does_not_matter(
    history: History, policy: AvailabilityPolicy, calendar: Calendar, random: Random
) -> None:
    shuffled = History(
        random.sample(list(history.intervals), len(history.intervals)),
        random.sample(list(history.planned), len(history.planned)),
        random.sample(list(history.corrections), len(history.corrections)),
    )

    assert essence(measure(SPAN, shuffled, policy, calendar)) == essence(measure(SPAN, history, policy, calendar))


@given(histories(), policies)
def test_corrections_and_windows_change_nothing_of_what_was_seen(
    history: History, policy: AvailabilityPolicy
) -> None:
    plain = measure(SPAN, History(history.intervals), policy, always())
    measured = measure(SPAN, history, policy, always())

    for state in State:
        seen = sum(one.to_ms - one.from_ms for one in measured.stretches if one.seen is state)
        assert seen == plain.totals[state]


@given(st.text("UD?.", min_size=1, max_size=30), st.text("UD?.", min_size=1, max_size=30))
def test_the_more_is_planned_the_less_is_down(probe: str, planned: str) -> None:
    hidden = Past({"a": probe}, planned=planned.replace("U", ".")[: len(probe)])

    assert hidden.measured().bad_ms <= Past({"a": probe}).measured().bad_ms
