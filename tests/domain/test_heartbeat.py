"""What a job's words and its silence mean."""

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.domain.heartbeat import Beat, Expected, JobState, Told, hear, judge_job

HOUR = 3_600_000
DAILY = Expected(lambda after_ms: after_ms + 24 * HOUR, grace_ms=HOUR, longest_ms=2 * HOUR)


def state(told: Told, now_ms: int, expected: Expected = DAILY) -> JobState:
    return judge_job(told, expected, now_ms).state


def test_one_that_told_nothing_is_waited_for_and_then_missing() -> None:
    told = Told(0)
    assert [state(told, hour * HOUR) for hour in (0, 23, 24, 25)] == ["waiting", "waiting", "late", "missing"]


def test_a_success_counts_until_the_next_is_due() -> None:
    told = hear(Told(0), Beat.SUCCESS, 5 * HOUR)
    assert [state(told, hour * HOUR) for hour in (5, 28, 29, 30)] == ["ok", "ok", "late", "missing"]
    assert judge_job(told, DAILY, 6 * HOUR).due_ms == 29 * HOUR


def test_a_failure_counts_until_the_next_success_and_a_start_does_not_undo_it() -> None:
    told = hear(hear(Told(0), Beat.SUCCESS, HOUR), Beat.FAIL, 2 * HOUR, 3, "disk full")
    assert (state(told, 2 * HOUR), told.exit_code, told.output) == ("failed", 3, "disk full")
    told = hear(told, Beat.START, 3 * HOUR)
    assert state(told, 3 * HOUR) is JobState.FAILED
    told = hear(told, Beat.SUCCESS, 4 * HOUR)
    assert (state(told, 4 * HOUR), told.exit_code, told.output, told.duration_ms) == ("ok", 0, "", HOUR)


def test_one_that_runs_for_too_long_is_stuck_before_it_is_missing() -> None:
    told = hear(hear(Told(0), Beat.SUCCESS, 0), Beat.START, HOUR)
    assert told.running_since_ms == HOUR
    assert [state(told, hour * HOUR) for hour in (3, 4)] == ["ok", "stuck"]


def test_how_long_it_ran_is_known_only_where_it_told_when_it_began() -> None:
    told = hear(Told(0), Beat.SUCCESS, HOUR)
    assert told.duration_ms is None
    told = hear(hear(told, Beat.START, 2 * HOUR), Beat.FAIL, 5 * HOUR)
    assert told.duration_ms == 3 * HOUR
    assert hear(told, Beat.SUCCESS, 6 * HOUR).duration_ms is None


def test_one_that_is_never_due_is_never_missing() -> None:
    assert state(Told(0), 10**15, Expected(lambda _: None, 0)) is JobState.WAITING


@given(st.lists(st.tuples(st.sampled_from(Beat), st.integers(0, 10**6)), max_size=10), st.integers(0, 10**8))
def test_what_it_says_of_itself_fits_together(beats: list[tuple[Beat, int]], later_ms: int) -> None:
    told, now_ms = Told(0), 0
    for beat, passed_ms in beats:
        now_ms += passed_ms
        told = hear(told, beat, now_ms)
    assert (told.running_since_ms is None) is (
        told.started_ms is None or (told.ended_ms is not None and told.ended_ms >= told.started_ms)
    )
    assert told.duration_ms is None or told.duration_ms >= 0
    judged = judge_job(told, DAILY, now_ms + later_ms)
    assert judged.due_ms is not None
    assert (judged.state is JobState.FAILED) is ((told.failed_ms or -1) > (told.succeeded_ms or 0))
