"""Looks how busy this machine is."""

import os
from functools import partial

from watchkeeper.domain.probe import Category, Probe, Status
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model


class LoadOptions(Model):
    """A look at this machine's load averages. There is nothing to set."""


def measure(_probe: Probe) -> Finding:
    """The load averages, and what they are for each CPU.

    Raises:
        OSError: they cannot be had.
    """
    cpus = os.cpu_count() or 1
    values: dict[str, float] = {"cpus": cpus}
    averages = os.getloadavg()
    for minutes, load in zip((1, 5, 15), averages, strict=True):
        values[f"load{minutes}"] = load
        values[f"load{minutes}_per_cpu"] = load / cpus
    shown = ", ".join(f"{load:.2f}" for load in averages)
    return Finding(Status.UP, f"the load is {shown} on {cpus} CPU{'' if cpus == 1 else 's'}", values)


KIND = ProberKind(
    name="load",
    summary="Looks how busy this machine is.",
    category=Category.CAPACITY,
    options=LoadOptions,
    make=partial(BlockingProber, measure=measure),
    values={
        "cpus": "how many CPUs this machine has",
        "load1": "tasks that run or wait, mean of the last minute",
        "load5": "the same, of the last 5 minutes",
        "load15": "the same, of the last 15 minutes",
        "load1_per_cpu": "tasks that run or wait for each CPU, mean of the last minute",
        "load5_per_cpu": "the same, of the last 5 minutes",
        "load15_per_cpu": "the same, of the last 15 minutes",
    },
)
