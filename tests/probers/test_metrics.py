"""The metrics prober, with a real node_exporter and with servers that misbehave."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.peers.node_exporter import node_exporter
from tests.probers.asking import BLINK, a_probe, ask, now, run
from tests.probers.servers import (
    Answer,
    Request,
    drips,
    refused_port,
    says,
    sends,
    sends_and_hangs,
    sends_and_resets,
    sends_without_end,
    serving,
)
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find
from watchkeeper.probers._selector import parse_metrics, parse_selector

PAGE = """\
# HELP cpu_seconds_total what was spent
# TYPE cpu_seconds_total counter
cpu_seconds_total{cpu="0",mode="idle"} 100
cpu_seconds_total{cpu="0",mode="user"} 10
cpu_seconds_total{cpu="1",mode="idle"} 300
cpu_seconds_total{cpu="1",mode="user"} 30
# TYPE free_bytes gauge
free_bytes{mount="/"} 5e9
free_bytes{mount="/var/log"} 2e9
free_bytes{mount="/nan"} NaN
load1 0.25
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
LOAD = {"load": {"metric": "load1"}}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with node_exporter(tmp_path_factory.mktemp("node")) as url:
        yield url


def told(answer: Answer, values: dict[str, Any], timeout: str = "5s", **options: Any) -> Sample:
    """What is found on a page that a server gives."""

    async def main() -> Sample:
        async with serving(answer) as served:
            return await ask("metrics", {"url": served.url("/metrics"), "values": values, **options}, timeout)

    return run(main())


def on_page(values: dict[str, Any], text: str = PAGE, **options: Any) -> Sample:
    return told(says(text.encode()), values, **options)


def one_after_the_other(*pages: str) -> Answer:
    """For each request the next page; the last again and again."""
    waiting = list(pages)

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await says((waiting.pop(0) if len(waiting) > 1 else waiting[0]).encode())(request, writer)

    return answer


def test_a_real_node_exporter_tells_load_memory_and_disks(page: str) -> None:
    values = {
        "load": {"metric": "node_load1"},
        "available_bytes": {"metric": "node_memory_MemAvailable_bytes"},
        "cpus": {"metric": 'node_cpu_seconds_total{mode="idle"}', "combine": "count"},
        "free": {"metric": 'node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs"}', "label": "mountpoint"},
        "busy": {"metric": 'node_cpu_seconds_total{mode!="idle"}', "rate": True, "combine": "sum"},
    }

    async def main() -> tuple[Sample, Sample]:
        prober = find("metrics").make(now)
        probe = a_probe("metrics", {"url": page, "values": values, "max_age": "1ms"})
        samples = await prober.run(probe), await prober.run(probe)
        await prober.close()
        return samples

    first, second = run(main())
    assert first.status is Status.UP, first.message
    assert first.values["available_bytes"] > 1e6
    assert first.values["cpus"] >= 1
    assert first.values["series"] > 100
    assert "busy" not in first.values
    assert 0 <= second.values["busy"] <= 100 * first.values["cpus"]


def test_series_are_chosen_by_their_labels() -> None:
    sample = on_page(
        {
            "root": {"metric": 'free_bytes{mount="/"}'},
            "other": {"metric": 'free_bytes{mount!="/",mount!~".*nan"}'},
            "user": {"metric": "cpu_seconds_total{mode='user', cpu=~\"1|2\",}"},
            "load": {"metric": "load1"},
        }
    )
    assert sample.status is Status.UP, sample.message
    assert {name: sample.values[name] for name in ("root", "other", "user", "load")} == {
        "root": 5e9, "other": 2e9, "user": 30, "load": 0.25
    }  # fmt: skip
    assert sample.values["series"] == 8


@pytest.mark.parametrize(
    ("combine", "number"), [("sum", 7e9), ("min", 2e9), ("max", 5e9), ("mean", 3.5e9), ("count", 2)]
)
def test_several_series_are_combined_without_those_that_are_no_number(combine: str, number: float) -> None:
    assert on_page({"free": {"metric": "free_bytes", "combine": combine}}).values["free"] == number


def test_several_series_are_told_apart_by_a_label() -> None:
    sample = on_page({"free": {"metric": "free_bytes", "label": "mount"}})
    assert {name for name in sample.values if name.startswith("free")} == {"free_root", "free_var_log"}


def test_a_counter_becomes_a_rate_and_a_fall_is_a_reset() -> None:
    after = PAGE.replace("} 100", "} 150").replace("} 300", "} 6")
    values = {
        "both": {"metric": 'cpu_seconds_total{mode="idle"}', "rate": True, "combine": "sum"},
        "each": {"metric": 'cpu_seconds_total{mode="idle"}', "rate": True, "label": "cpu"},
    }

    async def main() -> list[Sample]:
        async with serving(one_after_the_other(PAGE, after)) as served:
            prober = find("metrics").make(now)
            probe = a_probe("metrics", {"url": served.url(), "values": values, "max_age": "1ms"})
            samples = [await prober.run(probe)]
            await asyncio.sleep(0.01)  # rates are of the time between
            samples.append(await prober.run(probe))
            await prober.close()
            return samples

    first, second = run(main())
    assert "both" not in first.values
    assert second.values["each_v0"] / second.values["each_v1"] == pytest.approx(50 / 6)
    assert second.values["both"] == pytest.approx(second.values["each_v0"] + second.values["each_v1"])
    assert second.values["both"] > 56


def test_probes_of_one_page_share_a_fetch() -> None:
    async def main() -> tuple[int, list[Sample]]:
        async with serving(says(PAGE.encode())) as served:
            prober = find("metrics").make(now)
            probes = [
                a_probe("metrics", {"url": served.url(), "values": LOAD}, id_=str(number)) for number in range(50)
            ]
            samples = list(await asyncio.gather(*map(prober.run, probes)))
            samples.append(await prober.run(probes[0]))
            other = a_probe("metrics", {"url": served.url(), "values": LOAD, "max_size": "1MB"})
            await prober.run(other)
            await prober.close()
            return len(served.requests), samples

    requests, samples = run(main())
    assert requests == 2  # the second for other options
    assert {sample.values["load"] for sample in samples} == {0.25}
    assert samples[-1].values["age_seconds"] > 0


def test_a_page_that_is_too_old_is_fetched_again() -> None:
    async def main() -> int:
        async with serving(says(PAGE.encode())) as served:
            prober = find("metrics").make(now)
            probe = a_probe("metrics", {"url": served.url(), "values": LOAD, "max_age": "1ms"})
            for _ in range(3):
                await prober.run(probe)
                await asyncio.sleep(0.002)
            await prober.close()
            return len(served.requests)

    assert run(main()) == 3


def test_one_that_gives_up_does_not_end_the_fetch_of_others() -> None:
    async def main() -> tuple[Sample, Sample]:
        async with serving(drips(HEAD.replace(b"5000", b"12"), b"load1 0.25\n\n", 0.05)) as served:
            prober = find("metrics").make(now)
            patient = a_probe("metrics", {"url": served.url(), "values": LOAD}, "5s")
            hasty = a_probe("metrics", {"url": served.url(), "values": LOAD}, BLINK, id_="hasty")
            samples = await asyncio.gather(prober.run(patient), prober.run(hasty))
            await prober.close()
            return samples[0], samples[1]

    patient, hasty = run(main())
    assert patient.status is Status.UP, patient.message
    assert (hasty.status, hasty.facts["failure"]) == (Status.DOWN, "timeout")


def test_a_metric_that_is_not_there_is_down_and_the_others_are_told() -> None:
    sample = on_page({"gone": {"metric": 'free_bytes{mount="/gone"}'}, **LOAD})
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "answer")
    assert sample.message == 'there is no free_bytes{mount="/gone"} on the page'
    assert sample.values["load"] == 0.25


def test_more_series_than_a_value_can_have_are_a_mistake() -> None:
    sample = on_page({"free": {"metric": "free_bytes"}})
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert "free: free_bytes has 2 series: choose one" in sample.message
    many = "".join(f'm{{n="{number}"}} 1\n' for number in range(101))
    assert "accepted are up to 100" in on_page({"m": {"metric": "m", "label": "n"}}, many).message


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (says(b"<html>\n<b>it works</b>\n"), "body"),
        (says(b"load1 0.25 x y z\nload1\n"), "body"),
        (says(b"\xff\xfe\x00\n{{{\n"), "body"),
        (says(b'm{a="\n'), "body"),
        (says(b"no", status=404), "status"),
        (sends(b"SSH-2.0-OpenSSH\r\n"), "protocol"),
        (sends_and_resets(HEAD + b"load1 0.25\n"), "protocol"),
        (sends_and_hangs(HEAD + b"load1 0.25\n"), "timeout"),
        (drips(HEAD, b"load1 0.25\n" * 500, 0.01), "timeout"),
    ],
)
def test_a_page_that_is_none_is_down(answer: Answer, failure: str) -> None:
    sample = told(answer, LOAD, "400ms")
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, failure), sample.message
    assert sample.duration_s < 2


def test_a_page_without_end_is_cut_off() -> None:
    answer = sends_without_end(b"HTTP/1.1 200 OK\r\n\r\n", b"load1 0.25\n" * 5000)
    sample = told(answer, LOAD, "5s", max_size="1MB")
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "body")


def test_a_refused_port_is_down() -> None:
    sample = run(ask("metrics", {"url": f"http://127.0.0.1:{refused_port()}/metrics", "values": LOAD}))
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "connect")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "at least 1"),
        ({"Load": {"metric": "a"}}, "lower-case"),
        ({"duration": {"metric": "a"}}, "means something else"),
        ({"series": {"metric": "a"}}, "is taken"),
        ({"used_percent": {"metric": "a"}}, "end it in _pct"),
        ({"a": {"metric": "a b"}}, "chooses no series"),
        ({"a": {"metric": "a{b}"}}, "says nothing of a label"),
        ({"a": {"metric": 'a{b="c" d="e"}'}}, "says nothing of a label"),
        ({"a": {"metric": 'a{b=~"("}'}}, "no regular expression"),
        ({"a": {"metric": "a", "combine": "sum", "label": "b"}}, "accepted is one of both"),
        ({"a": {"metric": "a", "combine": "median"}}, "'sum'"),
    ],
)
def test_options_that_make_no_sense_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        a_probe("metrics", {"url": "http://localhost/metrics", "values": values})


@given(st.text(max_size=60))
def test_whatever_is_written_as_a_selector_is_one_or_is_refused(text: str) -> None:
    with suppress(ValueError):
        parse_selector(text).choose({"a": {(("b", "c"),): 1.0}})


@given(st.dictionaries(st.sampled_from("abc"), st.text("xyz\"\\'{}=,~", max_size=6), max_size=3))
def test_a_selector_that_names_all_labels_chooses_the_series(labels: dict[str, str]) -> None:
    written = ",".join(
        '{}="{}"'.format(name, text.replace("\\", "\\\\").replace('"', '\\"')) for name, text in labels.items()
    )
    key = tuple(sorted(labels.items()))
    assert parse_selector(f"m{{{written}}}").choose({"m": {key: 1.0}}) == {key: 1.0}


def test_more_series_than_are_accepted_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 2 series"):
        parse_metrics(["a 1", "b 2", "c 3"], 2)
