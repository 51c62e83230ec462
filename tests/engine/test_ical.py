"""Calendars: what is a window, what is left out, and what is refused before it costs much."""

from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.domain.units import format_time
from watchkeeper.engine.ical import MAX_BYTES, BadCalendar, Events, read_events

DAY = 86_400_000
NOW = round(datetime(2026, 11, 25, tzinfo=UTC).timestamp() * 1000)
SHANGHAI = ZoneInfo("Asia/Shanghai")
ODD_ZONE = """\
BEGIN:VTIMEZONE
TZID:Office
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0530
TZOFFSETTO:+0530
END:STANDARD
END:VTIMEZONE
"""


def event(lines: str, uid: str = "u1", title: str = "Patch") -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nSUMMARY:{title}\n{lines}\nEND:VEVENT\n"


def calendar(*parts: str) -> bytes:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//\n{''.join(parts)}END:VCALENDAR\n".replace(
        "\n", "\r\n"
    ).encode()


def read(*parts: str, summary: str = "") -> Events:
    return read_events(calendar(*parts), SHANGHAI, NOW - 7 * DAY, NOW + 31 * DAY, summary)


def times(*parts: str) -> list[tuple[str, str]]:
    found = read(*parts)
    assert found.left_out == ()
    return [(format_time(one.from_ms)[5:16], format_time(one.to_ms)[5:16]) for one in found.events]


def test_events_are_windows_wherever_they_are() -> None:
    assert times(event("DTSTART:20261126T010000Z\nDTEND:20261126T020000Z")) == [("11-26 01:00", "11-26 02:00")]
    berlin = "DTSTART;TZID=Europe/Berlin:20261126T010000\nDURATION:PT90M"
    assert times(event(berlin)) == [("11-26 00:00", "11-26 01:30")]
    windows = "DTSTART;TZID=W. Europe Standard Time:20261126T010000\nDURATION:PT90M"
    assert times(event(windows)) == [("11-26 00:00", "11-26 01:30")]
    assert times(ODD_ZONE, event("DTSTART;TZID=Office:20261126T010000\nDURATION:PT1H")) == [
        ("11-25 19:30", "11-25 20:30")
    ]


def test_whole_days_and_times_without_a_zone_are_where_the_configuration_says() -> None:
    assert times(event("DTSTART;VALUE=DATE:20261126\nDTEND;VALUE=DATE:20261128")) == [("11-25 16:00", "11-27 16:00")]
    assert times(event("DTSTART;VALUE=DATE:20261126")) == [("11-25 16:00", "11-26 16:00")]
    assert times(event("DTSTART:20261126T010000\nDURATION:PT1H")) == [("11-25 17:00", "11-25 18:00")]


def test_events_come_again_but_for_exceptions() -> None:
    weekly = (
        "DTSTART;TZID=Europe/Berlin:20261001T020000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=TH;UNTIL=20261211T000000Z\n"
        "EXDATE;TZID=Europe/Berlin:20261126T020000"
    )
    moved = (
        "RECURRENCE-ID;TZID=Europe/Berlin:20261203T020000\nDTSTART;TZID=Europe/Berlin:20261204T030000\nDURATION:PT1H"
    )
    found = read(event(weekly), event(moved, title="Moved patch"))

    assert [(one.id, one.title) for one in found.events] == [
        ("u1@20261119T010000Z", "Patch"),
        ("u1@20261204T020000Z", "Moved patch"),
        ("u1@20261210T010000Z", "Patch"),
    ]
    assert found.left_out == ()


def test_a_window_lasts_through_a_change_of_the_clock_as_the_standard_has_it() -> None:
    night = event("DTSTART;TZID=Europe/Berlin:20261024T230000\nDURATION:PT6H")
    found = read_events(calendar(night), SHANGHAI, NOW - 40 * DAY, NOW)
    assert [one.to_ms - one.from_ms for one in found.events] == [6 * 3_600_000]


def test_cancelled_events_and_other_titles_are_none() -> None:
    one = "DTSTART:20261126T010000Z\nDURATION:PT1H"
    assert times(event(f"{one}\nSTATUS:CANCELLED")) == []
    found = read(event(one, "a", "Monthly PATCH night"), event(one, "b", "Party"), summary="*patch*")
    assert [one.title for one in found.events] == ["Monthly PATCH night"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("DTSTART;TZID=Mars/Base:20261126T010000\nDURATION:PT1H", "DTSTART is in the time zone 'Mars/Base'"),
        ("DTSTART:garbage", "DTSTART: Expected"),
        ("DESCRIPTION:x", "has no DTSTART"),
        ("DTSTART:20261126T010000Z", "has no end: DTEND or DURATION is needed"),
        ("DTSTART:20261126T010000Z\nDTEND:20261126T000000Z", "DTEND is before DTSTART"),
        ("DTSTART:20261126T010000Z\nDTEND;VALUE=DATE:20261127", "of another kind"),
        ("DTSTART:20261126T010000Z\nDURATION:P32D", "lasts 32d; accepted are up to 31d"),
        ("DTSTART:18500101T010000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY", "DTSTART is before 1990"),
        ("DTSTART:20261126T010000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY", "comes again secondly"),
        ("DTSTART:20261126T010000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY", "comes again hourly"),
        ("DTSTART:20261126T010000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=0", "without an INTERVAL"),
        (f"DTSTART:20261126T010000Z\nDURATION:PT1M\nRRULE:FREQ=DAILY;BYHOUR={'1,' * 24}1", "25 times a day"),
        ("DTSTART:20261126T010000Z\nDURATION:PT1H\nRRULE:FREQ=FORTNIGHTLY", "RRULE: Expected frequency"),
    ],
)  # fmt: skip
def test_an_event_that_can_not_be_used_is_left_out_with_the_reason(lines: str, said: str) -> None:
    began = monotonic()
    found = read(event(lines), event("DTSTART:20261126T010000Z\nDURATION:PT1H", "good", "Good"))

    assert [one.title for one in found.events] == ["Good"]
    [reason] = found.left_out
    assert reason.startswith("'Patch': ")
    assert said in reason
    assert monotonic() - began < 5


def test_each_calendar_has_zones_of_its_own_though_their_names_are_the_same() -> None:
    one = event("DTSTART;TZID=Office:20261126T010000\nDURATION:PT1H")
    assert times(ODD_ZONE, one) == [("11-25 19:30", "11-25 20:30")]
    assert times(ODD_ZONE.replace("+0530", "-0300"), one) == [("11-26 04:00", "11-26 05:00")]
    assert read(one).events == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is no iCalendar text"),
        (b"<html>Sign in</html>", "is no iCalendar text"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nnonsense\x00\xff", "is not valid"),
        (b"BEGIN:VCALENDAR\r\n" + b"X" * MAX_BYTES, "is larger than 4 MiB"),
        (calendar(event("DTSTART:20261126T010000Z\nDURATION:PT1H") * 5001), "has more than 5,000 events"),
        (calendar(event("DTSTART;VALUE=DATE:20261101\nRRULE:FREQ=DAILY")), "cover more than 31d without a gap"),
        (
            calendar(
                ODD_ZONE.replace("TZOFFSETTO:+0530\n", ""),
                event("DTSTART;TZID=Office:20261126T010000\nDURATION:PT1H"),
            ),
            "is not valid: ",
        ),
    ],
)
def test_a_calendar_that_can_not_be_used_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(BadCalendar, match=said):
        read_events(text, SHANGHAI, NOW - 7 * DAY, NOW + 31 * DAY)


def test_ten_megabytes_are_refused_at_once() -> None:
    text = calendar(event("DTSTART:20261126T010000Z\nDURATION:PT1H") * 120_000)
    assert len(text) > 10_000_000
    began = monotonic()
    with pytest.raises(BadCalendar, match="is larger than 4 MiB"):
        read_events(text, SHANGHAI, NOW, NOW + DAY)
    assert monotonic() - began < 1


PIECES = st.sampled_from(
    ["BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "BEGIN:STANDARD", "END:STANDARD", ":", ";",
     "TZID:Office",
     "DTSTART:20261126T010000Z", "DTSTART;VALUE=DATE:20261126", "DTSTART;TZID=Office:20261126T010000",
     "DTEND:20261126T020000Z", "RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=DAILY;BYDAY=9XX", "EXDATE:20261127", "UID:u",
     "RDATE;VALUE=PERIOD:20261128T010000Z/PT1H", "RECURRENCE-ID:20261126T010000Z", "TZOFFSETTO:+9999", "SUMMARY:x",
     "TZOFFSETFROM:+0100", "TZOFFSETTO:+0100", "DURATION:P1Y", "DURATION:PT1H", "END:VCALENDAR", "BEGIN:VCALENDAR"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=20))
def test_whatever_a_calendar_holds_it_is_read_or_refused(lines: list[str]) -> None:
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""]).encode(errors="replace")
    with suppress(BadCalendar):
        found = read_events(text, SHANGHAI, NOW - 7 * DAY, NOW + 31 * DAY)
        assert all(one.from_ms < one.to_ms for one in found.events)


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ("END:VCALENDAR", "is cut off: a BEGIN:VCALENDAR has no END:VCALENDAR"),
        ("END:VCAL", "is cut off: a BEGIN:VCALENDAR has no END:VCALENDAR"),
        ("UID:u2", "is cut off"),
        ("DTEND", "is cut off"),
    ],
)
def test_a_calendar_that_is_cut_off_is_refused(cut: str, said: str) -> None:
    times_ = "DTSTART:20261126T010000Z\nDTEND:20261126T020000Z"
    whole = calendar(event(times_), event(times_, "u2"))
    text = whole[: whole.rindex(cut.encode()) + (len(cut) if cut == "END:VCAL" else 0)]
    with pytest.raises(BadCalendar, match=said):
        read_events(text, SHANGHAI, NOW - 7 * DAY, NOW + 31 * DAY)


def test_what_only_looks_like_a_mark_does_not_cut_a_calendar_off() -> None:
    lines = "DTSTART:20261126T010000Z\nDTEND:20261126T020000Z\nDESCRIPTION:write BEGIN:VEVENT\n BEGIN:VEVENT"
    assert times(event(lines)) == [("11-26 01:00", "11-26 02:00")]
