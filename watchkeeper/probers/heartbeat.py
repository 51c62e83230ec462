"""Asks a watchkeeper what a job has told of itself: that it began, succeeded or failed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from watchkeeper.domain.heartbeat import Expected, JobState, Judged, Told, judge_job
from watchkeeper.domain.probe import Category, Fact, FactType, Sample, Status
from watchkeeper.domain.report import cleaned
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_elapsed_ms, format_time, utc
from watchkeeper.probers._asking import AskingProber
from watchkeeper.probers._http_options import HttpOptions, peer_of
from watchkeeper.probers.base import Failure, Finding, ProberKind, failed, failure_fact
from watchkeeper.schema.base import Model
from watchkeeper.schema.duetimes import CronTimes
from watchkeeper.schema.fields import DurationMs, HttpUrl, PositiveDurationMs, SecretRef, TimeZone, Verify
from watchkeeper.schema.names import CronExpression

_PATH: Final = "/api/v1/heartbeat"
_HEADER: Final = "X-Heartbeat-Secret"
_MOST_OUTPUT: Final = 2000


class Success(Model):
    """When a job is to succeed."""

    every: PositiveDurationMs | None = None
    """How long after a success the next one is due."""
    cron: CronExpression | None = None
    """When it is due, as in crontab: `0 2 * * *`."""
    timezone: TimeZone | None = None
    """The time zone of `cron`; UTC if it is not set."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Success":
        if (self.every is None) is (self.cron is None):
            raise ValueError("needs every or cron, and not both")
        if self.timezone is not None and self.cron is None:
            raise ValueError("timezone belongs to cron, and there is none")
        return self


class HeartbeatOptions(Model):
    """A job that tells of itself."""

    secret: SecretRef
    """The secret in the job's URL, of at least 16 letters, digits, `-` and `_`. Each job has its own."""
    success: Success
    """When it is to succeed."""
    grace: DurationMs = 300_000
    """How long after it was due it counts as late, and not yet as missing. A job that is started by `cron` needs to
    be done by then."""
    longest: PositiveDurationMs | None = None
    """How long it may run, where it tells when it starts."""
    url: HttpUrl = "http://127.0.0.1:9321"
    """Where the pages of the watchkeeper are that the job tells: this one's, unless set."""
    verify: Verify = True
    """Whether the certificate is verified, or the path of a file with the CA certificates to verify it by."""

    @cached_property
    def asked(self) -> HttpOptions:
        """The check of a URL that it is asked by. The secret is in a header: nothing shows headers."""
        asked = {
            "url": self.url.rstrip("/") + _PATH,
            "headers": {_HEADER: self.secret},
            "verify": self.verify,
            "follow_redirects": False,
            "max_size": "256KiB",
            "expect": {"status": [200, 404], "body": {"contains": "s"}},  # the body is kept
        }
        return HttpOptions.model_validate(asked)

    @cached_property
    def expected(self) -> Expected:
        """What is expected of the job."""
        if self.success.cron is not None:
            times = _cron_times(self.success.cron, self.success.timezone or "UTC")
            return Expected(lambda after_ms: _next(times, after_ms), self.grace, self.longest)
        every_ms = self.success.every or 0
        return Expected(lambda after_ms: after_ms + every_ms, self.grace, self.longest)


@lru_cache(maxsize=1024)
def _cron_times(expression: str, timezone: str) -> CronTimes:
    return CronTimes(expression, timezone)


def _next(times: CronTimes, after_ms: int) -> int | None:
    found = times.next_after(datetime.fromtimestamp(after_ms / 1000, UTC))
    return None if found is None else round(found.timestamp() * 1000)


class _Told(BaseModel):
    model_config = ConfigDict(strict=True)

    since_ms: int
    started_ms: int | None
    succeeded_ms: int | None
    failed_ms: int | None
    exit_code: int | None
    output: str
    duration_ms: int | None


class HeartbeatProber(AskingProber):
    """Looks at what jobs told."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, _found)


def _found(options: HeartbeatOptions, answer: Sample, body: bytes) -> Finding:
    """What an answer says. That there is none says nothing of the job."""
    peer = peer_of(options.url)
    if answer.status is not Status.UP:
        own = answer.facts["failure"] == Failure.LOCAL
        return failed(
            Failure.LOCAL, answer.message if own else f"could not ask the watchkeeper at {peer}: {answer.message}"
        )
    if answer.values["status_code"] == 404:
        hint = "does its configuration have it, with 16 characters or more?"
        return failed(Failure.LOCAL, f"the watchkeeper at {peer} does not know the secret: {hint}")
    try:
        told = Told(**_Told.model_validate_json(body).model_dump())
        return judge(options, told, answer.at_ms)
    except (ValidationError, ValueError, OverflowError):
        return failed(Failure.LOCAL, f"{peer} answered something that is no answer of a watchkeeper")


def judge(options: HeartbeatOptions, told: Told, now_ms: int) -> Finding:
    """What a job is found to be."""
    judged = judge_job(told, options.expected, now_ms)
    values, facts = _values(told, judged, now_ms), _facts(told, judged)
    message = _words(told, judged, now_ms)
    if judged.state is JobState.WAITING:
        return failed(Failure.LOCAL, message, values, facts)
    if judged.state in (JobState.OK, JobState.LATE):
        return Finding(Status.UP, message, values, facts)
    return failed(Failure.ANSWER, message, values, facts)


def _values(told: Told, judged: Judged, now_ms: int) -> Mapping[str, float]:
    values: dict[str, float] = {}
    if told.succeeded_ms is not None:
        values["success_age_seconds"] = (now_ms - told.succeeded_ms) / 1000
    if told.duration_ms is not None:
        values["run_seconds"] = told.duration_ms / 1000
    if judged.due_ms is not None:
        values["late_seconds"] = max(now_ms - judged.due_ms, 0) / 1000
    return values


def _facts(told: Told, judged: Judged) -> Mapping[str, Fact]:
    times = {
        "last_success": told.succeeded_ms,
        "last_failure": told.failed_ms,
        "running_since": told.running_since_ms,
        "due": judged.due_ms,
    }
    facts: dict[str, Fact] = {name: utc(at_ms) for name, at_ms in times.items() if at_ms is not None}
    if told.exit_code is not None:
        facts["last_exit_code"] = told.exit_code
    if told.output:
        facts["output"] = told.output[-_MOST_OUTPUT:]
    return {**facts, "state": judged.state.value}


def _words(told: Told, judged: Judged, now_ms: int) -> str:
    succeeded = "it has not succeeded yet"
    if told.succeeded_ms is not None:
        succeeded = f"it succeeded {format_elapsed_ms(max(now_ms - told.succeeded_ms, 0))} ago"
    late = "" if judged.due_ms is None else f"since {format_elapsed_ms(max(now_ms - judged.due_ms, 0))}"
    match judged.state:
        case JobState.FAILED:
            code = "" if told.exit_code is None else f" with exit code {told.exit_code}"
            lines = told.output.splitlines()
            return cleaned(f"the job failed{code}" + (f": {lines[-1]}" if lines else ""), 500).rstrip(". ")
        case JobState.STUCK:
            return f"the job runs for {format_elapsed_ms(now_ms - (told.running_since_ms or now_ms))}; {succeeded}"
        case JobState.MISSING:
            return f"the job is missing {late}; {succeeded}"
        case JobState.LATE:
            return f"the job is late {late}; {succeeded}"
        case JobState.WAITING:
            until = "for it" if judged.due_ms is None else f"until {format_time(judged.due_ms)}"
            return f"the job has told nothing yet; it has time {until}"
        case _:
            return f"the job is well: {succeeded}"


KIND = ProberKind(
    name="heartbeat",
    summary="Hears of jobs that tell when they begin, succeed and fail, and misses those that do not.",
    category=Category.HEALTH,
    options=HeartbeatOptions,
    make=HeartbeatProber,
    host=lambda options: urlsplit(options.url).hostname or "",
    values={
        "success_age_seconds": "how long ago it succeeded last; absent before the first time",
        "run_seconds": "how long it ran last; absent unless it told when it started",
        "late_seconds": "how long ago its success was due; 0 until then",
    },
    facts={
        **failure_fact(Failure.ANSWER),
        "state": (FactType.TEXT, "waiting, ok, late, missing, failed or stuck; absent when that could not be asked"),
        "last_success": (FactType.TIME, "when it succeeded last; absent before the first time"),
        "last_failure": (FactType.TIME, "when it failed last; absent if never"),
        "last_exit_code": (FactType.NUMBER, "the exit code of its last end; absent if it told none"),
        "running_since": (FactType.TIME, "since when it runs; absent while it does not"),
        "due": (FactType.TIME, "when its next success is due, without the grace time"),
        "output": (FactType.TEXT, "the end of what it told at its last end; absent if it told nothing"),
    },
)
