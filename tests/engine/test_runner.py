"""Runs are bounded, in order, and never two of one probe. Whatever a prober does, nothing gets lost unseen."""

import asyncio
from dataclasses import dataclass, field, replace

from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.hand_loop import hand_loop, on_hand_loop, quiet
from watchkeeper.domain.probe import Probe, Sample, Status
from watchkeeper.engine.runner import TELL_EVERY_S, Limits, Runner
from watchkeeper.probers.base import Prober


@dataclass
class HandProber:
    """Its runs end when the test says so."""

    runs: dict[str, asyncio.Future[Sample]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)

    async def run(self, probe: Probe) -> Sample:
        self.begun.append(probe.id)
        self.runs[probe.id] = asyncio.get_running_loop().create_future()
        return await self.runs[probe.id]

    async def close(self) -> None: ...

    async def give(self, probe_id: str, status: Status = Status.UP) -> None:
        self.runs.pop(probe_id).set_result(made.sample(probe_id, status))
        await quiet()


class Bench:
    """A runner, its prober, and what was observed. Made on a loop whose time is moved by hand."""

    def __init__(self, most: int = 2, per_host: int = 100) -> None:
        self.prober = HandProber()
        self.samples: list[Sample] = []
        self.full = False
        self.runner = Runner(
            hand_loop().clock,
            self._find,
            lambda _, sample: self.samples.append(sample),
            lambda: self.full,
            Limits(most, per_host),
        )

    def _find(self, name: str) -> Prober:
        if name != "fake":
            raise LookupError(name)
        return self.prober

    async def start(self, *probe_ids: str, host: str = "") -> None:
        for probe_id in probe_ids:
            self.runner.start(replace(made.probe(probe_id), host=host))
        await quiet()

    def told(self) -> list[tuple[str, int, str]]:
        """Of each sample whose probe and how many runs it missed, and why."""
        return [(sample.probe_id, sample.missed, sample.message) for sample in self.samples]


@on_hand_loop
async def test_a_run_gives_its_sample() -> None:
    on = Bench()
    await on.start("web")
    assert (on.runner.in_flight, on.samples) == (1, [])

    await on.prober.give("web", Status.DOWN)

    assert on.runner.in_flight == 0
    assert on.samples == [made.sample("web", Status.DOWN)]
    assert on.runner.samples == {("fake", Status.DOWN): 1}


@on_hand_loop
async def test_no_more_runs_are_under_way_at_once_than_allowed() -> None:
    on = Bench(most=2)
    await on.start("a", "b", "c", "d")

    assert on.prober.begun == ["a", "b"]
    assert (on.runner.in_flight, on.runner.waiting) == (2, 2)


@on_hand_loop
async def test_turns_are_given_in_the_order_of_asking() -> None:
    on = Bench(most=1)
    await on.start("a", "b", "c", "d")

    for probe_id in ("a", "b", "c", "d"):
        await on.prober.give(probe_id)

    assert on.prober.begun == ["a", "b", "c", "d"]
    assert (on.runner.in_flight, on.runner.waiting) == (0, 0)
    assert not on.runner.missed


@on_hand_loop
async def test_a_probe_has_one_run_at_a_time_and_those_that_would_overlap_are_missed() -> None:
    on = Bench()
    await on.start("web", "web", "web")

    assert on.prober.begun == ["web"]
    assert on.runner.missed == {"web": 2}
    await on.prober.give("web")
    await on.start("web")
    assert on.prober.begun == ["web", "web"]


@on_hand_loop
async def test_a_probe_that_waits_for_its_turn_waits_once() -> None:
    on = Bench(most=1)
    await on.start("a", "web", "web")

    assert on.runner.waiting == 1
    assert on.runner.missed == {"web": 1}


@on_hand_loop
async def test_while_nothing_can_be_kept_runs_are_missed() -> None:
    on = Bench()
    on.full = True
    await on.start("web")

    assert (on.prober.begun, on.runner.missed) == ([], {"web": 1})
    on.full = False
    await on.start("web")
    assert on.prober.begun == ["web"]


@on_hand_loop
async def test_a_prober_that_raises_is_logged_and_its_probe_is_unknown() -> None:
    on = Bench()
    await on.start("web")
    with capture_logs() as logs:
        on.prober.runs["web"].set_exception(ZeroDivisionError())
        await quiet()

    [sample] = on.samples
    assert (sample.status, sample.message) == (Status.UNKNOWN, "the prober failed; see the log")
    assert sample.at_ms == hand_loop().clock()
    assert [(entry["event"], entry["log_level"], entry["probe"]) for entry in logs] == [
        ("prober_failed", "error", "web")
    ]
    assert on.runner.in_flight == 0


@on_hand_loop
async def test_a_prober_that_can_not_be_made_leaves_its_probe_unknown() -> None:
    on = Bench()
    probe = made.probe("web")
    other = Probe("other", "none", "shop", probe.category, probe.schedule, probe.timeout_ms, None)
    with capture_logs() as logs:
        on.runner.start(other)
        await quiet()

    assert [sample.status for sample in on.samples] == [Status.UNKNOWN]
    assert [entry["event"] for entry in logs] == ["prober_failed"]


@on_hand_loop
async def test_a_run_that_failed_makes_room_for_the_next() -> None:
    on = Bench(most=1)
    await on.start("a", "b")
    with capture_logs():
        on.prober.runs["a"].set_exception(ZeroDivisionError())
        await quiet()

    assert on.prober.begun == ["a", "b"]


@on_hand_loop
async def test_an_evaluation_that_raises_is_logged_and_other_probes_go_on() -> None:
    prober = HandProber()

    def observe(_: Probe, __: Sample) -> None:
        raise ZeroDivisionError

    runner = Runner(hand_loop().clock, lambda _: prober, observe, lambda: False, Limits(1))
    with capture_logs() as logs:
        for probe_id in ("a", "b"):
            runner.start(made.probe(probe_id))
        await quiet()
        await prober.give("a")
        await prober.give("b")

    assert [entry["event"] for entry in logs] == ["evaluation_failed"] * 2


@on_hand_loop
async def test_a_run_that_is_stuck_is_ended_when_it_has_had_its_time_twice() -> None:
    on = Bench()
    await on.start("web")
    await hand_loop().until(10)
    await on.start("web")
    assert on.runner.in_flight == 1

    await hand_loop().until(10.5)
    with capture_logs() as logs:
        await on.start("web")

    assert "run_stuck" in [entry["event"] for entry in logs]
    assert on.samples[-1].message == "the prober did not keep its deadline"
    assert {sample.status for sample in on.samples} == {Status.UNKNOWN}
    assert on.runner.in_flight == 0
    await on.start("web")
    assert on.prober.begun == ["web", "web"]


@on_hand_loop
async def test_what_a_probe_missed_is_forgotten_with_it() -> None:
    on = Bench()
    await on.start("web", "web")

    on.runner.forget("web")

    assert not on.runner.missed
    assert on.runner.missed_total == 1


@on_hand_loop
async def test_the_end_cancels_what_is_under_way_and_what_waits_without_samples() -> None:
    on = Bench(most=1)
    await on.start("a", "b")

    await on.runner.end()

    assert on.prober.begun == ["a"]
    assert on.prober.runs["a"].cancelled()
    assert on.samples == []
    assert (on.runner.in_flight, on.runner.waiting) == (0, 0)


@on_hand_loop
async def test_nothing_is_begun_after_the_end() -> None:
    on = Bench()
    await on.runner.end()
    await on.start("web")

    assert on.prober.begun == []


@on_hand_loop
async def test_a_missed_run_is_a_gap_with_its_reason_and_counts_up_to_the_next_run() -> None:
    on = Bench(most=1)
    await on.start("web", "web", "web")
    await on.prober.give("web")
    on.full = True
    await on.start("web")

    assert on.told() == [
        ("web", 1, "a run was missed: the run before has not ended"),
        ("web", 2, "a run was missed: the run before has not ended"),
        ("web", 0, "web is up"),
        ("web", 1, "a run was missed: too much waits for the database"),
    ]
    assert [sample.status for sample in on.samples] == [Status.UNKNOWN, Status.UNKNOWN, Status.UP, Status.UNKNOWN]


@on_hand_loop
async def test_a_run_that_waits_too_long_for_its_turn_is_missed_for_that_reason() -> None:
    on = Bench(most=1)
    await on.start("a", "web", "web")

    assert on.told() == [("web", 1, "a run was missed: too many runs are under way")]


@on_hand_loop
async def test_missed_runs_are_logged_once_in_a_while_however_many_there_are() -> None:
    on = Bench()
    on.full = True
    with capture_logs() as logs:
        await on.start(*(["web"] * 500))
        await hand_loop().until(TELL_EVERY_S + 1)
        await on.start("web")

    assert [(entry["event"], entry["runs"]) for entry in logs] == [("runs_missed", 1), ("runs_missed", 500)]


@on_hand_loop
async def test_a_host_that_hangs_holds_up_its_own_probes_only() -> None:
    on = Bench(most=10, per_host=2)
    await on.start("a", "b", "c", "d", host="slow")
    await on.start("e", host="quick")

    assert on.prober.begun == ["a", "b", "e"]
    assert (on.runner.in_flight, on.runner.waiting) == (3, 2)
    await on.prober.give("b")
    await on.prober.give("a")
    assert on.prober.begun == ["a", "b", "e", "c", "d"]
    for probe_id in "cde":
        await on.prober.give(probe_id)
    assert (on.runner.in_flight, on.runner.waiting) == (0, 0)


@on_hand_loop
async def test_runs_without_a_host_have_no_limit_of_their_own() -> None:
    on = Bench(most=10, per_host=1)
    await on.start("a", "b", "c")

    assert on.prober.begun == ["a", "b", "c"]
