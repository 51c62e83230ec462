"""Looks at a network interface of this machine: its link, and what goes over it."""

from collections.abc import Callable
from typing import Final

import psutil
from pydantic import Field

from watchkeeper.domain.probe import Category, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_size
from watchkeeper.probers._between import Counters, LastReadings
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model

_RATES: Final = {  # the value of a counter, and what psutil calls that
    "received_bytes_per_second": "bytes_recv",
    "sent_bytes_per_second": "bytes_sent",
    "received_packets_per_second": "packets_recv",
    "sent_packets_per_second": "packets_sent",
    "received_errors_per_second": "errin",
    "sent_errors_per_second": "errout",
    "received_drops_per_second": "dropin",
    "sent_drops_per_second": "dropout",
}


class NetworkOptions(Model):
    """A look at a network interface."""

    interface: str = Field(pattern=r"^[^/\s]{1,15}$")
    """Its name, such as eth0, as `ip link` shows it."""


class _Gone(Exception):
    """There is no such interface."""


def make(clock: Clock, readings: Callable[[], LastReadings] = LastReadings) -> BlockingProber:
    """The prober."""
    last = readings()

    def measure(probe: Probe) -> Finding:
        name = probe.options.interface
        try:
            growth = last.growth(probe, lambda: _read(name))
            link = psutil.net_if_stats()[name]
        except (_Gone, KeyError):
            return Finding(Status.DOWN, f"there is no network interface {name}")
        values = {rate: growth.per_second(rate) for rate in _RATES}
        values["link_up"] = float(link.isup)
        if link.speed > 0:
            bits = 8 * max(values["received_bytes_per_second"], values["sent_bytes_per_second"])
            values["speed_bits_per_second"] = link.speed * 1e6
            values["used_percent"] = min(100.0, 100 * bits / values["speed_bits_per_second"])
        if not link.isup:
            return Finding(Status.DOWN, f"the network interface {name} has no link", values)
        received, sent = (format_size(values[f"{way}_bytes_per_second"]) for way in ("received", "sent"))
        return Finding(Status.UP, f"{name} receives {received} and sends {sent} a second", values)

    return BlockingProber(clock, measure)


def _read(interface: str) -> Counters:
    """What has gone over an interface.

    Raises:
        _Gone: there is none of this name.
        OSError: /proc cannot be read.
    """
    found = psutil.net_io_counters(pernic=True, nowrap=False).get(interface)
    if found is None:
        raise _Gone
    return {rate: getattr(found, name) for rate, name in _RATES.items()}


KIND = ProberKind(
    name="network",
    summary="Looks at a network interface of this machine: its link, and what goes over it.",
    category=Category.CAPACITY,
    options=NetworkOptions,
    make=make,
    values={
        "received_bytes_per_second": (
            "bytes received in a second. This and the other rates are means since the last run; of a first run, of a "
            "fifth of a second"
        ),
        "sent_bytes_per_second": "bytes sent in a second",
        "received_packets_per_second": "packets received in a second",
        "sent_packets_per_second": "packets sent in a second",
        "received_errors_per_second": "packets that arrived broken, in a second: a cable, a plug, a duplex setting",
        "sent_errors_per_second": "packets that could not be sent, in a second",
        "received_drops_per_second": "packets that arrived and were dropped, in a second",
        "sent_drops_per_second": "packets that were dropped before they were sent, in a second",
        "link_up": "1 when there is a link, else 0",
        "speed_bits_per_second": "what the link can carry each way; absent where the interface does not know",
        "used_percent": "the busier way's share of that, in percent; absent with it",
    },
)
