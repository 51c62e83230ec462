"""Availability of pasts that can be counted by hand, one minute a letter."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from tests.domain.pasts import MINUTE, MONDAY, Past, written
from watchkeeper.domain.availability import (
    Correction,
    CorrectionKind,
    History,
    InForce,
    measure,
    percent,
)
from watchkeeper.domain.calendar import Calendar, always
from watchkeeper.domain.condition import AllDown, AvailabilityPolicy, Expressed, Quorum, UnknownCounts
from watchkeeper.domain.expected import Because
from watchkeeper.domain.probe import Status
from watchkeeper.domain.spans import Span
from watchkeeper.domain.timeline import Interval, State

EXCLUDED, UP, DOWN = UnknownCounts.EXCLUDED, UnknownCounts.UP, UnknownCounts.DOWN
UTC: Final = ZoneInfo("UTC")
FIRST_FIVE: Final = Calendar("early", UTC, (((0, 5),),) * 7)  # 00:00 to 00:05 each day
TWICE: Final = Calendar("twice", UTC, (((0, 3), (6, 9)),) * 7)
FIRST_NINE: Final = Calendar("nine", UTC, (((0, 9),),) * 7)
CLOSED: Final = Calendar("closed", UTC, ((),) * 7)


def _two_down(_up: Sequence[str], down: Sequence[str]) -> bool:
    return len(down) >= 2


def _first_down(_up: Sequence[str], down: Sequence[str]) -> bool:
    return "a" in down


TWO: Final = Expressed('down("*") >= 2', _two_down)
FIRST: Final = Expressed('down("a") > 0', _first_down)
NO_ANSWER: Final = Expressed("none", lambda _up, _down: None)

QUORUM: Final = {"condition": Quorum(2)}
ALL: Final = {"condition": AllDown()}
EARLY: Final = {"calendar": FIRST_FIVE}

# What it is about, the probes, what else there is, what comes of it minute by minute, and the share of it in percent.
GOLDEN: Final[list[tuple[str, dict[str, str], dict[str, Any], str, str]]] = [
    # One probe.
    ("always up", {"a": "UUUUUUUUUU"}, {}, "UUUUUUUUUU", "100.0000"),
    ("always down", {"a": "DDDDDDDDDD"}, {}, "DDDDDDDDDD", "0.0000"),
    ("down for one of ten", {"a": "UUUUDUUUUU"}, {}, "UUUUDUUUUU", "90.0000"),
    ("down for one of three", {"a": "UDU"}, {}, "UDU", "66.6666"),
    ("down for two of three", {"a": "DUD"}, {}, "DUD", "33.3333"),
    ("down at the beginning", {"a": "DDUU"}, {}, "DDUU", "50.0000"),
    ("down at the end", {"a": "UUUD"}, {}, "UUUD", "75.0000"),
    ("two outages", {"a": "UDUUDDUUUU"}, {}, "UDUUDDUUUU", "70.0000"),
    # Nobody knew.
    ("all of it unknown", {"a": "????"}, {}, "????", "no data"),
    ("unknown counts for nothing", {"a": "UUD?"}, {}, "UUD?", "66.6666"),
    ("unknown counts as up", {"a": "UUD?"}, {"unknown": UP}, "UUD?", "75.0000"),
    ("unknown counts as down", {"a": "UUD?"}, {"unknown": DOWN}, "UUD?", "50.0000"),
    ("nothing but unknown, as up", {"a": "????"}, {"unknown": UP}, "????", "100.0000"),
    ("nothing but unknown, as down", {"a": "????"}, {"unknown": DOWN}, "????", "0.0000"),
    # Nobody looked.
    ("no data at all", {"a": "...."}, {}, "....", "no data"),
    ("data from the middle on", {"a": "..UU"}, {}, "..UU", "100.0000"),
    ("data until the middle", {"a": "DU.."}, {}, "DU..", "50.0000"),
    ("a gap", {"a": "UU..DD"}, {}, "UU..DD", "50.0000"),
    ("no data counts never, whatever unknown does", {"a": "U..."}, {"unknown": DOWN}, "U...", "100.0000"),
    # Any of two probes.
    ("either down", {"a": "UUDDUU", "b": "UUUDDU"}, {}, "UUDDDU", "50.0000"),
    ("down beside unknown is down", {"a": "UDUU", "b": "U?UU"}, {}, "UDUU", "75.0000"),
    ("up beside unknown is unknown", {"a": "UUUU", "b": "UU?U"}, {}, "UU?U", "100.0000"),
    ("up beside one that is not watched is up", {"a": "UUUU", "b": "..UU"}, {}, "UUUU", "100.0000"),
    ("a probe that came later", {"a": "UUUU", "b": "..DU"}, {}, "UUDU", "75.0000"),
    ("a probe that went", {"a": "UUUU", "b": "DU.."}, {}, "DUUU", "75.0000"),
    # All of them.
    ("all: one down", {"a": "UDDU", "b": "UUUU"}, ALL, "UUUU", "100.0000"),
    ("all: both down", {"a": "UDDU", "b": "UUDD"}, ALL, "UUDU", "75.0000"),
    ("all: down and unknown", {"a": "DDDD", "b": "U??D"}, ALL, "U??D", "50.0000"),
    ("all: up and unknown", {"a": "UUUU", "b": "????"}, ALL, "UUUU", "100.0000"),
    ("all of one", {"a": "UDU?"}, ALL, "UDU?", "66.6666"),
    ("all of those that are watched", {"a": "DDDD", "b": "..UU"}, ALL, "DDUU", "50.0000"),
    # A quorum of two.
    ("quorum: two of three up", {"a": "UUUU", "b": "UUDD", "c": "UDUD"}, QUORUM, "UUUD", "75.0000"),
    ("quorum: unknown may be up", {"a": "UUUU", "b": "?DD?", "c": "DD?U"}, QUORUM, "?D?U", "50.0000"),
    ("quorum: unknown can not help", {"a": "DDDD", "b": "?U??", "c": "DD??"}, QUORUM, "DD??", "0.0000"),
    ("quorum: fewer are watched", {"a": "UUUU", "b": "...U"}, QUORUM, "???U", "100.0000"),
    ("quorum of one", {"a": "UDDU", "b": "UUDD"}, {"condition": Quorum(1)}, "UUDU", "75.0000"),
    ("quorum of all", {"a": "UDDU", "b": "UUDD"}, QUORUM, "UDDD", "25.0000"),
    # An expression.
    ("expression: two down", {"a": "UDDU", "b": "UUDD", "c": "UUUD"}, {"condition": TWO}, "UUDD", "50.0000"),
    ("expression: unknown does not matter", {"a": "UDD?", "b": "??D?"}, {"condition": FIRST}, "UDD?", "33.3333"),
    ("expression: unknown matters", {"a": "DDUU", "b": "D?U?"}, {"condition": TWO}, "D?UU", "66.6666"),
    ("expression: no answer", {"a": "UDUU"}, {"condition": NO_ANSWER}, "????", "no data"),
    # Planned.
    ("planned outage", {"a": "UUDDUU"}, {"planned": "..PP.."}, "UUPPUU", "100.0000"),
    ("planned, and longer than that", {"a": "UDDDDU"}, {"planned": ".PP..."}, "UPPDDU", "50.0000"),
    ("planned while it was up", {"a": "UUUD"}, {"planned": "PP.."}, "PPUD", "50.0000"),
    ("all of it planned", {"a": "UDUD"}, {"planned": "PPPP"}, "PPPP", "no data"),
    ("planned where nobody looked", {"a": "UU..UU"}, {"planned": "..PP.."}, "UUPPUU", "100.0000"),
    ("planned for one of two probes", {"a": "DDUU", "b": "UUUD"}, {"masked": {"a": "PP.."}}, "UUUD", "75.0000"),
    ("planned for each by itself", {"a": "DDUU", "b": "DUUU"}, {"masked": {"a": "PP", "b": "P"}}, "PUUU", "100.0000"),
    ("planned for one, the other down", {"a": "DDUU", "b": "UDUU"}, {"masked": {"a": "PP.."}}, "UDUU", "75.0000"),
    ("planned for the only probe", {"a": "UDDU"}, {"masked": {"a": ".PP."}}, "UPPU", "100.0000"),
    ("planned for one of a quorum", {"a": "DUUU", "b": "UUUU", "c": "UUDU"},
     {"condition": Quorum(2), "masked": {"a": "P..."}}, "UUUU", "100.0000"),
    # Service hours.
    ("within hours only", {"a": "UUUUDDDDDD"}, {"calendar": FIRST_FIVE}, "UUUUD-----", "80.0000"),
    ("hours twice a day", {"a": "UUDDDDDUUU"}, {"calendar": TWICE}, "UUD---DUU-", "66.6666"),
    ("no hours at all", {"a": "UUDD"}, {"calendar": CLOSED}, "----", "no data"),
    ("planned outside of hours", {"a": "UUUUUDDD"}, {**EARLY, "planned": "...PPPPP"}, "UUUPP---", "100.0000"),
    # Corrections.
    ("an outage excluded", {"a": "UDDU"}, {"exclude": ".XX."}, "UXXU", "100.0000"),
    ("part of an outage excluded", {"a": "UDDU"}, {"exclude": ".X.."}, "UXDU", "66.6666"),
    ("what was up stays up where an outage is excluded", {"a": "UDDU"}, {"exclude": "XXXX"}, "UXXU", "100.0000"),
    ("unknown stays where an outage is excluded", {"a": "U?DU"}, {"exclude": ".XX."}, "U?XU", "100.0000"),
    ("unknown that counts as down is excluded", {"a": "U?D"}, {"exclude": ".XX", "unknown": DOWN}, "UXX", "100.0000"),
    ("an outage added", {"a": "UUUU"}, {"add": ".A.."}, "UDUU", "75.0000"),
    ("an outage added where nobody looked", {"a": "U..U"}, {"add": ".A.."}, "UD.U", "66.6666"),
    ("an outage added in planned work", {"a": "UUUU"}, {"planned": "PP..", "add": ".A.."}, "PDUU", "66.6666"),
    ("an outage added outside of hours", {"a": "UUUUUUU"}, {**EARLY, "add": "....AAA"}, "UUUUD--", "80.0000"),
    ("an outage added and excluded", {"a": "UUUU"}, {"add": ".A..", "exclude": ".X.."}, "UXUU", "100.0000"),
    ("corrections taken back", {"a": "UDUU"}, {"undone": "XXXX"}, "UDUU", "75.0000"),
    # Together.
    ("everything at once", {"a": "UDDDU?DU..", "b": "UUUDUUUUUU"},
     {"planned": ".P........", "exclude": "..X.......", "add": ".......A..", "calendar": FIRST_NINE},
     "UPXDU?DDU-", "50.0000"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "probes", "more", "expected", "share"), GOLDEN, ids=[case[0] for case in GOLDEN])
def test_a_past_comes_to_what_was_counted_by_hand(
    about: str, probes: dict[str, str], more: dict[str, Any], expected: str, share: str
) -> None:
    measured = Past(probes, **more).measured()

    assert (written(measured), measured.percent.removesuffix(" %")) == (expected, share), about
    assert sum(measured.totals.values()) == measured.span.to_ms - measured.span.from_ms


def test_there_are_enough_cases_that_were_counted_by_hand() -> None:
    assert len(GOLDEN) >= 60
    assert len({case[0] for case in GOLDEN}) == len(GOLDEN)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1), "100.0000 %"),
        (Fraction(10**12 - 1, 10**12), "99.9999 %"),
        (Fraction(999_999, 1_000_000), "99.9999 %"),
        (Fraction(1, 10**9), "0.0000 %"),
        (Fraction(2, 3), "66.6666 %"),
    ],
)
def test_a_share_is_never_rounded_up(share: Fraction, text: str) -> None:
    assert percent(share) == text


def test_a_millisecond_of_a_year_is_not_a_hundred_percent() -> None:
    year = Span(MONDAY, MONDAY + 365 * 1440 * MINUTE)
    down = Interval("a", MONDAY + 7, MONDAY + 8, Status.DOWN, "no answer")
    history = History(
        [Interval("a", MONDAY - 1, down.from_ms, Status.UP), down, Interval("a", MONDAY + 8, None, Status.UP)]
    )

    measured = measure(year, history, AvailabilityPolicy(), always())

    assert (measured.bad_ms, measured.percent) == (1, "99.9999 %")
    assert measured.availability == Fraction(365 * 86_400_000 - 1, 365 * 86_400_000)


def test_an_outage_is_told_with_its_causes_and_what_of_it_counts() -> None:
    past = Past({"a": "UUUDDDDUUU", "b": "UUUUDUUUUU"}, calendar=FIRST_FIVE)

    [outage] = past.measured().outages

    assert (outage.from_ms, outage.to_ms) == (MONDAY + 3 * MINUTE, MONDAY + 7 * MINUTE)
    assert outage.counted_ms == 2 * MINUTE
    assert [(cause.probe_id, cause.message) for cause in outage.causes] == [("a", "a is down"), ("b", "b is down")]


def test_an_outage_that_begins_in_planned_work_is_one_of_which_the_rest_counts() -> None:
    [outage] = Past({"a": "UDDDDU"}, planned=".PP...").measured().outages

    assert (outage.to_ms - outage.from_ms, outage.counted_ms) == (4 * MINUTE, 2 * MINUTE)


def test_what_does_not_count_at_all_is_no_outage_but_told_as_planned() -> None:
    measured = Past({"a": "UDDU"}, planned="PPPP").measured()
    [planned] = measured.adjustments

    assert measured.outages == ()
    assert (planned.kind, planned.number, planned.why) == ("maintenance", "M0", "work")
    assert (planned.time_ms, planned.down_ms) == (4 * MINUTE, 2 * MINUTE)


def test_what_was_planned_for_a_probe_is_told_with_what_it_hides() -> None:
    [planned] = Past({"a": "UDDU"}, masked={"a": ".P.."}).measured().adjustments

    assert (planned.time_ms, planned.down_ms) == (MINUTE, MINUTE)


def test_corrections_are_told_with_who_made_them_and_what_they_changed() -> None:
    measured = Past({"a": "UDDUUU"}, exclude=".X....", add="..AAA.").measured()
    excluded, added = measured.adjustments

    assert (excluded.kind, excluded.number, excluded.author, excluded.why) == ("exclude", "COR-1", "alice", "why")
    assert (excluded.time_ms, excluded.down_ms) == (MINUTE, MINUTE)
    assert (added.kind, added.time_ms, added.down_ms) == ("add", 2 * MINUTE, 0)


def test_what_was_measured_stays_beside_what_is_corrected() -> None:
    measured = Past({"a": "UDU"}, exclude=".X.").measured()

    assert [(one.seen, one.state) for one in measured.stretches][1] == (State.DOWN, State.EXCLUDED)


def test_an_outage_that_lasts_longer_than_the_span_is_cut_to_it() -> None:
    history = History([Interval("a", MONDAY - 10 * MINUTE, None, Status.DOWN, "gone")])

    measured = measure(Span(MONDAY, MONDAY + MINUTE), history, AvailabilityPolicy(), always())

    assert [(one.from_ms, one.to_ms) for one in measured.outages] == [(MONDAY, MONDAY + MINUTE)]


def test_windows_and_corrections_that_overlap_count_once() -> None:
    history = History(
        [Interval("a", MONDAY, None, Status.DOWN)],
        [InForce(MONDAY, MONDAY + 3 * MINUTE, Because.CHANGE, f"CHG{n}", "work") for n in range(2)],
        [
            Correction(n, "shop", CorrectionKind.EXCLUDE, MONDAY + 2 * MINUTE, MONDAY + 5 * MINUTE, "a", "b", 0)
            for n in (1, 2)
        ],
    )

    measured = measure(Span(MONDAY, MONDAY + 6 * MINUTE), history, AvailabilityPolicy(), always())

    totals = measured.totals
    assert (totals[State.PLANNED], totals[State.EXCLUDED], totals[State.DOWN]) == (3 * MINUTE, 2 * MINUTE, MINUTE)
    assert [one.time_ms for one in measured.adjustments] == [3 * MINUTE, 3 * MINUTE, 2 * MINUTE, 2 * MINUTE]


@pytest.mark.parametrize("unknown", [EXCLUDED, UP])
def test_an_outage_does_not_hold_what_is_unknown(unknown: UnknownCounts) -> None:
    measured = Past({"a": "UD?DU"}, unknown=unknown).measured()

    assert [one.counted_ms for one in measured.outages] == [MINUTE, MINUTE]


def test_unknown_that_counts_as_down_is_part_of_the_outage() -> None:
    [outage] = Past({"a": "UD?DU"}, unknown=DOWN).measured().outages

    assert outage.counted_ms == 3 * MINUTE
