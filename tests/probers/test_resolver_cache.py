"""Names are looked up once in a while, not at each run."""

import asyncio
import socket
from typing import Any

import pytest

from tests.probers.asking import a_probe, now, run
from watchkeeper.domain.probe import Sample
from watchkeeper.probers import find
from watchkeeper.probers._resolver import KEEP_S, Endpoint, Resolver


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the system's resolver was asked for. It answers with this machine."""
    names: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        names.append(host)
        return real("127.0.0.1", port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


def test_an_answer_is_used_again_until_its_time_is_over(asked: list[str]) -> None:
    time_s = [0.0]

    async def main() -> list[list[Endpoint]]:
        resolver = Resolver(KEEP_S, lambda: time_s[0])
        answers = []
        for time_s[0] in (0.0, 29.9, 30.0, 31.0):
            answers.append(await resolver.endpoints("shop.example", 80))
        resolver.close()
        return answers

    answers = run(main())
    assert asked == ["shop.example"] * 2
    assert {endpoint.ip for endpoints in answers for endpoint in endpoints} == {"127.0.0.1"}


def test_an_answer_that_is_forgotten_is_asked_for_anew(asked: list[str]) -> None:
    async def main() -> None:
        resolver = Resolver(KEEP_S)
        await resolver.endpoints("shop.example", 80)
        await resolver.endpoints("other.example", 80)
        resolver.forget("shop.example", 80)
        await resolver.endpoints("shop.example", 80)
        await resolver.endpoints("other.example", 80)
        resolver.close()

    run(main())
    assert asked == ["shop.example", "other.example", "shop.example"]


def test_a_failed_connection_has_the_name_looked_up_anew(asked: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    async def main() -> list[Sample]:
        prober = find("tcp").make(now)
        probe = a_probe("tcp", {"address": f"shop.example:{port}"})
        down = [await prober.run(probe) for _ in range(2)]
        with socket.create_server(("127.0.0.1", port)):
            up = [await prober.run(probe) for _ in range(3)]
        await prober.close()
        return [*down, *up]

    assert [sample.status.value for sample in run(main())] == ["down"] * 2 + ["up"] * 3
    assert len(asked) == 3, "for each run after a failed one, and not for the others"


def test_a_probe_of_name_resolution_always_asks(asked: list[str]) -> None:
    async def main() -> None:
        prober = find("dns").make(now)
        probe = a_probe("dns", {"name": "shop.example"})
        await asyncio.gather(*(prober.run(probe) for _ in range(3)))
        await prober.close()

    run(main())
    assert len(asked) == 3
