"""The functions of rules, against Prometheus's of the same meaning, on the same series."""

import math
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import pytest

from tests.config.scope import sample, scope
from tests.peers.prometheus import Prometheus, prometheus
from watchkeeper.config.vocabulary import FUNCTIONS
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.statistics import Points
from watchkeeper.domain.window import Window

pytestmark = pytest.mark.xdist_group("prometheus")  # one server for all

BEGIN_MS = 1_700_000_000_000
EXACT = 1e-9

# What is compared: a function of rules with its arguments, and PromQL; W is the window.
COMPARED: Mapping[str, tuple[tuple[str | float, ...], str]] = {
    "avg": (("used", "W"), "avg_over_time(m[W])"),
    "min": (("used", "W"), "min_over_time(m[W])"),
    "max": (("used", "W"), "max_over_time(m[W])"),
    "sum": (("used", "W"), "sum_over_time(m[W])"),
    "count": (("used", "W"), "count_over_time(m[W])"),
    "stddev": (("used", "W"), "stddev_over_time(m[W])"),
    "quantile": ((0.95, "used", "W"), "quantile_over_time(0.95, m[W])"),
    "predict": (("used", "1h", "W"), "predict_linear(m[W], 3600)"),
    "delta": (("used", "W"), "delta(m[W])"),
    "rate": (("used", "W"), "rate(m[W])"),
    "changed": (("used", "W"), "changes(m[W]) > bool 0"),
}
EXCEPTED: Mapping[str, Collection[str]] = {
    "stddev": ("large", "larger"),  # there Prometheus is off
    "changed": ("large", "larger", "bytes"),  # a difference of less than one part in 2^22 is no change here
}


def grids(rng: random.Random) -> Iterator[tuple[str, list[int]]]:
    """Times in ms."""
    yield "few", [BEGIN_MS + at for at in (0, 1, 15_000, 60_000, 61_234)]
    yield "regular", [BEGIN_MS + 15_000 * n for n in range(600)]
    yield "minutes", [BEGIN_MS + 60_000 * n for n in range(1500)]
    at_ms, irregular, gaps = BEGIN_MS, list[int](), list[int]()
    for _ in range(700):
        at_ms += rng.randint(1, 20_000)
        irregular.append(at_ms)
        if rng.random() < 0.7 and not 200 < len(irregular) < 300:
            gaps.append(at_ms)
    yield "irregular", irregular
    yield "gaps", gaps


def values(rng: random.Random, times: Sequence[int]) -> Iterator[tuple[str, list[float]]]:
    count = len(times)
    yield "noise", [rng.gauss(0, 1) for _ in times]
    yield "percent", [min(100.0, max(0.0, 80 + n * 20 / count + rng.gauss(0, 2))) for n in range(count)]
    yield "large", [1e9 + rng.uniform(-1, 1) for _ in times]
    yield "larger", [-3e12 + 100 * rng.random() for _ in times]
    yield "bytes", [float(2**40 + 4096 * rng.randint(0, 10**6) + 8192 * n) for n in range(count)]
    yield "small", [1e-7 * rng.random() for _ in times]
    yield "wild", [rng.uniform(-1, 1) * 10 ** rng.randint(-6, 6) for _ in times]
    yield "constant", [0.1] * count
    yield "steps", [float(n // 50) for n in range(count)]
    yield "zeros", [0.0] * count
    for name, reset in (("counter", 0.0), ("resets", 0.05)):
        grown, of_counter = 1e6, list[float]()
        for _ in times:
            grown = rng.random() if rng.random() < reset else grown + 1000 * rng.random()
            of_counter.append(grown)
        yield name, of_counter


class Case(NamedTuple):
    """A window of the series of one grid. It begins and ends with a sample, both included."""

    grid: str
    begin_ms: int
    end_ms: int
    scopes: Mapping[str, Scope]


@pytest.fixture(scope="module")
def series() -> Mapping[str, Mapping[str, Points]]:
    rng = random.Random(20)
    return {
        grid: {f"{grid}-{kind}": Points(times, found) for kind, found in values(rng, times)}
        for grid, times in grids(rng)
    }


@pytest.fixture(scope="module")
def peer(
    series: Mapping[str, Mapping[str, Points]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    every = {name: points for grid in series.values() for name, points in grid.items()}
    with prometheus(tmp_path_factory.mktemp("prometheus"), every) as made:
        yield made


@pytest.fixture(scope="module")
def cases(series: Mapping[str, Mapping[str, Points]]) -> list[Case]:
    rng, made = random.Random(21), []
    for grid, of_grid in series.items():
        times = next(iter(of_grid.values())).times
        last = len(times) - 1
        ends = [(0, last)]
        for length in (3, 30, 300, 10**6, 10**6):
            first = rng.randrange(last)
            ends.append((first, rng.randint(first + 1, min(last, first + length))))
        for first, end in ends:
            scopes = {name: scope_of(points, times[end]) for name, points in of_grid.items()}
            made.append(Case(grid, times[first], times[end], scopes))
    return made


def scope_of(points: Points, now_ms: int) -> Scope:
    found = scope(sample(at_ms=now_ms))
    found.window = Window({"used": 10**12, "changed used": 10**12})
    for at_ms, value in zip(*points, strict=True):
        if at_ms <= now_ms:
            found.window.append(sample(values={"used": value}, at_ms=at_ms))
    return found


def off_by(ours: float, theirs: float) -> float:
    return 0.0 if ours == theirs else abs(ours - theirs) / max(abs(ours), abs(theirs))


class Answer(NamedTuple):
    kind: str
    points: Points
    ours: float
    theirs: float


def answers(
    peer: Prometheus, cases: Sequence[Case], promql: str, ask: Callable[[Scope, int], float]
) -> Iterator[Answer]:
    """Of each series and window what a function of rules says, given a scope and the window in ms, and Prometheus."""
    for case in cases:
        asked = promql.replace("m[W]", f'm{{n=~"{case.grid}-.*"}}[{case.end_ms - case.begin_ms}ms]')
        theirs = peer.query(asked, case.end_ms)
        assert {*theirs} == {*case.scopes}
        for name, asking in case.scopes.items():
            window_ms = case.end_ms - case.begin_ms + 1  # Prometheus 2's windows hold their beginning, ours do not
            points = asking.window.points("used", window_ms, case.end_ms)
            yield Answer(name.partition("-")[2], points, ask(asking, window_ms), theirs[name])


@pytest.mark.parametrize("function", COMPARED)
def test_an_answer_is_prometheus_own(peer: Prometheus, cases: list[Case], function: str) -> None:
    arguments, promql = COMPARED[function]

    def ask(asking: Scope, window_ms: int) -> float:
        given = (f"{window_ms}ms" if one == "W" else one for one in arguments)
        return float(FUNCTIONS[function].call(asking, *given))

    worst, compared = 0.0, 0
    for answer in answers(peer, cases, promql, ask):
        if answer.kind not in EXCEPTED.get(function, ()):
            off = off_by(answer.ours, answer.theirs)
            assert off <= EXACT, answer
            worst, compared = max(worst, off), compared + 1
    print(f"{function}: {compared} answers compared, the worst is off by {worst:.1e}")
    assert compared > 200


def test_a_deviation_is_exact_where_prometheus_rounds(peer: Prometheus, cases: list[Case]) -> None:
    """Of large numbers that vary little: Prometheus counts each from a mean that is rounded to their size."""
    ours_worst = theirs_worst = 0.0
    for kind, points, ours, theirs in answers(
        peer, cases, "stddev_over_time(m[W])", lambda asking, ms: FUNCTIONS["stddev"].call(asking, "used", f"{ms}ms")
    ):
        if kind in EXCEPTED["stddev"]:
            exact = [Fraction(value) for value in points.values]
            mean = sum(exact, Fraction()) / len(exact)
            right = math.sqrt(sum(((value - mean) ** 2 for value in exact), Fraction()) / len(exact))
            ours_worst, theirs_worst = max(ours_worst, off_by(ours, right)), max(theirs_worst, off_by(theirs, right))
            assert off_by(ours, right) <= EXACT
            assert theirs == pytest.approx(right, rel=EXACT, abs=math.ulp(max(map(abs, points.values))))
    print(f"stddev of large numbers: off by {ours_worst:.1e}, Prometheus by {theirs_worst:.1e}")


def test_a_slope_is_prometheus_own(peer: Prometheus, cases: list[Case]) -> None:
    """To what Prometheus knows of it: it multiplies times with whole values, of which the products are rounded."""

    def slope(asking: Scope, window_ms: int) -> float:
        return asking.window.stretch("used", window_ms, asking.now_ms).fit(asking.now_ms).slope

    worst, compared = 0.0, 0
    for answer in answers(peer, cases, "deriv(m[W])", slope):
        times, found = answer.points
        rounding = 50 * math.ulp(max(map(abs, found))) / ((times[-1] - times[0]) / 1000)
        assert answer.ours == pytest.approx(answer.theirs, rel=EXACT, abs=rounding)
        if abs(answer.ours) * EXACT > rounding:
            worst, compared = max(worst, off_by(answer.ours, answer.theirs)), compared + 1
    print(f"slope: {compared} answers compared where Prometheus knows nine digits, the worst is off by {worst:.1e}")
    assert compared > 100
