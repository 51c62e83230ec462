"""What is striking about times: what was planted is found, and of noise hardly anything is claimed."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import comb
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.domain.chance import Span, arc_chance, binomial_tail, covered
from watchkeeper.domain.evidence import (
    AFTERMATH_MS,
    BEFORE_MS,
    Finding,
    Kind,
    Other,
    PastChange,
    find,
)

HOUR, DAY = 3_600_000, 86_400_000
FROM = datetime(2026, 9, 1, tzinfo=UTC)
SPAN = Span(int(FROM.timestamp() * 1000), int((FROM + timedelta(days=90)).timestamp() * 1000))
BERLIN = ZoneInfo("Europe/Berlin")


def at(day: float, hour: float = 0.0) -> int:
    """So many days and hours after the span began."""
    return SPAN.from_ms + int(day * DAY + hour * HOUR)


def of_kind(found: Sequence[Finding], kind: Kind) -> Finding:
    return next(one for one in found if one.kind is kind)


def test_a_nightly_fault_is_found_by_its_time_of_day() -> None:
    nights = [at(day, 2.1 + 0.2 * (day % 5)) for day in (3, 9, 10, 21, 40, 66)]
    daytime = [at(30, 14)]
    found = of_kind(find([*nights, *daytime], {}, [], SPAN), Kind.HOUR)
    assert (found.name, found.count, found.of) == ("02:00-03:00", 6, 7)
    assert found.expected == pytest.approx(7 / 24)


def test_times_of_day_are_those_of_the_service() -> None:
    summer = [at(day, 0.25) for day in (3, 9, 10, 21)]  # 02:15 in Berlin, in October too
    winter = [at(day, 1.25) for day in (60, 66, 80)]
    found = of_kind(find([*summer, *winter], {}, [], SPAN, BERLIN), Kind.HOUR)
    assert (found.name, found.count) == ("01:30-02:30", 7)
    assert of_kind(find([*summer, *winter], {}, [], SPAN, BERLIN), Kind.INTERVAL).name == "02:15"


def test_a_weekly_fault_is_found_by_its_interval_and_its_weekday() -> None:
    # 2026-09-01 is a Tuesday.
    found = find([at(7 * week + 1, 2 + week / 10) for week in range(6)], {}, [], SPAN)
    interval = of_kind(found, Kind.INTERVAL)
    assert (interval.period_ms, interval.name) == (7 * DAY, "2 02:15")
    assert of_kind(found, Kind.WEEKDAY).name == "2"


def test_a_fault_at_the_end_of_months_is_found() -> None:
    hours = ((9, 28, 9), (9, 29, 15), (9, 30, 11), (10, 29, 17), (10, 31, 10), (11, 28, 16), (11, 29, 12))
    days = [datetime(2026, month, day, hour, tzinfo=UTC) for month, day, hour in hours]
    found = of_kind(find([int(day.timestamp() * 1000) for day in days], {}, [], SPAN), Kind.MONTH)
    assert (found.name, found.count, found.of) == ("end", 7, 7)


def test_what_fails_just_before_is_found_among_much_else() -> None:
    dice = random.Random(1)
    own = [at(day, dice.uniform(0, 24)) for day in (5, 17, 33, 34, 60)]
    others = {Other(f"rule-{n}", "other"): [dice.randrange(*SPAN) for _ in range(40)] for n in range(20)}
    others[Other("db-slow", "db")] = sorted([*(start - 240_000 for start in own[:4]), at(70), at(71)])
    found = find(own, others, [], SPAN)
    [before] = [one for one in found if one.kind is Kind.BEFORE]
    assert (before.name, before.service, before.count, before.of) == ("db-slow", "db", 4, 5)
    share = Fraction(6 * BEFORE_MS, SPAN.to_ms - SPAN.from_ms)
    exactly = 21 * sum(comb(5, hit) * share**hit * (1 - share) ** (5 - hit) for hit in (4, 5))
    assert before.chance == pytest.approx(float(exactly))


def test_a_change_that_breaks_something_each_week_is_found() -> None:
    changes = [
        PastChange(f"CHG{week}", f"Patch servers, week {week}", "print", at(7 * week, 20), at(7 * week, 21))
        for week in range(12)
    ]
    changes += [PastChange(f"STD{day}", "Rotate logs", "web", at(day, 5), at(day, 5.2)) for day in range(0, 90, 3)]
    own = [at(7 * week, 20 + shift) for week, shift in ((2, 0.5), (5, 3.0), (6, 1.2))]
    [found] = [one for one in find(own, {}, changes, SPAN) if one.kind is Kind.CHANGE]
    assert (found.name, found.service, found.count) == ("Patch servers, week 11", "print", 3)


def test_a_single_bad_day_is_no_pattern() -> None:
    burst = [at(40, 9 + minute / 60) for minute in range(0, 50, 5)]
    other = {Other("slow", "web"): [at(day, 3) for day in range(80)]}
    assert find(burst, other, [], SPAN) == ()


def test_one_change_with_many_consequences_is_one_coincidence() -> None:
    changes = [PastChange(f"CHG{day}", "Deploy", "web", at(day), at(day, 1)) for day in (4, 24, 50)]
    burst = [at(24, 1 + minutes / 60) for minutes in range(0, 180, 20)]
    others = {Other("slow", "db"): [start - 60_000 for start in burst[:2]] + [at(80)]}
    assert find(burst, others, changes, SPAN) == ()
    assert find([*burst, at(30), at(61)], others, changes, SPAN) == ()


def test_of_less_than_three_times_nothing_is_said() -> None:
    assert find([at(1, 2), at(8, 2)], {Other("r", "s"): [at(1, 2), at(8, 2)]}, [], SPAN) == ()
    assert find([], {}, [], SPAN) == ()


def noise(seed: int) -> tuple[Finding, ...]:
    """A history in which nothing has to do with anything."""
    dice = random.Random(seed)
    own = [dice.randrange(*SPAN) for _ in range(dice.randint(3, 30))]
    others = {
        Other(f"rule-{n}", f"service-{n % 7}"): [dice.randrange(*SPAN) for _ in range(dice.randint(1, 120))]
        for n in range(dice.randint(1, 60))
    }
    changes = []
    for number in range(dice.randint(0, 80)):
        begins = dice.randrange(*SPAN)
        title = dice.choice(["Patch", "Deploy", "Move", "Renew", "Grow"])
        changes.append(PastChange(f"CHG{number}", title, f"service-{number % 3}", begins, begins + HOUR))
    return find(own, others, changes, SPAN, BERLIN)


def bursts(seed: int) -> tuple[Finding, ...]:
    """The same, where things rarely come alone."""
    dice = random.Random(seed)

    def train(count: int) -> list[int]:
        first = [dice.randrange(*SPAN) for _ in range(count)]
        more = [start + int(dice.uniform(0, 4) * HOUR) for start in first for _ in range(int(dice.expovariate(0.5)))]
        return [start for start in (*first, *more) if start <= SPAN.to_ms]

    others = {Other(f"rule-{n}", f"service-{n % 7}"): train(dice.randint(1, 40)) for n in range(dice.randint(1, 60))}
    changes = []
    for number in range(dice.randint(0, 80)):
        begins = dice.randrange(*SPAN)
        changes.append(PastChange(f"CHG{number}", dice.choice(["Patch", "Deploy"]), "web", begins, begins + HOUR))
    return find(train(dice.randint(3, 15)), others, changes, SPAN, BERLIN)


def test_of_noise_in_bursts_hardly_more_is_claimed() -> None:
    claims = [found for seed in range(1000) if (found := bursts(seed))]
    assert len(claims) < 50, claims


def test_of_pure_noise_less_than_one_history_in_twenty_makes_a_claim() -> None:
    claims = [found for seed in range(1000) if (found := noise(seed))]
    assert len(claims) < 50, claims


@given(st.integers(1, 60), st.data())
def test_the_binomial_tail_is_exact(of: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, of))
    share = data.draw(st.fractions(0, 1, max_denominator=1000))
    exactly = sum(comb(of, hit) * share**hit * (1 - share) ** (of - hit) for hit in range(count, of + 1))
    assert binomial_tail(count, of, float(share)) == pytest.approx(float(exactly), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("of", "arc"), [(3, 0.1), (4, 0.3), (5, 0.5)])
def test_the_chance_of_an_arc_is_what_is_counted(of: int, arc: float) -> None:
    dice = random.Random(7)

    def fits() -> bool:
        points = sorted(dice.random() for _ in range(of))
        return 1 - max(after - before for before, after in pairwise([*points, points[0] + 1])) <= arc

    rounds = 20_000
    counted = sum(fits() for _ in range(rounds)) / rounds
    assert counted == pytest.approx(arc_chance(of, arc), abs=4 * (0.25 / rounds) ** 0.5)


WINDOWS = st.lists(st.tuples(st.integers(-20, 120), st.integers(0, 40)).map(lambda one: (one[0], one[0] + one[1])))


@given(WINDOWS)
def test_what_windows_cover_is_counted_once(windows: list[tuple[int, int]]) -> None:
    inside = sum(any(begins <= ms < ends for begins, ends in windows) for ms in range(100))
    assert covered(windows, Span(0, 100)) == pytest.approx(inside / 100)


@settings(max_examples=50)
@given(st.lists(st.integers(*SPAN), max_size=40), st.randoms())
def test_the_order_of_what_is_given_does_not_matter(times: list[int], dice: random.Random) -> None:
    others = {Other("a", "b"): times[::2], Other("c", "d"): times[1::3]}
    shuffled = dict(sorted(others.items(), reverse=True))
    for starts in shuffled.values():
        dice.shuffle(starts)
    mixed = dice.sample(times, len(times))
    assert find(times, others, [], SPAN, BERLIN) == find(mixed, shuffled, [], SPAN, BERLIN)


def test_the_aftermath_of_a_change_is_four_hours() -> None:
    changes = [PastChange(f"CHG{day}", "Deploy", "web", at(day), at(day, 1)) for day in (4, 24, 50)]
    late = [at(day, 1) + AFTERMATH_MS + 1 for day in (4, 24, 50)]
    in_time = [start - 2 for start in late]
    assert Kind.CHANGE not in {one.kind for one in find(late, {}, changes, SPAN)}
    assert Kind.CHANGE in {one.kind for one in find(in_time, {}, changes, SPAN)}
