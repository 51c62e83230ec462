"""Looks how many file descriptors all programs of this machine together have open."""

from functools import partial
from pathlib import Path

import psutil

from watchkeeper.domain.probe import Category, Probe, Status
from watchkeeper.probers.base import BlockingProber, Finding, ProberKind
from watchkeeper.schema.base import Model


class DescriptorsOptions(Model):
    """A look at this machine's open files. There is nothing to set."""


def measure(_probe: Probe) -> Finding:
    """What the kernel counts against its limit, fs.file-max.

    Raises:
        OSError: /proc cannot be read.
    """
    text = Path(psutil.PROCFS_PATH, "sys/fs/file-nr").read_text(encoding="ascii", errors="replace")
    try:
        used, free, most = map(int, text.split())
    except ValueError:
        return Finding(Status.UNKNOWN, "the kernel's count of open files, file-nr, is not three numbers")
    if most <= 0:
        return Finding(Status.UNKNOWN, "the kernel tells no limit of open files")
    values = {"used": float(used - free), "max": float(most), "used_percent": min(100.0, 100 * (used - free) / most)}
    return Finding(Status.UP, f"{used - free} of {most} file descriptors are used", values)


KIND = ProberKind(
    name="descriptors",
    summary="Looks how many file descriptors all programs of this machine together have open.",
    category=Category.CAPACITY,
    options=DescriptorsOptions,
    make=partial(BlockingProber, measure=measure),
    values={
        "used": "file descriptors that are open",
        "max": "how many there can be, of all programs together: fs.file-max",
        "used_percent": "how many of these are open, in percent. What one program may have is told by `process`",
    },
)
