"""The memory prober, on this machine and on others by their /proc/meminfo."""

from pathlib import Path

import psutil
import pytest

from tests.probers.asking import a_probe, ask, ask_by, run
from tests.probers.machine import Readings
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import memory

GIB = 1024**3


def on_a_machine(monkeypatch: pytest.MonkeyPatch, folder: Path, **kib: int) -> Sample:
    """The sample of a machine whose kernel says this of its memory."""
    kib = {**dict.fromkeys(("Buffers", "Cached", "Shmem", "Active", "Inactive"), 0), **kib}
    (folder / "meminfo").write_text("".join(f"{name}: {number} kB\n" for name, number in kib.items()))
    (folder / "vmstat").write_text("pswpin 0\npswpout 0\n")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(folder))
    return run(ask("memory", {}))


def test_this_machine_has_memory() -> None:
    sample = run(ask("memory", {}))
    assert sample.status is Status.UP
    assert 0 < sample.values["used_percent"] < 100
    assert 0 < sample.values["available_bytes"] < sample.values["total_bytes"]


def test_caches_that_the_kernel_can_take_back_are_not_in_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kib = {
        "MemTotal": 8 * 1024**2,
        "MemFree": 1024**2,
        "MemAvailable": 6 * 1024**2,
        "Buffers": 0,
        "Cached": 5 * 1024**2,
    }
    sample = on_a_machine(monkeypatch, tmp_path, **kib, SwapTotal=4 * 1024**2, SwapFree=3 * 1024**2)
    assert sample.message == "memory is 25.0% used, 6.0GiB available"
    assert sample.values == {
        "used_percent": 25.0,
        "available_bytes": 6 * GIB,
        "total_bytes": 8 * GIB,
        "swap_used_percent": 25.0,
        "swap_used_bytes": GIB,
        "swap_total_bytes": 4 * GIB,
        "swap_in_bytes_per_second": 0,
        "swap_out_bytes_per_second": 0,
    }


def test_what_is_swapped_is_told_for_each_second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kib = {"MemTotal": 1024, "MemFree": 512, "MemAvailable": 512, "SwapTotal": 1024, "SwapFree": 512}
    on_a_machine(monkeypatch, tmp_path, **kib)

    def meanwhile() -> None:
        (tmp_path / "vmstat").write_text("pswpin 10\npswpout 20\n")

    readings = Readings(meanwhile)
    sample = run(ask_by(memory.make(lambda: 0, readings.make), a_probe("memory", {})))
    assert sample.values["swap_in_bytes_per_second"] == pytest.approx(10 * 4096 / 0.2)
    assert sample.values["swap_out_bytes_per_second"] == pytest.approx(20 * 4096 / 0.2)


def test_without_swap_space_none_of_it_is_in_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kib = {"MemTotal": 1024, "MemFree": 512, "MemAvailable": 512}
    sample = on_a_machine(monkeypatch, tmp_path, **kib, SwapTotal=0, SwapFree=0)
    assert sample.values["swap_used_bytes"] == 0
    assert "swap_used_percent" not in sample.values


def test_a_machine_that_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    sample = run(ask("memory", {}))
    assert sample.status is Status.UNKNOWN
    assert sample.message == f"could not look at {tmp_path}/meminfo: No such file or directory"
