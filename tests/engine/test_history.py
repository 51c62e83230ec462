"""What windows hold again after a start, from what is stored, however the daemon ended."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from tests.engine import made
from tests.engine.stores import FaultyDatabase, until
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged
from watchkeeper.domain.history import Span, last_run, runs_of, statuses_of
from watchkeeper.domain.probe import Cron, Probe, Sample, Status
from watchkeeper.domain.rollup import MINUTE_MS, RollupEntry
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.streak import MOST, SPAN_MS, change_of, streak_of
from watchkeeper.domain.watch import Watch
from watchkeeper.domain.window import UP as UP_SERIES
from watchkeeper.domain.window import Points, Window
from watchkeeper.engine.history import History
from watchkeeper.engine.rollups import Rollups
from watchkeeper.store.record import begin_run, note_alive, record, remember

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
UP, DOWN, UNKNOWN = Status.UP, Status.DOWN, Status.UNKNOWN
LETTERS = {"u": UP, "d": DOWN, "?": UNKNOWN}
SPANS = {
    streak_of(DOWN): SPAN_MS, streak_of(UP): SPAN_MS, change_of("status"): DAY_MS, change_of("size"): DAY_MS,
    change_of("file"): DAY_MS, "size": DAY_MS,
}  # fmt: skip


@dataclass(frozen=True)
class DownThrice:
    spans_ms: Mapping[str, int] = field(default_factory=lambda: SPANS)
    asks_missed: bool = False

    def __call__(self, scope: Scope) -> bool:
        return scope.window.in_a_row(DOWN) >= 3

    def explain(self, _scope: Scope) -> list[tuple[str, str]]:
        return []


class Bench:
    """A daemon's watch with its store, and a clock that is moved by hand. It beats every five seconds."""

    def __init__(self, database: FaultyDatabase, probe: Probe) -> None:
        self.database = database
        self.probe = probe
        self.now_ms = made.NOW_MS + 7_321
        self.happened: list[Happening] = []
        rule = made.rule()
        rule.conditions["fake"] = DownThrice()  # type: ignore[index]  # a dict, as it was made
        self.plan = made.plan([probe], rule)
        self.start()
        self.fill()

    def start(self) -> None:
        self.began_ms = self.now_ms
        remembered = remember(self.database)
        self.run_id = begin_run(self.database, self.now_ms, "1", [(self.probe.id, self.probe.service)])
        self.watch = Watch(
            self.plan,
            open_alerts=remembered.alerts,
            open_incidents=remembered.incidents,
            next_incident_id=remembered.next_incident_id,
            has_history=True,
        )
        self.rollups = Rollups(lambda: self.now_ms, self.database)
        self.history = History(self.database, lambda: self.now_ms, self._take_in)
        self._note(self.watch.revise(self.plan, self.now_ms))

    def fill(self) -> None:
        for subject in self.watch.awaits_history():
            self.history.read(subject.probe, subject.window.awaited)

    def _take_in(self, probe_id: str, history: Mapping[str, Points]) -> None:
        self._note(self.watch.fill(probe_id, history, self.now_ms))

    def _note(self, effects: Sequence[Effect]) -> None:
        record(self.database, effects)
        self.happened += [one.happening for one in effects if isinstance(one, IncidentChanged)]

    def run(self, statuses: str, every_ms: int = MINUTE_MS, size: float = 1.0) -> None:
        for letter in statuses:
            sample = Sample(self.probe.id, self.now_ms, LETTERS[letter], values={"size": size}, facts={"file": "a"})
            self._note(self.watch.observe(sample))
            self.rollups.add(sample)
            self.now_ms += every_ms
            while self.rollups.step():
                pass

    def stop(self, down_ms: int = 30_000) -> None:
        self.rollups.end(1)
        note_alive(self.database, self.run_id, self.now_ms, stopped=True)
        self.now_ms += down_ms

    def crash(self, down_ms: int = 1_000) -> None:
        """What is not written is lost. The last sign of life was up to five seconds ago."""
        note_alive(self.database, self.run_id, self.began_ms + (self.now_ms - self.began_ms) // 5_000 * 5_000)
        self.now_ms += down_ms

    @property
    def window(self) -> Window:
        return self.watch.subjects[self.probe.id].window

    def in_a_row(self) -> tuple[int, int]:
        return self.window.in_a_row(DOWN), self.window.in_a_row(UP)


@pytest.fixture
def on(database: FaultyDatabase) -> Bench:
    return Bench(database, made.probe())


def test_runs_in_a_row_go_on_after_a_stop(on: Bench) -> None:
    on.run("uuuudd?d")
    on.stop()
    on.start()
    on.fill()
    assert on.in_a_row() == (3, 0)
    on.run("d")
    assert on.in_a_row() == (4, 0)
    on.run("u")
    assert on.in_a_row() == (0, 1)


def test_history_may_come_after_the_first_samples(on: Bench) -> None:
    on.run("udd")
    on.stop()
    on.start()
    on.run("dd")
    on.fill()
    assert on.in_a_row() == (4, 0)
    on.stop()
    on.start()
    on.run("dud")
    on.fill()
    assert on.in_a_row() == (1, 0)


@pytest.mark.parametrize("every_s", [1, 5, 10, 30, 60, 300, 3600])
@pytest.mark.parametrize("ending", ["stop", "crash"])
@pytest.mark.parametrize("before", ["", "u" * 100])
def test_a_firing_alert_opens_no_second_incident_after_the_daemon_ended(
    database: FaultyDatabase, every_s: int, ending: str, before: str
) -> None:
    on = Bench(database, made.probe(every_ms=every_s * 1000))
    on.run(before, every_s * 1000)
    on.run("ddd", every_s * 1000)
    assert on.happened == [Happening.OPENED]
    getattr(on, ending)()
    on.start()
    on.run("d", every_s * 1000)  # before history is there: no answer
    on.fill()
    on.run("dd", every_s * 1000)
    assert on.happened == [Happening.OPENED]
    on.run("u")
    assert on.happened == [Happening.OPENED, Happening.RESOLVED]


def test_any_sequence_of_runs_is_counted_on_after_any_stop(database: FaultyDatabase) -> None:
    rng = random.Random(4)
    for number, every_s in enumerate((10, 30, 60, 60, 90, 300, 1800)):
        on = Bench(database, made.probe(f"web{number}", every_ms=every_s * 1000))
        never = Window(SPANS)
        for _ in range(6):
            statuses = "".join(
                rng.choice(("u", "d", "d?")) * rng.choice((1, 1, 2, 3, 7)) for _ in range(rng.randint(1, 8))
            )
            for at, letter in enumerate(statuses):
                never.append(Sample("web", at, LETTERS[letter], values={"size": 1.0}))
            on.run(statuses, every_s * 1000)
            on.stop(rng.choice((1_000, 700_000)))
            on.start()
            on.fill()
            expected = (never.in_a_row(DOWN), never.in_a_row(UP))
            # Of many runs in a minute it is not stored which was when.
            assert on.in_a_row() == pytest.approx(expected, abs=0 if every_s >= 60 else 1), statuses
            never = Window(SPANS)
            never.keep(on.window)


def test_a_long_run_is_counted_as_far_as_counts_go(on: Bench) -> None:
    on.run("d" + "u" * (MOST + 200))
    on.stop()
    on.start()
    on.fill()
    assert on.in_a_row() == (0, MOST)


def test_runs_of_an_irregular_schedule_are_counted_over_weeks(database: FaultyDatabase) -> None:
    on = Bench(database, made.probe(cron=Cron("0 4 * * 1", "UTC")))
    on.run("uddd", 7 * DAY_MS)
    on.stop()
    on.start()
    on.fill()
    assert on.in_a_row() == (3, 0)


def test_changes_are_known_after_a_start(on: Bench) -> None:
    on.run("uuuu", size=1 / 3)
    on.run("uuuudd", size=2 / 3)
    on.stop()
    on.start()
    on.fill()
    on.run("d", size=2 / 3)
    now = on.now_ms - MINUTE_MS
    for name, ago in (("size", 8), ("status", 4)):
        assert on.window.changed(name, ago * MINUTE_MS, now), name
        assert not on.window.changed(name, (ago - 2) * MINUTE_MS, now), name
    assert not on.window.changed("file", DAY_MS, now), "facts are not stored"


def test_a_start_is_no_change(on: Bench) -> None:
    """Neither by the rounding of what is stored, nor by the steps in which past hours are stored."""
    rng = random.Random(3)
    on.run("u" * 80, size=1 / 3)
    for _ in range(40):
        on.run("u", size=rng.uniform(0, 1000))
    last = on.now_ms
    on.run("u" * 150, size=1 / 3)
    on.stop(2 * HOUR_MS)
    on.start()
    on.fill()
    on.run("u", size=1 / 3)
    now = on.now_ms - MINUTE_MS
    assert not on.window.changed("size", now - last - MINUTE_MS, now)
    assert on.window.changed("size", now - last + 2 * MINUTE_MS, now)
    assert not on.window.changed("status", DAY_MS, now)


def test_the_thread_reads_what_is_wanted(database: FaultyDatabase) -> None:
    found: dict[str, Mapping[str, Points]] = {}
    on = Bench(database, made.probe())
    on.run("dd")
    on.stop()
    history = History(database, lambda: on.now_ms, found.__setitem__)
    history.begin()
    history.want([(on.probe, SPANS)])
    until(lambda: "web" in found)
    assert {*found["web"]} == {*SPANS}
    assert len(found["web"][streak_of(DOWN)].values) == 2
    with capture_logs() as logs:
        history.end(5)
    assert logs == []


# Spans.


def test_the_last_run_leaves_out_what_was_unknown() -> None:
    spans = [Span(0, 1, UP), Span(1, 2, DOWN), Span(2, 3, UNKNOWN), Span(3, 4, DOWN), Span(4, 5, UNKNOWN)]
    assert last_run(DOWN, spans) == [spans[1], spans[3]]
    assert last_run(UP, spans) == []
    assert last_run(UP, []) == []


def test_where_a_span_begins_within_a_minute_as_many_runs_count_as_fit() -> None:
    entries = [RollupEntry(0, MINUTE_MS, 6, 0.0, 1.0, 2 / 6)]  # two up, four down
    assert len(runs_of([Span(30_000, 60_000, DOWN)], entries, None).times) == 3
    assert len(runs_of([Span(10_000, 60_000, DOWN)], entries, None).times) == 4, "no more than were down"
    assert len(runs_of([Span(30_000, 60_000, UP)], entries, None).times) == 2


def test_runs_that_a_crash_lost_are_those_that_were_due() -> None:
    entries = [RollupEntry(0, MINUTE_MS, 2, 0.0, 0.0, 0.0)]
    points = runs_of([Span(0, 200_000, DOWN), Span(300_000, 300_000, DOWN)], entries, 30_000)
    assert len(points.times) == 2 + 4 + 1
    assert runs_of([Span(300_000, 400_000, UP)], entries, 30_000) == (
        [300_000, 330_000, 360_000, 390_000],
        [1.0] * 4,
    )
    assert runs_of([Span(300_000, 400_000, UP)], entries, None) == ([300_000], [1.0])
    assert len(runs_of([Span(0, 10**12, UP)], [], 1000).times) == MOST


def test_statuses_are_told_by_their_ends() -> None:
    spans = [Span(0, 1000, UP), Span(1000, 2000, UNKNOWN), Span(2000, 2000, DOWN)]
    assert statuses_of(spans) == ([0, 999, 2000, 2000], [1.0, 1.0, 0.0, 0.0])


def test_rollups_of_up_fill_the_series_of_up(on: Bench) -> None:
    on.run("ud")
    on.stop()
    found: dict[str, Mapping[str, Points]] = {}
    History(on.database, lambda: on.now_ms, found.__setitem__).read(on.probe, {UP_SERIES: HOUR_MS})
    assert list(found["web"][UP_SERIES].values) == [1.0, 0.0]
