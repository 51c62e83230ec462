"""The watchkeeper prober, against web servers that answer like one, and against the daemon's own status."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.probers.asking import BLINK, a_probe, ask, run
from tests.probers.servers import (
    Answer,
    certificate,
    drips,
    redirects,
    says,
    sends,
    sends_and_hangs,
    serving,
    tls_by,
)
from tests.web.standing import told
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find


def ask_one_that(answer: Answer, options: dict[str, Any] | None = None, timeout: str = "5s") -> Sample:
    """The sample of a check of a server that gives this answer."""

    async def main() -> Sample:
        async with serving(answer) as server:
            return await ask("watchkeeper", {"url": server.url(), **(options or {})}, timeout)

    return run(main())


def says_of_itself(**changes: Any) -> Answer:
    """A status, but for these changes; `None` leaves a key out."""
    status = {**told(), **changes}
    return says(json.dumps({key: value for key, value in status.items() if value is not None}).encode())


def is_down(sample: Sample, failure: str, *texts: str) -> None:
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, failure)
    assert all(text in sample.message for text in texts), sample.message


def test_one_that_is_well_is_up_and_every_value_is_there() -> None:
    sample = ask_one_that(says_of_itself(commands_waiting=3, oldest_command_seconds=61.5))
    assert sample.status is Status.UP
    assert sample.message.startswith("watchkeeper 1.2.3 at 127.0.0.1:")
    assert set(sample.values) == set(find("watchkeeper").values)
    assert sample.values["commands_waiting"] == 3
    assert sample.values["oldest_command_seconds"] == 61.5
    assert sample.values["config_reload_failed"] == 0
    assert sample.values["backends_refusing"] == 0
    assert sample.facts == {"version": "1.2.3"}


def test_its_status_is_asked_for_below_its_url() -> None:
    async def main(path: str) -> list[str]:
        async with serving(says_of_itself()) as server:
            await ask("watchkeeper", {"url": server.url(path)})
            return [request.target for request in server.requests]

    assert run(main("")) == ["/api/v1/status"]
    assert run(main("/ops/watchkeeper/")) == ["/ops/watchkeeper/api/v1/status"]


def test_one_that_can_not_do_its_work_is_down_and_its_values_are_told() -> None:
    reasons = ["the database has not answered for 31 s", "two\nlines\x1b."]
    sample = ask_one_that(says_of_itself(not_ready=reasons, database_silent_seconds=31.2))
    is_down(sample, "answer", "can not do its work: the database has not answered for 31 s; two lines")
    assert sample.message.isprintable()
    assert sample.values["database_silent_seconds"] == 31.2
    assert sample.facts["version"] == "1.2.3"


def test_what_it_complains_of_is_cut_off_where_it_is_long() -> None:
    assert len(ask_one_that(says_of_itself(not_ready=["x" * 10_000])).message) < 400


def test_a_backend_that_refuses_and_a_configuration_that_was_not_accepted_are_values() -> None:
    backends = [
        {"name": "one", "refusing": True},
        {"name": "two", "refusing": False},
        {"name": "3", "refusing": True},
    ]
    sample = ask_one_that(says_of_itself(backends=backends, config_reload_successful=False))
    assert sample.status is Status.UP
    assert (sample.values["backends_refusing"], sample.values["config_reload_failed"]) == (2, 1)


def test_one_of_another_version_may_have_less_and_more() -> None:
    sample = ask_one_that(says_of_itself(backends=None, commands_rejected=None, something_new={"a": [1]}))
    assert sample.status is Status.UP
    assert set(find("watchkeeper").values) - set(sample.values) == {"backends_refusing", "commands_rejected"}


@pytest.mark.parametrize(
    "changes",
    [
        {"version": None},
        {"version": "1.2.3\n"},
        {"version": "x" * 65},
        {"not_ready": None},
        {"not_ready": "yes"},
        {"not_ready": [1]},
        {"commands_waiting": "3"},
        {"commands_waiting": True},
        {"commands_waiting": -1},
        {"uptime_seconds": float("nan")},
        {"uptime_seconds": float("inf")},
        {"config_reload_successful": 1},
        {"backends": {}},
        {"backends": [{"refusing": "no"}]},
    ],
)
def test_a_status_that_makes_no_sense_is_down(changes: dict[str, Any]) -> None:
    sample = ask_one_that(says_of_itself(**changes))
    is_down(sample, "body", "answered something that is no status of a watchkeeper")
    assert not sample.values


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>fine</html>",
        b'"uptime_seconds"',
        b"[" * 100_000 + b"uptime_seconds",
        b'{"uptime_seconds": 1' + b"0" * 5_000 + b', "version": "1", "not_ready": []}',
        b'{"uptime_seconds": 1, "version": "1", "not_ready": ["\\ud800"]}',
        b'{"uptime_seconds": 1, "version": "1", "not_ready": []}' + b" " * 300_000,
    ],
)
def test_another_kind_of_page_is_down(body: bytes) -> None:
    is_down(ask_one_that(says(body)), "body", "answered something that is no status of a watchkeeper")


def test_a_page_that_is_not_there_is_down() -> None:
    is_down(ask_one_that(says(b"no", status=404)), "status", "127.0.0.1:", " answered 404, expected 200")


def test_a_redirect_is_not_followed() -> None:
    async def main() -> tuple[Sample, int]:
        async with serving(says_of_itself()) as other, serving(redirects(other.url("/api/v1/status"))) as server:
            return await ask("watchkeeper", {"url": server.url()}), other.connections

    sample, connections = run(main())
    is_down(sample, "status", " answered 302, expected 200")
    assert connections == 0


def test_something_that_is_not_http_is_down() -> None:
    is_down(ask_one_that(sends(b"220 ESMTP\r\n")), "protocol", "answered something that is not HTTP")


@pytest.mark.parametrize(
    "answer",
    [sends_and_hangs(), drips(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x" * 99, 0.02)],
    ids=["silence", "drips"],
)
def test_an_answer_that_does_not_come_is_down_in_time(answer: Answer) -> None:
    sample = ask_one_that(answer, timeout=BLINK)
    is_down(sample, "timeout", f"within {BLINK}")
    assert 0.2 < sample.duration_s < 2


def test_another_one_is_asked_by_https_and_its_certificate_verified(tmp_path: Path) -> None:
    made = certificate(tmp_path)

    async def main() -> tuple[Sample, Sample]:
        async with serving(says_of_itself(), tls_by(made)) as server:
            options = {"url": server.url()}
            return await ask("watchkeeper", options), await ask("watchkeeper", {**options, "verify": str(made)})

    unverified, verified = run(main())
    is_down(unverified, "tls", "self-signed certificate")
    assert verified.status is Status.UP


@pytest.mark.parametrize(
    "url", ["http://localhost:9321", "http://127.0.0.2", "http://[::1]:9321/", "https://a.example"]
)
def test_where_a_watchkeeper_may_be(url: str) -> None:
    assert a_probe("watchkeeper", {"url": url}).options.url == url


def test_it_is_the_own_one_unless_told_otherwise() -> None:
    assert a_probe("watchkeeper", {}).options.asked.url == "http://127.0.0.1:9321/api/v1/status"


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://ops.example.com:9321", "plain http:// is for loopback addresses only: accepted is https://"),
        ("http://10.0.0.1", "plain http:// is for loopback addresses only: accepted is https://"),
        ("http://127.0.0.1.example.com", "plain http:// is for loopback addresses only: accepted is https://"),
        ("https://ops.example.com/?a=b", "accepted is a URL without"),
        ("https://ops.example.com/#a", "accepted is a URL without"),
        ("https://a..ö/", "its host is not a name that can be looked up"),
        ("https://me:secret@ops.example.com", "a secret does not stand in the file"),
        ("ops.example.com:9321", "must be a URL"),
    ],
)
def test_another_url_is_an_error(url: str, wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong.replace("?", r"\?")):
        a_probe("watchkeeper", {"url": url})
