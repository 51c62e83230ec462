"""Names whose resolver hangs, as one does that asks a server that is gone."""

import asyncio
import socket
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from tests.probers.asking import BLINK, a_probe, ask, now, run
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import find

BY_NAME: dict[str, dict[str, Any]] = {"tcp": {"address": "shop.example:80"}, "dns": {"name": "shop.example"}}
by_name = pytest.mark.parametrize(("prober", "options"), BY_NAME.items(), ids=BY_NAME)


@pytest.fixture(autouse=True)
def no_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets every look-up of a name wait until the test is over."""
    over = Event()

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    over.set()


@by_name
def test_a_name_that_is_not_resolved_in_time_is_down(prober: str, options: dict[str, Any]) -> None:
    sample = run(ask(prober, options, BLINK))
    assert (sample.status, sample.facts) == (Status.DOWN, {"failure": "timeout"})
    assert "shop.example" in sample.message
    assert f"within {BLINK}" in sample.message
    assert 0.2 < sample.duration_s < 2


@by_name
def test_when_too_many_names_hang_watchkeeper_cannot_tell_of_one_more(prober: str, options: dict[str, Any]) -> None:
    async def main() -> list[Sample]:
        maker = find(prober).make(now)
        hanging = [asyncio.create_task(maker.run(a_probe(prober, options, "1m"))) for _ in range(32)]
        await asyncio.sleep(0)
        sample = await maker.run(a_probe(prober, options, BLINK))
        await maker.close()
        return [sample, *await asyncio.gather(*hanging)]

    sample, *others = run(main())
    assert (sample.status, sample.facts) == (Status.UNKNOWN, {"failure": "local"})
    assert sample.message.endswith(f"within {BLINK}: too many names hang")
    assert {other.message for other in others} == {"watchkeeper is stopping"}
