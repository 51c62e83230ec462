"""The tcp prober, against real listeners."""

import asyncio
import socket
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from tests.probers.asking import BLINK, a_probe, ask, now, run
from tests.probers.servers import deaf_port, refused_port
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find


def listener(host: str = "127.0.0.1") -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family)


def port_of(listening: socket.socket) -> int:
    port: int = listening.getsockname()[1]
    return port


def test_a_port_that_listens_is_up_and_tells_how_long_it_took() -> None:
    with listener() as listening:
        sample = run(ask("tcp", {"address": f"127.0.0.1:{port_of(listening)}"}))
    assert sample.status is Status.UP
    assert sample.message.startswith("connected to 127.0.0.1:")
    assert 0 < sample.values["connect_seconds"] <= sample.duration_s
    assert set(sample.values) == {"connect_seconds"}


def test_a_port_of_an_ipv6_address_is_checked_just_so() -> None:
    with listener("::1") as listening:
        assert run(ask("tcp", {"address": f"[::1]:{port_of(listening)}"})).status is Status.UP


def test_a_name_is_resolved_and_the_time_of_it_is_told() -> None:
    with listener() as listening:
        sample = run(ask("tcp", {"address": f"localhost:{port_of(listening)}"}))
    assert sample.status is Status.UP
    assert sample.values["resolve_seconds"] + sample.values["connect_seconds"] <= sample.duration_s


def test_the_connection_is_closed_again() -> None:
    async def main() -> bytes:
        with listener() as listening:
            listening.setblocking(False)
            await ask("tcp", {"address": f"127.0.0.1:{port_of(listening)}"})
            connection, _ = await asyncio.get_running_loop().sock_accept(listening)
            with connection:
                return await asyncio.get_running_loop().sock_recv(connection, 1)

    assert run(main()) == b""


def test_a_refused_connection_is_down_and_says_by_whom() -> None:
    address = f"127.0.0.1:{refused_port()}"
    sample = run(ask("tcp", {"address": address}))
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "connect"})
    assert sample.message == f"connection refused by {address}"


def test_a_port_that_does_not_accept_is_down_in_time() -> None:
    async def main() -> tuple[Sample, int]:
        async with deaf_port() as port:
            return await ask("tcp", {"address": f"127.0.0.1:{port}"}, BLINK), port

    sample, port = run(main())
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "timeout"})
    assert sample.message == f"no connection to 127.0.0.1:{port} within {BLINK}"
    assert 0.2 < sample.duration_s < 2


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".example"])
def test_a_name_that_cannot_be_resolved_is_down(host: str) -> None:
    sample = run(ask("tcp", {"address": f"{host}:80"}))
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "resolve"})
    assert f"cannot resolve the name of {host}:80: " in sample.message
    assert dict(sample.values) == {}


def test_without_a_route_watchkeeper_cannot_tell() -> None:
    # To all hosts at once there is no connection: this kernel does not even try.
    sample = run(ask("tcp", {"address": "255.255.255.255:80"}))
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"failure": "local"})
    assert sample.message.startswith("could not try to connect to 255.255.255.255:80: ")


def names_with(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Makes every name of this process one with these addresses, as a resolver would."""

    def getaddrinfo(host: str, *_: Any, **__: Any) -> list[Any]:
        assert host == "shop.example"
        return [
            (socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
            for ip, port in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_of_a_name_with_several_addresses_one_that_answers_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener() as listening:
        names_with(monkeypatch, ("::1", refused_port()), ("127.0.0.1", port_of(listening)))
        assert run(ask("tcp", {"address": "shop.example:80"})).status is Status.UP


def test_an_address_that_is_silent_does_not_hold_up_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Sample:
        async with deaf_port() as port:
            with listener() as listening:
                names_with(monkeypatch, ("127.0.0.1", port), ("127.0.0.1", port_of(listening)))
                return await ask("tcp", {"address": "shop.example:80"}, "5s")

    sample = run(main())
    assert sample.status is Status.UP
    assert sample.values["connect_seconds"] < 1


def test_when_no_address_answers_the_one_that_tells_most_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    names_with(monkeypatch, ("255.255.255.255", 80), ("127.0.0.1", refused_port()))
    sample = run(ask("tcp", {"address": "shop.example:80"}))
    assert (sample.status, sample.message) == (Status.DOWN, "connection refused by shop.example:80")


def test_when_all_addresses_are_silent_it_is_down_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Sample:
        async with deaf_port() as port:
            names_with(monkeypatch, ("127.0.0.1", port), ("127.0.0.1", port))
            return await ask("tcp", {"address": "shop.example:80"}, "400ms")

    sample = run(main())
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "timeout"})
    assert sample.message == "no connection to shop.example:80 within 400ms"


def test_many_ports_are_checked_at_the_same_time_on_the_loop_that_the_daemon_uses() -> None:
    async def main(address: str) -> list[Sample]:
        prober = find("tcp").make(now)
        samples = await asyncio.gather(*(prober.run(a_probe("tcp", {"address": address})) for _ in range(100)))
        await prober.close()
        return samples

    with listener() as listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        samples = runner.run(main(f"127.0.0.1:{port_of(listening)}"))
        assert {sample.status for sample in samples} == {Status.UP}
        refused = runner.run(ask("tcp", {"address": f"localhost:{refused_port()}"}))
        assert refused.facts == {"failure": "connect"}


@pytest.mark.parametrize("address", ["shop.example", "shop.example:0", "shop.example:http", "::1:80", 80])
def test_an_address_without_host_or_port_is_an_error(address: object) -> None:
    with pytest.raises(ValidationError, match="is not an address"):
        a_probe("tcp", {"address": address})
