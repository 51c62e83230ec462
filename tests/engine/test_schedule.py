"""The schedule starts each probe at its own times, whatever becomes of the others."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.hand_loop import hand_loop, on_hand_loop, on_loop, quiet
from watchkeeper.domain.probe import Cron, Probe
from watchkeeper.engine.schedule import CHECK_CLOCK_S, Schedule
from watchkeeper.engine.slots import SOON_MS, Slot, slot_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MORNING = Cron("30 6 * * mon-fri", "Europe/Berlin")


class Bench:
    """A schedule, what it started, and a clock of its own. APScheduler has the system's."""

    def __init__(self) -> None:
        self.now_ms = made.NOW_MS
        self.started: list[str] = []
        self.begun = asyncio.Event()
        self.missed: Counter[str] = Counter()
        self.gaps: list[tuple[int, str]] = []  # when the first missed run was due, and why
        self.lags: list[float] = []
        self.schedule = Schedule(lambda: self.now_ms, self._start, self._miss, self.lags.append)

    def _start(self, probe: Probe) -> None:
        self.started.append(probe.id)
        self.begun.set()

    def _miss(self, probe: Probe, count: int, at_ms: int, message: str) -> None:
        self.missed[probe.id] += count
        self.gaps.append((at_ms, message))


@contextmanager
def bench(*probes: Probe) -> Iterator[Bench]:
    """A schedule that runs."""
    on = Bench()
    on.schedule.begin()
    on.schedule.revise(made.probes(*probes))
    try:
        yield on
    finally:
        on.schedule.end()


def slot(probe_id: str, every_ms: int = 60_000) -> Slot:
    return slot_of(probe_id, every_ms)


def in_one_slot(count: int, every_ms: int = 60_000) -> list[Probe]:
    """Probes that are due together."""
    ids = (f"probe-{n}" for n in range(10_000))
    first = slot("probe-0", every_ms)
    together = [probe_id for probe_id in ids if slot(probe_id, every_ms) == first]
    return [made.probe(probe_id, every_ms=every_ms) for probe_id in together[:count]]


@on_loop
async def test_each_slot_is_due_at_its_phase_of_the_interval() -> None:
    with bench(made.probe("web"), made.probe("api", every_ms=5_000)) as on:
        due = on.schedule.due()

        assert due.keys() == {slot("web"), slot("api", 5_000)}
        for cohort, at in due.items():
            assert isinstance(cohort, Slot)
            assert ((at - EPOCH) // timedelta(milliseconds=1) - cohort.phase_ms) % cohort.interval_ms == 0
            assert at - datetime.now(UTC) <= timedelta(milliseconds=cohort.interval_ms)


@on_loop
async def test_adding_changing_and_removing_a_probe_moves_no_other() -> None:
    stays = [made.probe(f"stays-{n}", every_ms=3_600_000) for n in range(20)]
    with bench(*stays) as on:
        before = on.schedule.due()

        on.schedule.revise(made.probes(*stays, made.probe("new", every_ms=3_600_000)))
        with_new = on.schedule.due()
        on.schedule.revise(made.probes(*stays, made.probe("new", every_ms=1_800_000)))
        with_other = on.schedule.due()
        on.schedule.revise(made.probes(*stays))

        assert with_new == before | {slot("new", 3_600_000): with_new[slot("new", 3_600_000)]}
        assert with_other == before | {slot("new", 1_800_000): with_other[slot("new", 1_800_000)]}
        assert on.schedule.due() == before


@on_loop
async def test_a_probe_whose_options_change_keeps_its_time_and_runs_as_it_is_now() -> None:
    with bench(made.probe("web")) as on:
        before = on.schedule.due()

        on.schedule.revise(made.probes(made.probe("web", timeout_ms=1_000)))

        assert on.schedule.due() == before
        on.schedule.fire(slot("web"))
        assert on.started == ["web"]


@on_loop
async def test_no_job_is_left_for_a_cohort_without_probes() -> None:
    one, other = in_one_slot(2)
    with bench(one, other, made.probe("backup", cron=MORNING)) as on:
        on.schedule.revise(made.probes(other))
        assert on.schedule.due().keys() == {slot(other.id)}

        on.schedule.revise({})
        assert on.schedule.due() == {}


@on_loop
async def test_all_probes_of_a_slot_start_together() -> None:
    together = in_one_slot(3)
    with bench(*together) as on:
        on.schedule.fire(slot(together[0].id))

        assert on.started == [probe.id for probe in together]


@on_loop
async def test_the_lag_is_how_long_ago_the_slot_was_due() -> None:
    with bench(made.probe("web")) as on:
        on.now_ms = slot("web").last_due(on.now_ms) + 250

        on.schedule.fire(slot("web"))

        assert on.lags == [0.25]


@on_loop
async def test_intervals_that_were_skipped_are_missed_runs_of_each_probe_of_the_slot() -> None:
    together = in_one_slot(2)
    with bench(*together) as on:
        first = slot(together[0].id)
        on.now_ms = first.next_due(on.now_ms)
        on.schedule.fire(first)
        on.now_ms += 60_000
        on.schedule.fire(first)
        assert not on.missed

        on.now_ms += 4 * 60_000 + 900
        on.schedule.fire(first)
        assert on.missed == {probe.id: 3 for probe in together}
        due = first.last_due(on.now_ms) - 3 * 60_000
        assert on.gaps == [(due, "3 runs missed: the schedule stood still for 4m")] * 2

        on.now_ms += 2 * 60_000
        on.schedule.fire(first)
        assert on.missed == {probe.id: 4 for probe in together}


@on_loop
async def test_a_clock_that_is_set_back_makes_no_missed_runs() -> None:
    with bench(made.probe("web")) as on:
        for step_ms in (0, -3_600_000, 60_000):
            on.now_ms += step_ms
            on.schedule.fire(slot("web"))

        assert not on.missed
        assert on.started == ["web"] * 3


@on_loop
async def test_a_cron_probe_is_due_at_its_wall_clock_time() -> None:
    with bench(made.probe("backup", cron=MORNING)) as on:
        [at] = on.schedule.due().values()

        assert at > datetime.now(UTC)
        at = at.astimezone(ZoneInfo("Europe/Berlin"))
        assert (at.hour, at.minute) == (6, 30)
        assert at.isoweekday() <= 5
        on.schedule.fire(MORNING)
        assert on.started == ["backup"]
        assert on.lags == []


@on_loop
async def test_cron_probes_in_two_time_zones_are_two_cohorts() -> None:
    tokyo = Cron(MORNING.expression, "Asia/Tokyo")
    with bench(made.probe("backup", cron=MORNING), made.probe("copy", cron=tokyo)) as on:
        on.schedule.fire(tokyo)

        assert on.schedule.due().keys() == {MORNING, tokyo}
        assert on.started == ["copy"]


@on_loop
async def test_a_new_probe_with_a_long_interval_has_its_first_run_within_ten_seconds() -> None:
    delays = {f"probe-{n}": slot(f"probe-{n}", 86_400_000).first_delay(f"probe-{n}", made.NOW_MS) for n in range(200)}
    soonest = min((delay, probe_id) for probe_id, delay in delays.items() if delay is not None)[1]
    with bench(made.probe(soonest, every_ms=86_400_000)) as on:
        await asyncio.wait_for(on.begun.wait(), SOON_MS / 1000)

        assert on.started == [soonest]


@on_loop
async def test_a_probe_that_is_removed_before_its_first_run_does_not_run() -> None:
    with bench(made.probe("web", every_ms=86_400_000)) as on:
        on.schedule.revise({})
        on.schedule.fire(slot("web", 86_400_000))

        assert on.started == []


@on_loop
async def test_apscheduler_fires_the_slots_one_interval_after_the_other() -> None:
    fired: asyncio.Queue[int] = asyncio.Queue()

    def now() -> int:
        return int(datetime.now(UTC).timestamp() * 1000)

    schedule = Schedule(now, lambda _: fired.put_nowait(now()), lambda *_: None, lambda _: None)
    schedule.begin()
    try:
        schedule.revise(made.probes(made.probe("web", every_ms=100)))
        due = [slot("web", 100).last_due(await asyncio.wait_for(fired.get(), 5)) for _ in range(4)]
    finally:
        schedule.end()

    assert all(after > before and (after - before) % 100 == 0 for before, after in pairwise(due))


@on_loop
async def test_nothing_is_started_after_the_end() -> None:
    with bench(made.probe("web", every_ms=50), made.probe("db", every_ms=86_400_000)) as on:
        assert on.schedule.running
        on.schedule.end()

        assert not on.schedule.running
        on.schedule.fire(slot("web", 50))
        await quiet()
        assert on.started == []
        assert on.schedule.due() == {}


@on_loop
async def test_a_clock_that_is_set_back_is_told_and_everything_stays_due_within_its_interval() -> None:
    with bench(made.probe("web"), made.probe("backup", cron=MORNING)) as on:
        before = on.schedule.due()
        on.now_ms -= 3_600_000
        with capture_logs() as logs:
            on.schedule.check_clock()
            on.schedule.check_clock()

        assert [(entry["event"], round(entry["by_s"])) for entry in logs] == [("clock_stepped", -3_600)]
        assert on.schedule.due().keys() == before.keys()
        assert on.schedule.due()[slot("web")] - datetime.now(UTC) <= timedelta(minutes=1)


@on_loop
async def test_a_clock_that_goes_on_as_it_should_is_not_told() -> None:
    with bench(made.probe("web")) as on, capture_logs() as logs:
        on.now_ms += 900
        on.schedule.check_clock()

    assert logs == []


@on_hand_loop
async def test_the_clock_is_looked_at_every_few_seconds() -> None:
    loop, set_by_ms = hand_loop(), 0
    schedule = Schedule(lambda: loop.clock() + set_by_ms, lambda _: None, lambda *_: None, lambda _: None)
    schedule.begin()
    with capture_logs() as logs:
        await loop.until(60)
        assert logs == []
        set_by_ms = -7_200_000
        await loop.until(60 + CHECK_CLOCK_S)
        schedule.end()
        set_by_ms = 0
        await loop.until(120)

    assert [(entry["event"], entry["by_s"]) for entry in logs] == [("clock_stepped", -7_200)]
