"""The disk prober, on the filesystems that are here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.probers.asking import ask, run
from watchkeeper.domain.probe import Status


def test_a_disk_is_as_full_as_df_says(tmp_path: Path) -> None:
    sample = run(ask("disk", {"path": str(tmp_path)}))
    assert sample.status is Status.UP
    df = subprocess.run(["df", "-k", "--output=pcent", tmp_path], check=True, capture_output=True, text=True)
    shown = int(df.stdout.split()[-1].rstrip("%"))  # rounded up
    assert shown - 2 < sample.values["used_percent"] <= shown + 1
    usage = shutil.disk_usage(tmp_path)
    assert sample.values["size_bytes"] == usage.total
    assert sample.values["used_bytes"] == pytest.approx(usage.used, rel=0.05)
    assert sample.values["free_bytes"] == pytest.approx(usage.free, rel=0.05)
    assert sample.message.startswith(f"disk {tmp_path} is {sample.values['used_percent']:.1f}% full, ")


def test_inodes_are_counted_where_the_filesystem_has_a_number_of_them(tmp_path: Path) -> None:
    found, values = os.statvfs(tmp_path), run(ask("disk", {"path": str(tmp_path)})).values
    if not found.f_files:
        assert "inodes_total" not in values
        return
    assert values["inodes_total"] == found.f_files
    assert values["inodes_free"] == pytest.approx(found.f_favail, rel=0.05)


def test_a_path_that_is_not_there_is_unknown_and_says_which(tmp_path: Path) -> None:
    sample = run(ask("disk", {"path": str(tmp_path / "missing")}))
    assert sample.status is Status.UNKNOWN
    assert sample.message == f"could not look at {tmp_path}/missing: No such file or directory"
    assert dict(sample.values) == {}


def test_a_filesystem_without_a_size_is_unknown() -> None:
    sample = run(ask("disk", {"path": "/proc"}))
    assert (sample.status, sample.message) == (Status.UNKNOWN, "the filesystem of /proc has no size")
