"""The prometheus prober, with a real Prometheus and with servers that misbehave."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from tests.peers.prometheus import Prometheus, prometheus
from tests.probers.asking import BLINK, a_probe, ask, run
from tests.probers.servers import (
    Answer,
    drips,
    redirects,
    refused_port,
    says,
    sends,
    sends_and_hangs,
    sends_and_resets,
    sends_without_end,
    serving,
)
from watchkeeper.domain.probe import Sample, Status

AT_S = 1_700_000_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    times = [(AT_S - 60) * 1000, AT_S * 1000]
    series = {"db-1:9100": (times, [1.0, 2.0]), "db-2:9100": (times, [5.0, 8.0]), "no": (times, [0.0, float("nan")])}
    with prometheus(tmp_path_factory.mktemp("prometheus"), series) as made:  # type: ignore[arg-type]  # lists do
        yield made


def query(server: Prometheus, text: str, **options: Any) -> Sample:
    """The sample of a query of a real server, `@T` being when its series are."""
    asked = text.replace("@T", f"@ {AT_S}")
    return run(ask("prometheus", {"url": server.url, "query": asked, **options}))


def asked_of(answer: Answer, timeout: str = "5s", **options: Any) -> Sample:
    """The sample of a query of a server that gives this answer."""

    async def main() -> Sample:
        async with serving(answer) as served:
            return await ask("prometheus", {"url": served.url(), "query": "m", **options}, timeout)

    return run(main())


def tells(result: Any, kind: str = "vector", **more: Any) -> Answer:
    return says(json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode())


def series(number: str, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [AT_S, number]}


def test_a_single_series_is_a_value(server: Prometheus) -> None:
    sample = query(server, 'm{n="db-2:9100"} @T')
    assert sample.status is Status.UP
    assert sample.values == {"value": 8, "series": 1, "lowest": 8, "highest": 8}
    assert sample.message == 'm{n="db-2:9100"} is 8'


def test_a_scalar_is_a_value(server: Prometheus) -> None:
    sample = query(server, "scalar(sum(m{n=~'db.*'} @T)) / 4")
    assert (sample.values["value"], sample.message) == (2.5, "it is 2.5")


def test_of_many_series_each_has_a_value_named_by_its_label(server: Prometheus) -> None:
    sample = query(server, "m @T", label="n")
    assert sample.status is Status.UP
    assert sample.values == {"series": 3, "lowest": 2, "highest": 8, "db_1_9100": 2, "db_2_9100": 8}
    assert (sample.facts["lowest"], sample.facts["highest"]) == ('m{n="db-1:9100"}', 'm{n="db-2:9100"}')
    assert sample.message == '2 series from 2 to 8, the highest is m{n="db-2:9100"}'


@pytest.mark.parametrize(
    ("empty", "status", "failure"), [("up", "up", None), ("down", "down", "answer"), ("unknown", "unknown", "local")]
)
def test_what_no_series_means_is_configured(server: Prometheus, empty: str, status: str, failure: str | None) -> None:
    sample = query(server, "m @T > 100", empty=empty)
    assert (sample.status, sample.facts.get("failure"), sample.values) == (status, failure, {"series": 0})
    assert sample.message == "the query gives no series"


def test_a_number_that_is_none_is_as_if_it_were_not_there(server: Prometheus) -> None:
    sample = query(server, 'm{n="no"} @T', label="n")
    assert (sample.status, sample.values) == (Status.UNKNOWN, {"series": 1})
    assert query(server, "vector(1) / 0").message == "the query gives no series with a number"


def test_a_query_that_makes_no_sense_is_unknown_and_says_where(server: Prometheus) -> None:
    sample = query(server, "sum(m", unreachable="down")
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert "refuses the query" in sample.message
    assert "parse error" in sample.message


def test_a_query_of_a_range_is_unknown(server: Prometheus) -> None:
    sample = query(server, "m[5m]")
    assert sample.status is Status.UNKNOWN
    assert sample.message == "the query gives a matrix: accepted is one that gives a scalar or a vector"


def test_more_series_than_are_accepted_are_unknown(server: Prometheus) -> None:
    sample = query(server, "m @T", max_series=2)
    assert (sample.status, sample.values) == (Status.UNKNOWN, {"series": 3})
    assert "max_series is 2" in sample.message


def test_quotes_and_signs_of_a_query_arrive_as_they_are(server: Prometheus) -> None:
    sample = query(server, 'label_replace(vector(1 + 1), "x", "ä&=#? +%", "", "")', label="x")
    assert sample.values["value"] == 2
    assert "ä&=#? +%" in sample.message


def test_names_of_series_alike_do_not_depend_on_their_order() -> None:
    found = [series("1", n="a b", z="1"), series("2", n="a-b"), series("3", n="value")]
    one, other = (asked_of(tells(order), label="n").values for order in (found, found[::-1]))
    assert one == other
    assert {one["a_b"], one["a_b_2"]} == {1, 2}
    assert one["value_2"] == 3


def test_warnings_of_the_server_are_a_fact() -> None:
    sample = asked_of(tells([series("1")], warnings=["a store is away", "two\nlines"]))
    assert sample.facts["warnings"] == "a store is away; two lines"


def test_credentials_are_sent_and_redirects_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "Bearer s3cret")

    async def main() -> str:
        async with serving(tells([series("1")])) as served:
            options = {"url": served.url("/prom/"), "query": "m", "headers": {"Authorization": {"env": "TOKEN"}}}
            await ask("prometheus", options)
            assert served.requests[0].target.startswith("/prom/api/v1/query?query=m")
            return served.requests[0].headers["authorization"]

    assert run(main()) == "Bearer s3cret"
    assert "answered 302" in asked_of(redirects("http://127.0.0.1:1/")).message


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (says(b"not JSON"), "body"),
        (says(b'{"status": "success"}'), "body"),
        (says(b'{"status": "fine"}'), "body"),
        (says(b'{"status": "success", "data": {"resultType": "vector", "result": 5}}'), "body"),
        (tells([{"metric": {}, "value": [1, "x"]}]), "body"),
        (tells([{"metric": {}, "value": [1]}]), "body"),
        (tells([5], "scalar"), "body"),
        (says(b"[" * 100_000 + b'"status"'), "body"),
        (says(b"gone", status=404), "status"),
        (says(b'{"status": "error", "error": "too busy"}', status=503), "answer"),
        (sends(b"SSH-2.0-OpenSSH\r\n"), "protocol"),
        (sends_and_resets(HEAD + b'{"status"'), "protocol"),
        (sends_and_hangs(HEAD), "timeout"),
        (drips(HEAD, b'{"status"' * 500, 0.01), "timeout"),
    ],
)
def test_a_server_that_does_not_tell_is_unknown_or_as_configured(answer: Answer, failure: str) -> None:
    sample = asked_of(answer, "400ms", unreachable="down")
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, failure), sample.message
    assert sample.duration_s < 2
    sample = asked_of(answer, "400ms")
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")


def test_a_server_that_refuses_is_unknown_or_as_configured() -> None:
    options = {"url": f"http://127.0.0.1:{refused_port()}", "query": "m"}
    assert run(ask("prometheus", options)).status is Status.UNKNOWN
    assert run(ask("prometheus", {**options, "unreachable": "down"})).facts["failure"] == "connect"


def test_an_answer_without_end_is_cut_off() -> None:
    begin = b'HTTP/1.1 200 OK\r\n\r\n{"status": "success", "data": ['
    sample = asked_of(sends_without_end(begin, b"x" * 65536), "3s")
    assert sample.status is Status.UNKNOWN
    assert "larger than 1MiB" in sample.message


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"query": ""}, "at least 1 character"),
        ({"label": "not a label"}, "pattern"),
        ({"url": "http://127.0.0.1:9090/graph?x=1"}, "without"),
        ({"headers": {"Authorization": "Bearer x"}}, "a secret does not stand in the file"),
        ({"max_series": 5000}, "500"),
        ({"empty": "fine"}, "'up'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        a_probe("prometheus", {"url": "http://127.0.0.1:9090", "query": "m", **options})


def test_a_slow_answer_is_waited_for_as_long_as_the_probe_says() -> None:
    sample = asked_of(sends_and_hangs(), BLINK, unreachable="down")
    assert f"within {BLINK}" in sample.message
