"""Jobs that tell of themselves: when they began, succeeded or failed, and what their silence means."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum


class Beat(StrEnum):
    """What a job tells."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


class JobState(StrEnum):
    """How a job is."""

    WAITING = "waiting"  # it has not told anything yet, and need not have
    OK = "ok"
    LATE = "late"  # it should have succeeded, and is in its grace time
    MISSING = "missing"
    FAILED = "failed"
    STUCK = "stuck"  # it runs for longer than it may


@dataclass(frozen=True, slots=True)
class Told:
    """What a job has told so far, in ms since the epoch. `since_ms`: from when on it was waited for. `exit_code`,
    `output` and `duration_ms` are those of its last end."""

    since_ms: int
    started_ms: int | None = None
    succeeded_ms: int | None = None
    failed_ms: int | None = None
    exit_code: int | None = None
    output: str = ""
    duration_ms: int | None = None

    @property
    def ended_ms(self) -> int | None:
        """When it ended last."""
        return max((at for at in (self.succeeded_ms, self.failed_ms) if at is not None), default=None)

    @property
    def running_since_ms(self) -> int | None:
        """Since when it runs; `None` while it does not."""
        if self.started_ms is None or (self.ended_ms is not None and self.ended_ms >= self.started_ms):
            return None
        return self.started_ms


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a job. `due_after`: when the next success is due after one. `longest_ms`: how long it may
    run."""

    due_after: Callable[[int], int | None]
    grace_ms: int
    longest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """How a job is. `due_ms`: when its next success is due, `None` if never."""

    state: JobState
    due_ms: int | None


def hear(told: Told, beat: Beat, at_ms: int, exit_code: int | None = None, output: str = "") -> Told:
    """What is known of a job that tells something more. Of a success the exit code is 0 unless it says so."""
    if beat is Beat.START:
        return replace(told, started_ms=at_ms)
    began_ms = told.running_since_ms
    ended = replace(
        told, exit_code=exit_code, output=output, duration_ms=None if began_ms is None else max(at_ms - began_ms, 0)
    )
    if beat is Beat.FAIL:
        return replace(ended, failed_ms=at_ms)
    return replace(ended, succeeded_ms=at_ms, exit_code=0 if exit_code is None else exit_code)


def judge_job(told: Told, expected: Expected, now_ms: int) -> Judged:
    """How a job is. What it said itself counts before its silence."""
    due_ms = expected.due_after(told.since_ms if told.succeeded_ms is None else told.succeeded_ms)
    if told.failed_ms is not None and told.failed_ms > (told.succeeded_ms or 0):
        return Judged(JobState.FAILED, due_ms)
    running_ms = told.running_since_ms
    if running_ms is not None and expected.longest_ms is not None and now_ms - running_ms > expected.longest_ms:
        return Judged(JobState.STUCK, due_ms)
    if due_ms is not None and now_ms >= due_ms + expected.grace_ms:
        return Judged(JobState.MISSING, due_ms)
    if due_ms is not None and now_ms >= due_ms:
        return Judged(JobState.LATE, due_ms)
    return Judged(JobState.WAITING if told.succeeded_ms is None else JobState.OK, due_ms)
