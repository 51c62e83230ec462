"""The heartbeat prober, asking what a watchkeeper was told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from tests.probers.asking import BLINK, NOW_MS, a_probe, ask, run
from tests.probers.servers import Answer, drips, refused_port, says, sends_and_hangs, sends_and_resets, serving
from watchkeeper.domain.probe import Sample, Status

HOUR = 3_600_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEAT", "nightly-dump-8Zk3vQ1x")


def asked_of(answer: Answer, timeout: str = "5s", **options: Any) -> Sample:
    async def main() -> Sample:
        async with serving(answer) as served:
            base = {"url": served.url(), "secret": {"env": "BEAT"}, "success": {"every": "1d"}, "grace": "1h"}
            sample = await ask("heartbeat", {**base, **options}, timeout)
            for one in served.requests:
                assert (one.target, one.headers["x-heartbeat-secret"]) == (
                    "/api/v1/heartbeat",
                    "nightly-dump-8Zk3vQ1x",
                )
            return sample

    return run(main())


def told(since: float = 100, **more: Any) -> Answer:
    """An answer. Times are hours before now."""
    nothing: dict[str, Any] = {"started_ms": None, "succeeded_ms": None, "failed_ms": None}
    nothing |= {"exit_code": None, "output": "", "duration_ms": None}
    times = {
        f"{name}_ms": NOW_MS - round(more.pop(name) * HOUR)
        for name in ("started", "succeeded", "failed")
        if name in more
    }
    return says(json.dumps({"since_ms": NOW_MS - round(since * HOUR), **nothing, **times, **more}).encode())


def test_a_job_that_succeeded_is_up() -> None:
    sample = asked_of(told(succeeded=5, started=6, exit_code=0, output="dumped", duration_ms=HOUR))
    assert (sample.status, sample.message) == (Status.UP, "the job is well: it succeeded 5h ago")
    assert sample.values == {"success_age_seconds": 5 * 3600, "run_seconds": 3600, "late_seconds": 0}
    assert sample.facts == {
        "state": "ok",
        "last_success": datetime.fromtimestamp(NOW_MS / 1000 - 5 * 3600, UTC),
        "due": datetime.fromtimestamp(NOW_MS / 1000 + 19 * 3600, UTC),
        "last_exit_code": 0,
        "output": "dumped",
    }


FAILED = told(succeeded=5, failed=1, exit_code=3, output="a\ndisk full.")


@pytest.mark.parametrize(
    ("answer", "status", "state", "message"),
    [
        (told(1), "unknown", "waiting", "the job has told nothing yet; it has time until 2023-11-15 21:13:20Z"),
        (told(24.5), "up", "late", "the job is late since 30m; it has not succeeded yet"),
        (told(26), "down", "missing", "the job is missing since 2h; it has not succeeded yet"),
        (told(succeeded=24.5), "up", "late", "the job is late since 30m; it succeeded 1d ago"),
        (told(succeeded=26), "down", "missing", "the job is missing since 2h; it succeeded 1d2h ago"),
        (FAILED, "down", "failed", "the job failed with exit code 3: disk full"),
        (told(failed=1), "down", "failed", "the job failed"),
        (told(succeeded=9, started=4), "down", "stuck", "the job runs for 4h; it succeeded 9h ago"),
        (told(succeeded=9, started=2), "up", "ok", "the job is well: it succeeded 9h ago"),
    ],
)  # fmt: skip
def test_what_it_told_decides(answer: Answer, status: str, state: str, message: str) -> None:
    sample = asked_of(answer, longest="3h")
    assert (sample.status, sample.facts["state"]) == (status, state)
    assert sample.message == message
    assert sample.facts.get("failure") == {"up": None, "down": "answer", "unknown": "local"}[status]


def test_one_that_runs_says_since_when() -> None:
    sample = asked_of(told(succeeded=9, started=2))
    assert sample.facts["running_since"] == datetime.fromtimestamp(NOW_MS / 1000 - 2 * 3600, UTC)


def test_by_cron_it_is_due_at_a_time_of_its_time_zone() -> None:
    # It is 2023-11-14 22:13:20Z, and 06:13:20 of the next day in Shanghai.
    at_five = {"cron": "0 5 * * *", "timezone": "Asia/Shanghai"}
    assert asked_of(told(succeeded=2), success=at_five, grace="1h").facts["state"] == "missing"
    assert asked_of(told(succeeded=2), success=at_five, grace="2h").facts["state"] == "late"
    assert asked_of(told(succeeded=1), success=at_five).facts["state"] == "ok"
    assert asked_of(told(succeeded=20), success={"cron": "0 5 * * *"}).facts["state"] == "missing"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (says(b"no heartbeat probe has this secret", status=404), "does not know the secret"),
        (says(b"could not be kept", status=503), "answered 503"),
        (says(b"it works"), "no answer of a watchkeeper"),
        (says(b'{"since_ms": "x"}'), "no answer of a watchkeeper"),
        (told(succeeded=-1e16), "no answer of a watchkeeper"),
        (sends_and_resets(HEAD), "could not ask"),
        (sends_and_hangs(), "could not ask the watchkeeper"),
        (drips(HEAD, b"s" * 5000, 0.01), "could not ask the watchkeeper"),
    ],
)
def test_a_watchkeeper_that_does_not_tell_is_unknown(answer: Answer, said: str) -> None:
    sample = asked_of(answer, BLINK)
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"failure": "local"})
    assert said in sample.message
    assert sample.duration_s < 2


def test_one_that_is_not_there_is_unknown_and_so_is_a_missing_secret() -> None:
    options = {"url": f"http://127.0.0.1:{refused_port()}", "secret": {"env": "BEAT"}, "success": {"every": "1d"}}
    assert run(ask("heartbeat", options)).status is Status.UNKNOWN
    sample = run(ask("heartbeat", {**options, "secret": {"env": "NO_SUCH"}}))
    assert (sample.status, "NO_SUCH is not set" in sample.message) == (Status.UNKNOWN, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"success": {}}, "needs every or cron"),
        ({"success": {"every": "1d", "cron": "0 5 * * *"}}, "not both"),
        ({"success": {"every": "1d", "timezone": "UTC"}}, "belongs to cron"),
        ({"success": {"cron": "0 5 * *"}}, "not a cron expression"),
        ({"success": {"cron": "0 5 * * *", "timezone": "Mars"}}, "not a time zone"),
        ({"secret": "abc"}, "a secret does not stand in the file"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        a_probe("heartbeat", {"secret": {"env": "BEAT"}, "success": {"every": "1d"}, **options})
