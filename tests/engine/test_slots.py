"""Where in its interval a probe is due."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.engine.slots import MAX_SLOT_MS, MAX_SLOTS, MIN_SLOT_MS, SOON_MS, Slot, slot_of

IDS = st.text(min_size=1, max_size=20)
INTERVALS = st.integers(min_value=1, max_value=7 * 86_400_000)
TIMES = st.integers(min_value=0, max_value=4_000_000_000_000)


@st.composite
def slots(draw: st.DrawFn) -> Slot:
    return slot_of(draw(IDS), draw(INTERVALS))


@given(IDS, INTERVALS)
def test_a_probes_slot_depends_on_its_id_and_interval_alone(probe_id: str, interval_ms: int) -> None:
    assert slot_of(probe_id, interval_ms) == slot_of(probe_id, interval_ms)


def test_a_probes_slot_is_the_same_in_every_process_and_version() -> None:
    assert [slot_of(name, 60_000).phase_ms for name in ("web", "api", "db")] == [46_000, 42_000, 13_500]


@given(IDS, INTERVALS)
def test_every_phase_lies_within_the_interval(probe_id: str, interval_ms: int) -> None:
    slot = slot_of(probe_id, interval_ms)

    assert slot.interval_ms == interval_ms
    assert 0 <= slot.phase_ms < interval_ms


@given(st.integers(min_value=MIN_SLOT_MS, max_value=86_400_000))
def test_an_interval_has_a_bounded_number_of_slots(interval_ms: int) -> None:
    phases = sorted({slot_of(f"probe-{n}", interval_ms).phase_ms for n in range(200)})

    steps = [after - before for before, after in pairwise(phases)]
    assert min(steps, default=MIN_SLOT_MS) >= max(MIN_SLOT_MS, interval_ms // MAX_SLOTS)


def test_slots_are_wide_enough_to_share_a_wake_up_and_narrow_enough_to_spread() -> None:
    def width(interval_ms: int) -> int:
        phases = sorted({slot_of(f"probe-{n}", interval_ms).phase_ms for n in range(20_000)})
        return min(after - before for before, after in pairwise(phases))

    assert [width(interval_ms) for interval_ms in (1_000, 2_000, 5_000, 30_000)] == [100, 200, 500, 500]
    assert width(30_000) == MAX_SLOT_MS


def test_probes_are_spread_evenly_over_their_interval() -> None:
    tenths = Counter(slot_of(f"probe-{n}", 60_000).phase_ms // 6_000 for n in range(10_000))

    assert sorted(tenths) == list(range(10))
    assert max(tenths.values()) < 1_150
    assert min(tenths.values()) > 850


@given(slots(), TIMES)
def test_the_last_due_time_is_the_latest_one_not_after_now(slot: Slot, now_ms: int) -> None:
    due = slot.last_due(now_ms)

    assert due <= now_ms < due + slot.interval_ms
    assert (due - slot.phase_ms) % slot.interval_ms == 0


@given(slots(), TIMES)
def test_the_next_due_time_is_the_first_one_after_now(slot: Slot, now_ms: int) -> None:
    due = slot.next_due(now_ms)

    assert due - slot.interval_ms <= now_ms < due
    assert slot.last_due(due) == due


@given(IDS, INTERVALS, TIMES)
def test_a_new_probe_runs_within_ten_seconds(probe_id: str, interval_ms: int, now_ms: int) -> None:
    slot = slot_of(probe_id, interval_ms)
    delay = slot.first_delay(probe_id, now_ms)

    if delay is None:
        assert slot.next_due(now_ms) - now_ms <= SOON_MS
    else:
        assert 0 <= delay < SOON_MS
        assert now_ms + delay < slot.next_due(now_ms)
