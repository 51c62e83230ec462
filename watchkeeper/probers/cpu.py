"""Looks what the CPUs of this machine do."""

from collections.abc import Callable
from typing import Final

import psutil

from watchkeeper.domain.probe import Category, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.probers._between import Counters, LastReadings
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model

_PARTS: Final = ("user", "nice", "system", "irq", "softirq", "iowait", "steal", "idle")
_SHARES: Final = {
    "used_percent": ("user", "nice", "system", "irq", "softirq", "steal"),
    "user_percent": ("user", "nice"),
    "system_percent": ("system", "irq", "softirq"),
    "iowait_percent": ("iowait",),
    "steal_percent": ("steal",),
}


class CpuOptions(Model):
    """A look at this machine's CPUs. There is nothing to set."""


def make(clock: Clock, readings: Callable[[], LastReadings] = LastReadings) -> BlockingProber:
    """The prober."""
    last = readings()

    def measure(probe: Probe) -> Finding:
        parts = last.growth(probe, _read).by
        total = sum(parts.values())
        if total <= 0:
            return Finding(Status.UNKNOWN, "the kernel counted no time of its CPUs since the last run")
        values = {name: 100 * sum(parts[part] for part in share) / total for name, share in _SHARES.items()}
        waits = f"{values['iowait_percent']:.1f}% wait for disks, {values['steal_percent']:.1f}% are stolen"
        return Finding(Status.UP, f"the CPUs are {values['used_percent']:.1f}% used, {waits}", values)

    return BlockingProber(clock, measure)


def _read() -> Counters:
    """Seconds of all CPUs since the start of the machine. What guests compute is a part of `user`.

    Raises:
        OSError: /proc cannot be read.
    """
    times = psutil.cpu_times()
    return {part: getattr(times, part, 0.0) for part in _PARTS}


KIND = ProberKind(
    name="cpu",
    summary="Looks what the CPUs of this machine do.",
    category=Category.CAPACITY,
    options=CpuOptions,
    make=make,
    values={
        "used_percent": (
            "the time of all CPUs, in percent, in which they were neither idle nor waited for a disk. This and the "
            "others are means since the last run; of a first run, of a fifth of a second"
        ),
        "user_percent": "time in programs, guests included",
        "system_percent": "time in the kernel, interrupts included",
        "iowait_percent": "time in which a CPU had nothing to do because a disk had not answered yet",
        "steal_percent": "time that the hypervisor gave to somebody else; a part of `used_percent`",
    },
)
