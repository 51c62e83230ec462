"""What is stored, replayed, gives the incidents that there were."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import made
from tests.engine.stores import FaultyDatabase, opened
from watchkeeper.domain.effect import Effect, IncidentChanged, StatusChanged
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.rule import Condition, Rule, Scope
from watchkeeper.domain.watch import Plan, Watch
from watchkeeper.domain.window import Unanswerable
from watchkeeper.engine.backtest import Backtest, replay
from watchkeeper.engine.rollups import Rollups
from watchkeeper.engine.stored_history import StoredHistory
from watchkeeper.store.database import Database
from watchkeeper.store.past import PastReader
from watchkeeper.store.record import begin_run, record
from watchkeeper.store.retention import forget_minutes

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
BEGIN_MS = made.NOW_MS // (6 * HOUR_MS) * (6 * HOUR_MS)
DAY_MS = 24 * HOUR_MS
WEB, API = made.probe("web"), made.probe("api")


@dataclass(frozen=True, slots=True)
class IsFull:
    """Whether `used` is above 90."""

    spans_ms: Mapping[str, int] = field(default_factory=dict)
    asks_missed: bool = False

    def __call__(self, scope: Scope) -> bool:
        if (used := scope.sample.values.get("used")) is None:
            raise Unanswerable("the sample has no used")
        return used > 90

    def explain(self, _scope: Scope) -> list[tuple[str, str]]:
        return []


def down(for_ms: int = 0) -> Rule:
    return made.rule(for_ms=for_ms)


def full(for_ms: int = 0) -> Rule:
    conditions: dict[str, Condition] = {"fake": IsFull()}
    return replace(made.rule(for_ms=for_ms), id="full", conditions=conditions)


def plan(*rules: Rule) -> Plan:
    return made.plan((WEB, API), *rules)


class Trouble(NamedTuple):
    """What of an incident must be the same."""

    key: str
    started_ms: int
    opened_ms: int
    resolved_ms: int | None


def troubles(incidents: Iterable[Incident]) -> list[Trouble]:
    return [Trouble(one.key, one.started_ms, one.opened_ms, one.resolved_ms) for one in incidents]


class Live:
    """A watch whose samples are stored as the daemon does it, under a clock that is moved by hand."""

    def __init__(self, database: Database, plan: Plan) -> None:
        self.plan = plan
        self.database = database
        self.now_ms = BEGIN_MS
        self.incidents: dict[int, Incident] = {}
        self._watch = Watch(plan)
        self._rollups = Rollups(lambda: self.now_ms, database)
        begin_run(database, BEGIN_MS, "1.2.3", [(probe.id, probe.service) for probe in plan.probes.values()])
        self._record(self._watch.revise(plan, BEGIN_MS))

    def observe(self, *samples: Sample) -> None:
        effects: list[Effect] = []
        for sample in samples:
            self.now_ms = sample.at_ms
            self._rollups.add(sample)
            effects += self._watch.observe(sample)
        self._record(effects)

    def end(self, at_ms: int) -> list[Trouble]:
        self._record(self._watch.advance(at_ms))
        self.now_ms = at_ms
        self._rollups.end(5)
        return troubles(self.incidents.values())

    def later(self, by_ms: int) -> None:
        """Merges what was written as time goes by."""
        self.now_ms += by_ms
        rollups = Rollups(lambda: self.now_ms, self.database)
        while rollups.step():
            pass

    def backtest(self, from_ms: int, to_ms: int, **other: Plan) -> Backtest:
        plan = other.get("plan", self.plan)
        history = StoredHistory(PastReader(self.database), plan.probes, to_ms)
        backtest = Backtest(plan, from_ms)
        assert replay(history.slices(BEGIN_MS, to_ms), [backtest], lambda _: None, lambda: False) is None
        backtest.end(to_ms)
        return backtest

    def _record(self, effects: Sequence[Effect]) -> None:
        if effects:
            record(self.database, effects)
        for effect in effects:
            if isinstance(effect, IncidentChanged):
                self.incidents[effect.incident.id] = effect.incident


def every_minute(statuses: Sequence[Status], probe: str, offset_ms: int) -> Iterator[Sample]:
    """One sample a minute: those that are down have no values."""
    for minute, status in enumerate(statuses):
        at_ms = BEGIN_MS + minute * MINUTE_MS + offset_ms
        values = {"used": 50.0 + minute % 7} if status is Status.UP else {}
        yield Sample(probe, at_ms, status, 0.25, values, {}, f"{probe} is {status}")


U, D, N = Status.UP, Status.DOWN, Status.UNKNOWN
STATUSES = st.lists(st.tuples(st.sampled_from((U, U, D, N)), st.integers(1, 25)), min_size=1, max_size=12).map(
    lambda runs: [status for status, count in runs for _ in range(count)]
)
OFFSETS = st.integers(0, MINUTE_MS - 1)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(STATUSES, STATUSES, OFFSETS, OFFSETS, st.sampled_from((0, MINUTE_MS, 150_000)))
def test_a_replay_of_minutes_and_of_hours_opens_what_was_opened(
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    web: list[Status],
    api: list[Status],
    web_at: int,
    api_at: int,
    for_ms: int,
) -> None:
    samples = sorted(
        [*every_minute(web, "web", web_at), *every_minute(api, "api", api_at)], key=lambda one: one.at_ms
    )
    end_ms = BEGIN_MS + max(len(web), len(api)) * MINUTE_MS
    with opened(template, tmp_path_factory.mktemp("history") / "watchkeeper.db") as database:
        live = Live(database, plan(down(for_ms)))
        live.observe(*samples)
        there_were = live.end(end_ms)

        assert troubles(live.backtest(BEGIN_MS, end_ms).incidents) == there_were

        live.later(3 * DAY_MS)
        while forget_minutes(database, live.now_ms):
            pass
        assert troubles(live.backtest(BEGIN_MS, end_ms).incidents) == there_were


@pytest.fixture
def live(database: FaultyDatabase) -> Live:
    return Live(database, plan(down(), full(2 * MINUTE_MS)))


def minute(number: float, used: float | None, status: Status = U) -> Sample:
    values = {} if used is None else {"used": used}
    return Sample("web", BEGIN_MS + round(number * MINUTE_MS), status, 0.25, values, {}, f"it is {status}")


def test_what_was_too_full_for_long_enough_is_found_by_the_minute(live: Live) -> None:
    live.observe(*(minute(n + 0.5, 95 if 10 <= n < 15 else 50) for n in range(30)))
    end_ms = BEGIN_MS + 30 * MINUTE_MS
    there_was = live.end(end_ms)

    assert [one.key for one in there_was] == ["full/service=shop"]
    assert troubles(live.backtest(BEGIN_MS, end_ms).incidents) == there_was


def test_as_many_samples_are_replayed_as_there_were(live: Live) -> None:
    live.observe(*(minute(n / 6 + 0.01, 50.0 + n % 5, D if 25 <= n < 32 else U) for n in range(90)))
    end_ms = BEGIN_MS + 15 * MINUTE_MS
    live.end(end_ms)

    assert live.backtest(BEGIN_MS, end_ms).samples == 90


def test_a_rule_on_numbers_that_are_not_there_is_unanswered_and_told(live: Live) -> None:
    live.observe(minute(0.5, 50), minute(1.5, None, D), minute(2.5, None, D), minute(3.5, 50))
    live.end(BEGIN_MS + 4 * MINUTE_MS)

    unanswered = live.backtest(BEGIN_MS, BEGIN_MS + 4 * MINUTE_MS).unanswered
    assert unanswered == {"down": {}, "full": {"the sample has no used": 2}}


def test_a_rule_on_facts_is_unanswered_because_they_are_not_stored(live: Live) -> None:
    live.observe(*(minute(n + 0.5, 50) for n in range(5)))
    live.end(BEGIN_MS + 5 * MINUTE_MS)
    asks = replace(down(), when="has(facts.last_backup) && up")

    backtest = live.backtest(BEGIN_MS, BEGIN_MS + 5 * MINUTE_MS, plan=plan(asks))

    assert backtest.unanswered == {"down": {"facts are not stored": 5}}


def test_statuses_without_numbers_are_replayed_at_the_probes_own_interval(database: FaultyDatabase) -> None:
    rule = down(for_ms=10 * MINUTE_MS)
    live = Live(database, plan(rule))
    record(database, [StatusChanged("web", "shop", D, BEGIN_MS + 17_000, "gone")])
    end_ms = BEGIN_MS + 30 * MINUTE_MS

    backtest = live.backtest(BEGIN_MS, end_ms)

    opened_ms = BEGIN_MS + 17_000 + 10 * MINUTE_MS
    assert troubles(backtest.incidents) == [Trouble("down/service=shop", BEGIN_MS + 17_000, opened_ms, None)]
    assert backtest.samples == 30


def test_the_time_in_which_nobody_watched_is_silence(live: Live) -> None:
    live.observe(*(minute(n + 0.5, 50, D) for n in range(3)))
    live.end(BEGIN_MS + 3 * MINUTE_MS)
    begin_run(live.database, BEGIN_MS + 600 * MINUTE_MS, "1.2.3", [("web", "shop")])

    backtest = live.backtest(BEGIN_MS, BEGIN_MS + 600 * MINUTE_MS)

    assert (backtest.samples, backtest.unknown) == (4, 1)
    assert [one.resolved_ms for one in backtest.incidents] == [None]


def test_what_came_before_the_range_fills_windows_and_opens_nothing(live: Live) -> None:
    live.observe(*(minute(n + 0.5, None, D if n < 5 else U) for n in range(10)))
    end_ms = BEGIN_MS + 10 * MINUTE_MS
    live.end(end_ms)

    backtest = live.backtest(BEGIN_MS + 6 * MINUTE_MS, end_ms)

    assert (backtest.incidents, backtest.samples) == ([], 4)


def test_a_replay_that_is_stopped_says_where(live: Live) -> None:
    live.observe(*(minute(n + 0.5, 50, D) for n in range(300)))
    end_ms = BEGIN_MS + 300 * MINUTE_MS
    live.end(end_ms)
    backtest = Backtest(live.plan, BEGIN_MS)
    history = StoredHistory(PastReader(live.database), live.plan.probes, end_ms)

    stopped_ms = replay(history.slices(BEGIN_MS, end_ms), [backtest], lambda _: None, lambda: True)

    assert stopped_ms == BEGIN_MS + 59.5 * MINUTE_MS
    assert len(backtest.incidents) == 1
