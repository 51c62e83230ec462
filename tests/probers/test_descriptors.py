"""The descriptors prober, on this machine and on others by their file-nr."""

import os
from pathlib import Path

import psutil
import pytest

from tests.probers.asking import ask, run
from watchkeeper.domain.probe import Sample, Status


def on_a_machine(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> Sample:
    (folder / "sys/fs").mkdir(parents=True)
    (folder / "sys/fs/file-nr").write_text(text)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(folder))
    return run(ask("descriptors", {}))


def test_files_that_are_opened_are_counted() -> None:
    before = run(ask("descriptors", {}))
    opened = [os.open("/", os.O_RDONLY) for _ in range(500)]
    try:
        sample = run(ask("descriptors", {}))
    finally:
        for fd in opened:
            os.close(fd)
    assert sample.status is Status.UP
    assert 0 < before.values["used"] < sample.values["used"] < sample.values["max"]


def test_they_are_told_in_percent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sample = on_a_machine(monkeypatch, tmp_path, "1500\t500\t4000\n")
    assert sample.values == {"used": 1000, "max": 4000, "used_percent": 25}
    assert sample.message == "1000 of 4000 file descriptors are used"


@pytest.mark.parametrize("text", ["", "1 2", "a b c", "1 0 0", "1 2 3 4"])
def test_a_kernel_that_says_something_else_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    assert on_a_machine(monkeypatch, tmp_path, text).status is Status.UNKNOWN


def test_a_machine_that_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    sample = run(ask("descriptors", {}))
    assert (sample.status, sample.message) == (
        Status.UNKNOWN,
        f"could not look at {tmp_path}/sys/fs/file-nr: No such file or directory",
    )
