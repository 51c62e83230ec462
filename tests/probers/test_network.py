"""The network prober, on this machine's loopback and on one of a network of its own."""

import socket
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from tests.probers.asking import NOW_MS, a_probe, ask, run
from tests.probers.machine import Readings
from tests.probers.namespace import in_a_network, loopback
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import network

BYTES = 60_000


def send() -> None:
    """Sends itself a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.sendto(b"x" * BYTES, receiver.getsockname())


def look(readings: Readings, runs: int = 1) -> Sample:
    async def main() -> Sample:
        prober = network.make(lambda: NOW_MS, readings.make)
        for _ in range(runs):
            sample = await prober.run(a_probe("network", {"interface": "lo"}))
        await prober.close()
        return sample

    return run(main())


def test_what_goes_over_an_interface_is_told_for_each_second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()

    def counts(*numbers: int) -> None:
        received, sent = (numbers[:4], numbers[4:])
        row = [*received, 0, 0, 0, 0, *sent, 0, 0, 0, 0]
        (tmp_path / "net/dev").write_text(f"Inter-|\n face |\n    lo: {' '.join(map(str, row))}\n")

    counts(1000, 10, 0, 0, 2000, 20, 0, 0)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    sample = look(Readings(lambda: counts(3048, 30, 2, 4, 2200, 26, 1, 3)))
    assert sample.values == pytest.approx(
        {
            "received_bytes_per_second": 10_240,
            "sent_bytes_per_second": 1000,
            "received_packets_per_second": 100,
            "sent_packets_per_second": 30,
            "received_errors_per_second": 10,
            "sent_errors_per_second": 5,
            "received_drops_per_second": 20,
            "sent_drops_per_second": 15,
            "link_up": 1,
        }
    )
    assert sample.message == "lo receives 10.0KiB and sends 1000B a second"


def test_this_machine_counts_what_it_sends_itself() -> None:
    sample = look(Readings(send))
    assert sample.status is Status.UP
    assert sample.values["received_bytes_per_second"] >= BYTES / 0.2


def test_an_interface_without_a_link_is_down() -> None:
    def without() -> Sample:
        loopback(up=False)
        # The threads of a prober are made by this one, and so they are in its network.
        return run(ask("network", {"interface": "lo"}))

    sample = in_a_network(without)
    assert (sample.status, sample.values["link_up"]) == (Status.DOWN, 0)
    assert sample.message == "the network interface lo has no link"


def test_an_interface_that_is_not_there_is_down() -> None:
    sample = run(ask("network", {"interface": "none9"}))
    assert (sample.status, sample.message) == (Status.DOWN, "there is no network interface none9")
    assert dict(sample.values) == {}


def test_a_machine_that_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    assert run(ask("network", {"interface": "lo"})).status is Status.UNKNOWN


@pytest.mark.parametrize("name", ["", "eth0/..", "a name", "x" * 16])
def test_a_name_that_no_interface_can_have_is_an_error(name: str) -> None:
    with pytest.raises(ValidationError):
        a_probe("network", {"interface": name})
