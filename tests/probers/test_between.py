"""What counters grew by between two runs of a probe."""

from hypothesis import given
from hypothesis import strategies as st

from tests.probers.asking import a_probe
from tests.probers.machine import Readings

PROBE = a_probe("memory", {})
OTHER = a_probe("memory", {}, id_="other")


def test_a_first_run_reads_twice_and_the_next_once() -> None:
    readings, counts = Readings(), iter((100, 102, 202))
    last = readings.make()
    first = last.growth(PROBE, lambda: {"n": next(counts)})
    assert (first.seconds, first.by, readings.waited) == (0.2, {"n": 2}, 1)
    readings.now_s += 50
    second = last.growth(PROBE, lambda: {"n": next(counts)})
    assert (second.seconds, second.per_second("n"), readings.waited) == (50, 2, 1)


def test_each_probe_has_its_own() -> None:
    readings = Readings()
    last = readings.make()
    for probe in (PROBE, OTHER):
        last.growth(probe, lambda: {"n": 1})
    assert readings.waited == 2


def test_a_counter_that_goes_back_begins_anew() -> None:
    readings, counts = Readings(), iter((100, 100, 3, 4))
    last = readings.make()
    last.growth(PROBE, lambda: {"n": next(counts)})
    readings.now_s += 60
    assert last.growth(PROBE, lambda: {"n": next(counts)}).by == {"n": 1}
    assert readings.waited == 2


def test_a_clock_that_stands_divides_by_nothing() -> None:
    readings = Readings()
    last = readings.make()
    last.growth(PROBE, lambda: {"n": 1})
    assert last.growth(PROBE, lambda: {"n": 1}).seconds > 0


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.dictionaries(st.sampled_from("abc"), st.floats(0, 1e15))), max_size=8)
)
def test_growth_is_never_negative_and_time_always_passes(steps: list[tuple[float, dict[str, float]]]) -> None:
    readings = Readings()
    last = readings.make()
    for passed_s, counters in steps:
        readings.now_s += passed_s
        growth = last.growth(PROBE, lambda counters=counters: counters)  # type: ignore[misc]  # a default that binds
        assert growth.seconds > 0
        assert growth.by.keys() == counters.keys()
        assert all(by >= 0 for by in growth.by.values())
