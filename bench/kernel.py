"""What the kernel says: CPU time and memory of processes, and how busy the machine is."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_GONE = (OSError, psutil.NoSuchProcess)


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of processes and all that descends from them, the dead included.

    A living process's time is read from its CPU clock (`clock_getcpuclockid(3)`), to the nanosecond, with threads
    that have ended; that of children that were waited for from `cutime` and `cstime` of /proc/PID/stat.
    """
    total = 0.0
    for pid in _trees(pids):
        with suppress(*_GONE):
            total += time.clock_gettime(~pid << 3 | 2) + _reaped_s(pid)
    return total


def pss_mb(pids: Iterable[int]) -> float:
    """Memory of processes and their descendants: what they share is divided among those that share it."""
    return sum(_kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") for pid in _trees(pids)) / 1024


def rss_mb(pid: int) -> float:
    """Memory of one process as `ps` shows it."""
    return _kib(Path(f"/proc/{pid}/status"), "VmRSS:") / 1024


def busy_s() -> float:
    """CPU time that all cores together have not been idle, since the machine started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) * _TICK_S


def _trees(pids: Iterable[int]) -> Iterator[int]:
    for pid in pids:
        yield pid
        with suppress(*_GONE):
            yield from [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _reaped_s(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[13]) + int(after_name[14])) * _TICK_S


def _kib(file: Path, field: str) -> int:
    with suppress(*_GONE):
        for line in file.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0
