"""Calendars and how availability is measured, in the configuration."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from tests.config.folder import PROBES, Folder
from watchkeeper.config.calendars import holidays_of
from watchkeeper.domain.calendar import Calendar
from watchkeeper.domain.condition import (
    AllDown,
    AnyDown,
    AvailabilityPolicy,
    Counts,
    Expressed,
    Quorum,
    UnknownCounts,
)
from watchkeeper.domain.period import parse_period
from watchkeeper.domain.probe import Status
from watchkeeper.domain.service import Service

OFFICE = '{timezone: Asia/Shanghai, hours: {mon-fri: ["09:00-12:00", "13:00-18:00"], sat: ["22:00-06:00"]}}'
SECOND = """\
  - id: door
    prober: http
    service: shop
    url: https://shop.example/door
    critical: false
"""


def daemon(service: str = "", calendars: str = "") -> str:
    more = f"calendars: {{{calendars}}}\n" if calendars else ""
    return f"probe_files: [probes.yaml]\nrule_files: [rules.yaml]\nservices: {{shop: {{{service}}}}}\n{more}"


def shop(folder: Folder, service: str = "", calendars: str = "", probes: str = PROBES) -> Service:
    folder.write("watchkeeper.yaml", daemon(service, calendars))
    folder.write("probes.yaml", probes)
    return folder.load().plan.services["shop"]


def test_a_service_is_promised_always_and_down_when_any_critical_health_probe_is(folder: Folder) -> None:
    service = shop(folder)

    assert (service.hours.name, service.hours.week) == ("always", None)
    assert service.availability == AvailabilityPolicy(AnyDown(), (), (), UnknownCounts.EXCLUDED)
    assert [one.name for one in service.objectives.availability_over] == ["month"]


def test_the_hours_of_a_service_are_those_of_its_calendar(folder: Folder) -> None:
    service = shop(folder, "hours: cn-office", f"cn-office: {OFFICE}")

    workday = ((540, 720), (780, 1080))
    assert service.hours == Calendar("cn-office", ZoneInfo("Asia/Shanghai"), (workday,) * 5 + (((1320, 1800),), ()))


def test_a_calendar_may_be_but_a_time_zone_and_closed_days(folder: Folder) -> None:
    hours = shop(
        folder, "hours: de", "de: {timezone: Europe/Berlin, closed: [2026-12-24], opened: ['2026-12-25']}"
    ).hours

    assert (hours.week, hours.closed, hours.opened) == (
        None,
        frozenset({date(2026, 12, 24)}),
        frozenset({date(2026, 12, 25)}),
    )


def test_public_holidays_have_no_hours_and_weekends_that_are_worked_have(folder: Folder) -> None:
    hours = shop(
        folder, "hours: cn", "cn: {timezone: Asia/Shanghai, hours: {mon-fri: ['09:00-18:00']}, holidays: CN}"
    ).hours

    assert hours.of_day(date(2026, 10, 1)) == ()
    assert hours.of_day(date(2026, 10, 7)) == ()  # a Wednesday that is free for the Saturday after
    assert hours.of_day(date(2026, 10, 10)) == ((540, 1080),)  # that Saturday
    assert hours.of_day(date(2026, 10, 11)) == ()
    assert hours.of_day(date(2026, 10, 12)) == ((540, 1080),)


def test_a_day_that_is_closed_is_so_though_it_would_be_worked(folder: Folder) -> None:
    calendar = "cn: {hours: {mon-fri: ['09:00-18:00']}, holidays: CN, closed: [2026-10-10], opened: [2026-10-01]}"
    hours = shop(folder, "hours: cn", calendar).hours

    assert hours.of_day(date(2026, 10, 10)) == ()
    assert hours.of_day(date(2026, 10, 1)) == ((540, 1080),)


def test_parts_of_countries_have_holidays_of_their_own() -> None:
    assumption = date(2026, 8, 15)

    assert assumption in holidays_of("DE-SL")[0]
    assert assumption not in holidays_of("DE-BE")[0]
    assert date(2026, 2, 14) in holidays_of("CN")[1]


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        ("c: {hours: {mon-fry: ['09:00-18:00']}}", "is no day of the week: accepted are days such as mon-fri"),
        ("c: {hours: {'mon,mon': ['09:00-18:00']}}", "names a day twice"),
        ("c: {hours: {mon: ['9-18']}}", "are no hours: accepted are hours such as 09:00-18:00"),
        ("c: {hours: {mon: ['09:00-24:01']}}", "are no hours"),
        ("c: {hours: {mon: ['24:00-09:00']}}", "are no hours"),
        ("c: {hours: {mon: ['09:00-12:00', '11:00-18:00']}}", "these hours overlap"),
        ("c: {hours: {mon: ['20:00-10:00'], tue: ['09:00-18:00']}}", "these hours last into those of the next day"),
        ("c: {hours: {mon-fri: ['09:00-18:00'], fri: ['09:00-15:00']}}", "names a day of 'mon-fri' as well"),
        ("c: {hours: {mon: []}}", "has no hours: leave it out if it is always"),
        ("c: {timezone: Asia/Beijing}", "is not a time zone"),
        ("c: {holidays: QQ}", "no holidays are known of 'QQ'"),
        ("c: {holidays: DE-XX}", "DE has no part 'XX'"),
        ("c: {holidays: china}", "holidays"),
        ("c: {closed: [tomorrow]}", "closed"),
        ("c: {closed: [2026-12-24], opened: [2026-12-24]}", "2026-12-24 is both closed and opened"),
        ("always: {timezone: UTC}", "'always' is there already"),
    ],
)
def test_a_calendar_that_can_not_be_is_refused(folder: Folder, calendar: str, said: str) -> None:
    folder.write("watchkeeper.yaml", daemon(calendars=calendar))

    assert said in "\n".join(folder.problems())


@pytest.mark.parametrize("text", ["mon-sun", "sun-sat", "Fri - Mon,tue,wed,thu"])
def test_days_of_the_week_are_named_in_many_ways(folder: Folder, text: str) -> None:
    hours = shop(folder, "hours: c", f"c: {{hours: {{'{text}': ['00:00-24:00']}}}}").hours

    assert hours.week == (((0, 1440),),) * 7


@pytest.mark.parametrize(
    ("service", "condition"),
    [
        ("availability: {down_when: any}", AnyDown()),
        ("availability: {down_when: all}", AllDown()),
        ("availability: {quorum: 1}", Quorum(1)),
    ],
)
def test_a_service_says_when_it_is_down(folder: Folder, service: str, condition: object) -> None:
    assert shop(folder, service).availability.condition == condition


def test_a_service_says_which_probes_count_and_what_unknown_does(folder: Folder) -> None:
    policy = shop(folder, "availability: {probes: [h*], labels: {}, unknown: down}").availability

    assert (policy.probes, policy.unknown) == (("h*",), UnknownCounts.DOWN)


def test_a_probe_that_is_not_critical_does_not_count(folder: Folder) -> None:
    service = shop(folder, "availability: {quorum: 1}", probes=PROBES + SECOND)
    probes = folder.load().plan.probes

    assert (probes["home"].critical, probes["door"].critical) == (True, False)
    folder.write("watchkeeper.yaml", daemon("availability: {quorum: 2}"))
    assert "is 2, and only 1 of its probes count" in "\n".join(folder.problems())
    assert service.availability.describe() == "fewer than 1 are up of its critical health probes"


def test_an_expression_counts_probes(folder: Folder) -> None:
    service = shop(folder, 'availability: {when: \'down("h*") > 0 && up("home") == 0\'}')
    condition = service.availability.condition
    assert isinstance(condition, Expressed)

    assert condition.ask([], ["home"]) is True
    assert condition.ask(["home"], []) is False
    assert condition(Counts(0, 0, 1), {"home": Status.UNKNOWN}) is Status.UNKNOWN
    assert condition(Counts(0, 1, 0), {"home": Status.DOWN}) is Status.DOWN


def test_an_expression_without_an_answer_leaves_it_unknown(folder: Folder) -> None:
    condition = shop(folder, "availability: {when: '10 / (1 - up(\"home\")) > 1'}").availability.condition

    assert condition(Counts(1, 0, 0), {"home": Status.UP}) is Status.UNKNOWN


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("hours: office", "there is no calendar 'office'; there is always"),
        ("availability: {down_when: some}", "down_when"),
        ("availability: {down_when: all, quorum: 1}", "down_when and quorum are both set"),
        ("availability: {quorum: 2}", "is 2, and only 1 of its probes count"),
        ("availability: {quorum: 0}", "quorum"),
        ("availability: {probes: [hime]}", "no probe of the service is like 'hime' (did you mean 'home'?)"),
        ("availability: {when: 'down(\"hime\") > 0'}", "no probe that counts is like 'hime'"),
        ("availability: {when: 'down(\"home\") +'}", "is not valid"),
        ("availability: {when: 'down(\"home\")'}", "must be true or false"),
        ("availability: {when: 'down(3) > 0'}", "is not valid"),
        ("availability: {when: 'lost(\"home\") > 0'}", "is not valid"),
        ("availability: {when: '1 / down(\"home\") > 0'}", "has no answer"),
        ("availability: {unknown: maybe}", "unknown"),
        ("objectives: {availability: 101%}", "is over 100%"),
        ("objectives: {availability: 99.9}", "has no unit"),
        ("objectives: {availability: 99%, over: [fortnight]}", "is not a period"),
        ("objectives: {availability: 99%, over: [400d]}", "is out of range"),
        ("objectives: {availability: 99%, over: []}", "over"),
    ],
)
def test_what_a_service_can_not_promise_is_refused(folder: Folder, service: str, said: str) -> None:
    folder.write("watchkeeper.yaml", daemon(service))

    assert said in "\n".join(folder.problems())


def test_an_objective_is_agreed_for_several_periods(folder: Folder) -> None:
    objectives = shop(folder, "objectives: {availability: 99.9%, over: [month, year, 30d]}").objectives

    assert objectives.availability_ppm == 999_000
    assert objectives.availability_over == tuple(map(parse_period, ("month", "year", "30d")))


def test_a_mistake_in_one_calendar_hides_none_elsewhere(folder: Folder) -> None:
    folder.write("watchkeeper.yaml", daemon("hours: b, objectives: {response: 5}", "a: {holiday: CN}, b: {}"))

    said = "\n".join(folder.problems())
    assert "unknown key" in said
    assert "response" in said
    assert "there is no calendar" not in said
