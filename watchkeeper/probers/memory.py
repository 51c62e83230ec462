"""Looks how much memory this machine has left."""

from collections.abc import Callable

import psutil

from watchkeeper.domain.probe import Category, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_size
from watchkeeper.probers._between import Counters, LastReadings
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model


class MemoryOptions(Model):
    """A look at this machine's memory. There is nothing to set."""


def make(clock: Clock, readings: Callable[[], LastReadings] = LastReadings) -> BlockingProber:
    """The prober."""
    last = readings()

    def measure(probe: Probe) -> Finding:
        """How much memory is in use. What the kernel can take back at once, such as its caches, counts as available.

        Raises:
            OSError: /proc cannot be read.
        """
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        percent = 100 * (memory.total - memory.available) / memory.total
        values: dict[str, float] = {
            "used_percent": percent,
            "available_bytes": memory.available,
            "total_bytes": memory.total,
            "swap_used_bytes": swap.used,
        }
        if swap.total > 0:
            growth = last.growth(probe, _swapped)
            values["swap_used_percent"] = 100 * swap.used / swap.total
            values["swap_total_bytes"] = swap.total
            values["swap_in_bytes_per_second"] = growth.per_second("in")
            values["swap_out_bytes_per_second"] = growth.per_second("out")
        return Finding(Status.UP, f"memory is {percent:.1f}% used, {format_size(memory.available)} available", values)

    return BlockingProber(clock, measure)


def _swapped() -> Counters:
    swap = psutil.swap_memory()
    return {"in": swap.sin, "out": swap.sout}


KIND = ProberKind(
    name="memory",
    summary="Looks how much memory this machine has left.",
    category=Category.CAPACITY,
    options=MemoryOptions,
    make=make,
    values={
        "used_percent": "memory in use in percent, without what the kernel can take back at once",
        "available_bytes": "bytes that programs can have without swapping",
        "total_bytes": "bytes of memory that there are",
        "swap_used_percent": "swap space in use in percent; absent where there is none",
        "swap_used_bytes": "bytes of swap space in use",
        "swap_total_bytes": "bytes of swap space that there are; absent where there is none",
        "swap_in_bytes_per_second": (
            "bytes read back from swap space in a second, mean since the last run; absent where there is none"
        ),
        "swap_out_bytes_per_second": "bytes written to swap space in a second, just so",
    },
)
