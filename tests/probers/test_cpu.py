"""The cpu prober, on this machine and on others by their /proc/stat."""

from pathlib import Path

import psutil
import pytest

from tests.probers.asking import NOW_MS, a_probe, ask, run
from tests.probers.machine import Readings
from watchkeeper.domain.probe import Sample, Status
from watchkeeper.probers import cpu
from watchkeeper.probers.base import Prober


def stat(folder: Path, *jiffies: int) -> None:
    """What a kernel says of its CPUs: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice."""
    (folder / "stat").write_text(f"cpu  {' '.join(map(str, jiffies))}\n")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    return tmp_path


def samples(prober: Prober, count: int) -> Sample:
    async def main() -> Sample:
        for _ in range(count):
            sample = await prober.run(a_probe("cpu", {}))
        await prober.close()
        return sample

    return run(main())


def test_this_machine_has_cpus_and_a_first_run_tells_of_them() -> None:
    sample = run(ask("cpu", {}))
    assert sample.status is Status.UP
    assert 0 <= sample.values["used_percent"] <= 100.001
    assert sample.values["used_percent"] + sample.values["iowait_percent"] <= 100.001
    assert 0.1 < sample.duration_s < 2


def test_the_time_between_two_runs_is_shared_out(machine: Path) -> None:
    stat(machine, 1000, 0, 1000, 10_000, 500, 0, 0, 0, 200, 0)
    readings = Readings(lambda: stat(machine, 1400, 0, 1100, 10_300, 600, 0, 0, 100, 300, 0))
    sample = samples(cpu.make(lambda: NOW_MS, readings.make), 1)
    assert sample.values == pytest.approx(
        {"used_percent": 60, "user_percent": 40, "system_percent": 10, "iowait_percent": 10, "steal_percent": 10}
    )
    assert sample.message == "the CPUs are 60.0% used, 10.0% wait for disks, 10.0% are stolen"


def test_time_that_stands_still_tells_nothing(machine: Path) -> None:
    stat(machine, 1000, 0, 1000, 10_000, 500, 0, 0, 0, 0, 0)
    sample = samples(cpu.make(lambda: NOW_MS, Readings().make), 2)
    assert sample.status is Status.UNKNOWN
    assert sample.message == "the kernel counted no time of its CPUs since the last run"


def test_a_machine_that_does_not_tell_is_unknown(machine: Path) -> None:
    sample = run(ask("cpu", {}))
    assert sample.status is Status.UNKNOWN
    assert sample.message == f"could not look at {machine}/stat: No such file or directory"
