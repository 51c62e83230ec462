"""Looks how much memory this machine has left."""

from functools import partial

import psutil

from watchkeeper.domain.probe import Category, Probe, Status
from watchkeeper.domain.units import format_size
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model


class MemoryOptions(Model):
    """A look at this machine's memory. There is nothing to set."""


def measure(_probe: Probe) -> Finding:
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
        values["swap_used_percent"] = 100 * swap.used / swap.total
    return Finding(Status.UP, f"memory is {percent:.1f}% used, {format_size(memory.available)} available", values)


KIND = ProberKind(
    name="memory",
    summary="Looks how much memory this machine has left.",
    category=Category.CAPACITY,
    options=MemoryOptions,
    make=partial(BlockingProber, measure=measure),
    values={
        "used_percent": "memory in use in percent, without what the kernel can take back at once",
        "available_bytes": "bytes that programs can have without swapping",
        "total_bytes": "bytes of memory that there are",
        "swap_used_percent": "swap space in use in percent; absent where there is none",
        "swap_used_bytes": "bytes of swap space in use",
    },
)
