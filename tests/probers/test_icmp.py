"""The icmp prober, on loopback: this machine's, and those of networks where everything can go wrong."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from tests.probers.asking import BLINK, a_probe, ask, now, run
from tests.probers.namespace import in_a_network
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find

NOBODY = ("ipv4/ping_group_range", "1 0")
EVERYBODY = ("ipv4/ping_group_range", "0 0")
SILENT = (("ipv4/icmp_echo_ignore_all", "1"), ("ipv6/icmp/echo_ignore_all", "1"))
HOSTS = pytest.mark.parametrize("host", ["127.0.0.1", "::1"])


def ping(timeout: str = "5s", **options: Any) -> Sample:
    return run(ask("icmp", {"interval": "20ms", "host": "127.0.0.1", **options}, timeout))


def answered(answer: Callable[[bytes], list[bytes]], timeout: str = "5s", **options: Any) -> Sample:
    """The sample of a host that answers each request, an IPv4 packet, with these ICMP packets."""

    async def main() -> Sample:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as host:
            host.setblocking(False)

            def hear() -> None:
                packet = host.recv(65_535)
                if packet[20] == 8:
                    for reply in answer(packet):
                        host.sendto(checked(reply), ("127.0.0.1", 0))

            loop.add_reader(host, hear)
            try:
                return await ask("icmp", {"host": "127.0.0.1", "interval": "20ms", **options}, timeout)
            finally:
                loop.remove_reader(host)

    return in_a_network(lambda: run(main()), settings=[EVERYBODY, SILENT[0]])


def checked(packet: bytes) -> bytes:
    """The packet with its checksum."""
    packet = packet[:2] + b"\0\0" + packet[4:]
    total = sum(struct.unpack(f"!{(len(packet) + 1) // 2}H", packet + b"\0" * (len(packet) % 2)))
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + packet[4:]


def reply(request: bytes) -> bytes:
    return b"\0\0\0\0" + request[24:]


def number(request: bytes) -> int:
    return int.from_bytes(request[26:28], "big")


@HOSTS
@pytest.mark.parametrize("setting", [NOBODY, EVERYBODY], ids=["raw", "unprivileged"])
def test_a_host_that_replies_is_up_by_either_kind_of_socket(host: str, setting: tuple[str, str]) -> None:
    sample = in_a_network(lambda: ping(host=host), settings=[setting], raw=setting is NOBODY)
    assert sample.status is Status.UP, sample.message
    assert (sample.values["sent"], sample.values["loss_percent"]) == (3, 0)
    assert (
        0 < sample.values["rtt_min_seconds"] <= sample.values["rtt_seconds"] <= sample.values["rtt_max_seconds"] < 1
    )
    assert sample.values["jitter_seconds"] >= 0
    assert sample.facts == {"address": host}
    assert sample.message.startswith(f"{host} replies in ")


@HOSTS
def test_who_may_have_neither_can_not_tell_and_says_what_to_grant(host: str) -> None:
    sample = in_a_network(lambda: ping(host=host), settings=[NOBODY], raw=False)
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert "sysctl -w net.ipv4.ping_group_range='0 0'" in sample.message
    assert "CAP_NET_RAW" in sample.message


@HOSTS
@pytest.mark.parametrize("setting", [NOBODY, EVERYBODY], ids=["raw", "unprivileged"])
def test_a_host_that_does_not_reply_is_down_in_time(host: str, setting: tuple[str, str]) -> None:
    sample = in_a_network(lambda: ping(BLINK, host=host), settings=[setting, *SILENT])
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "timeout")
    assert (sample.values["sent"], sample.values["loss_percent"]) == (3, 100)
    assert sample.message == f"no reply from {host} within {BLINK}, to 3 requests"
    assert 0.2 < sample.duration_s < 2


def test_a_run_ends_when_its_last_reply_could_not_come_any_more() -> None:
    sample = in_a_network(lambda: ping(within="100ms", count=2), settings=SILENT)
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "timeout")
    assert sample.message.endswith("within 100ms, to 2 requests")
    assert 0.1 < sample.duration_s < 2


def test_packets_that_are_lost_are_counted() -> None:
    sample = answered(lambda request: [reply(request)] if number(request) != 1 else [], count=4, within="200ms")
    assert (sample.status, sample.values["loss_percent"]) == (Status.UP, 25)
    assert sample.message.endswith(", 1 of 4 lost")


def test_a_reply_that_comes_twice_counts_once() -> None:
    sample = answered(lambda request: [reply(request)] * 2 if number(request) == 0 else [], count=2, within="200ms")
    assert sample.values["loss_percent"] == 50


@pytest.mark.parametrize(
    "forge",
    [
        lambda request: [b""],
        lambda request: [reply(request)[:8]],
        lambda request: [reply(request)[:8] + b"somebody else's data"],
        lambda request: [b"\0\1\0\0" + request[24:]],
        lambda request: [reply(request)[:6] + b"\xff\xff" + reply(request)[8:]],
        lambda request: [b"\x0d\0\0\0" + request[24:]],
    ],
    ids=["empty", "short", "other data", "other code", "other number", "other type"],
)
def test_what_is_no_reply_does_not_count(forge: Callable[[bytes], list[bytes]]) -> None:
    sample = answered(forge, within="100ms")
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "timeout")


def test_a_host_that_a_router_can_not_reach_is_down_and_says_so() -> None:
    sample = answered(lambda request: [b"\3\1\0\0\0\0\0\0" + request[:28]], within="200ms")
    assert (sample.status, sample.facts["failure"]) == (Status.DOWN, "connect")
    assert sample.message == "no way to 127.0.0.1: No route to host"
    assert sample.values["loss_percent"] == 100


def test_a_host_that_is_lost_for_a_moment_is_up() -> None:
    def answer(request: bytes) -> list[bytes]:
        return [reply(request)] if number(request) else [b"\3\1\0\0\0\0\0\0" + request[:28]]

    sample = answered(answer, within="200ms")
    assert sample.status is Status.UP
    assert sample.values["loss_percent"] == pytest.approx(100 / 3)


def test_without_a_route_watchkeeper_can_not_tell() -> None:
    sample = in_a_network(lambda: ping(host="192.0.2.1"), settings=[EVERYBODY])
    assert (sample.status, sample.facts["failure"]) == (Status.UNKNOWN, "local")
    assert sample.message == "could not ping 192.0.2.1: Network is unreachable"


def test_a_name_is_resolved_and_the_time_of_it_is_told() -> None:
    sample = ping(host="localhost", family="ipv4", count=1)
    assert (sample.status, sample.facts["address"]) == (Status.UP, "127.0.0.1")
    assert sample.values["resolve_seconds"] > 0
    assert "jitter_seconds" not in sample.values


def test_a_name_that_cannot_be_resolved_is_down() -> None:
    sample = ping(host="no-such-host.invalid")
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "resolve"})


@pytest.mark.parametrize("size", [8, 57, 8192])
def test_requests_of_any_size_are_answered(size: int) -> None:
    assert ping(size=size).status is Status.UP


def test_many_are_pinged_at_the_same_time_on_the_loop_that_the_daemon_uses() -> None:
    async def main() -> list[Sample]:
        prober = find("icmp").make(now)
        probe = a_probe("icmp", {"host": "127.0.0.1", "interval": "5ms"})
        samples = await asyncio.gather(*(prober.run(probe) for _ in range(50)))
        await prober.close()
        return samples

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert {(sample.status, sample.values["loss_percent"]) for sample in runner.run(main())} == {(Status.UP, 0)}


def test_when_it_is_closed_what_is_under_way_ends_as_unknown() -> None:
    async def main() -> Sample:
        prober = find("icmp").make(now)
        hanging = asyncio.create_task(prober.run(a_probe("icmp", {"host": "127.0.0.1", "within": "30s"}, "1m")))
        await asyncio.sleep(0)
        await prober.close()
        return await asyncio.wait_for(hanging, 5)

    sample = in_a_network(lambda: run(main()), settings=SILENT)
    assert (sample.status, sample.message) == (Status.UNKNOWN, "watchkeeper is stopping")


@pytest.mark.parametrize("wrong", [{"host": ""}, {"count": 0}, {"count": 101}, {"size": 7}, {"interval": "0s"}])
def test_options_that_make_no_sense_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_probe("icmp", {"host": "127.0.0.1", **wrong})
