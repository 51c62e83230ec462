"""Looks how full a filesystem is."""

import os
from functools import partial

from watchkeeper.domain.probe import Category, Probe, Status
from watchkeeper.domain.units import format_size
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import LocalPath


class DiskOptions(Model):
    """A look at a filesystem."""

    path: LocalPath
    """A file or folder on the filesystem, such as where it is mounted."""


def measure(probe: Probe) -> Finding:
    """How full the filesystem is, counted as `df` counts: what is kept back for root is neither used nor available.

    Raises:
        OSError: the path is not there, or its filesystem does not answer.
    """
    path = probe.options.path
    found = os.statvfs(path)
    used, available = found.f_blocks - found.f_bfree, found.f_bavail
    if used + available <= 0:
        return Finding(Status.UNKNOWN, f"the filesystem of {path} has no size")
    percent = 100 * used / (used + available)
    values: dict[str, float] = {
        "used_percent": percent,
        "used_bytes": used * found.f_frsize,
        "free_bytes": available * found.f_frsize,
        "size_bytes": found.f_blocks * found.f_frsize,
    }
    if found.f_files > 0:
        values["inodes_used_percent"] = 100 * (found.f_files - found.f_ffree) / found.f_files
        values["inodes_free"] = found.f_favail
        values["inodes_total"] = found.f_files
    free = format_size(values["free_bytes"])
    return Finding(Status.UP, f"disk {path} is {percent:.1f}% full, {free} free", values)


KIND = ProberKind(
    name="disk",
    summary="Looks how full a filesystem is.",
    category=Category.CAPACITY,
    options=DiskOptions,
    make=partial(BlockingProber, measure=measure),
    values={
        "used_percent": "how full it is in percent, as df shows it: used of used and available",
        "used_bytes": "bytes in use",
        "free_bytes": "bytes available to ordinary users",
        "size_bytes": "size of the filesystem in bytes, with what is kept back for root",
        "inodes_used_percent": "inodes in use, in percent; absent where the filesystem has no fixed number of them",
        "inodes_free": "inodes available to ordinary users; absent just so",
        "inodes_total": "inodes that there are; absent just so",
    },
)
